# Written by `claims sync` from pipeline/launch/options.py; edit that.

variable "input_subscription" {
  description = "Subscription to read claims from. Pass exactly one of input_subscription, input_topic or input_files. Example: projects/my-project/subscriptions/claims"
  type        = string
  default     = null

  validation {
    condition     = var.input_subscription == null ? true : can(regex("^projects/([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.input_subscription))
    error_message = "Parameter input_subscription is not valid; see its description."
  }
}

variable "input_topic" {
  description = "Topic to read claims from. Dataflow creates a subscription for the job and deletes it when the job ends. Example: projects/my-project/topics/claims"
  type        = string
  default     = null

  validation {
    condition     = var.input_topic == null ? true : can(regex("^projects/([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.input_topic))
    error_message = "Parameter input_topic is not valid; see its description."
  }
}

variable "input_files" {
  description = "Files to read once, as a batch job: a gs:// path or glob. They may be compressed. Example: gs://my-bucket/claims/2026-*.ndjson.gz"
  type        = string
  default     = null

  validation {
    condition     = var.input_files == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.input_files))
    error_message = "Parameter input_files is not valid; see its description."
  }
}

variable "input_format" {
  description = "Format of the input: JSON (one document per message, or per line of a file), CSV (a header and one row per claim; needs input_files) or X12 (837 professional, institutional and dental claims)."
  type        = string
  default     = "JSON"
  nullable    = false

  validation {
    condition     = contains(["JSON", "CSV", "X12"], var.input_format)
    error_message = "Parameter input_format must be one of JSON, CSV, X12."
  }
}

variable "csv_delimiter" {
  description = "Field delimiter of CSV files: one character, or the word tab. Applies only with input_format=CSV. Example: |"
  type        = string
  default     = ","
  nullable    = false

  validation {
    condition     = can(regex("^(tab|[!#-~])$", var.csv_delimiter))
    error_message = "Parameter csv_delimiter is not valid; see its description."
  }
}

variable "csv_encoding" {
  description = "Character encoding of CSV files: UTF-8 (with or without a byte order mark), ISO-8859-1 (Western European, also called Latin-1) or WINDOWS-1252 (Western European on Windows). Applies only with input_format=CSV."
  type        = string
  default     = "UTF-8"
  nullable    = false

  validation {
    condition     = contains(["UTF-8", "ISO-8859-1", "WINDOWS-1252"], var.csv_encoding)
    error_message = "Parameter csv_encoding must be one of UTF-8, ISO-8859-1, WINDOWS-1252."
  }
}

variable "claim_map" {
  description = "JSONata expression that turns documents with a different structure into claims: a packaged map (csv_example, fhir_r4_bundle, fhir_r4_claim, fhir_r4_eob, flat_json_example, x12_837) or a file. Without one, every message must already be a claim, except that X12 input uses the packaged x12_837. Example: fhir_r4_claim"
  type        = string
  default     = null

  validation {
    condition     = var.claim_map == null ? true : try(trimspace(var.claim_map), "") != ""
    error_message = "Parameter claim_map is not valid; see its description."
  }
}

variable "message_id_attribute" {
  description = "Pub/Sub attribute that holds the producer's own message ID. Dataflow drops a message that repeats an ID within 10 minutes, except in at-least-once mode. Example: event_id"
  type        = string
  default     = null

  validation {
    condition     = var.message_id_attribute == null ? true : can(regex("^[!-~]([ -~]{0,254}[!-~])?$", var.message_id_attribute))
    error_message = "Parameter message_id_attribute is not valid; see its description."
  }
}

variable "output_table" {
  description = "BigQuery table for scored claims, as project:dataset.table or project.dataset.table. Example: my-project:claims.claims"
  type        = string
  default     = null

  validation {
    condition     = var.output_table == null ? true : can(regex("^([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9][:.][A-Za-z0-9_]{1,24}[A-Za-z0-9_]{0,1000}\\.[A-Za-z0-9_-]{1,24}[A-Za-z0-9_-]{0,1000}$", var.output_table))
    error_message = "Parameter output_table is not valid; see its description."
  }
}

variable "error_table" {
  description = "BigQuery table for rejected messages, as project:dataset.table or project.dataset.table. By default, it stores them in full for replay, so it holds health data. Example: my-project:claims.errors"
  type        = string
  default     = null

  validation {
    condition     = var.error_table == null ? true : can(regex("^([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9][:.][A-Za-z0-9_]{1,24}[A-Za-z0-9_]{0,1000}\\.[A-Za-z0-9_-]{1,24}[A-Za-z0-9_-]{0,1000}$", var.error_table))
    error_message = "Parameter error_table is not valid; see its description."
  }
}

variable "error_payload" {
  description = "How much of a rejected message the error table keeps: FULL (the original message, which can be replayed) or REDACTED (field names and types without values, which cannot be replayed)."
  type        = string
  default     = "FULL"
  nullable    = false

  validation {
    condition     = contains(["FULL", "REDACTED"], var.error_payload)
    error_message = "Parameter error_payload must be one of FULL, REDACTED."
  }
}

variable "pseudonymise" {
  description = "Text fields of the claim schema, separated by commas, whose values are replaced with pseudonyms (keyed HMAC-SHA-256) in both tables. Jobs with the same key produce the same pseudonyms. Rules are evaluated on the original values. A replayed message already holds pseudonyms, so rules that inspect the value of a listed field are not applied to it. In fields outside the schema, only values whose key resembles a listed field are replaced. Needs pseudonym_key. Example: patient_id,claim_id"
  type        = string
  default     = null

  validation {
    condition     = var.pseudonymise == null ? true : can(regex("^[A-Za-z_][A-Za-z0-9_]*( *, *[A-Za-z_][A-Za-z0-9_]*)*$", var.pseudonymise))
    error_message = "Parameter pseudonymise is not valid; see its description."
  }
}

variable "pseudonym_key" {
  description = "Where to read the key from: a numbered version of a secret in Secret Manager, or a gs:// file. The key must be at least 32 bytes long. Never pass the key itself. Example: projects/my-project/secrets/claims-pseudonyms/versions/1"
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.pseudonym_key == null ? true : can(regex("^(projects/(([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]{1,19})/secrets/[A-Za-z0-9_-]{1,255}/versions/[0-9]+|gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+)$", var.pseudonym_key))
    error_message = "Parameter pseudonym_key is not valid; see its description."
  }
}

variable "write_method" {
  description = "How rows are written to BigQuery: STORAGE_WRITE_API (faster, at half the price of streaming inserts) or STREAMING_INSERTS (the older insertAll API, using Beam's own sink)."
  type        = string
  default     = "STORAGE_WRITE_API"
  nullable    = false

  validation {
    condition     = contains(["STORAGE_WRITE_API", "STREAMING_INSERTS"], var.write_method)
    error_message = "Parameter write_method must be one of STORAGE_WRITE_API, STREAMING_INSERTS."
  }
}

variable "create_tables" {
  description = "Whether the launch creates missing tables and adds new columns to existing ones: true or false."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_views" {
  description = "Whether the launch creates views of the claims table: current claims (with replacements and voids applied), their service lines, and the Tuva Project's medical_claim input. Applies only with create_tables=true."
  type        = bool
  default     = false
  nullable    = false
}

variable "dataset_location" {
  description = "Location where the launch creates a missing dataset. If it is not set, a missing dataset stops the launch. Applies only with create_tables=true. Example: US"
  type        = string
  default     = null

  validation {
    condition     = var.dataset_location == null ? true : can(regex("^[A-Za-z][A-Za-z0-9-]{1,40}$", var.dataset_location))
    error_message = "Parameter dataset_location is not valid; see its description."
  }
}

variable "error_retention_days" {
  description = "Days to keep each partition of the error table; 0 keeps partitions forever. If it is not set, a new table keeps them forever and an existing table is not changed. Applies only with create_tables=true. Example: 90"
  type        = number
  default     = null

  validation {
    condition     = var.error_retention_days == null ? true : can(regex("^[0-9]{1,4}$", tostring(var.error_retention_days)))
    error_message = "Parameter error_retention_days is not valid; see its description."
  }
}

variable "bigquery_kms_key" {
  description = "Cloud KMS key that encrypts the tables the launch creates. Applies only with create_tables=true. Example: projects/my-project/locations/us/keyRings/claims/cryptoKeys/bigquery"
  type        = string
  default     = null

  validation {
    condition     = var.bigquery_kms_key == null ? true : can(regex("^projects/([a-z0-9-]+(\\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/[A-Za-z0-9_-]{1,63}/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$", var.bigquery_kms_key))
    error_message = "Parameter bigquery_kms_key is not valid; see its description."
  }
}

variable "high_risk_threshold" {
  description = "Claims that score above this value, 0 to 1, are flagged as high risk. Example: 0.7"
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = can(regex("^(0(\\.[0-9]+)?|1(\\.0+)?|\\.[0-9]+)$", tostring(var.high_risk_threshold)))
    error_message = "Parameter high_risk_threshold is not valid; see its description."
  }
}

