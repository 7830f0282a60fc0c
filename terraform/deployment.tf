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
      "roles/dataflow.worker" = "run as a worker and write logs and metrics"
      "roles/dataflow.viewer" = "find the running job by name for an update"
    }
    views = {
      "roles/bigquery.jobUser" = "run the queries that create the views"
    }
    buckets = {
      "roles/storage.objectAdmin" = "stage the job and write temporary files"
    }
    foreign_buckets = {
      "roles/storage.objectViewer" = "read files named by parameters"
    }
    repositories = {
      "roles/artifactregistry.reader" = "pull the image"
    }
    datasets = {
      "roles/bigquery.dataEditor" = "create and extend the tables and append rows"
    }
    secrets = {
      "roles/secretmanager.secretAccessor" = "read the pseudonym key"
    }
    subscriptions = {
      "roles/pubsub.subscriber" = "read claims"
      "roles/pubsub.viewer"     = "let Dataflow read its settings"
    }
    agent_topics = {
      "roles/pubsub.publisher" = "let Pub/Sub move dead letters"
    }
    agent_subscriptions = {
      "roles/pubsub.subscriber" = "let Pub/Sub move dead letters"
    }
  }
}
