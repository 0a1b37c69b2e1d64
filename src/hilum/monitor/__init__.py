"""WHAT CHANGED: what the server counts, and what changes with time."""
