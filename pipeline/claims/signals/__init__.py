"""Facts that rules may test: one file a family."""
