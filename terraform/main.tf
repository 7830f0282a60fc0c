# What `claims deploy` creates for one job, and the job itself. A test compares the two by name.

locals {
  bucket           = coalesce(var.bucket, "${replace(replace(var.project, ":", "-"), ".", "-")}-claims")
  template         = coalesce(var.template, "gs://${local.bucket}/templates/claims/${var.tag}.json")
  own_subscription = "projects/${var.project}/subscriptions/${var.name}"

  # The given names, or our own, of what the job reads and writes.
  is_source_given = anytrue([for each in [var.input_subscription, var.input_topic, var.input_files] : each != null])
  own_parameters = {
    input_subscription = local.is_source_given ? null : local.own_subscription
    output_table       = "${var.project}:${replace(var.name, "-", "_")}.claims"
    error_table        = "${var.project}:${replace(var.name, "-", "_")}.errors"
  }
  parameters = {
    for name, value in merge(local.own_parameters, local.launch_parameters) : name => value if value != null
  }

  streaming    = var.input_files == null
  subscription = try(local.parameters["input_subscription"], "")
  own_source   = local.subscription == local.own_subscription

  # Name of the Secret Manager secret with the pseudonym key, or "". Nothing here reads the secret.
  secret = try(regex("^(projects/.+)/versions/", local.parameters["pseudonym_key"])[0], "")
  foreign_buckets = distinct([
    for value in values(local.parameters) : split("/", value)[2]
    if startswith(value, "gs://") && try(split("/", value)[2], local.bucket) != local.bucket
  ])
}

resource "google_project_service" "claims" {
  for_each = toset(concat(
    local.services,
    local.secret == "" ? [] : [local.secret_service],
    var.profiles_schedule == null ? [] : ["bigquerydatatransfer.googleapis.com"],
  ))

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

resource "google_storage_bucket" "claims" {
  count = var.create_bucket ? 1 : 0

  project                     = var.project
  name                        = local.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = 0 # otherwise temporary files would be kept, and billed, for another week
  }

  depends_on = [google_project_service.claims]
}
