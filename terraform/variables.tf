# Where and how the job runs: the options of `claims deploy`, under the same names. The launch
# parameters are in parameters.tf.

variable "project" {
  description = "Project ID."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "Variable project must be a project ID."
  }
}

variable "name" {
  description = "Name of the job, its topic and subscription, and its dataset."
  type        = string
  default     = "claims"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}[a-z0-9]$", var.name))
    error_message = "Variable name must have 4 to 22 characters from a-z, 0-9 and -, start with a letter and not end with -."
  }
}

variable "region" {
  description = "Region to run the job in."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)+[0-9]+$", var.region))
    error_message = "Variable region must be a region, such as us-central1."
  }
}

variable "bucket" {
  description = "Bucket for the job. Default: PROJECT-claims."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "Variable bucket must be a bucket name without gs://."
  }
}

variable "create_bucket" {
  description = "Whether the module creates the bucket; set it to false if another module does."
  type        = bool
  default     = true
  nullable    = false
}

variable "repository" {
  description = "Artifact Registry repository that holds the image, in the same region."
  type        = string
  default     = "claims"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.repository))
    error_message = "Variable repository must be a repository name."
  }
}

variable "tag" {
  description = "Version of the template."
  type        = string
  default     = "latest"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.tag))
    error_message = "Variable tag must be an image tag."
  }
}

variable "template" {
  description = "Path to a different template. Default: gs://BUCKET/templates/claims/TAG.json."
  type        = string
  default     = null

  validation {
    condition     = var.template == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.template))
    error_message = "Variable template must be a gs:// path."
  }
}

variable "location" {
  description = "Location for new datasets. Default: the region."
  type        = string
  default     = null

  validation {
    condition     = var.location == null ? true : can(regex("^[A-Za-z][A-Za-z0-9-]{1,40}$", var.location))
    error_message = "Variable location must be a BigQuery location, such as US."
  }
}

variable "create_datasets" {
  description = "Whether the module creates the datasets and, with create_tables, the tables; set it to false if they already exist."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the tables, which hold the claims."
  type        = bool
  default     = true
  nullable    = false
}

variable "launch" {
  description = "Whether the job runs; false drains it and keeps all other resources."
  type        = bool
  default     = true
  nullable    = false
}

variable "max_workers" {
  description = "Maximum number of workers. Default: 10."
  type        = number
  default     = null

  validation {
    condition     = var.max_workers == null ? true : can(regex("^[1-9][0-9]*$", tostring(var.max_workers)))
    error_message = "Variable max_workers must be 1 or more."
  }
}

variable "num_workers" {
  description = "Initial number of workers."
  type        = number
  default     = null

  validation {
    condition     = var.num_workers == null ? true : can(regex("^[1-9][0-9]*$", tostring(var.num_workers)))
    error_message = "Variable num_workers must be 1 or more."
  }
}

variable "machine_type" {
  description = "Machine type of the workers. Default: chosen by Dataflow."
  type        = string
  default     = null

  validation {
    condition     = var.machine_type == null ? true : can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.machine_type))
    error_message = "Variable machine_type must be a machine type, such as n2-standard-2."
  }
}

variable "network" {
  description = "VPC network of the workers."
  type        = string
  default     = null

  validation {
    condition     = var.network == null ? true : can(regex("^[a-z0-9][A-Za-z0-9:/._-]*$", var.network))
    error_message = "Variable network must be a network name."
  }
}

variable "subnetwork" {
  description = "Subnetwork of the workers, as regions/REGION/subnetworks/NAME or as its URL."
  type        = string
  default     = null

  validation {
    condition     = var.subnetwork == null ? true : can(regex("^(https://.+/)?(projects/.+/)?regions/[a-z0-9-]+/subnetworks/[a-z0-9-]+$", var.subnetwork))
    error_message = "Variable subnetwork must be regions/REGION/subnetworks/NAME, or its URL."
  }
}

variable "no_public_ips" {
  description = "Whether the workers have only private IP addresses."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key" {
  description = "Cloud KMS key that encrypts the job's state."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/.+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "Variable kms_key must be projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "labels" {
  description = "Labels to add to the job."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}$", "${name}=${value}"))])
    error_message = "Variable labels may use at most 63 characters from a-z, 0-9, _ and -; each name must start with a letter."
  }
}

variable "at_least_once" {
  description = "Whether the job runs in at-least-once streaming mode: cheaper, but with more duplicate rows."
  type        = bool
  default     = false
  nullable    = false
}

variable "transform_name_mapping" {
  description = "Map from old to new step labels for one update: the entries of claims_ops/deployment/transform_names.json that the running job needs."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for old, new in var.transform_name_mapping : old != ""])
    error_message = "Variable transform_name_mapping must not contain an empty label."
  }
}

variable "monitoring" {
  description = "Whether the module creates the dashboard and the alert policies. They also cover other jobs and subscriptions whose names start with this job's name."
  type        = bool
  default     = true
  nullable    = false
}

variable "notification_channels" {
  description = "Notification channels for alerts, as projects/PROJECT/notificationChannels/ID."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", each))])
    error_message = "Variable notification_channels must contain only projects/PROJECT/notificationChannels/ID."
  }
}

variable "profiles_schedule" {
  description = "How often BigQuery computes the provider profiles, such as every 24 hours; null for never. Needs create_views."
  type        = string
  default     = null

  validation {
    condition     = var.profiles_schedule == null ? true : can(regex("^(every|[0-9]|first|second|third|fourth|fifth) ?[a-z0-9,: ]+$", var.profiles_schedule))
    error_message = "Variable profiles_schedule must be a BigQuery schedule, such as every 24 hours."
  }
}
