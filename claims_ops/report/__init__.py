"""Write an HTML report about the claims of a time range."""
