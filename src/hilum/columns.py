"""Names with their kinds -> columns of a table, those that must be filled and those that need not; knows no table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column


def filled(**kinds: Any) -> list[Column[Any]]:
    """Columns that are never null, in the order given."""
    return [Column(name, kind, nullable=False) for name, kind in kinds.items()]


def open_to_null(**kinds: Any) -> list[Column[Any]]:
    """Columns that may be null, in the order given."""
    return [Column(name, kind) for name, kind in kinds.items()]
