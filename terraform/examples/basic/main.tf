# Everything for one job: run ./build_template.sh, then `terraform init` and `terraform apply` here,
# with the same project, region and bucket (docs/operate/terraform.md).

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

variable "region" {
  description = "Region of the job, the bucket and the datasets: that of build_template.sh."
  type        = string
  default     = "us-central1"
}

variable "bucket" {
  description = "Bucket that build_template.sh created. Default: PROJECT-claims."
  type        = string
  default     = null
}

variable "tag" {
  description = "Version of the template, registered by build_template.sh --tag."
  type        = string
  default     = "latest"
}

variable "launch" {
  description = "Whether the job runs; false drains it and keeps everything else."
  type        = bool
  default     = true
}

locals {
  bucket = coalesce(var.bucket, "${replace(replace(var.project, ":", "-"), ".", "-")}-claims")
}

# build_template.sh created the bucket; Terraform takes it over.
import {
  to = module.claims.google_storage_bucket.claims[0]
  id = local.bucket
}

module "claims" {
  source = "../.." # elsewhere: git::https://HOST/OWNER/REPOSITORY.git//terraform?ref=TAG

  project              = var.project
  region               = var.region
  bucket               = local.bucket
  tag                  = var.tag
  launch               = var.launch
  max_workers          = 3
  error_retention_days = 90
}

output "claims" {
  description = "The job, and the names of its inputs and outputs."
  value       = module.claims
}
