"""Answer a question about claims with a query from sql/ or a file."""
