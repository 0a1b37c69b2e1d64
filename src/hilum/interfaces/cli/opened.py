"""Settings -> the records, images and caches of this installation, opened for one command and let go after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.errors import UsageError
from hilum.flows.backed_up import check_openable
from hilum.flows.restoring import check_restored
from hilum.secret import read_secret
from hilum.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.flows.erase import Places
    from hilum.records.store import Records


@contextmanager
def places_of(settings: Settings) -> Iterator[Places]:
    """Everything that holds something of a prediction.

    Raises:
        UsageError: nothing was ever recorded here, a restore is not finished, or this is a backup.
        MissingExtra: the serving part is not installed.
    """
    check_openable(settings.home)
    try:
        from hilum.flows.erase import COPIES, ERASURES, Places
        from hilum.jobs.erasing import elsewhere
        from hilum.records.store import open_records
        from hilum.storage.cache import open_cache
        from hilum.storage.images import open_images
    except ModuleNotFoundError as error:
        raise missing(error) from error
    if not recorded(settings):
        file = settings.database_url.removeprefix("sqlite:///")
        raise UsageError(f"no records yet: {file} does not exist; `hilum serve` makes them (HILUM_HOME says where)")
    secret = secret_of(settings)
    records = open_records(settings.database_url, secret, settings.heads)
    images = open_images(settings.images_url, secret)
    cache = open_cache(settings.cache_url, settings.cache_bytes)
    try:
        copies, erasures = settings.home / COPIES, settings.home / ERASURES
        yield Places(records, images, cache, copies, erasures, elsewhere(settings.home, secret, images))
    finally:
        cache.close()
        images.close()
        records.close()


@contextmanager
def records_of(settings: Settings) -> Iterator[Records]:
    """The records; made where nothing was ever recorded.

    Raises:
        MissingExtra: the serving part is not installed.
        UsageError: there are records, but the secret that they hang on is missing; a restore is not finished; this is
            a backup.
        RecordsError: they cannot be opened.
    """
    check_openable(settings.home)
    try:
        from hilum.records.store import open_records
    except ModuleNotFoundError as error:
        raise missing(error) from error
    settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
    secret = secret_of(settings) if recorded(settings) else read_secret(settings.secret_file)
    records = open_records(settings.database_url, secret, settings.heads)
    try:
        yield records
    finally:
        records.close()


def recorded(settings: Settings) -> bool:
    """Whether there is a database, or was; one on a server counts as one."""
    file = settings.database_url.removeprefix("sqlite:///")
    heads = settings.heads
    return file == settings.database_url or Path(file).is_file() or (heads.is_file() and heads.stat().st_size > 0)


def secret_of(settings: Settings) -> bytes:
    """The secret of an installation that has one.

    Raises:
        UsageError: it is missing, or a restore is not finished.
    """
    check_restored(settings.home)
    if not settings.secret_file.is_file():
        raise UsageError(f"{settings.secret_file}: the secret that the records hang on is missing (HILUM_SECRET_FILE)")
    return read_secret(settings.secret_file)


def missing(error: ModuleNotFoundError) -> Exception:
    """The extra to install, where the module is none of ours."""
    from hilum.errors import MissingExtra

    return error if (error.name or "").startswith("hilum") else MissingExtra("the record of predictions", "serve")
