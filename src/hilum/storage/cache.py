"""A key -> what was answered before, or nothing; a hint, never the truth, and it knows no answer's meaning."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Protocol

ENTRY = 200  # bytes that an entry costs beside its key and value, about


class Cache(Protocol):
    """Forgets when it likes; never raises because of what lies behind it."""

    def get(self, key: bytes) -> bytes | None:
        """What was put, or None."""
        ...

    def put(self, key: bytes, value: bytes, seconds: int) -> None:
        """Keep the value for so many seconds at most."""
        ...

    def clear(self) -> bool:
        """Forget everything, as an erasure asks for; False where what lies behind may hold some of it still."""
        ...

    def close(self) -> None:
        """Let go of what lies behind."""
        ...


class MemoryCache:
    """In this process, bounded in bytes; what was used longest ago goes first."""

    def __init__(self, most: int, erasures: Path | None = None) -> None:
        """Hold at most `most` bytes of keys and values, entries' own cost included.

        erasures: a file that another process touches when it erased something: everything is forgotten then.
        """
        self._most, self._size = most, 0
        self._erasures, self._looked, self._erased = erasures, 0.0, _touched(erasures)
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def get(self, key: bytes) -> bytes | None:
        """What was put, or None."""
        if self._erasures is not None:
            self._look()
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            if found[1] < time.monotonic():
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: bytes, value: bytes, seconds: int) -> None:
        """Keep the value for so many seconds at most; one that is larger than everything is not kept."""
        cost = len(key) + len(value) + ENTRY
        with self._lock:
            self._drop(key)
            if cost > self._most:
                return
            self._entries[key] = (value, time.monotonic() + seconds)
            self._size += cost
            while self._size > self._most:
                self._drop(next(iter(self._entries)))

    def clear(self) -> bool:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0
        return True

    def close(self) -> None:
        """Nothing lies behind."""

    def _look(self) -> None:
        """Once a second, whether something was erased."""
        now = time.monotonic()
        if now - self._looked < 1.0:
            return
        self._looked, erased = now, _touched(self._erasures)
        if erased != self._erased:
            self._erased = erased
            self.clear()

    def _drop(self, key: bytes) -> None:
        gone = self._entries.pop(key, None)
        if gone is not None:
            self._size -= len(key) + len(gone[0]) + ENTRY


def open_cache(url: str, most: int, erasures: Path | None = None) -> Cache:
    """Open the cache: "" is in this process, holds `most` bytes and minds `erasures`; redis://… is shared.

    Raises:
        UsageError: the address is of neither kind.
        MissingExtra: Redis needs its client.
    """
    if not url:
        return MemoryCache(most, erasures)
    found: Cache = import_module("hilum.storage.redis_cache").open_redis(url)
    return found


def _touched(file: Path | None) -> int:
    try:
        return 0 if file is None else file.stat().st_mtime_ns
    except OSError:
        return 0