variable "rules" {
  description = "gs:// file with the risk and quality rules. If it is not set, the template's own rules apply. Workers reload the file when it changes. Example: gs://my-bucket/rules.json"
  type        = string
  default     = null

  validation {
    condition     = var.rules == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.rules))
    error_message = "Parameter rules is not valid; see its description."
  }
}

variable "claim_schema" {
  description = "gs:// file with the JSON Schema of a claim. If it is not set, the template's own schema applies. Example: gs://my-bucket/claim.schema.json"
  type        = string
  default     = null

  validation {
    condition     = var.claim_schema == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.claim_schema))
    error_message = "Parameter claim_schema is not valid; see its description."
  }
}

variable "excluded_providers" {
  description = "gs:// file that lists the providers excluded from federal programs, as published by the OIG (LEIE, UPDATED.csv). Providers are matched by NPI. Workers reload the file when it changes. Example: gs://my-bucket/reference/UPDATED.csv"
  type        = string
  default     = null

  validation {
    condition     = var.excluded_providers == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.excluded_providers))
    error_message = "Parameter excluded_providers is not valid; see its description."
  }
}

variable "mue_table" {
  description = "gs:// file with the maximum units for each procedure, as published by CMS (NCCI MUE, CSV). Workers reload the file when it changes. Example: gs://my-bucket/reference/MCR_MUE_PractitionerServices.csv"
  type        = string
  default     = null

  validation {
    condition     = var.mue_table == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.mue_table))
    error_message = "Parameter mue_table is not valid; see its description."
  }
}

