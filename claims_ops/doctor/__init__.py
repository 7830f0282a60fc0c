"""Check a project and a job for problems."""
