"""How labels are written down: folders, tables, arrays, manifests -> cases; knows no place and no task."""
