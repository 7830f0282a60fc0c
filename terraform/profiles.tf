# The scheduled query of `claims profiles`, with a service account of its own, so that workers need no
# permission to run queries.

locals {
  has_profiles = var.profiles_schedule != null
  profile_files = {
    for name in ["provider_profile", "claim_percentiles"] : name => "gs://${local.bucket}/reference/${name}-*.csv"
  }
  profiles_query = join("\n", [
    for name in ["provider_profile", "claim_percentiles"] : join("\n", [
      "EXPORT DATA OPTIONS (",
      "  uri = '${local.profile_files[name]}', format = 'CSV', header = TRUE, overwrite = TRUE",
      ") AS",
      "${trimspace(replace(
        replace(file("${path.module}/../sql/${name}.sql"), "$${AS_OF}", "@run_date"),
        "$${CURRENT_CLAIMS}",
        "`${local.tables.claims.project}.${local.tables.claims.dataset}.${local.tables.claims.table}_current`",
      ))};\n",
    ])
  ])
}

resource "google_service_account" "profiles" {
  count = local.has_profiles ? 1 : 0

  project      = var.project
  account_id   = "${var.name}-profile"
  display_name = "Scheduled query of the provider profiles of ${var.name}"

  depends_on = [google_project_service.claims]
}

resource "google_project_iam_member" "profiles" {
  count = local.has_profiles ? 1 : 0

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.profiles[0].member
}

resource "google_bigquery_dataset_iam_member" "profiles" {
  count = local.has_profiles ? 1 : 0

  project    = local.tables.claims.project
  dataset_id = local.tables.claims.dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.profiles[0].member

  depends_on = [google_bigquery_dataset.claims]
}

resource "google_storage_bucket_iam_member" "profiles" {
  count = local.has_profiles ? 1 : 0

  bucket = local.bucket
  role   = "roles/storage.objectAdmin"
  member = google_service_account.profiles[0].member

  depends_on = [google_storage_bucket.claims]
}

resource "google_bigquery_data_transfer_config" "profiles" {
  count = local.has_profiles ? 1 : 0

  project              = var.project
  display_name         = "${var.name} profiles"
  location             = coalesce(var.location, var.region)
  data_source_id       = "scheduled_query"
  schedule             = var.profiles_schedule
  service_account_name = google_service_account.profiles[0].email
  params               = { query = local.profiles_query }

  lifecycle {
    precondition {
      condition     = var.create_views
      error_message = "The profiles are computed from the view of current claims, so set create_views."
    }
  }
  depends_on = [
    google_bigquery_dataset_iam_member.profiles,
    google_project_iam_member.profiles,
    google_storage_bucket_iam_member.profiles,
  ]
}
