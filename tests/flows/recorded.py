"""An installation with a few answers on record, made by the shipped packages from the shipped samples."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

from hilum import bootstrap
from hilum.flows.answer import Ask, Clerk, Places
from hilum.flows.here import Here
from hilum.flows.predict import Options
from hilum.monitor.meters import Meters
from hilum.records.store import open_records
from hilum.secret import read_secret
from hilum.settings import Settings, read_settings
from hilum.storage.cache import open_cache
from hilum.storage.images import open_images
from tests.conftest import ROOT

FILMS = sorted((ROOT / "samples" / "pneumonia-cxr").glob("*.png"))


def settings_for(home: Path, **others: str) -> Settings:
    return read_settings({"HILUM_HOME": str(home), **{f"HILUM_{name}": value for name, value in others.items()}})


@contextmanager
def clerk(settings: Settings):
    """Who answers and records; the caller asks through `ask`."""
    secret = read_secret(settings.secret_file)
    records = open_records(settings.database_url, secret, settings.heads)
    images = open_images(settings.images_url, secret)
    places = Places(records, images, open_cache("", 1 << 20), Meters(), secret, lambda data: data)
    try:
        yield Clerk(places, Here())
    finally:
        images.close()
        records.close()


def ask(settings: Settings, *files: Path, task: str = "pneumonia-cxr", **others) -> list[dict]:
    """The recorded answers of some files, in their order."""
    options = Options(others.pop("point", "balanced"), others.pop("prevalence", None))
    desk = bootstrap.desk(settings, task=task)
    with clerk(settings) as who:
        asks = [Ask(file.read_bytes(), file.name, desk, task, options, **others) for file in files]
        return [json.loads(body) for future in who.answer(asks) for body in future.result().bodies]
