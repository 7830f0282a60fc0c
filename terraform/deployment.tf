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
    project = {
      "roles/dataflow.worker" = "takes work, writes logs and metrics"
      "roles/dataflow.viewer" = "an update looks for the running job by its name"
    }
    bucket = {
      "roles/storage.objectAdmin" = "stages the job, temporary files"
    }
    foreign_bucket = {
      "roles/storage.objectViewer" = "reads what parameters name"
    }
    repository = {
      "roles/artifactregistry.reader" = "pulls the image"
    }
    dataset = {
      "roles/bigquery.dataEditor" = "creates and extends the tables, appends rows"
    }
    secret = {
      "roles/secretmanager.secretAccessor" = "reads the key of the pseudonyms"
    }
    subscription = {
      "roles/pubsub.subscriber" = "reads claims"
      "roles/pubsub.viewer"     = "Dataflow looks at its settings"
    }
    pubsub_agent_topic = {
      "roles/pubsub.publisher" = "Pub/Sub itself moves dead letters"
    }
    pubsub_agent_subscription = {
      "roles/pubsub.subscriber" = "Pub/Sub itself moves dead letters"
    }
  }
}
