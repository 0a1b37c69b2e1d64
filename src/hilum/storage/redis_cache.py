"""redis://… -> the cache that several processes share; whatever Redis does wrong is a miss and never an error.

After a failure it is left alone for some seconds, so that a Redis that is down or slow costs next to nothing.
"""

from __future__ import annotations

import time
from typing import Any

from hilum.errors import MissingExtra, UsageError

try:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise MissingExtra("a cache in Redis", "redis") from error

PREFIX = b"hilum:"
TIMEOUT, ALONE = 0.1, 5.0  # seconds: for one answer; without asking, after a failure
MOST = 1 << 20  # bytes of one value
_FAULTS = (RedisError, OSError, ValueError)


class RedisCache:
    """A shared cache; safe to use from many threads."""

    def __init__(self, client: Any) -> None:
        """Wrap a client."""
        self._client = client
        self._alone_until = 0.0

    @property
    def up(self) -> bool:
        """Whether Redis is asked at the moment."""
        return time.monotonic() >= self._alone_until

    def get(self, key: bytes) -> bytes | None:
        """What was put, or None."""
        if not self.up:
            return None
        try:
            found = self._client.get(PREFIX + key)
        except _FAULTS:
            self._leave_alone()
            return None
        return bytes(found) if found is not None else None

    def put(self, key: bytes, value: bytes, seconds: int) -> None:
        """Keep the value for so many seconds at most."""
        if self.up and len(value) <= MOST and seconds > 0:
            try:
                self._client.set(PREFIX + key, value, ex=seconds)
            except _FAULTS:
                self._leave_alone()

    def clear(self) -> bool:
        """Forget everything of ours; False where Redis did not take that, and may answer with it when it is back."""
        try:
            found = list(self._client.scan_iter(match=PREFIX + b"*", count=1000))
            for start in range(0, len(found), 1000):
                self._client.unlink(*found[start : start + 1000])
        except _FAULTS:
            self._leave_alone()
            return False
        return True

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _leave_alone(self) -> None:
        self._alone_until = time.monotonic() + ALONE


def open_redis(url: str) -> RedisCache:
    """Open redis://…, rediss://… or unix://…; whether it answers shows itself later.

    Raises:
        UsageError: another kind of address.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise UsageError(f"HILUM_CACHE_URL={url.partition(':')[0]}…: must be empty or redis://…")
    try:
        client = Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), protocol=2
        )
    except ValueError as error:
        raise UsageError(f"HILUM_CACHE_URL: {error}") from error
    return RedisCache(client)
