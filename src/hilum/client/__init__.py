"""The Python client of the HTTP API: files, arrays and tables in, typed answers out; knows no room of the server."""
