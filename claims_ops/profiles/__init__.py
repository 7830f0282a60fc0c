"""Compute the provider profiles that workers look signals up in."""
