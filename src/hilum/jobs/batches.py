"""Many files -> a durable batch, answered one after another, each file exactly once, whatever kills the process.

The engine that runs them (DBOS) is opened with the first batch, or at the start when one is unfinished. Its arguments
are ids; what was answered is on record under ids that follow from the batch's id and the file's place in it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any
from weakref import WeakValueDictionary

from hilum.errors import (
    Busy,
    DuplicateRecord,
    HilumError,
    ImageGone,
    InputError,
    KeyReused,
    MissingExtra,
    NotFound,
    PackageError,
    RecordsError,
    StorageError,
)
from hilum.flows.answer import Ask, answer_ids
from hilum.flows.desks import Desks
from hilum.flows.line import Line
from hilum.flows.predict import Options
from hilum.jobs.behind import Behind, Leaving
from hilum.jobs.inbox import OPEN, Inbox, Order
from hilum.jobs.starts import IN_VAIN
from hilum.records.entry import Record
from hilum.records.store import Records

TOGETHER = 200  # files whose answers are read from the record at once
CHUNK = 8  # files answered together, and remembered as one step
TRIES, LONGEST = 6, 20.0  # of a step that fails; seconds between two
TRIES_AWAY = 1080  # of a step while the database or the place for images is away: six hours
Outcome = dict[str, Any]  # {"frames": n} or {"error": text, "code": code}
AGAIN = "send its files anew, fewer or smaller ones at a time"
ERASED = {"error": "it was erased before it was answered", "code": ImageGone.code}

log = logging.getLogger("hilum.jobs")


@dataclass(frozen=True, slots=True)
class State:
    """How far a batch is. outcomes: one a file, as far as it is."""

    order: Order
    outcomes: tuple[Outcome, ...]

    @property
    def done(self) -> int:
        """Files that were looked at."""
        return len(self.outcomes)


@dataclass(frozen=True, eq=False, slots=True)
class Desk:
    """Who answers a batch, and where it goes."""

    inbox: Inbox
    records: Records
    line: Line
    desks: Desks


class Batches:
    """The batches of this process; one is answered at a time, beside the requests that come in."""

    def __init__(self, desk: Desk, database: str) -> None:
        """`database`: where the engine remembers its steps, as SQLAlchemy writes it."""
        self._desk, self._database = desk, database
        self._engine: Any = None
        self._lock = threading.Lock()
        self._taking: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._closed = False
        self._counted: set[str] = set()  # whose start by this process is written down
        self._resumed = threading.Event()
        self.stopping = threading.Event()

    def begin(self, order: Order, files: Iterable[tuple[str, bytes]]) -> Order:
        """Take a batch on; it will be answered even if the process dies as soon as this returns.

        The same batch under an id that is there already is not taken twice.

        Raises:
            MissingExtra: the engine is not installed. StorageError: the batch cannot be kept.
            KeyReused: under this id there is another batch.
        """
        engine, inbox = self._open(), self._desk.inbox
        with self._taking.setdefault(order.id, threading.Lock()):  # of two at once the second finds the first one's
            try:
                known = inbox.order(order.id)
            except NotFound:
                taken = inbox.take(order, files)
                engine.forget(taken.id)  # of a batch of this id that was forgotten: its steps are not this one's
                engine.begin(taken.id)
                return taken
        if not inbox.same(known, order, files):
            raise KeyReused("this Idempotency-Key was used for another batch")
        if known.state in OPEN:
            engine.begin(known.id)  # it may not have come so far the first time; one that is known is not begun twice
        return known

    def resume(self) -> int:
        """Go on with what was not finished when the process ended; returns how many batches that is."""
        self._desk.inbox.forget_old()
        unfinished = [order for order in self._desk.inbox.unfinished() if not self._is_in_vain(order)]
        if unfinished:
            engine = self._open()
            for order in unfinished:
                if engine.was_cancelled(order.id):  # the process ended before that was written down here
                    self._desk.inbox.end(order, "cancelled")
                    continue
                if engine.gave_up(order.id):  # the end of the process came in its way: try once more
                    engine.forget(order.id)
                engine.begin(order.id)  # one that the engine knows is not begun twice
        self._resumed.set()
        return len(unfinished)

    def state(self, identity: str) -> State:
        """How far a batch is.

        Raises:
            NotFound: there is none.
        """
        order, engine = self._desk.inbox.order(identity), self._open()
        if order.state in OPEN and self._resumed.is_set() and engine.gave_up(order.id):
            order = self._desk.inbox.end(order, "failed", fault="something went wrong here; the server's log says what")
        return State(order, tuple(engine.outcomes(order.id)))

    def all(self) -> tuple[Order, ...]:
        """Every batch, newest first."""
        return self._desk.inbox.all()

    def results(self, state: State) -> Iterator[tuple[int, Record | Outcome]]:
        """The place of each file and its records, one a frame, or why it could not be read; as far as it is."""
        for start in range(0, state.done, TOGETHER):
            part = dict(enumerate(state.outcomes[start : start + TOGETHER], start))
            ids = {i: answer_ids(answer_id(state.order.id, i), outcome.get("frames", 0)) for i, outcome in part.items()}
            known = self._desk.records.many([name for names in ids.values() for name in names])
            for index, outcome in part.items():
                if "error" in outcome:
                    names = state.order.names  # fewer than files where the order is damaged
                    yield index, {**outcome, "file": (names[index] if index < len(names) else None) or ""}
                yield from ((index, known[name]) for name in ids[index] if name in known)

    def cancel(self, identity: str) -> tuple[Order, str]:
        """Stop a batch that is not over; answers that were given stay on record. Of one that is over, forget the rest.

        Returns what it is now, and what was done: "stopped", "forgotten", or "" where it came to its end meanwhile.

        Raises:
            NotFound: there is none.
        """
        order = self._desk.inbox.order(identity)
        if order.state not in OPEN:
            self._desk.inbox.forget(order.id)
            return order, "forgotten"
        self._open().cancel(order.id)
        ended = self._desk.inbox.end(order, "cancelled")
        return ended, "stopped" if ended.state == "cancelled" else ""

    def close(self) -> None:
        """Let go; what runs is given up between two files and goes on at the next start."""
        self.stopping.set()
        self._let_go()
        with self._lock:
            self._closed = True
            if self._engine is not None:
                self._engine.close()

    # what the engine's steps do

    def count(self, identity: str) -> int:
        """The files of a batch; it runs from now on."""
        order = self._desk.inbox.order(identity)
        if order.state == "queued":
            order = self._desk.inbox.rewrite(order.id, _running)
        return len(order.keys)

    def answer(self, identity: str, first: int) -> list[Outcome]:
        """Answer the files from `first` on; what is on record already is not answered again."""
        for attempt in itertools.count():
            if self.stopping.is_set():
                raise Leaving
            if attempt and self.is_over(identity):
                return []
            try:
                return self._answered(self._desk.inbox.order(identity), first)
            except (StorageError, Busy) as error:
                if attempt >= (TRIES if isinstance(error, ImageGone | DuplicateRecord | Busy) else TRIES_AWAY) - 1:
                    return self._failed(identity, error)
                log.warning("job %s waits: %s", identity, type(error).__name__)
                if self.stopping.wait(min(2.0 ** min(attempt, 10), LONGEST)):
                    raise Leaving from error
            except HilumError as error:
                return self._failed(identity, error)
        raise AssertionError

    def finish(self, identity: str, unread: Sequence[int]) -> None:
        """The end of a batch, unless it was cancelled or failed before; unread: places of files that are no image."""
        if not self.is_over(identity):
            self._desk.inbox.end(self._desk.inbox.order(identity), "done", unread=unread)

    def is_over(self, identity: str) -> bool:
        """Whether nothing more is to be done."""
        try:
            return self._desk.inbox.order(identity).state not in OPEN
        except NotFound:
            return True

    def _is_in_vain(self, order: Order) -> bool:
        """Whether it is given up, before the engine begins it: it would take this server along like those before."""
        if order.state != "running" or order.id in self._counted:
            return False
        starts = order.starts.another(self._far(order))
        if starts.in_vain:
            log.warning("job %s failed: it was begun too often in vain", order.id)
            self._desk.inbox.end(order, "failed", fault=f"{IN_VAIN}; {AGAIN}")
            return True
        self._desk.inbox.rewrite(order.id, lambda found: replace(found, starts=starts))
        self._counted.add(order.id)
        return False

    def _far(self, order: Order) -> int:
        """How many of its files have an answer on record."""
        ids = [answer_id(order.id, i) for i in range(len(order.keys))]
        return sum(len(self._desk.records.many(ids[i : i + TOGETHER])) for i in range(0, len(ids), TOGETHER))

    def _let_go(self) -> None:
        """That this process began a batch does not count where it leaves in good order."""
        for identity in tuple(self._counted):
            with contextlib.suppress(NotFound, StorageError, OSError):  # forgotten; or the disk is full
                self._desk.inbox.rewrite(identity, lambda found: replace(found, starts=found.starts.let_go))

    def _answered(self, order: Order, first: int) -> list[Outcome]:
        places = range(first, min(first + CHUNK, len(order.keys)))
        found: dict[int, Outcome] = {}
        asks: dict[int, Ask] = {}
        desk = self._desk.desks.desk(order.task, order.model)
        options = Options(order.operating_point, order.prevalence)
        named = order.task if order.model is None else f"{order.task} {order.model}"
        for i in places:
            frames = self._frames(answer_id(order.id, i))
            if frames or not order.keys[i]:
                found[i] = {"frames": frames} if frames else dict(ERASED)
                continue
            data, name = self._desk.inbox.file(order, i), order.names[i] or f"file {i}"
            first_id = answer_id(order.id, i)
            asks[i] = Ask(data, name, desk, named, options, order.caller, order.keep, first_id)
        replies = Behind(self._desk.line, self.stopping).answer(list(asks.values()))
        for i, reply in zip(asks, replies, strict=True):
            if isinstance(reply, InputError):
                found[i] = {"error": reply.reason, "code": reply.code}
            else:
                found[i] = {"frames": len(reply.bodies)}
        return [found[i] for i in places]

    def _frames(self, first_id: str) -> int:
        """How many answers of a file are on record."""
        count = 0
        while self._desk.records.get(answer_ids(first_id, count + 1)[-1]) is not None:
            count += 1
        return count

    def _failed(self, identity: str, error: HilumError) -> list[Outcome]:
        order = self._desk.inbox.order(identity)
        if order.state in OPEN:
            log.error("job %s failed: %s", identity, error)
            quiet = isinstance(error, StorageError | PackageError)  # their words may name folders and hosts
            fault = f"{error.code}: the server's log says why" if quiet else str(error)
            self._desk.inbox.end(order, "failed", fault=fault)
        return []

    def _open(self) -> Any:
        """The engine, opened once."""
        with self._lock:
            if self._closed:
                raise Busy("the server is shutting down: try again in a moment")
            if not self._desk.records.ready():  # the engine would wait for the database as long as it takes
                raise RecordsError("the records cannot be written, so no batch can be taken on or looked at")
            if self._engine is None or not self._engine.current:
                try:
                    engine: Callable[..., Any] = import_module("hilum.jobs.engine").Engine
                except ModuleNotFoundError as error:
                    raise MissingExtra("a batch that outlives its request", "durable") from error
                self._engine = engine(self, self._database, self._desk.inbox.name())
            return self._engine


def _running(order: Order) -> Order:
    """It runs from now on; one that was cancelled in this moment does not."""
    return replace(order, state="running") if order.state in OPEN else order


def answer_id(batch: str, index: int) -> str:
    """The id of the first answer of a file: whoever answers it again finds it answered."""
    return str(uuid.uuid5(uuid.UUID(batch), f"file {index}"))
