"""The graphs of running jobs, on record: what a new version must let them be updated to."""
