locals {
  table_pattern = "^(?P<project>.+)[:.](?P<dataset>[A-Za-z0-9_]+)[.](?P<table>[A-Za-z0-9_-]+)$"
  tables = {
    for name, parameter in { claims = "output_table", errors = "error_table" } : name => merge(
      jsondecode(file("${path.module}/tables/${name}.json")),
      regex(local.table_pattern, local.parameters[parameter]),
    )
  }
  datasets = {
    for each in distinct([for table in values(local.tables) : { project = table.project, dataset = table.dataset }]) :
    "${each.project}:${each.dataset}" => each
  }
}

resource "google_bigquery_dataset" "claims" {
  for_each = { for name, each in local.datasets : name => each if var.create_datasets }

  project    = each.value.project
  dataset_id = each.value.dataset
  location   = coalesce(var.location, var.region)

  depends_on = [google_project_service.claims]
}

resource "google_bigquery_table" "claims" {
  for_each = { for name, table in local.tables : name => table if var.create_datasets && var.create_tables }

  project             = each.value.project
  dataset_id          = each.value.dataset
  table_id            = each.value.table
  description         = each.value.description
  schema              = jsonencode(each.value.schema)
  clustering          = each.value.clustering
  deletion_protection = var.deletion_protection

  time_partitioning {
    type          = "DAY"
    field         = each.value.partition_column
    expiration_ms = each.key == "errors" && try(var.error_retention_days > 0, false) ? var.error_retention_days * 86400000 : null
  }
  dynamic "encryption_configuration" {
    for_each = var.bigquery_kms_key == null ? [] : [var.bigquery_kms_key]
    content {
      kms_key_name = encryption_configuration.value
    }
  }

  lifecycle {
    ignore_changes = [schema] # the launch adds the columns of a newer version
  }
  depends_on = [google_bigquery_dataset.claims]
}
