"""Show what other rules would flag, beside what is flagged today."""
