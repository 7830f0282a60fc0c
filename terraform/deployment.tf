# Written by `claims sync` from claims_ops/deployment/plan.py; edit that.

locals {
  services = [
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "storage.googleapis.com",
  ]

  secret_service = "secretmanager.googleapis.com"

  roles = {
    projects = {
      "roles/dataflow.worker" = "takes work, writes logs and metrics"
      "roles/dataflow.viewer" = "an update looks for the running job by its name"
    }
    buckets = {
      "roles/storage.objectAdmin" = "stages the job, temporary files"
    }
    foreign_buckets = {
      "roles/storage.objectViewer" = "reads what parameters name"
    }
    repositories = {
      "roles/artifactregistry.reader" = "pulls the image"
    }
    datasets = {
      "roles/bigquery.dataEditor" = "creates and extends the tables, appends rows"
    }
    secrets = {
      "roles/secretmanager.secretAccessor" = "reads the key of the pseudonyms"
    }
    subscriptions = {
      "roles/pubsub.subscriber" = "reads claims"
      "roles/pubsub.viewer"     = "Dataflow looks at its settings"
    }
    agent_topics = {
      "roles/pubsub.publisher" = "Pub/Sub itself moves dead letters"
    }
    agent_subscriptions = {
      "roles/pubsub.subscriber" = "Pub/Sub itself moves dead letters"
    }
  }
}
