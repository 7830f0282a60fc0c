"""Appends to one table over one connection, answered, retried and counted."""
