"""A question without an answer: nobody waits for long, and it is asked once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hilum.probe import Probe


def test_what_does_not_answer_is_a_no_and_is_asked_once():
    asked, begun, answer = [], threading.Event(), threading.Event()

    def ask() -> bool:
        asked.append(1)
        begun.set()
        return answer.wait(120)

    probe, since = Probe(ask, 0.2), time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: probe.good(), range(20))) == {False}
    assert time.monotonic() - since < 30
    assert begun.wait(120)
    assert len(asked) == 1
    answer.set()
    probe._seconds = 60  # it answers from now on, however slow this machine is
    until = time.monotonic() + 120
    while not probe.good():
        assert time.monotonic() < until
    assert len(asked) <= 2


def test_where_no_thread_can_be_had_it_is_a_no_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    probe = Probe(lambda: True, 30)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        assert not probe.good()
    assert probe.good()
