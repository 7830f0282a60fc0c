"""Judge claims of files as the pipeline would, without it."""
