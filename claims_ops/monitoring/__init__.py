"""Create or update the dashboard and the alerts in a project."""
