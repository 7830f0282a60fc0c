# The dashboard and the alert policies of monitoring/, for jobs and subscriptions of this name.

locals {
  monitored = "${path.module}/../monitoring"
  alerts = {
    for name in fileset("${local.monitored}/alerts", "*.json") :
    trimsuffix(name, ".json") => jsondecode(replace(file("${local.monitored}/alerts/${name}"), "claims.*", "${var.name}.*"))
    if var.monitoring
  }
}

resource "google_monitoring_dashboard" "claims" {
  count = var.monitoring ? 1 : 0

  project        = var.project
  dashboard_json = replace(file("${local.monitored}/dashboard.json"), "claims.*", "${var.name}.*")

  depends_on = [google_project_service.claims]
}

resource "google_monitoring_alert_policy" "claims" {
  for_each = local.alerts

  project               = var.project
  display_name          = each.value.displayName
  severity              = each.value.severity
  combiner              = each.value.combiner
  user_labels           = each.value.userLabels
  notification_channels = var.notification_channels

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.displayName

      condition_prometheus_query_language {
        query               = conditions.value.conditionPrometheusQueryLanguage.query
        duration            = conditions.value.conditionPrometheusQueryLanguage.duration
        evaluation_interval = conditions.value.conditionPrometheusQueryLanguage.evaluationInterval
      }
    }
  }
  documentation {
    subject   = each.value.documentation.subject
    mime_type = each.value.documentation.mimeType
    content   = each.value.documentation.content
  }
  alert_strategy {
    auto_close = each.value.alertStrategy.autoClose
  }

  depends_on = [google_project_service.claims]
}
