"""Say what the pipeline would make of the claims in FILES; - is stdin."""
