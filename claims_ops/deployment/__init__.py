"""A deployment: its names, its steps in a project, and gcloud, for the commands about one."""
