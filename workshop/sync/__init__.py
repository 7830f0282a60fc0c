"""Write the files and tables that are generated from the code."""
