"""Rows of a table as serialised protobuf messages."""
