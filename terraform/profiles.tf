# The scheduled query of `claims profiles`, with an account of its own: only it may run queries.

locals {
  profiled = { for name, table in local.tables : name => table if name == "claims" && var.profiles_schedule != null }
  profiles_query = {
    for key, table in local.profiled : key => join("", [
      for name in ["provider_profile", "claim_percentiles"] : join("\n", [
        "EXPORT DATA OPTIONS (",
        "  uri = 'gs://${local.bucket}/reference/${name}-*.csv', format = 'CSV', header = TRUE, overwrite = TRUE",
        ") AS",
        "${trimspace(replace(
          replace(file("${path.module}/../sql/${name}.sql"), "$${AS_OF}", "@run_date"),
          "$${CURRENT_CLAIMS}", "`${table.project}.${table.dataset}.${table.table}_current`",
        ))};\n",
      ])
    ])
  }
}

resource "google_service_account" "profiles" {
  for_each = local.profiled

  project      = var.project
  account_id   = "${var.name}-profile"
  display_name = "Scheduled query of the provider profiles of ${var.name}"

  depends_on = [google_project_service.claims]
}

resource "google_project_iam_member" "profiles" {
  for_each = local.profiled

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.profiles[each.key].member
}

resource "google_bigquery_dataset_iam_member" "profiles" {
  for_each = local.profiled

  project    = each.value.project
  dataset_id = each.value.dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.profiles[each.key].member

  depends_on = [google_bigquery_dataset.claims]
}

resource "google_storage_bucket_iam_member" "profiles" {
  for_each = local.profiled

  bucket = local.bucket
  role   = "roles/storage.objectAdmin"
  member = google_service_account.profiles[each.key].member

  depends_on = [google_storage_bucket.claims]
}

resource "google_bigquery_data_transfer_config" "profiles" {
  for_each = local.profiled

  project              = var.project
  display_name         = "${var.name} profiles"
  location             = coalesce(var.location, var.region)
  data_source_id       = "scheduled_query"
  schedule             = var.profiles_schedule
  service_account_name = google_service_account.profiles[each.key].email
  params               = { query = local.profiles_query[each.key] }

  lifecycle {
    precondition {
      condition     = var.create_views
      error_message = "The profiles are computed from the view of current claims: set create_views."
    }
  }
  depends_on = [
    google_bigquery_dataset_iam_member.profiles,
    google_project_iam_member.profiles,
    google_storage_bucket_iam_member.profiles,
  ]
}
