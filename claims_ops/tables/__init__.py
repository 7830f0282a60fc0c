"""Create the tables and views, or add missing columns."""
