"""The revisions of the tables of the records, one file each, oldest first."""
