"""Many hand in, one does: nobody waits for ever, nothing is done twice, errors reach whom they concern."""

from __future__ import annotations

import threading

import pytest

from hilum.errors import StorageError
from hilum.group import Group


def test_what_waits_is_done_in_one_group_in_order():
    gate, groups = threading.Event(), []

    def do(group):
        gate.wait(120)
        groups.append([work for work, _ in group])

    group = Group(do, "test")
    futures = [group.hand_in(i) for i in range(100)]
    gate.set()
    for future in futures:
        future.result(timeout=120)
    assert [work for done in groups for work in done] == list(range(100))
    assert len(groups) <= 3
    group.close()


def test_an_error_of_one_is_not_that_of_another():
    def do(group):
        for work, future in group:
            if work == "bad":
                future.set_exception(StorageError("bad"))

    group = Group(do, "test")
    good, bad = group.hand_in("good"), group.hand_in("bad")
    assert good.result(timeout=120) is None
    with pytest.raises(StorageError, match="bad"):
        bad.result(timeout=120)
    group.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_leaves_nobody_waiting():
    def do(group):
        raise RuntimeError("a bug")

    group = Group(do, "test")
    first = group.hand_in(1)
    with pytest.raises(StorageError, match="stopped by an error"):
        first.result(timeout=120)
    with pytest.raises(StorageError):
        group.hand_in(2).result(timeout=120)
    group.close()


def test_a_thread_that_cannot_be_started_fails_who_came_and_not_those_who_come_later(monkeypatch):
    group = Group(lambda _: None, "test")

    def no_more(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_more)
        refused = group.hand_in(1)
    with pytest.raises(StorageError, match="no thread"):
        refused.result(timeout=0)
    assert group.hand_in(2).result(timeout=120) is None
    assert group.close()


def test_closing_does_what_waits_and_takes_nothing_more():
    done = []
    group = Group(lambda part: done.extend(work for work, _ in part), "test", most=3)
    futures = [group.hand_in(i) for i in range(10)]
    group.close()
    assert done == list(range(10))
    assert all(future.done() for future in futures)
    with pytest.raises(StorageError, match="closed"):
        group.hand_in(11).result(timeout=0)


class Clock:
    """Seconds go by only where somebody sleeps, however long a loaded machine takes for what it does."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_groups_of_several_keep_a_pause_and_a_lone_piece_does_not(monkeypatch):
    clock, begun = Clock(), []
    monkeypatch.setattr("hilum.group.time", clock)
    taken, first = threading.Event(), threading.Event()

    def do(group):
        begun.append((clock.now, len(group)))
        taken.set()
        first.wait(120)

    group = Group(do, "test", pause=0.2)
    lone = group.hand_in(0)
    assert taken.wait(120)
    together = [group.hand_in(i) for i in range(1, 4)]  # wait while the first is held up
    first.set()
    for future in (lone, *together):
        future.result(timeout=120)
    group.hand_in(4).result(timeout=120)
    group.hand_in(5).result(timeout=120)
    assert begun == [(0.0, 1), (0.0, 3), (0.2, 1), (0.2, 1)]
    group.close()
