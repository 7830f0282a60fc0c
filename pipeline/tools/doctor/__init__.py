"""`claims doctor`: what a job needs, looked at before a launch and while it runs."""
