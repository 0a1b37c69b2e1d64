"""A question without an answer: nobody waits for long, and it is asked once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from hilum.probe import Probe


def test_what_does_not_answer_is_a_no_and_is_asked_once():
    asked, answer = [], threading.Event()

    def ask() -> bool:
        asked.append(1)
        return answer.wait(60)

    probe, since = Probe(ask, 0.2), time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: probe.good(), range(20))) == {False}
    assert (len(asked), time.monotonic() - since < 30) == (1, True)
    answer.set()
    until = time.monotonic() + 30
    while not probe.good():
        assert time.monotonic() < until
    assert len(asked) <= 2
