"""Files that workers reload while they run: lists, profiles, rules."""
