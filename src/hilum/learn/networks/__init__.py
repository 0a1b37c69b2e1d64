"""Networks by name: a configuration in, a torch module out."""
