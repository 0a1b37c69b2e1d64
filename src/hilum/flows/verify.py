"""Records and kept images -> what does not fit, in sentences: chains, checkpoints, pictures that should be there."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import printable
from hilum.flows.progress import Listener, Silent
from hilum.records.store import Records, records_as_they_lie
from hilum.storage.images import Images, images_as_they_lie
from hilum.storage.shelf import is_key


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was looked at, and a sentence for everything that does not fit."""

    rows: int
    checkpoints: int
    images: int
    faults: tuple[str, ...]


def verify(records: Records, images: Images | None, listener: Listener | None = None) -> Verified:
    """Look at every row and checkpoint; with `images` also whether each picture is there and is the one it was.

    listener: hears how far it is.

    Raises:
        RecordsError, StorageError: something cannot be read at all.
    """
    listener = listener or Silent()
    listener.stage("looking at the records")
    found = records.verify(listener.done)
    faults = tuple(map(printable, found.faults))  # who changed a row may have it hide its own fault on a terminal
    if images is None:
        return Verified(found.rows, found.checkpoints, 0, faults)
    listener.stage("looking at the kept images")
    looked, lost = 0, dict[str, str]()
    for key, prediction in records.pictures():
        looked += 1
        listener.done(looked)
        fault = images.fault(key)
        if fault is not None:
            lost[key] = f"record {prediction} names image {key[:12]}…: {fault}"
    asked = [*filter(is_key, lost)]
    needed = {kept.image for kept in records.kept(images=asked)} if asked else set()  # not erased since it was named
    said = (printable(fault) for key, fault in lost.items() if key in needed or not is_key(key))
    return Verified(found.rows, found.checkpoints, looked, (*faults, *said))


@dataclass(frozen=True, slots=True)
class Lying:
    """Where a copy lies that nobody writes: database, noted checkpoints, place of images (None: not looked at)."""

    database: Path
    heads: Path
    images: str | None


def verify_as_it_lies(at: Lying, secret: bytes, listener: Listener | None = None) -> Verified:
    """The same of a copy that nobody writes, on read-only media too; makes nothing beside it.

    Raises:
        UsageError: made with another secret. RecordsError, StorageError: something cannot be read at all.
    """
    with closing(records_as_they_lie(at.database, secret, at.heads)) as records:
        if at.images is None:
            return verify(records, None, listener)
        with closing(images_as_they_lie(at.images, secret)) as images:
            return verify(records, images, listener)
