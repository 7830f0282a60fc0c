"""Create or update a project's dashboard and alerts."""
