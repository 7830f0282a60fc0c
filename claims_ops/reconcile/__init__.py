"""Prove that no message is lost."""
