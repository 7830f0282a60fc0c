# Everything for one job: run `./build_template.sh --project ID`, then `terraform init` and
# `terraform apply -var project=ID` here.

terraform {
  required_version = ">= 1.6"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 6.50"
    }
  }
}

variable "project" {
  description = "Project ID."
  type        = string
}

# build_template.sh created the bucket; Terraform takes it over.
import {
  to = module.claims.google_storage_bucket.claims[0]
  id = "${var.project}-claims"
}

module "claims" {
  source = "../.." # elsewhere: git::https://HOST/OWNER/REPOSITORY.git//terraform?ref=TAG

  project              = var.project
  max_workers          = 3
  error_retention_days = 90
}

output "claims" {
  description = "The job, and the names of its inputs and outputs."
  value       = module.claims
}
