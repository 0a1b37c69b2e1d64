"""Many paths -> their answers in order, from one worker process a core.

Each worker opens the packages once. A file that kills its worker (a crash inside a decoder) is found by asking for the
files of that worker's batch one at a time; only that file becomes an error.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from hilum.flows.bulk import Line, OpenDesk, Unread, answer_all
from hilum.flows.predict import TOGETHER, Desk, Options
from hilum.flows.reading import Item

BATCH = 32  # files handed to a worker

_desk: Desk | None = None


def on_all_cores(paths: Iterable[Item], open_desk: OpenDesk, options: Options, workers: int) -> Iterator[Line]:
    """Answer every path in the order given; `open_desk` is called once in every worker."""
    waiting: deque[tuple[list[Item], Future[list[Line]]]] = deque()
    pool = _pool(open_desk, workers)
    try:
        for batch in _batches(iter(paths)):
            waiting.append((batch, _submitted(pool, batch, options)))
            if len(waiting) < 4 * workers:
                continue
            pool, lines = _next(waiting, pool, open_desk, options, workers)
            yield from lines
        while waiting:
            pool, lines = _next(waiting, pool, open_desk, options, workers)
            yield from lines
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _next(
    waiting: deque[tuple[list[Item], Future[list[Line]]]],
    pool: ProcessPoolExecutor,
    open_desk: OpenDesk,
    options: Options,
    workers: int,
) -> tuple[ProcessPoolExecutor, list[Line]]:
    batch, future = waiting.popleft()
    try:
        return pool, future.result()
    except BrokenProcessPool:
        pool.shutdown(wait=False, cancel_futures=True)
        lines = list(_one_by_one(batch, open_desk, options))
        pool = _pool(open_desk, workers)
        again = [(b, _submitted(pool, b, options)) for b, _ in waiting]
        waiting.clear()
        waiting.extend(again)
        return pool, lines


def _submitted(pool: ProcessPoolExecutor, batch: list[Item], options: Options) -> Future[list[Line]]:
    """A batch on its way; where a worker has died already, that is found when it is the batch's turn."""
    try:
        return pool.submit(_answer, batch, options)
    except BrokenProcessPool as error:
        broken: Future[list[Line]] = Future()
        broken.set_exception(error)
        return broken


def _one_by_one(batch: list[Item], open_desk: OpenDesk, options: Options) -> Iterator[Line]:
    """The files of a batch that killed its worker; only the one that does it again becomes an error."""
    pool = _pool(open_desk, 1)
    for path in batch:
        try:
            yield from pool.submit(_answer, [path], options).result()
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            pool = _pool(open_desk, 1)
            yield Unread(str(path), "unreadable_image", "a decoder crashed on this file")
    pool.shutdown(wait=False)


def _pool(open_desk: OpenDesk, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_open, initargs=(open_desk,))


def _open(open_desk: OpenDesk) -> None:
    global _desk  # noqa: PLW0603 - one desk a worker process
    _desk = open_desk()


def _answer(batch: list[Item], options: Options) -> list[Line]:
    if _desk is None:
        raise RuntimeError("the worker was not opened")
    return list(answer_all(batch, _desk, options, TOGETHER))


def _batches(paths: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(itertools.islice(paths, BATCH)):
        yield batch
