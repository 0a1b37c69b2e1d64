"""Alembic's scripts for the tables of the records; opened by records/migrate.py only."""
