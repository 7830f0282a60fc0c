"""Make synthetic claims."""
