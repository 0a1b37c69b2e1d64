"""Many paths -> their answers in order, on all cores, with memory that does not grow with their number.

Each worker process opens the packages once. A file that kills its worker (a crash inside a decoder) is found by asking
for the files of that worker's batch one at a time; only that file becomes an error.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import InputError
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.prediction import Prediction

BATCH = 16
IN_PROCESS = 48  # fewer files than this are not worth starting workers for


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, and why."""

    file: str
    code: str
    error: str


Line = Prediction | Unread
OpenDesk = Callable[[], Desk]

_desk: Desk | None = None


def predict_paths(paths: Iterable[str], open_desk: OpenDesk, options: Options, *, workers: int) -> Iterator[Line]:
    """Answer every path in the order given.

    `open_desk` must be picklable: it is called once in every worker process.
    """
    desk = open_desk()
    stream = iter(paths)
    first = list(itertools.islice(stream, IN_PROCESS))
    if len(first) < IN_PROCESS or workers < 2:
        for path in itertools.chain(first, stream):
            yield from predict_path(path, desk, options)
        return
    for speaker in desk.speakers:  # a package that must not be used is said once, here, not by every worker
        _ = speaker.package
    yield from _on_all_cores(_batches(itertools.chain(first, stream)), open_desk, options, workers)


def predict_path(path: str, desk: Desk, options: Options) -> list[Line]:
    """The answers of one file, one a frame; or the one line that says why it cannot be read."""
    try:
        data = read_limited(Path(path), desk.limits.max_bytes)
        return [answer.prediction for answer in predict(data, path, desk, options)]
    except InputError as error:
        return [Unread(path, error.code, error.reason)]


def read_limited(path: Path, most: int) -> bytes:
    """The bytes of a file, at most `most`.

    Raises:
        InputError: it cannot be read or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise InputError(str(path), f"larger than {most} bytes (HILUM_MAX_BYTES)")
    return data


def _on_all_cores(batches: Iterator[list[str]], open_desk: OpenDesk, options: Options, workers: int) -> Iterator[Line]:
    waiting: deque[tuple[list[str], Future[list[Line]]]] = deque()
    pool = _pool(open_desk, workers)
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(_answer, batch, options)))
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
    waiting: deque[tuple[list[str], Future[list[Line]]]],
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
        again = [(b, pool.submit(_answer, b, options)) for b, _ in waiting]
        waiting.clear()
        waiting.extend(again)
        return pool, lines


def _one_by_one(batch: list[str], open_desk: OpenDesk, options: Options) -> Iterator[Line]:
    """The files of a batch that killed its worker; only the one that does it again becomes an error."""
    pool = _pool(open_desk, 1)
    for path in batch:
        try:
            yield from pool.submit(_answer, [path], options).result()
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            pool = _pool(open_desk, 1)
            yield Unread(path, "unreadable_image", "a decoder crashed on this file")
    pool.shutdown(wait=False)


def _pool(open_desk: OpenDesk, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_open, initargs=(open_desk,))


def _open(open_desk: OpenDesk) -> None:
    global _desk  # noqa: PLW0603 - one desk a worker process
    _desk = open_desk()


def _answer(batch: list[str], options: Options) -> list[Line]:
    if _desk is None:
        raise RuntimeError("the worker was not opened")
    return [line for path in batch for line in predict_path(path, _desk, options)]


def _batches(paths: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(paths, BATCH)):
        yield batch
