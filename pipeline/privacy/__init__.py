"""What may be kept of a claim. The claim logic never imports this package."""
