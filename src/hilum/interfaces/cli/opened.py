"""Settings -> the records, images and caches of this installation, opened for one command and let go after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.errors import UsageError
from hilum.secret import read_secret
from hilum.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.flows.erase import Places

HEAD = "journal.heads"


@contextmanager
def places_of(settings: Settings) -> Iterator[Places]:
    """Everything that holds something of a prediction.

    Raises:
        UsageError: nothing was ever recorded here.
        MissingExtra: the serving part is not installed.
    """
    try:
        from hilum.flows.erase import COPIES, ERASURES, Places
        from hilum.records.store import open_records
        from hilum.storage.cache import open_cache
        from hilum.storage.images import open_images
    except ModuleNotFoundError as error:
        raise missing(error) from error
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).is_file():
        raise UsageError(f"no records yet: {file} does not exist; `hilum serve` makes them (HILUM_HOME says where)")
    if not settings.secret_file.is_file():
        raise UsageError(f"{settings.secret_file}: the secret that the records hang on is missing (HILUM_SECRET_FILE)")
    secret = read_secret(settings.secret_file)
    records = open_records(settings.database_url, secret, settings.home / HEAD)
    images = open_images(settings.images_url, secret)
    cache = open_cache(settings.cache_url, settings.cache_bytes)
    try:
        yield Places(records, images, cache, settings.home / COPIES, settings.home / ERASURES)
    finally:
        cache.close()
        images.close()
        records.close()


def missing(error: ModuleNotFoundError) -> Exception:
    """The extra to install, where the module is none of ours."""
    from hilum.errors import MissingExtra

    return error if (error.name or "").startswith("hilum") else MissingExtra("the record of predictions", "serve")
