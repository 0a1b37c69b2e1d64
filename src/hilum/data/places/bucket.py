"""A folder, archive, .npz or table at s3://, gs:// or az:// -> a tree; an object -> its bytes.

What a tree reads is kept in the cache under its ETag. Addresses, regions and keys come from the store's own variables
(AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME, ...), never from arguments.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError, GenericError, UnauthenticatedError
from obstore.store import from_url

from hilum.data.dataset import Progress
from hilum.data.layouts.found import Columns
from hilum.data.places.archive import open_archive
from hilum.data.places.cache import Cache
from hilum.data.places.folder import OneFile, read_file
from hilum.data.places.tree import (
    ARCHIVE_SUFFIXES,
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
    Entry,
    Tree,
    by_path,
    join,
    not_given,
    suffix_of,
)
from hilum.errors import ImageTooLarge, StorageError, UnreadableImage, UnreadableSource

FAULTS = (BaseError, OSError, ValueError)
AWAY = (GenericError, UnauthenticatedError, OSError)  # not a word about this object: the next one fares no better
CHUNK = 1000
RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
BLOCK = 8 * 1024 * 1024


def open_remote(
    reference: str, columns: Columns, cache: Cache, progress: Progress | None = None
) -> tuple[Tree, Columns]:
    """The tree at a bucket's address; a table stands for its folder.

    Raises:
        UnreadableSource: the store does not give it.
    """
    folder, _, name = reference.rpartition("/")
    if suffix_of(name) in TABLE_SUFFIXES:
        return Bucket(folder, cache, progress), replace(columns, table=name)
    if not name.lower().endswith((*ARCHIVE_SUFFIXES, ".npz")):
        return Bucket(reference.rstrip("/"), cache, progress), columns
    try:
        file = Bucket(folder, cache).local(name)
    except UnreadableImage as error:
        raise UnreadableSource(reference, error.reason) from error
    except StorageError as error:  # the store is away: nothing of the source can be read
        raise UnreadableSource(reference, str(error).removeprefix(f"{reference}: ")) from error
    if suffix_of(name) == ".npz":
        return OneFile(reference, str(file), cache, name), columns
    return open_archive(file, reference, cache), columns


@dataclass(frozen=True)
class Bucket:
    """The objects below a prefix."""

    reference: str
    cache: Cache
    progress: Progress | None = field(default=None, compare=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All objects below the prefix, by one listing."""
        return by_path(Entry(path, size) for path, (size, _) in self._objects.items())

    def id(self, path: str) -> str:
        """The reference joined with the path."""
        return join(self.reference, path)

    def read(self, path: str, limit: int) -> bytes:
        """See Tree."""
        if self._meta(path)[0] > limit:
            raise ImageTooLarge(self.id(path), f"larger than the limit of {limit:,} bytes")
        return read_file(str(self.local(path)), self.id(path), limit)

    def head(self, path: str, length: int) -> bytes:
        """See Tree."""
        try:
            return bytes(obstore.get_range(self._store, path, start=0, length=min(length, self._meta(path)[0])))
        except FAULTS as error:
            self._check_there(path, error)
            return b""

    def local(self, path: str) -> Path:
        """The object in the cache."""
        size, tag = self._meta(path)

        def fill(file: BinaryIO) -> None:
            file.writelines(obstore.get(self._store, path).stream(min_chunk_size=BLOCK))

        try:
            kept = self.cache.at(f"{self.id(path)}|{tag}|{size}", fill)
        except FAULTS as error:
            self._check_there(path, error)
            raise UnreadableImage(self.id(path), f"cannot be fetched: {_reason(error)}") from error
        if kept.stat().st_size != size:
            raise UnreadableImage(self.id(path), "changed while it was read; open the source again")
        return kept

    @cached_property
    def _store(self) -> Any:
        return _store_at(self.reference)

    @cached_property
    def _objects(self) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        try:
            for chunk in obstore.list(self._store, chunk_size=CHUNK):
                found.update({meta["path"]: _size_and_tag(meta) for meta in chunk})
                if self.progress:
                    self.progress(len(found), None)
        except FAULTS as error:
            raise UnreadableSource(self.reference, f"cannot be listed: {_reason(error)}") from error
        return found

    def _meta(self, path: str) -> tuple[int, str]:
        if "_objects" in self.__dict__ and path in self._objects:
            return self._objects[path]
        try:
            return _size_and_tag(obstore.head(self._store, path))
        except FAULTS as error:
            self._check_there(path, error)
            raise UnreadableImage(self.id(path), f"cannot be fetched: {_reason(error)}") from error

    def _check_there(self, path: str, error: Exception) -> None:
        """Raises StorageError where not the object is at fault: to leave it out would pass a part for the whole."""
        if isinstance(error, AWAY) and not isinstance(error, FileNotFoundError):
            raise not_given(self.id(path), _reason(error)) from error

    def __getstate__(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.__dict__.items() if key not in ("_store", "progress")}
        return kept | {"progress": None}


def list_files(reference: str) -> Iterator[str]:
    """The address itself where it names an object, else the objects below it, by one listing that is not kept.

    Raises:
        UnreadableSource: the store cannot be listed.
    """
    if suffix_of(reference.rpartition("/")[2]) in IMAGE_SUFFIXES:
        yield reference
        return
    found = 0
    try:
        for chunk in obstore.list(_store_at(reference), chunk_size=CHUNK):
            for meta in chunk:
                if meta["size"] or "." in meta["path"].rpartition("/")[2]:  # not the marker of an empty folder
                    found += 1
                    yield join(reference, meta["path"])
    except FAULTS as error:
        raise UnreadableSource(reference, f"cannot be listed: {_reason(error)}") from error
    if not found:
        yield reference


def read_one(reference: str, limit: int) -> bytes:
    """The bytes of one object; nothing is kept on this disk.

    Raises:
        UnreadableImage: the store does not give it.
        ImageTooLarge: it is longer than `limit` bytes.
    """
    scheme, _, rest = reference.partition("://")
    bucket, _, path = rest.partition("/")
    try:
        got = obstore.get(_open_store(f"{scheme}://{bucket}", os.environ.get("AWS_ENDPOINT_URL")), path)
        if got.meta["size"] > limit:
            raise ImageTooLarge(reference, f"larger than the limit of {limit:,} bytes")
        return bytes(got.bytes())
    except FAULTS as error:
        raise UnreadableImage(reference, f"cannot be fetched: {_reason(error)}") from error


@functools.cache
def _open_store(root: str, _address: str | None) -> Any:
    """One connection a bucket and process."""
    return from_url(root, retry_config=RETRY)


def _store_at(reference: str) -> Any:
    scheme, _, rest = reference.partition("://")
    try:
        return from_url(f"{scheme}://{quote(rest)}", retry_config=RETRY)  # a `#` in a folder's name is no fragment
    except FAULTS as error:
        raise UnreadableSource(reference, _reason(error)) from error


def _size_and_tag(meta: Mapping[str, Any]) -> tuple[int, str]:
    return int(meta["size"]), str(meta.get("e_tag") or meta.get("last_modified"))


def _reason(error: Exception) -> str:
    """The first line: what follows are the store's own debugging notes."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
