"""Rows to BigQuery: the tables at launch, and the two ways to write to them."""
