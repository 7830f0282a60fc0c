"""How well rules, signals and profiles find what labels say is fraud."""
