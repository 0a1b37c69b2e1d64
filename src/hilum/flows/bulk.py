"""Many paths -> their answers in order, few in this process, many on all cores; memory does not grow with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

from hilum.errors import InputError
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.prediction import Prediction
from hilum.flows.reading import Item, readings

IN_PROCESS = 48  # fewer files than this are not worth starting workers for


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, and why."""

    file: str
    code: str
    error: str


Line = Prediction | Unread
OpenDesk = Callable[[], Desk]


def predict_paths(paths: Iterable[Item], open_desk: OpenDesk, options: Options, *, workers: int) -> Iterator[Line]:
    """Answer every path in the order given.

    `open_desk` must be picklable: it is called once in every worker process.
    """
    desk = open_desk()
    stream = iter(paths)
    first = list(itertools.islice(stream, IN_PROCESS))
    if len(first) < IN_PROCESS or workers < 2:
        yield from answer_all(itertools.chain(first, stream), desk, options)
        return
    for speaker in desk.speakers:  # a package that must not be used is said once, here, not by every worker
        _ = speaker.package
    cores = import_module("hilum.flows.cores")  # starting processes is learnt only where there is work for them
    yield from cores.on_all_cores(itertools.chain(first, stream), open_desk, options, workers)


def answer_all(paths: Iterable[Item], desk: Desk, options: Options) -> Iterator[Line]:
    """Answer every path in this process."""
    for path, data in readings(paths, desk.limits.max_bytes):
        yield from answer_file(path, data, desk, options)


def answer_file(path: str, data: bytes | InputError, desk: Desk, options: Options) -> list[Line]:
    """The answers of one file, one a frame; or the one line that says why it cannot be read."""
    try:
        if isinstance(data, InputError):
            raise data
        return [answer.prediction for answer in predict(data, path, desk, options)]
    except InputError as error:
        return [Unread(path, error.code, error.reason)]
