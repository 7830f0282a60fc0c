"""Write what is made from the code, and never edited by hand."""
