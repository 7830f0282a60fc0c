"""What may be kept of a claim: pseudonyms and redaction."""
