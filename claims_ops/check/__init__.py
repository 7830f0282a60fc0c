"""Show what the pipeline would do with the claims in FILES (- for stdin)."""
