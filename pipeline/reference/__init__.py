"""Files that workers read again while they run: lists, profiles, rules."""
