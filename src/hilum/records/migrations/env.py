"""Alembic's door: runs the revisions in one transaction under a lock, so that two processes never do the same."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from hilum.records.migrate import VERSIONS
from hilum.records.schema import METADATA

engine = context.config.attributes["engine"]
with engine.connect().execution_options(writes=True) as connection, connection.begin():
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # another process may take its time to migrate
        connection.execute(text("SELECT pg_advisory_xact_lock(4846194)"))
    context.configure(connection=connection, target_metadata=METADATA, version_table=VERSIONS, transactional_ddl=False)
    context.run_migrations()
