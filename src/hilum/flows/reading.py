"""Paths and addresses -> their bytes in the order given; knows no image."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

from hilum.data.places.far import is_far, read_far
from hilum.errors import InputError
from hilum.image.limits import read_at_most


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A folder or address whose files cannot be named; it keeps its place among the files."""

    name: str
    reason: str


Item = str | Unlisted
Read = tuple[str, bytes | InputError]


def readings(items: Iterable[Item], most: int) -> Iterator[Read]:
    """Each path with its bytes, at most `most`, or with the error that says why there are none.

    From the first one that is not on this disk, several are fetched ahead.
    """
    waiting = iter(items)
    for item in waiting:
        if isinstance(item, str) and is_far(item):
            yield from import_module("hilum.flows.ahead").readings_ahead(itertools.chain([item], waiting), most)
        else:
            yield read_item(item, most)


def read_item(item: Item, most: int) -> Read:
    """One path with its bytes or its error."""
    if isinstance(item, Unlisted):
        return item.name, InputError(item.name, item.reason)
    try:
        return item, read_limited(item, most)
    except InputError as error:
        return item, error


def read_limited(path: str, most: int) -> bytes:
    """The bytes of a file on this disk or at an address, at most `most`.

    Raises:
        InputError: it cannot be read or is larger.
    """
    if is_far(path):
        return read_far(path, most)
    try:
        data = read_at_most(path, most)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > most:
        raise InputError(path, f"larger than {most} bytes (HILUM_MAX_BYTES)")
    return data
