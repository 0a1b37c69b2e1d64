"""A question to the server -> what is sent and waited for, step by step, until there is an answer; knows no connection.

Each function here is a generator: it yields a Call (and is sent what came of it) or a Pause, and returns the answer.
The two clients only carry the steps out, one waiting and one awaiting, until `onward` gives the answer.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from hilum.client import calls, questions
from hilum.client.calls import Call
from hilum.client.questions import Question
from hilum.client.results import Job, Prediction, Predictions, Unread
from hilum.client.sources import Source
from hilum.errors import DataError, InputError, StorageError, TooLarge, UsageError

LOCAL = "http://127.0.0.1:8000"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class End(Generic[T]):
    """A talk is over, and this is what came of it."""

    answer: T


Came = httpx.Response | httpx.RequestError | None  # of a call; None: of a pause
Talk = Generator[Call | Pause, Came, T]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server is spoken to.

    url: without a slash at the end. retries: how often a busy or silent server is asked again.
    headers: of every request.
    """

    url: str
    retries: int
    headers: Mapping[str, str]

    def ask(self, question: Question[T]) -> Talk[T]:
        """One question, and again while the server says so.

        Raises:
            HilumError: what the server answered, or that it does not answer.
        """
        attempt, call = 0, question.call
        while True:
            came = yield call
            if isinstance(came, httpx.Response) and came.is_success:
                break
            assert came is not None
            if isinstance(came, httpx.DecodingError):
                raise calls.strange(self.url) from came
            pause = calls.pause_after(call, attempt, came) if attempt < self.retries else None
            if pause is None:
                break
            yield Pause(pause)
            attempt += 1
        if isinstance(came, httpx.RequestError):
            raise calls.unreachable(self.url, came) from came
        try:
            return question.read(calls.read(came))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise calls.strange(self.url) from error

    def predict(self, chunk: Sequence[Source], given: Mapping[str, Any]) -> Talk[Predictions]:
        """A few of many files; one that cannot be opened here, or is alone and not read or taken, is an `Unread`."""
        try:
            return (yield from self.ask(questions.predict(chunk, given)))
        except (InputError, TooLarge) as error:
            if len(chunk) == 1:
                return questions.unread(chunk[0], error)
        found: list[Prediction | Unread] = []
        for source in chunk:  # nothing was answered: each by itself, so that one stops no other
            found += yield from self.predict((source,), given)
        return Predictions(tuple(found))

    def wait(self, job: Job | str, pause: float, progress: bool | None) -> Talk[Predictions]:
        """Everything that came out of a batch, once it is over."""
        known = yield from self.ask(questions.job(job))
        with questions.Bar(known.files, wanted=progress) as bar:
            while not known.over:
                yield Pause(pause)
                before, known = known, (yield from self.ask(questions.job(known.id)))
                bar.step(known.done - before.done)
        if known.state != "done":
            raise DataError(known.error or f"the batch was {known.state}")
        return (yield from self.ask(questions.results(known.id)))

    def evaluate(self, source: Any, given: Mapping[str, Any], report: Any, pause: float) -> Talk[dict[str, Any]]:
        """The evaluation object, once it is measured, and its page written to `report` where one is named."""
        if report is not None and (Path(report).is_dir() or not Path(report).parent.is_dir()):
            raise UsageError(f"{report}: the page of an evaluation is one file, in a folder that is there")
        identity = yield from self.ask(questions.measured(source, given))
        while (found := (yield from self.ask(questions.measurement(identity)))) is None:
            yield Pause(pause)
        if report is not None:
            page = questions.measurement_page(identity)
            _write(Path(report), (yield from self.ask(page)), page.call.path)
        return found


def onward(talk: Talk[T], came: Came) -> Call | Pause | End[T]:
    """The next step of a talk, once it is told what came of the one before (None: this is the first)."""
    try:
        return talk.send(came)
    except StopIteration as end:
        return End(end.value)


def manner(url: str | None, key: str | None, retries: int) -> Manner:
    """As the caller says, else as HILUM_URL and HILUM_API_KEY say, else the server on this machine.

    Raises:
        UsageError: the address is none, or the key.
    """
    address = (url or os.environ.get("HILUM_URL") or LOCAL).strip().rstrip("/")
    if not _is_address(address):
        raise UsageError(f"{address!r} is no address of a server: write for example {LOCAL}")
    key = (key or os.environ.get("HILUM_API_KEY") or "").strip()  # out of a file it ends with its line
    if not (key.isascii() and key.isprintable()):
        raise UsageError("the key holds a character that no key has")
    return Manner(address, retries, questions.headers(key))


def _is_address(address: str) -> bool:
    try:
        read = httpx.URL(address)
        port = 80 if read.port is None else read.port
        named = read.scheme in ("http", "https") and bool(read.host) and 0 < port < 65536
    except (httpx.InvalidURL, UnicodeError):
        return False
    return named and not (read.query or read.fragment)


def _write(report: Path, page: bytes, place: str) -> None:
    try:
        report.write_bytes(page)
    except OSError as error:
        reason = error.strerror
        raise StorageError(f"{report} cannot be written ({reason}); the server has the page at {place}") from error
