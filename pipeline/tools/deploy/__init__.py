"""`claims deploy`: from an empty project to a running job, in steps that may be repeated."""
