output "job_id" {
  description = "ID of the job; null with launch = false."
  value       = one(google_dataflow_flex_template_job.claims[*].job_id)
}

output "job_console" {
  description = "Console page that lists the jobs."
  value       = "https://console.cloud.google.com/dataflow/jobs?project=${var.project}"
}

output "topic" {
  description = "Topic that producers publish to; null if a parameter names another source."
  value       = local.own_source ? "projects/${var.project}/topics/${var.name}" : null
}

output "subscription" {
  description = "Subscription that the job reads; null if it reads files or a topic."
  value       = local.subscription == "" ? null : local.subscription
}

output "dead_letter_subscription" {
  description = "Subscription that keeps messages no worker could process; null if the module creates no topic."
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
  description = "Bucket for the job."
  value       = local.bucket
}

output "worker_account" {
  description = "Service account of the launcher and the workers."
  value       = google_service_account.workers.email
}

output "profile_files" {
  description = "Files that the scheduled query exports; pass them as the parameters of the same names once it has run. Null without the query."
  value       = local.has_profiles ? local.profile_files : null
}
