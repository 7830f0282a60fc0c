"""How bytes become documents: one file a format."""
