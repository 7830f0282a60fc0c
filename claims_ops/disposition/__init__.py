"""Record what reviewers decided about claims."""
