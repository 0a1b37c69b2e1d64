"""The bytes of an image -> a key made from its content, under which they are kept; knows no record and no patient.

The key is an HMAC with the installation's secret: without it nobody can tell from a key whether a certain picture was
ever seen here. What must not be kept as it is (DICOM) is de-identified by the caller, before.
"""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hilum.errors import ImageGone, StorageError
from hilum.probe import Probe
from hilum.secret import derived
from hilum.storage.local import LocalShelf
from hilum.storage.shelf import Shelf, is_key

READY_SECONDS = 3.0  # for the place to answer
FRESH_SECONDS = 600  # an image that was put so short ago is not put again


@dataclass(frozen=True, slots=True)
class Kept:
    """An image on its way: its key now, `saved` resolved once it would survive a loss of power."""

    key: str
    saved: Future[None]


class Images:
    """Kept images by content; safe to use from many threads."""

    def __init__(self, shelf: Shelf, secret: bytes) -> None:
        """Wrap a place for bytes; the key of keys is derived from the secret."""
        self._shelf = shelf
        self._secret = derived(secret, "images")
        self._probe = Probe(self._answers, READY_SECONDS)

    def key(self, data: bytes) -> str:
        """HMAC-SHA256 of the bytes, 64 hexadecimal digits; about 10 microseconds for 20 kB."""
        return hmac.digest(self._secret, data, "sha256").hex()

    def keep(self, data: bytes, key: str | None = None) -> Kept:
        """Begin to keep the bytes; what is kept already costs one look-up. `key` where `key(data)` is known."""
        key = self.key(data) if key is None else key
        return Kept(key, self._shelf.keep(key, data, FRESH_SECONDS))

    def put(self, data: bytes) -> str:
        """Keep the bytes durably; returns their key.

        Raises:
            StorageError: the place does not take them.
        """
        kept = self.keep(data)
        kept.saved.result()
        return kept.key

    def get(self, key: str) -> bytes:
        """The bytes kept under a key, checked against it.

        Raises:
            ImageGone: none are, or not the ones that the key was made from.
        """
        data = self._shelf.get(key)
        if data is None:
            raise ImageGone("this image was never kept, or it was erased")
        if not hmac.compare_digest(self.key(data), key):
            raise ImageGone("the kept image is damaged: its content does not fit its key")
        return data

    def fault(self, key: str) -> str | None:
        """What is wrong with the image of this key, in words; None where it is there and as it was."""
        if not is_key(key):
            return "this is the name of none"
        try:
            self.get(key)
        except ImageGone as error:
            return str(error)
        return None

    def holds(self, key: str) -> bool:
        """Whether an image is kept under this key."""
        return self._shelf.kept_at(key) is not None

    def ready(self) -> bool:
        """Whether the place answers within READY_SECONDS and, as far as is known, takes images."""
        return self._probe.good()

    def delete(self, *keys: str, older_than: float = 0.0) -> None:
        """Erase images (those last put so many seconds ago at least); one that is not kept is no error."""
        self._shelf.delete(keys, time.time() - older_than if older_than else math.inf)  # whatever the clock was then

    def sweep(self, older_than: float) -> int:
        """Erase what a crash so many seconds ago or more left half kept or half erased; returns how many files."""
        return self._shelf.sweep(time.time() - older_than)

    def keys(self) -> Iterator[str]:
        """The keys of all kept images, in no order."""
        return self._shelf.keys()

    def close(self) -> None:
        """Finish what waits."""
        self._shelf.close()

    def _answers(self) -> bool:
        try:
            self._shelf.look()
        except StorageError:
            return False
        return True


def open_images(url: str, secret: bytes) -> Images:
    """Open the place for images: a folder (a path or file://…), s3://…, gs://…, az://… or memory://.

    Raises:
        UsageError: the address cannot be used.
        MissingExtra: buckets need obstore.
        StorageError: the folder cannot be opened.
    """
    folder = folder_of(url)
    if folder is None:
        bucket = import_module("hilum.storage.bucket")  # obstore, where it is asked for
        return Images(bucket.open_bucket(url), secret)
    return Images(LocalShelf(folder), secret)


def images_as_they_lie(url: str, secret: bytes) -> Images:
    """The same where nobody writes, to be read only; of a folder no file is made or changed.

    Raises:
        UsageError, MissingExtra: see `open_images`. StorageError: they cannot be read.
    """
    folder = folder_of(url)
    return open_images(url, secret) if folder is None else Images(LocalShelf(folder, as_it_lies=True), secret)


def folder_of(url: str) -> Path | None:
    """The folder that a place for images names; None where that is a bucket."""
    folder = url.removeprefix("file://")
    return None if "://" in folder else Path(folder)
