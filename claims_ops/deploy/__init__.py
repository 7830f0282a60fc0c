"""Create everything a job needs, then launch it."""
