"""One index that holds all that lists are filtered, sorted and counted by, so that a long record is not read for it."""

from __future__ import annotations

from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

HELD = ["kind", "at", "task", "label", "refused", "model", "probability", "took"]


def upgrade() -> None:
    """Make it; the narrower one has nothing left to do."""
    op.create_index("records_shown", "records", HELD)
    op.drop_index("records_kind_at", "records")


def downgrade() -> None:
    """Records are never thrown away by a tool."""
    raise NotImplementedError("records are append only: restore a backup instead")
