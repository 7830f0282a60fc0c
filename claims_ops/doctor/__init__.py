"""Look for what would keep a job from running well."""
