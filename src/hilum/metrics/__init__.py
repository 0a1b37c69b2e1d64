"""NUMBERS: arrays in, figures with intervals out; pure functions, no files, no state."""
