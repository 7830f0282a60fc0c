"""Make the tables, or add the columns that they lack."""
