"""Pub/Sub and BigQuery on this machine."""
