# Topics and subscriptions, unless a parameter names another source.

resource "google_pubsub_topic" "claims" {
  for_each = local.own_source ? toset([var.name, "${var.name}-dead-letter"]) : toset([])

  project = var.project
  name    = each.key

  depends_on = [google_project_service.claims]
}

resource "google_pubsub_subscription" "claims" {
  count = local.own_source ? 1 : 0

  project                    = var.project
  name                       = var.name
  topic                      = google_pubsub_topic.claims[var.name].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s" # 7 days: how long an unread message waits for a job

  expiration_policy {
    ttl = "" # never
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.claims["${var.name}-dead-letter"].id
    max_delivery_attempts = 100 # the most that Pub/Sub offers
  }
}

# Keeps dead letters, because a topic alone keeps nothing.
resource "google_pubsub_subscription" "dead_letter" {
  count = local.own_source ? 1 : 0

  project                    = var.project
  name                       = "${var.name}-dead-letter"
  topic                      = google_pubsub_topic.claims["${var.name}-dead-letter"].id
  message_retention_duration = "2678400s" # 31 days, the longest that Pub/Sub offers

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's own account, which moves dead letters.
resource "google_project_service_identity" "pubsub" {
  provider = google-beta
  count    = local.own_source ? 1 : 0

  project = var.project
  service = "pubsub.googleapis.com"

  depends_on = [google_project_service.claims]
}

resource "google_pubsub_topic_iam_member" "pubsub_agent" {
  for_each = local.own_source ? local.roles.agent_topics : {}

  project = var.project
  topic   = google_pubsub_topic.claims["${var.name}-dead-letter"].name
  role    = each.key
  member  = google_project_service_identity.pubsub[0].member
}

resource "google_pubsub_subscription_iam_member" "pubsub_agent" {
  for_each = local.own_source ? local.roles.agent_subscriptions : {}

  project      = var.project
  subscription = google_pubsub_subscription.claims[0].name
  role         = each.key
  member       = google_project_service_identity.pubsub[0].member
}
