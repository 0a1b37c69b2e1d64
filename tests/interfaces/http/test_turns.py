"""Costly work waits for its turn, and what is too much is told at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hilum.interfaces.http.problems import Problem
from hilum.interfaces.http.turns import Turns


def test_one_is_done_two_wait_and_the_next_is_refused_until_they_are_through() -> None:
    begun, going, done = threading.Semaphore(0), threading.Event(), []

    def work(number: int) -> int:
        begun.release()
        assert going.wait(120)
        done.append(number)
        return number

    async def ask() -> None:
        turns = Turns(1, 3, "pictures")
        tasks = [asyncio.create_task(turns.run(lambda i=i: work(i))) for i in range(3)]
        assert await asyncio.to_thread(begun.acquire, timeout=120)
        with pytest.raises(Problem, match="too many pictures") as refused:
            await turns.run(lambda: work(3))
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})
        assert not begun.acquire(blocking=False)  # the others have not begun
        going.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert await turns.run(lambda: work(4)) == 4

    asyncio.run(ask())
    assert sorted(done) == [0, 1, 2, 4]
