"""Publish rejected messages again."""
