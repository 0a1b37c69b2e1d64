"""The cache in this process: bounded, ordered by use, forgetful in time."""

from __future__ import annotations

import pytest

from hilum.errors import UsageError
from hilum.storage.cache import ENTRY, MemoryCache, open_cache


def test_what_is_put_is_found_until_it_is_forgotten():
    cache = open_cache("", 10_000)
    cache.put(b"a", b"1", 60)
    assert cache.get(b"a") == b"1"
    assert cache.get(b"b") is None
    cache.clear()
    assert cache.get(b"a") is None


def test_it_never_grows_past_its_bytes_and_drops_what_was_used_longest_ago():
    cache = MemoryCache(10 * (1 + 100 + ENTRY))
    for i in range(10):
        cache.put(b"%d" % i, bytes(100), 60)
    assert cache.get(b"0") is not None
    cache.put(b"x", bytes(100), 60)
    assert cache.get(b"1") is None
    assert cache.get(b"0") is not None
    for i in range(1000):
        cache.put(b"%d" % i, bytes(i % 150), 60)
        assert cache.size <= 10 * (1 + 100 + ENTRY)
    cache.put(b"huge", bytes(10_000), 60)
    assert cache.get(b"huge") is None


def test_a_value_put_again_counts_once():
    cache = MemoryCache(10_000)
    for _ in range(100):
        cache.put(b"k", bytes(50), 60)
    assert cache.size == 1 + 50 + ENTRY


def test_it_forgets_in_time():
    cache = MemoryCache(10_000)
    cache.put(b"k", b"v", -1)
    assert cache.get(b"k") is None
    assert cache.size == 0


def test_another_address_is_wrong_use():
    with pytest.raises(UsageError, match="redis://"):
        open_cache("memcached://here", 1)


def test_an_erasure_by_another_process_empties_it(tmp_path):
    cache = open_cache("", 10_000, tmp_path / "erasures")
    cache.put(b"k", b"v", 60)
    assert cache.get(b"k") == b"v"
    (tmp_path / "erasures").touch()
    cache._looked = 0.0  # as a second later
    assert cache.get(b"k") is None
    cache.put(b"k", b"v", 60)
    cache._looked = 0.0
    assert cache.get(b"k") == b"v"
