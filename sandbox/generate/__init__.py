"""Generate synthetic claims."""
