"""Compare what other rules would flag with what is flagged today."""
