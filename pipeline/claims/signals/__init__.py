"""Facts that rules may test like fields: one module a family, and the table of all of them."""
