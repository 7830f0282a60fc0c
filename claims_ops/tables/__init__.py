"""Create the tables and their views, or add the columns that the tables lack."""
