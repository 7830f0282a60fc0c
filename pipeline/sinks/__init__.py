"""Where rows go: each sink prepares a table and gives a transform."""
