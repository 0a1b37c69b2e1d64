"""DOORS: the only rooms that know argv, HTTP and HTML."""
