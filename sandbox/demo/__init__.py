"""Run the whole pipeline on local emulators."""
