"""A caller -> whether one more request is within the rate; counted in this process, or in Redis for several.

Limits are those of the library `limits` ("1200/minute;50000/day"), a sliding window each. Redis is a hint, never the
truth: while it does not answer, this process counts alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

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
    """The tightest limit after this request: so many of `most` in `window` seconds, free again in `reset` seconds."""

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


class Rates:
    """One set of limits for every caller.

    Raises:
        UsageError: the words are no limits.
    """

    def __init__(self, words: str, redis_url: str = "") -> None:
        try:
            self._items = limits.parse_many(words) if words else []
        except ValueError as error:
            raise UsageError(f"HILUM_RATE={words!r}: write for example 1200/minute;50000/day") from error
        self._own = Own(MemoryStorage()) if self._items else None
        self._shared: Shared | None = None
        if self._items and redis_url.startswith(("redis://", "rediss://")):
            storage = RedisStorage(f"async+{redis_url}", implementation="redispy", socket_timeout=REDIS_SECONDS,
                                   socket_connect_timeout=REDIS_SECONDS)  # fmt: skip
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

    def count_here(self, caller: str) -> Count | None:
        """Count one request in this process."""
        tightest = None
        for item in self._items if self._own else ():
            assert self._own is not None
            allowed = self._own.hit(item, caller)
            told = _told(item, self._own.get_window_stats(item, caller), allowed=allowed)
            tightest = _tighter(tightest, told)
        return tightest

    async def _count_shared(self, strategy: Shared, caller: str) -> Count | None:
        tightest = None
        for item in self._items:
            allowed = await strategy.hit(item, caller)
            tightest = _tighter(tightest, _told(item, await strategy.get_window_stats(item, caller), allowed=allowed))
        return tightest


def _told(item: limits.RateLimitItem, stats: limits.WindowStats, *, allowed: bool) -> Count:
    reset = max(1, round(stats.reset_time - time.time()))
    return Count(allowed, item.amount, item.get_expiry(), max(0, stats.remaining), reset)


def _tighter(one: Count | None, other: Count) -> Count:
    if one is None or one.allowed > other.allowed:
        return other
    if one.allowed < other.allowed:
        return one
    return min(one, other, key=lambda count: (count.remaining / count.most, -count.reset))
