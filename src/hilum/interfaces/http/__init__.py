"""HTTP: requests in, JSON objects and problems out; errors of the house become statuses in one table."""
