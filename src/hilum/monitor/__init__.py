"""WHAT CHANGED: what the server counts and the traces that it sends; knows no patient."""
