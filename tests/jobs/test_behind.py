"""Files of a batch in the waiting line: a few at a time, after the people in it, and never turned away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from hilum.errors import StorageError, UnreadableImage
from hilum.flows.answer import Ask, Reply
from hilum.flows.line import Length, Line
from hilum.flows.predict import Desk
from hilum.jobs import behind
from hilum.jobs.behind import TOGETHER, Behind, Leaving
from hilum.monitor.meters import Meters

DESK = Desk(())


class Clock:
    """The line's own: seconds go by only where a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Clerk:
    """Answers with the file's own bytes, in the order of asking; a file may be told to go wrong, or to be slow."""

    def __init__(self) -> None:
        self.order: list[bytes] = []
        self.wrong: dict[bytes, Exception] = {}
        self.slow: Callable[[], None] = lambda: None

    def answer(self, asks: list[Ask]) -> list[Future[Reply]]:
        found = []
        for ask in asks:
            self.slow()
            self.order.append(ask.data)
            future: Future[Reply] = Future()
            if ask.data in self.wrong:
                future.set_exception(self.wrong[ask.data])
            else:
                future.set_result(Reply((ask.data,), cached=False, etag=""))
            found.append(future)
        return found


def ask(data: bytes) -> Ask:
    return Ask(data, "a", DESK, "auto")


def files(count: int) -> list[Ask]:
    return [ask(b"file %d" % i) for i in range(count)]


def in_thread(task: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(task()))
    thread.start()
    return thread, got


def until(true: Callable[[], bool]) -> None:
    late = time.monotonic() + 120
    while not true():
        assert time.monotonic() < late
        time.sleep(0.001)


def test_a_line_shorter_than_the_batch_answers_it_whole_and_in_order() -> None:
    clerk, meters = Clerk(), Meters()
    line = Line(clerk, Length(most=2, seconds=5, threads=1), meters)
    found = Behind(line, threading.Event()).answer(files(30))
    assert [reply.bodies for reply in found] == [(b"file %d" % i,) for i in range(30)]
    line.close()


def test_a_person_waits_for_a_few_files_at_most() -> None:
    clerk, door = Clerk(), threading.Semaphore(0)
    clerk.slow = lambda: door.acquire(timeout=120)
    line = Line(clerk, Length(most=256, seconds=60, threads=1), Meters())
    thread, got = in_thread(lambda: Behind(line, threading.Event()).answer(files(40)))
    until(lambda: line._busy == TOGETHER)
    people = [line.enter(ask(b"person %d" % i)) for i in range(3)]
    for _ in range(43):
        door.release()
    for person in people:
        person.result(120)
    thread.join(120)
    before = [name for name in clerk.order[: clerk.order.index(b"person 2")] if name.startswith(b"file")]
    assert len(before) <= TOGETHER
    assert len(got[0]) == 40
    line.close()


def test_a_full_line_is_waited_for_and_a_deadline_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clerk, door, clock = Clerk(), threading.Event(), Clock()
    monkeypatch.setattr(behind, "PATIENCE", 0.01)
    monkeypatch.setattr("hilum.flows.line.time", clock)
    begun = threading.Event()
    clerk.slow = lambda: begun.set() or door.wait(120)
    line = Line(clerk, Length(most=3, seconds=1, threads=1), Meters())
    first = line.enter(ask(b"first"))
    assert begun.wait(120)
    second = line.enter(ask(b"second"))
    thread, got = in_thread(lambda: Behind(line, threading.Event()).answer(files(6)))
    until(lambda: line.waiting == 2)  # the second and one file: the last place is left free
    clock.now += 1.1  # past the deadline of both
    door.set()
    thread.join(120)
    assert first.result(120).bodies == (b"first",)
    assert second.exception(120) is not None
    assert [reply.bodies for reply in got[0]] == [(b"file %d" % i,) for i in range(6)]
    line.close()


def test_a_file_that_cannot_be_read_is_one_answer_and_a_full_disk_is_the_end_of_the_step() -> None:
    clerk = Clerk()
    line = Line(clerk, Length(most=8, seconds=5, threads=1), Meters())
    clerk.wrong[b"file 1"] = UnreadableImage("file 1", "broken")
    found = Behind(line, threading.Event()).answer(files(3))
    assert [type(reply).__name__ for reply in found] == ["Reply", "UnreadableImage", "Reply"]
    clerk.wrong[b"file 1"] = StorageError("full")
    with pytest.raises(StorageError):
        Behind(line, threading.Event()).answer(files(3))
    line.close()


def test_a_server_that_stops_lets_the_batch_leave() -> None:
    clerk, stopping = Clerk(), threading.Event()
    line = Line(clerk, Length(most=1, seconds=5, threads=1), Meters())
    stopping.set()
    with pytest.raises(Leaving):
        Behind(line, stopping).answer(files(3))
    assert clerk.order == []
    line.close()
