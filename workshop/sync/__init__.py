"""Regenerate the files and tables derived from the code."""
