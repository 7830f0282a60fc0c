"""Synthetic claims, good ones and bad ones."""
