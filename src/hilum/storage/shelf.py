"""What a place for kept images can do; knows none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol

NONE = 64 * "0"  # a key that no image has
_KEY = re.compile("[0-9a-f]{64}")


class Shelf(Protocol):
    """Bytes by key, in a folder or in a bucket; each raises StorageError where the place fails."""

    def kept_at(self, key: str) -> float | None:
        """When the key was last put (seconds since 1970), None where it is not kept."""
        ...

    def look(self) -> None:
        """Raises StorageError where nothing can be looked for or, as far as is known, be kept."""
        ...

    def keep(self, key: str, data: bytes, fresh: float) -> Future[None]:
        """Resolved once the bytes would survive a loss of power.

        What was put less than `fresh` seconds ago is not put again; what is older is, or is made young: so nobody
        takes it for left over while a record of it is on its way.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes, None where there are none."""
        ...

    def delete(self, keys: Sequence[str], before: float) -> None:
        """Remove the bytes that were last put before a moment; a key that is not kept is no error."""
        ...

    def sweep(self, before: float) -> int:
        """Remove what a crash before a moment left half kept or half removed; returns how many files."""
        ...

    def keys(self) -> Iterator[str]:
        """Every key, in no order; what else lies there is none."""
        ...

    def close(self) -> None:
        """Finish what waits."""
        ...


def is_key(name: object) -> bool:
    """Whether an image may be kept under this name: 64 hexadecimal digits; a changed row may hold anything."""
    return isinstance(name, str) and _KEY.fullmatch(name) is not None
