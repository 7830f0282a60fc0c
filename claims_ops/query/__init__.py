"""Answer a question about claims with a query of sql/, or of a file."""
