"""A shared cache on a real Redis; its failures are misses, quickly."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from hilum.errors import UsageError
from hilum.storage.cache import open_cache
from hilum.storage.redis_cache import MOST, PREFIX
from tests import servers

redis = pytest.importorskip("redis")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    number = servers.free_port()
    with servers.redis(tmp_path_factory.mktemp("redis"), number):
        yield number


@pytest.fixture
def patient(monkeypatch):
    """On a loaded machine a Redis that is well may need longer than a tenth of a second: that is not asked here."""
    monkeypatch.setattr("hilum.storage.redis_cache.TIMEOUT", 60.0)


@pytest.fixture
def left_alone(monkeypatch):
    """A Redis that failed is left alone until a test asks for it again, however long a loaded machine takes."""
    monkeypatch.setattr("hilum.storage.redis_cache.ALONE", 1e6)


@pytest.fixture
def cache(port, patient):
    opened = open_cache(f"redis://127.0.0.1:{port}/0", 0)
    opened.clear()
    yield opened
    opened.close()


def test_what_is_put_is_found_by_every_process_until_it_is_forgotten(cache, port):
    other = open_cache(f"redis://127.0.0.1:{port}/0", 0)
    cache.put(b"k\x00\xff", b"v\x00\xff", 60)
    assert other.get(b"k\x00\xff") == b"v\x00\xff"
    assert other.get(b"none") is None
    assert other.clear()
    assert cache.get(b"k\x00\xff") is None
    other.close()


def test_it_forgets_in_time_and_never_takes_what_is_too_large(cache, port):
    cache.put(b"k", b"v", 60)
    cache.put(b"large", bytes(MOST + 1), 60)
    cache.put(b"gone", b"v", 0)
    with redis.Redis(port=port) as client:
        assert 0 < client.ttl(PREFIX + b"k") <= 60
    assert cache.get(b"large") is cache.get(b"gone") is None


def test_a_redis_that_was_not_emptied_is_said(tmp_path, patient):
    """It may come back with what it holds, and an erasure must not call that gone."""
    number = servers.free_port()
    away = open_cache(f"redis://127.0.0.1:{number}/0", 0)
    assert away.clear() is False
    with servers.redis(tmp_path, number):
        assert away.clear() is True
    away.close()


def test_clearing_leaves_the_keys_of_others(cache, port):
    with redis.Redis(port=port) as client:
        client.set("theirs", "x")
        for i in range(2500):
            cache.put(b"%d" % i, b"v", 60)
        cache.clear()
        assert client.get("theirs") == b"x"
        assert cache.get(b"7") is None
        assert client.dbsize() == 1
        client.delete("theirs")


def test_a_redis_that_dies_is_a_miss_and_is_found_again(tmp_path, patient, left_alone, monkeypatch):
    number = servers.free_port()
    with servers.redis(tmp_path, number):
        cache = open_cache(f"redis://127.0.0.1:{number}", 0)
        cache.put(b"k", b"v", 60)
        assert cache.get(b"k") == b"v"
    assert cache.get(b"k") is None
    assert not cache.up
    with monkeypatch.context() as patched:
        asked = []
        patched.setattr(cache._client, "execute_command", lambda *said, **_: asked.append(said))
        for _ in range(1000):
            cache.put(b"k", b"v", 60)
            assert cache.get(b"k") is None
        assert asked == []
    with servers.redis(tmp_path, number):
        cache._alone_until = 0.0  # as seconds later
        cache.put(b"k", b"v", 60)
        assert cache.get(b"k") == b"v"
    cache.close()


def test_a_redis_that_says_nothing_costs_no_more_than_its_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cache = open_cache(f"redis://127.0.0.1:{silent.getsockname()[1]}", 0)
        started = time.perf_counter()
        assert cache.get(b"k") is None
        assert cache.get(b"k") is None
        assert time.perf_counter() - started < 120  # else for ever
        cache.clear()
        cache.close()


def test_many_threads_use_it(cache):
    wrong = []

    def some(number):
        for i in range(100):
            cache.put(b"%d-%d" % (number, i), b"%d" % i, 60)
            if cache.get(b"%d-%d" % (number, i)) not in (b"%d" % i, None):
                wrong.append((number, i))

    threads = [threading.Thread(target=some, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_another_address_is_wrong_use_and_a_password_is_not_repeated():
    with pytest.raises(UsageError) as said:
        open_cache("memcached://user:hush@here", 1)
    assert "hush" not in str(said.value)
    with pytest.raises(UsageError, match="HILUM_CACHE_URL"):
        open_cache("redis://here:port", 1)
