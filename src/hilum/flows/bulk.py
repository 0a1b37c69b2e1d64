"""Many paths -> their answers in order, few in this process, many on all cores; memory does not grow with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from hilum.errors import InputError
from hilum.flows.predict import Desk, File, Options, predict_all
from hilum.flows.prediction import Prediction
from hilum.flows.reading import Item, Read, readings

ENOUGH = 4 * 1024 * 1024  # bytes of files beyond which no more are decoded at once
IN_PROCESS = 48  # fewer files than this are not worth starting workers for


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, and why."""

    file: str
    code: str
    error: str


Line = Prediction | Unread
OpenDesk = Callable[[], Desk]


def predict_paths(
    paths: Iterable[Item], open_desk: OpenDesk, options: Options, *, workers: int, here: OpenDesk | None = None
) -> Iterator[Line]:
    """Answer every path in the order given.

    `open_desk` must be picklable: it is called once in every worker process, one of many.
    here: who answers where there are few files, alone on the machine; None: the same.
    """
    desk = (here or open_desk)()
    stream = iter(paths)
    first = list(itertools.islice(stream, IN_PROCESS))
    if len(first) < IN_PROCESS or workers < 2:
        if first:
            desk.speakers[0].open_ahead()
        yield from answer_all(itertools.chain(first, stream), desk, options)
        return
    for speaker in desk.speakers:  # a package that must not be used is said once, here, not by every worker
        _ = speaker.package
    cores = import_module("hilum.flows.cores")  # starting processes is learnt only where there is work for them
    yield from cores.on_all_cores(itertools.chain(first, stream), open_desk, options, workers)


def answer_all(paths: Iterable[Item], desk: Desk, options: Options, at_once: int = 1) -> Iterator[Line]:
    """Answer every path in this process, the network asked once for `at_once` files."""
    found: list[Read] = []
    size = 0
    for path, data in readings(paths, desk.limits.max_bytes):
        found.append((path, data))
        size += 0 if isinstance(data, InputError) else len(data)
        if len(found) >= at_once or size > ENOUGH:
            yield from answer_files(found, desk, options)
            found, size = [], 0
    yield from answer_files(found, desk, options)


def answer_files(found: Sequence[Read], desk: Desk, options: Options) -> Iterator[Line]:
    """The answers of several files, one a frame; for what cannot be read the one line that says why."""
    files = [File(data, path, options) for path, data in found if not isinstance(data, InputError)]
    answers = iter(predict_all(files, desk) if files else ())
    for path, data in found:
        answer = data if isinstance(data, InputError) else next(answers)
        if isinstance(answer, InputError):
            yield Unread(path, answer.code, answer.reason)
        else:
            yield from (one.prediction for one in answer)
