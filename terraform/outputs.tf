output "job_id" {
  description = "Id of the job; null with launch = false."
  value       = one(google_dataflow_flex_template_job.claims[*].job_id)
}

output "job_console" {
  description = "Where to look at the jobs."
  value       = "https://console.cloud.google.com/dataflow/jobs?project=${var.project}"
}

output "topic" {
  description = "Where producers publish; null where a parameter names another source."
  value       = local.own_source ? "projects/${var.project}/topics/${var.name}" : null
}

output "subscription" {
  description = "What the job reads; null where it reads files or a topic."
  value       = local.subscription == "" ? null : local.subscription
}

output "dead_letter_subscription" {
  description = "Keeps the messages that no worker could take; null without a topic of its own."
  value       = local.own_source ? "projects/${var.project}/subscriptions/${var.name}-dead-letter" : null
}

output "output_table" {
  description = "Table of scored claims."
  value       = local.parameters["output_table"]
}

output "error_table" {
  description = "Table of rejected messages."
  value       = local.parameters["error_table"]
}

output "bucket" {
  description = "Bucket of the job."
  value       = local.bucket
}

output "worker_account" {
  description = "Service account of launcher and workers."
  value       = google_service_account.workers.email
}

output "profile_files" {
  description = "What the scheduled query exports: values of the parameters of these names, once it has run; null without it."
  value       = local.has_profiles ? local.profile_files : null
}
