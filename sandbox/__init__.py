"""What tries the pipeline out on this machine: emulators, synthetic claims, the demo."""
