"""Write an HTML report on the claims in a time range."""
