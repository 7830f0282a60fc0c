"""Republish rejected messages."""
