"""A caller -> whether one more request is within the rate; counted in this process, or in Redis for several.

Limits are those of the library `limits` ("1200/minute;50000/day"), a sliding window each. Redis is a hint, never the
truth: while it does not answer, this process counts alone.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import limits
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as Shared
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter as Own

from hilum.errors import UsageError

REDIS_SECONDS = 0.25  # longest wait for Redis
REST_SECONDS = 5.0  # without Redis after a failure


@dataclass(frozen=True, slots=True)
class Count:
    """The limit that refused, else the first one, after this request.

    So many of `most` remain in a window of `window` seconds, which ends in `reset` seconds.
    """

    allowed: bool
    most: int
    window: int
    remaining: int
    reset: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """draft-ietf-httpapi-ratelimit-headers, and Retry-After (RFC 9110 10.2.3) when refused."""
        told = [
            (b"ratelimit-policy", b'"caller";q=%d;w=%d' % (self.most, self.window)),
            (b"ratelimit", b'"caller";r=%d;t=%d' % (self.remaining, self.reset)),
        ]
        return told if self.allowed else [*told, (b"retry-after", b"%d" % self.reset)]


def limits_of(words: str) -> list[limits.RateLimitItem]:
    """The limits that the words name; "" names none.

    Raises:
        UsageError: the words are no limits.
    """
    try:
        found = list(limits.parse_many(words)) if words else []
    except ValueError as error:
        raise UsageError(f"HILUM_RATE={words!r}: write for example 1200/minute;50000/day") from error
    if any(limit.amount < 1 for limit in found):
        raise UsageError(f"HILUM_RATE={words!r}: nobody could ask anything; for next to no limit write 1000000/second")
    return found


class Rates:
    """One set of limits for every caller.

    Raises:
        UsageError: the words are no limits.
    """

    def __init__(self, words: str, redis_url: str = "") -> None:
        self._items = limits_of(words)
        self._own = Own(MemoryStorage()) if self._items else None
        self._shared: Shared | None = None
        self._pool: Any = None
        if self._items and redis_url.startswith(("redis://", "rediss://")):
            from redis.asyncio import ConnectionPool  # the extra `redis`

            waits = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
            self._pool = ConnectionPool.from_url(redis_url, **waits)
            storage = RedisStorage(f"async+{redis_url}", implementation="redispy", connection_pool=self._pool)
            self._shared = Shared(storage)
        self._rest = 0.0

    async def count(self, caller: str) -> Count | None:
        """Count one request; None where nothing is limited."""
        if self._own is None:
            return None
        if self._shared is not None and time.monotonic() >= self._rest:
            try:
                return await self._count_shared(self._shared, caller)
            except Exception:  # whatever the Redis client raises: count alone for a while
                self._rest = time.monotonic() + REST_SECONDS
        return self.count_here(caller)

    async def close(self) -> None:
        """Let go of Redis, whether it is still there or not."""
        if self._pool is not None:
            with suppress(Exception):  # whatever the Redis client raises
                await self._pool.disconnect()

    def count_here(self, caller: str) -> Count | None:
        """Count one request in this process."""
        if self._own is None:
            return None
        over = next((item for item in self._items if not self._own.hit(item, caller)), None)
        shown = over or self._items[0]
        return _told(shown, self._own.get_window_stats(shown, caller), allowed=over is None)

    async def _count_shared(self, strategy: Shared, caller: str) -> Count:
        over = None
        for item in self._items:
            if not await strategy.hit(item, caller):
                over = item
                break
        shown = over or self._items[0]
        return _told(shown, await strategy.get_window_stats(shown, caller), allowed=over is None)


def _told(item: limits.RateLimitItem, stats: limits.WindowStats, *, allowed: bool) -> Count:
    reset = max(1, round(stats.reset_time - time.time()))
    return Count(allowed, item.amount, item.get_expiry(), max(0, stats.remaining), reset)
