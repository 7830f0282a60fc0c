"""Write a page about the claims of a time range."""
