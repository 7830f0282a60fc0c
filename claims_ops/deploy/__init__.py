"""Create everything that a job needs, and launch it."""
