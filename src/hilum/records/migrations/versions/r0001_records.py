"""The first tables: records and checkpoints that refuse every change, and what is personal apart from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hilum.columns import filled, open_to_null

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("records", "checkpoints")


def upgrade() -> None:
    """Make the tables and what guards them."""
    op.create_table(
        "records",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        *filled(writer=sa.Text, seq=sa.BigInteger, id=sa.Text, kind=sa.Text, at=sa.BigInteger, caller=sa.Text),
        *open_to_null(subject=sa.Text, task=sa.Text, model=sa.Text, digest=sa.Text, label=sa.Text),
        *open_to_null(probability=sa.Double, refused=sa.SmallInteger, image=sa.Text, content=sa.Text, took=sa.Double),
        *filled(body=sa.Text, seal=sa.LargeBinary),
        sa.UniqueConstraint("id", name="records_id"),
    )
    op.create_index("records_kind_at", "records", ["kind", "at"])
    known = sa.text("subject IS NOT NULL")
    op.create_index("records_subject", "records", ["subject"], sqlite_where=known, postgresql_where=known)
    op.create_table(
        "personal",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        *filled(value=sa.Text),
    )
    op.create_table(
        "checkpoints",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=False),
        *filled(at=sa.BigInteger, writer=sa.Text, upto=sa.BigInteger, heads=sa.Text, seal=sa.LargeBinary),
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
