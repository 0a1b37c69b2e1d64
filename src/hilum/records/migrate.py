"""An engine -> its tables as this version of Hilum needs them; knows Alembic, and no row."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, inspect, text

from hilum.errors import UsageError

SCRIPTS = Path(__file__).parent / "migrations"
VERSIONS = "records_version"  # the table in which Alembic notes where it is
MANY, A_SECOND = 50_000, 50_000  # records that are worth a word; brought up to date a second by a slow machine
log = logging.getLogger("hilum.records")


def configuration(engine: Engine) -> Config:
    """Alembic's configuration for this engine."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Bring the tables up to date; several processes may ask at once.

    Raises:
        UsageError: they are those of a version that is not known here.
    """
    many, begun = _records(engine), time.monotonic()
    if many >= MANY:
        took = f"about {max(1, round(many / A_SECOND))} seconds"
        log.warning("%s records are brought up to date for this version of Hilum: %s, once", f"{many:,}", took)
    try:
        command.upgrade(configuration(engine), "head")
    except CommandError as error:
        raise UsageError(f"the records were made by a newer hilum ({error}): update hilum") from error
    if many >= MANY:
        log.warning("the records are up to date, after %.0f seconds", time.monotonic() - begun)


def _records(engine: Engine) -> int:
    """About how many there are; 0 where the tables were never made."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("records"):
            return 0
        return connection.execute(text("SELECT max(number) FROM records")).scalar() or 0
