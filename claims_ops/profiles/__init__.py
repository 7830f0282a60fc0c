"""Compute the provider profiles that some signals need."""
