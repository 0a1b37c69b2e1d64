"""DURABLE WORK: what goes on after the request that asked for it, and after a restart."""
