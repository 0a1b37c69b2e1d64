"""What was verified a moment ago -> the caller again, without the database; bounded in number and time."""

from __future__ import annotations

import time
from collections.abc import Callable

from hilum.access.caller import Caller

MOST = 4096


class Recent:
    """Keyed hashes of verified tokens; what another process revokes is honoured after `seconds` at the latest."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._found: dict[bytes, tuple[float, Caller]] = {}
        self.turn = 0

    def get(self, digest: bytes) -> Caller | None:
        """The caller, or None when not verified lately."""
        found = self._found.get(digest)
        return found[1] if found is not None and found[0] > self._clock() else None

    def put(self, digest: bytes, caller: Caller, lasts: float, turn: int) -> None:
        """Remember for `lasts` seconds at most, unless something was revoked since `turn` was read."""
        if turn != self.turn:
            return
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[digest] = (self._clock() + min(lasts, self._seconds), caller)

    def clear(self) -> None:
        """Forget everything: something was revoked."""
        self.turn += 1
        self._found.clear()
