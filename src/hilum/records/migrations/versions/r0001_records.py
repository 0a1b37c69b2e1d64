"""The first tables: records and checkpoints that refuse every change, and what is personal apart from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("records", "checkpoints")


def upgrade() -> None:
    """Make the tables and what guards them."""
    op.create_table(
        "records",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("writer", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("probability", sa.Double),
        sa.Column("refused", sa.SmallInteger),
        sa.Column("image", sa.Text),
        sa.Column("content", sa.Text),
        sa.Column("took", sa.Double),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("id", name="records_id"),
    )
    op.create_index("records_kind_at", "records", ["kind", "at"])
    known = sa.text("subject IS NOT NULL")
    op.create_index("records_subject", "records", ["subject"], sqlite_where=known, postgresql_where=known)
    op.create_table(
        "personal",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("writer", sa.Text, nullable=False),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.Column("heads", sa.Text, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Records are never thrown away by a tool."""
    raise NotImplementedError("records are append only: restore a backup instead")


def _guards(dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append only'); END"
            for table in APPEND_ONLY
            for act in ("UPDATE", "DELETE")
        ]
    refuse = (
        "CREATE FUNCTION hilum_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% are append only', TG_TABLE_NAME; END $$"
    )
    return [refuse] + [
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION hilum_append_only()"
        for table in APPEND_ONLY
    ]
