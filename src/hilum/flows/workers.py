"""Files -> what is told of them or drawn, by processes that decode and ask the networks, each for one batch at a time.

A process that dies of a file (a crash inside a decoder, no memory) takes nobody along: another is started and asked for
the files of that batch one at a time; the one that kills it again cannot be used.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, cast

from hilum.errors import InputError, PackageDamaged, Stopping, UnreadableImage
from hilum.flows import worker
from hilum.flows.evidence import Drawing
from hilum.flows.predict import Desk, File, Readable
from hilum.flows.told import Found
from hilum.flows.worker import DeskName

SECONDS = 600.0  # a worker that is silent for longer is given up
STOPPING = "the server is shutting down: try again in a moment"

log = logging.getLogger("hilum.workers")


class Workers:
    """So many processes; started when they are first needed, and anew when one has died."""

    def __init__(self, count: int, seconds: float = SECONDS) -> None:
        """`count` processes, each of which may be silent for `seconds` at most."""
        self._idle = threading.Condition()
        self._all = [_Worker(seconds) for _ in range(count)]
        self._free = list(self._all)
        self._beside: list[_Worker] = []
        self._seconds = seconds
        self._opening = threading.Lock()
        self._open = True

    @property
    def numbers(self) -> list[int]:
        """The process ids of those that were started and not ended since."""
        return [each.number for each in (*self._all, *self._beside) if each.number is not None]

    def find(self, files: Sequence[File], desk: Desk, readable: Readable) -> list[Found | InputError]:
        """What is told of each file, in their order.

        Raises:
            PackageError: a package must not be used. Stopping: they were closed.
        """
        name = worker.name_of(desk)
        with self._taken() as one:
            try:
                return one.find(files, name, readable)
            except _Gone as error:
                log.warning("a worker has died (%s): its %d files are asked for one at a time", error, len(files))
                return [_alone(one, file, name, partial(readable, [i])) for i, file in enumerate(files)]

    def draw(self, data: bytes, desk: Desk, wanted: Drawing) -> bytes:
        """Where in an image the evidence lies, by the desk's one package: a grey PNG, white = strongest.

        A drawing of one pass is made by one who answers; one of hundreds by a process that is forked for it.

        Raises:
            InputError: the image cannot be read. PackageError: the package must not be used.
            Stopping: they were closed.
        """
        name = worker.name_of(desk)
        with self._taken() if wanted.method == "cam" else self._forked() as one:
            try:
                return one.draw(data, name, wanted)
            except _Gone as error:
                if not self._open:
                    raise Stopping(STOPPING) from error
                raise UnreadableImage("kept image", f"who drew it has died ({error})") from error

    def open(self, desks: Sequence[Desk]) -> None:
        """Have every process open these desks before it is asked, and let go of others; one process after another.

        The first one opens them, the others are forked from it anew and so share the memory of the models.

        Raises:
            PackageError: a package must not be used.
        """
        names = [worker.name_of(desk) for desk in desks]

        for speaker in (speaker for desk in desks for speaker in desk.speakers):
            speaker.package.let_go()  # the graphs are opened elsewhere
        first, *others = self._all
        with self._opening:
            with self._taken(first):
                try:
                    first.open(names)
                except _Gone:  # it may have died while idle: a new one opens them
                    first.open_anew(names)
            for each in others:
                with self._taken(each), self._taken(first):
                    each.become(first)

    def close(self) -> None:
        """End them, whatever they do: who waits in the line was answered before."""
        self._open = False
        for each in (*self._all, *self._beside):
            each.end_for_good()

    @contextmanager
    def _forked(self) -> Iterator[_Worker]:
        one = _Worker(self._seconds)
        self._beside.append(one)
        try:
            with self._taken(self._all[0]) as first:
                one.become(first)
            yield one
        finally:
            self._beside.remove(one)
            one.end()

    @contextmanager
    def _taken(self, wanted: _Worker | None = None) -> Iterator[_Worker]:
        with self._idle:
            self._idle.wait_for(lambda: wanted in self._free if wanted else self._free)
            if not self._open:
                raise Stopping(STOPPING)
            one = wanted or self._free[0]
            self._free.remove(one)
        try:
            yield one
        finally:
            with self._idle:
                self._free.append(one)
                self._idle.notify_all()


def _nobody(_: Sequence[int]) -> None:
    """Nobody asks which files can be read."""


class _Gone(Exception):
    """A worker has died or is silent."""


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise _Gone(str(error) or "it closed its pipe") from error


def _alone(one: _Worker, file: File, name: DeskName, readable: Callable[[], None]) -> Found | InputError:
    try:
        return one.find([file], name, lambda places: readable() if places else None)[0]
    except _Gone:
        return UnreadableImage(file.name, "a decoder crashed on this file")


class _Worker:
    """One process and the pipe to it; used by one thread at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: _Process | None = None
        self._pipe: Connection | None = None
        self._for_good = False

    @property
    def number(self) -> int | None:
        """The process id, where there is a process."""
        return None if self._process is None else self._process.number

    def find(self, files: Sequence[File], name: DeskName, readable: Readable) -> list[Found | InputError]:
        """Raises _Gone where it does not answer any more."""
        senders = [(file.name, file.options) for file in files]
        return cast("list[Found | InputError]", self._asked(("find", name, senders), files, readable))

    def draw(self, data: bytes, name: DeskName, wanted: Drawing) -> bytes:
        """Raises _Gone where it does not answer any more."""
        file = File(data, "kept image")
        return cast("bytes", self._asked(("draw", (name, wanted), [(file.name, file.options)]), [file], _nobody))

    def open(self, names: Sequence[DeskName]) -> None:
        """Raises _Gone where it does not answer any more."""
        self._asked(("open", names, ()), (), _nobody)

    def open_anew(self, names: Sequence[DeskName]) -> None:
        """Raises PackageDamaged where a new process dies of it, too."""
        try:
            self.open(names)
        except _Gone as error:
            raise PackageDamaged(
                f"a worker died when it opened the models ({error}): is there enough memory?"
            ) from error

    def become(self, other: _Worker) -> None:
        """Be a fork of another, which has opened what is needed; where that cannot be, a process of its own, later."""
        self.end()
        if not hasattr(os, "pidfd_open"):
            return
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        try:
            self._process = _Forked(other.fork(theirs))
            self._pipe = ours
        except (_Gone, OSError) as error:
            ours.close()
            log.warning("a worker could not be forked (%s): it is started by itself", error)
        finally:
            theirs.close()

    def fork(self, theirs: Connection) -> int:
        """The process id of a new one that listens to `theirs`; raises _Gone."""
        whole = False
        try:
            pipe = self._pipe or self._started()
            with _gone():
                pipe.send(("fork", None, ()))
                reduction.send_handle(pipe, theirs.fileno(), self.number)
            number = int(self._heard(pipe)[1])
            whole = True
        finally:
            if not whole:
                self.end()
        return number

    def _asked(self, what: tuple[Any, ...], files: Sequence[File], readable: Readable) -> Any:
        """Its answer; where there is none the process is ended, and the next question starts another."""
        whole = False
        try:
            said = self._answer(self._pipe or self._started(), what, files, readable)
            whole = True
        finally:
            if not whole:
                self.end()
        if isinstance(said, worker.Fault):
            log.error("%s in a worker\n%s", said.kind, said.stack)
            said = RuntimeError(f"{said.kind} in a worker")
        if isinstance(said, Exception):
            raise said
        return said

    def _answer(self, pipe: Connection, what: tuple[Any, ...], files: Sequence[File], readable: Readable) -> Any:
        with _gone():
            pipe.send(what)
            for file in files:
                pipe.send_bytes(file.data)
        while True:
            verb, said = self._heard(pipe)
            if verb == "done":
                return said
            readable(said)

    def _heard(self, pipe: Connection) -> tuple[str, Any]:
        with _gone():
            if not pipe.poll(self._seconds):
                raise TimeoutError(f"silent for {self._seconds:g} s")
            verb, said = pipe.recv()
        return verb, said

    def _started(self) -> Connection:
        if self._for_good:  # it was ended under a question, of which nobody is to hear that a file is to blame
            raise Stopping(STOPPING)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = _Started(context.Process(target=worker.work, args=(theirs,), daemon=True, name="hilum-worker"))
        theirs.close()
        self._pipe = ours
        return ours

    def end_for_good(self) -> None:
        """Gone, and whoever asks it hears that they were closed."""
        self._for_good = True
        self.end()

    def end(self) -> None:
        """Whether it lives or not, it is gone afterwards."""
        pipe, self._pipe = self._pipe, None  # whoever else ends it at the same time finds nothing left to end
        process, self._process = self._process, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.end()


class _Process(Protocol):
    number: int

    def end(self) -> None: ...


class _Started:
    """A process of `multiprocessing`."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        process.start()
        self.number = int(process.pid or 0)

    def end(self) -> None:
        """It leaves when its pipe is closed, or is made to."""
        self._process.join(1)
        if self._process.is_alive():
            with suppress(OSError):
                self._process.kill()
            self._process.join()
        self._process.close()


class _Forked:
    """A process that a worker forked, held by a descriptor: its number may be another's once it is gone."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._held = os.pidfd_open(number)

    def end(self) -> None:
        """It leaves when its pipe is closed, or is made to."""
        ended = select.poll()  # unlike select(), it looks at descriptors of any number: a server holds thousands
        ended.register(self._held, select.POLLIN)
        if not ended.poll(1000):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._held, signal.SIGKILL)
            ended.poll(60_000)
        os.close(self._held)
