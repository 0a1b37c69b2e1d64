"""Rates: the words, the counts, and a Redis that is shared, or dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.interfaces.http.rates import Rates
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
    assert int(dict(counts[3].headers())[b"retry-after"]) > 0
    assert rates.count_here("b").allowed  # type: ignore[union-attr]


def test_no_words_no_limit_and_nonsense_is_said() -> None:
    assert Rates("").count_here("a") is None
    with pytest.raises(UsageError, match="HILUM_RATE"):
        Rates("a lot")


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
