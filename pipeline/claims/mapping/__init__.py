"""How a document of another shape becomes a claim: JSONata expressions, and what they need."""