variable "ptp_edits" {
  description = "gs:// file or pattern that lists pairs of procedures that must not be billed together, as published by CMS (NCCI PTP, text). Workers reload the files when they change. Example: gs://my-bucket/reference/ccipra-*.txt"
  type        = string
  default     = null

  validation {
    condition     = var.ptp_edits == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.ptp_edits))
    error_message = "Parameter ptp_edits is not valid; see its description."
  }
}

variable "provider_profile" {
  description = "gs:// file or pattern with a profile of each provider, written by the `claims profiles` command or by its scheduled query. Workers reload the files when they change. Example: gs://my-bucket/reference/provider_profile-*.csv"
  type        = string
  default     = null

  validation {
    condition     = var.provider_profile == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.provider_profile))
    error_message = "Parameter provider_profile is not valid; see its description."
  }
}

variable "claim_percentiles" {
  description = "gs:// file or pattern with the percentiles of claim amounts, written by the `claims profiles` command or by its scheduled query. Workers reload the files when they change. Example: gs://my-bucket/reference/claim_percentiles-*.csv"
  type        = string
  default     = null

  validation {
    condition     = var.claim_percentiles == null ? true : can(regex("^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+$", var.claim_percentiles))
    error_message = "Parameter claim_percentiles is not valid; see its description."
  }
}

variable "reference_refresh_minutes" {
  description = "How often, in minutes, workers check the rules and reference files for changes; 0 reads them only once. Example: 5"
  type        = number
  default     = 10.0
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{1,4}([.][0-9]{1,3})?$", tostring(var.reference_refresh_minutes)))
    error_message = "Parameter reference_refresh_minutes is not valid; see its description."
  }
}

variable "bigquery_storage_endpoint" {
  description = "Host of the BigQuery Storage API, for a private endpoint: https://host, https://host:port or host:port. Connections use TLS and the worker's credentials, except to a loopback host:port, which is meant for tests and uses plaintext. Example: https://bigquerystorage-example.p.googleapis.com"
  type        = string
  default     = null

  validation {
    condition     = var.bigquery_storage_endpoint == null ? true : can(regex("^(https://[A-Za-z0-9]+((\\.|-+)[A-Za-z0-9]+)*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5])))))?|[A-Za-z0-9]+((\\.|-+)[A-Za-z0-9]+)*:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5])))))$", var.bigquery_storage_endpoint))
    error_message = "Parameter bigquery_storage_endpoint is not valid; see its description."
  }
}

locals {
  # A default is not passed: the template of another version may lack the parameter.
  launch_parameters = {
    for name, value in {
      input_subscription        = var.input_subscription
      input_topic               = var.input_topic
      input_files               = var.input_files
      input_format              = var.input_format == "JSON" ? null : var.input_format
      csv_delimiter             = var.csv_delimiter == "," ? null : var.csv_delimiter
      csv_encoding              = var.csv_encoding == "UTF-8" ? null : var.csv_encoding
      claim_map                 = var.claim_map
      message_id_attribute      = var.message_id_attribute
      output_table              = var.output_table
      error_table               = var.error_table
      error_payload             = var.error_payload == "FULL" ? null : var.error_payload
      pseudonymise              = var.pseudonymise
      pseudonym_key             = nonsensitive(var.pseudonym_key)
      write_method              = var.write_method == "STORAGE_WRITE_API" ? null : var.write_method
      create_tables             = var.create_tables == true ? null : var.create_tables
      create_views              = var.create_views == false ? null : var.create_views
      dataset_location          = var.dataset_location
      error_retention_days      = var.error_retention_days
      bigquery_kms_key          = var.bigquery_kms_key
      high_risk_threshold       = var.high_risk_threshold == 0.5 ? null : var.high_risk_threshold
      rules                     = var.rules
      claim_schema              = var.claim_schema
      excluded_providers        = var.excluded_providers
      mue_table                 = var.mue_table
      ptp_edits                 = var.ptp_edits
      provider_profile          = var.provider_profile
      claim_percentiles         = var.claim_percentiles
      reference_refresh_minutes = var.reference_refresh_minutes == 10.0 ? null : var.reference_refresh_minutes
      bigquery_storage_endpoint = var.bigquery_storage_endpoint
    } : name => tostring(value) if value != null
  }
}
