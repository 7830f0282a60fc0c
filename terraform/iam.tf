# The service account of the launcher and the workers, and its roles (deployment.tf), each on a single
# resource where possible.

resource "google_service_account" "workers" {
  project      = var.project
  account_id   = "${var.name}-workers"
  display_name = "Workers of the Dataflow job ${var.name}"

  depends_on = [google_project_service.claims]
}

resource "google_project_iam_member" "workers" {
  for_each = merge(local.roles.projects, var.create_views ? local.roles.views : {})

  project = var.project
  role    = each.key
  member  = google_service_account.workers.member
}

resource "google_storage_bucket_iam_member" "workers" {
  for_each = local.roles.buckets

  bucket = local.bucket
  role   = each.key
  member = google_service_account.workers.member

  depends_on = [google_storage_bucket.claims]
}

resource "google_storage_bucket_iam_member" "foreign" {
  for_each = {
    for pair in setproduct(local.foreign_buckets, keys(local.roles.foreign_buckets)) : "${pair[0]} ${pair[1]}" => pair
  }

  bucket = each.value[0]
  role   = each.value[1]
  member = google_service_account.workers.member
}

resource "google_artifact_registry_repository_iam_member" "workers" {
  for_each = local.roles.repositories

  project    = var.project
  location   = var.region
  repository = var.repository
  role       = each.key
  member     = google_service_account.workers.member
}

resource "google_bigquery_dataset_iam_member" "workers" {
  for_each = {
    for pair in setproduct(keys(local.datasets), keys(local.roles.datasets)) : "${pair[0]} ${pair[1]}" => {
      dataset = local.datasets[pair[0]]
      role    = pair[1]
    }
  }

  project    = each.value.dataset.project
  dataset_id = each.value.dataset.dataset
  role       = each.value.role
  member     = google_service_account.workers.member

  depends_on = [google_bigquery_dataset.claims]
}

resource "google_secret_manager_secret_iam_member" "workers" {
  for_each = local.secret == "" ? {} : local.roles.secrets

  project   = split("/", local.secret)[1]
  secret_id = split("/", local.secret)[3]
  role      = each.key
  member    = google_service_account.workers.member
}

resource "google_pubsub_subscription_iam_member" "workers" {
  for_each = local.subscription == "" ? {} : local.roles.subscriptions

  project      = split("/", local.subscription)[1]
  subscription = split("/", local.subscription)[3]
  role         = each.key
  member       = google_service_account.workers.member

  depends_on = [google_pubsub_subscription.claims]
}
