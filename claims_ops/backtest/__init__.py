"""Show what other rules would flag, on claims of the table or of files."""
