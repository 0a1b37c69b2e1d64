"""What a place for kept images can do; knows none of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Protocol


class Shelf(Protocol):
    """Bytes by key, in a folder or in a bucket; each raises StorageError where the place fails."""

    def holds(self, key: str) -> bool:
        """Whether the key is kept."""
        ...

    def keep(self, key: str, data: bytes) -> Future[None]:
        """Resolved once the bytes would survive a loss of power."""
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes, None where there are none."""
        ...

    def delete(self, key: str) -> None:
        """Remove the bytes so that they cannot be read any more; a key that is not kept is no error."""
        ...

    def keys(self) -> Iterator[str]:
        """Every key, in no order."""
        ...

    def close(self) -> None:
        """Finish what waits."""
        ...
