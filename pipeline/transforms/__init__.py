"""The stages as Beam steps: sources, batches, metrics. Nothing is decided here."""
