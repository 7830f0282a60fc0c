"""From an empty project to a running job."""
