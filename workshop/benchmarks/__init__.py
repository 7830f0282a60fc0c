"""What a claim costs, measured: `make bench`."""
