"""Rates: the words, the counts, and a Redis that is shared, or dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from limits import RateLimitItem, WindowStats
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter as Own

from hilum.errors import UsageError
from hilum.interfaces.http.rates import Count, Rates
from tests.servers import free_port, redis


@pytest.fixture(autouse=True)
def no_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a minute or an hour ends, what was counted in it begins to fade."""
    begun = time.time()
    middle = begun - begun % 3600 + 1830
    monkeypatch.setattr("time.time", lambda: middle)


@pytest.fixture
def redis_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("hilum.interfaces.http.rates.REDIS_SECONDS", 60.0)  # slow is not away: that is another test
    with redis(tmp_path, free_port()) as address:
        yield address


def test_the_first_limit_that_is_reached_refuses() -> None:
    rates = Rates("100/minute;3/hour")
    counts = [rates.count_here("a") for _ in range(4)]
    assert [count and (count.allowed, count.most) for count in counts] == [(True, 100)] * 3 + [(False, 3)]
    assert counts[0] is not None
    assert counts[3] is not None
    assert dict(counts[0].headers())[b"ratelimit"].startswith(b'"caller";r=99;t=')
    assert counts[0].headers()[0] == (b"ratelimit-policy", b'"caller";q=100;w=60')
    assert b"retry-after" not in dict(counts[0].headers())
    assert 0 < counts[0].reset <= 60
    refused = dict(counts[3].headers())
    assert refused[b"ratelimit"] == b'"caller";r=0;t=' + refused[b"retry-after"]
    assert 0 < int(refused[b"retry-after"]) <= 2 * 3600  # a window that slides is empty after two
    assert rates.count_here("b").allowed  # type: ignore[union-attr]


def test_no_words_no_limit_and_nonsense_is_said() -> None:
    assert Rates("").count_here("a") is None
    with pytest.raises(UsageError, match="HILUM_RATE"):
        Rates("a lot")
    with pytest.raises(UsageError, match="nobody could ask") as refused:
        Rates("5/minute;0/hour")
    assert "empty" not in str(refused.value)  # an empty setting is the usual one
    most = Rates(str(refused.value).rpartition(" ")[2]).count_here("a")
    assert most is not None
    assert most.most >= 1_000_000
    assert Rates("1/minute").count_here("a") == Rates("1/minute").count_here("b")


class Shared:
    """Counts as Redis does, or is away."""

    def __init__(self) -> None:
        self.own, self.asked, self.away = Own(MemoryStorage()), 0, False

    async def hit(self, item: RateLimitItem, caller: str) -> bool:
        self.asked += 1
        if self.away:
            raise ConnectionError
        return self.own.hit(item, caller)

    async def get_window_stats(self, item: RateLimitItem, caller: str) -> WindowStats:
        return self.own.get_window_stats(item, caller)


def beside(words: str, shared: Shared) -> Rates:
    rates = Rates(words)
    rates._shared = shared  # type: ignore[assignment]
    return rates


def asked(rates: Rates) -> Count:
    found = asyncio.run(rates.count("a"))
    assert found is not None
    return found


def test_what_several_count_together_is_told_like_what_one_counts() -> None:
    shared = Shared()
    both = [beside("100/minute;3/hour", shared), beside("100/minute;3/hour", shared)]
    counts = [asked(both[n % 2]) for n in range(4)]
    assert [(count.allowed, count.most, count.remaining) for count in counts] == [
        (True, 100, 99), (True, 100, 98), (True, 100, 97), (False, 3, 0),
    ]  # fmt: skip


def test_who_does_not_answer_is_asked_again_after_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no reason to refuse or to fail: so long this process counts alone."""
    clock, shared = [100.0], Shared()
    monkeypatch.setattr("hilum.interfaces.http.rates.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    rates = beside("2/minute", shared)
    shared.away = True
    seen = []
    for clock[0] in (100.0, 100.0, 104.9, 105.0):
        allowed = asked(rates).allowed
        seen.append((allowed, shared.asked))
    assert seen == [(True, 1), (True, 1), (False, 1), (False, 2)]
    shared.away, clock[0] = False, 110.0
    assert (asked(rates).allowed, shared.asked) == (True, 3)


def test_several_processes_count_together_in_redis(redis_url: str) -> None:
    async def counted() -> list[bool]:
        both = [Rates("5/minute", redis_url), Rates("5/minute", redis_url)]
        counts = [(await both[n % 2].count("a")).allowed for n in range(8)]  # type: ignore[union-attr]
        for rates in both:
            await rates.close()
        return counts

    assert asyncio.run(counted()) == [True] * 5 + [False] * 3


def test_a_dead_redis_is_asked_once_and_then_left_alone_for_a_while() -> None:
    async def counted() -> list[bool]:
        rates = Rates("5/minute", f"redis://127.0.0.1:{free_port()}/0")
        counts = [(await rates.count("a")).allowed for n in range(8)]  # type: ignore[union-attr]
        await rates.close()
        return counts

    since = time.monotonic()
    assert asyncio.run(counted()) == [True] * 5 + [False] * 3
    assert time.monotonic() - since < 60
