"""The waiting line: bounded, timely, in fair batches, and nobody left without an answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import pytest

from hilum.errors import Full, Late, Stopping
from hilum.flows.answer import Ask, Reply
from hilum.flows.line import BATCH, Length, Line
from hilum.flows.predict import Desk
from hilum.monitor.meters import Meters

DESK = Desk(())


class Clock:
    """Seconds go by only where a test says so, however long a loaded machine takes for what it does."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("hilum.flows.line.time", made)
    return made


class Slow:
    """A clerk who answers when the door is opened."""

    def __init__(self) -> None:
        self.door, self.begun = threading.Event(), threading.Event()
        self.batches: list[int] = []

    def answer(self, asks: list[Ask]) -> list[Future[Reply]]:
        self.begun.set()
        self.door.wait(120)
        self.batches.append(len(asks))
        found: list[Future[Reply]] = []
        for ask in asks:
            future: Future[Reply] = Future()
            future.set_result(Reply((ask.data,), cached=False, etag=""))
            found.append(future)
        return found


def ask(data: bytes = b"x") -> Ask:
    return Ask(data, "a", DESK, "auto")


def test_one_more_than_may_wait_is_turned_away_and_the_others_get_their_own_answers() -> None:
    clerk, meters = Slow(), Meters()
    line = Line(clerk, Length(most=20, seconds=5, threads=1), meters)
    first = line.enter(ask(b"first"))
    assert clerk.begun.wait(120)
    waiting = [line.enter(ask(str(i).encode())) for i in range(20)]
    with pytest.raises(Full):
        line.enter(ask())
    clerk.door.set()
    assert first.result(120).bodies == (b"first",)
    assert [one.result(120).bodies for one in waiting] == [(str(i).encode(),) for i in range(20)]
    assert max(clerk.batches) == BATCH
    assert b'hilum_turned_away_total{reason="full"} 1.0' in meters.text()
    line.close()


def test_who_waited_too_long_is_told_so_before_any_work(clock: Clock) -> None:
    clerk = Slow()
    line = Line(clerk, Length(most=20, seconds=1, threads=1), Meters())
    line.enter(ask(b"first"))
    assert clerk.begun.wait(120)
    late = line.enter(ask(b"late"))
    clock.now += 1.1
    clerk.door.set()
    with pytest.raises(Late):
        late.result(120)
    assert clerk.batches == [1]
    line.close()


def test_who_leaves_while_being_told_that_it_is_too_late_does_not_stop_the_line(clock: Clock) -> None:
    left: list[bool] = []

    class Leaving(Meters):
        def away(self, why: str) -> None:
            left.append(late.cancel())
            super().away(why)

    clerk = Slow()
    line = Line(clerk, Length(most=20, seconds=1, threads=1), Leaving())
    line.enter(ask(b"first"))
    assert clerk.begun.wait(120)
    late, gone = line.enter(ask(b"late")), line.enter(ask(b"gone"))
    assert gone.cancel()
    clock.now += 1.1
    clerk.door.set()
    with pytest.raises(Late):
        late.result(120)
    assert left == [False]
    assert line.enter(ask(b"next")).result(120).bodies == (b"next",)
    assert line.close(10)


def test_who_comes_together_is_answered_together_however_long_it_took_to_come(clock: Clock) -> None:
    """Ten seconds of sending are no waiting; and with a time limit of one second all five are answered in three."""

    class Leisurely(Slow):
        def answer(self, asks: list[Ask]) -> list[Future[Reply]]:
            clock.now += 0.6
            return super().answer(asks)

    clerk = Leisurely()
    clerk.door.set()
    line = Line(clerk, Length(most=40, seconds=1, threads=1), Meters())
    asks = [replace(ask(str(i).encode()), since=clock.now - 10) for i in range(40)]
    waiting = line.enter_all(asks)
    assert [one.result(120).bodies for one in waiting] == [(str(i).encode(),) for i in range(40)]
    line.close()


def test_of_more_than_find_a_place_none_is_taken() -> None:
    clerk = Slow()
    line = Line(clerk, Length(most=3, seconds=5, threads=1), Meters())
    first = line.enter(ask(b"first"))
    assert clerk.begun.wait(120)
    line.enter(ask(b"second"))
    with pytest.raises(Full):
        line.enter_all([ask() for _ in range(3)])
    assert line.waiting == 1
    clerk.door.set()
    assert first.result(120).bodies == (b"first",)
    line.close()


def test_a_clerk_who_fails_fails_the_answer_and_goes_on() -> None:
    class Broken(Slow):
        def answer(self, asks: list[Ask]) -> list[Future[Reply]]:
            if asks[0].data == b"bad":
                raise ZeroDivisionError("bad")
            return super().answer(asks)

    clerk = Broken()
    clerk.door.set()
    line = Line(clerk, Length(threads=1), Meters())
    with pytest.raises(ZeroDivisionError):
        line.enter(ask(b"bad")).result(120)
    assert line.enter(ask(b"good")).result(120).bodies == (b"good",)
    line.close()


def test_closing_answers_who_waits_and_takes_no_more() -> None:
    clerk = Slow()
    line = Line(clerk, Length(threads=2), Meters())
    waiting = [line.enter(ask()) for _ in range(9)]
    closing: list[bool] = []
    thread = threading.Thread(target=lambda: closing.append(line.close(120)))
    thread.start()
    while line.is_open:
        time.sleep(0.001)
    with pytest.raises(Stopping):
        line.enter(ask())
    clerk.door.set()
    thread.join()
    assert closing == [True]
    assert all(one.done() for one in waiting)
