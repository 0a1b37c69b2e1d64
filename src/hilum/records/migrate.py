"""An engine -> its tables as this version of Hilum needs them; knows Alembic, and no row."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from hilum.errors import UsageError

SCRIPTS = Path(__file__).parent / "migrations"
VERSIONS = "records_version"  # the table in which Alembic notes where it is


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
    try:
        command.upgrade(configuration(engine), "head")
    except CommandError as error:
        raise UsageError(f"the records were made by a newer hilum ({error}): update hilum") from error
