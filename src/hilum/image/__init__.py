"""PIXELS: bytes in, one grey image with its metadata out; knows no network and no task."""
