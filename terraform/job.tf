resource "google_dataflow_flex_template_job" "claims" {
  provider = google-beta
  count    = var.launch ? 1 : 0

  project                 = var.project
  region                  = var.region
  name                    = var.name
  container_spec_gcs_path = local.template
  parameters              = local.parameters
  service_account_email   = google_service_account.workers.email
  staging_location        = "gs://${local.bucket}/staging"
  temp_location           = "gs://${local.bucket}/temp"
  max_workers             = var.max_workers
  num_workers             = var.num_workers
  machine_type            = var.machine_type
  network                 = var.network
  subnetwork              = var.subnetwork
  ip_configuration        = var.no_public_ips ? "WORKER_IP_PRIVATE" : null
  kms_key_name            = var.kms_key
  labels                  = var.labels
  additional_experiments  = var.at_least_once ? ["streaming_mode_at_least_once"] : null
  enable_streaming_engine = local.streaming ? true : null
  transform_name_mapping  = length(var.transform_name_mapping) > 0 ? var.transform_name_mapping : null
  on_delete               = "drain" # finishes what it has read, then stops

  lifecycle {
    precondition {
      condition     = length([for each in [var.input_subscription, var.input_topic, var.input_files] : each if each != null]) <= 1
      error_message = "Pass at most one of input_subscription, input_topic, input_files."
    }
    precondition {
      condition     = local.streaming || !var.at_least_once
      error_message = "Variable at_least_once works only for streaming jobs."
    }
    precondition {
      condition     = (var.pseudonymise == null) == nonsensitive(var.pseudonym_key == null)
      error_message = "Pass pseudonymise and pseudonym_key together."
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.workers,
    google_bigquery_dataset_iam_member.workers,
    google_bigquery_table.claims,
    google_project_iam_member.workers,
    google_pubsub_subscription_iam_member.pubsub_agent,
    google_pubsub_subscription_iam_member.workers,
    google_pubsub_topic_iam_member.pubsub_agent,
    google_secret_manager_secret_iam_member.workers,
    google_storage_bucket_iam_member.foreign,
    google_storage_bucket_iam_member.workers,
  ]
}
