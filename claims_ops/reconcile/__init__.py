"""Prove that no message was lost."""
