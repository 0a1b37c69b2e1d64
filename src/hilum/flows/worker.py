"""Files on a pipe -> what is told of them or drawn: a process that decodes and asks the networks, not the server.

A question is (verb, what, who sends) and then the bytes of each file by itself, so that large ones are copied once.
"""

from __future__ import annotations

import gc
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2

from hilum.errors import HilumError
from hilum.flows.here import Here
from hilum.flows.predict import Desk, File
from hilum.flows.speaker import Speaker
from hilum.image.limits import Limits
from hilum.model.package import Trust, open_package
from hilum.model.unfolded import Shelf


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that nobody foresaw: its kind and the lines of code, not its words, which may name a file."""

    kind: str
    stack: str


@dataclass(frozen=True, slots=True)
class DeskName:
    """A desk as another process can open it: folder and digest of each package, which the server has found worthy.

    shelf: where their networks are kept unfolded.
    """

    packages: tuple[tuple[Path, str], ...]
    automatic: bool
    limits: Limits
    shelf: Shelf | None


def name_of(desk: Desk) -> DeskName:
    """What to say to a worker.

    Raises:
        PackageError: a package must not be used.
    """
    packages = tuple((speaker.package.folder, speaker.package.digest) for speaker in desk.speakers)
    shelf = next((speaker.shelf for speaker in desk.speakers), None)
    return DeskName(packages, desk.automatic, desk.limits, shelf)


class Opened:
    """Desks that were opened in this process; packages that several of them share are open once."""

    def __init__(self) -> None:
        self._desks: dict[DeskName, Desk] = {}
        self._here = Here()

    def desk(self, name: DeskName) -> Desk:
        """The desk of this name, opened when it is first asked for."""
        if name not in self._desks:
            open_ = {
                (speaker.package.folder, speaker.package.digest): speaker
                for desk in self._desks.values()
                for speaker in desk.speakers
            }
            speakers = tuple(open_.get(each) or _speaker(*each, name.shelf) for each in name.packages)
            desk = Desk(speakers, name.automatic, name.limits)
            self._here.open([desk])
            self._desks[name] = desk
        return self._desks[name]

    def only(self, names: Sequence[DeskName]) -> None:
        """Open these, then let go of all others."""
        kept = {name: self.desk(name) for name in names}
        self._desks = kept
        gc.collect()


class Children:
    """Processes that were forked from this one: they share the memory of what is open here."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self.is_one = False  # this process was forked itself

    def forked(self, pipe: Connection) -> Connection:
        """The pipe of whoever returns: in the child the one that came with the question.

        Safe because nothing runs beside: a pass takes one thread, and OpenCV's are off.
        """
        theirs = Connection(reduction.recv_handle(pipe))
        gc.freeze()  # collections would write to pages that are shared
        number = os.fork()
        if number == 0:
            pipe.close()
            self._numbers, self.is_one = [], True
            return theirs
        theirs.close()
        self._numbers.append(number)
        pipe.send(("done", number))
        return pipe

    def reap(self) -> None:
        """Let go of those that have ended."""
        for number in list(self._numbers):
            with suppress(ChildProcessError):
                if os.waitpid(number, os.WNOHANG) == (0, 0):
                    continue
            self._numbers.remove(number)


def _speaker(folder: Path, digest: str, shelf: Shelf | None) -> Speaker:
    return Speaker(open_package(folder, Trust(pinned=(digest,))), shelf=shelf)


def work(pipe: Connection) -> None:
    """Answer until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group; the server answers who waits first
    cv2.setNumThreads(0)
    children = Children()
    try:
        _listen(pipe, Opened(), children)
    finally:
        if children.is_one:  # what libraries do at the end of a process waits for threads that a fork does not have
            os._exit(0)


def _listen(pipe: Connection, opened: Opened, children: Children) -> None:
    with suppress(EOFError, OSError):
        while True:
            verb, about, senders = pipe.recv()
            children.reap()
            if verb == "fork":
                pipe = children.forked(pipe)
                continue
            files = [File(pipe.recv_bytes(), name, options) for name, options in senders]
            pipe.send(("done", _outcome(partial(_done, verb, about, files, opened, pipe))))


def _outcome(what: Callable[[], Any]) -> Any:
    """The result, or the error as something that can be sent."""
    try:
        return what()
    except HilumError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever it was, the server must hear of it and the next be answered
        return Fault(type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


def _done(verb: str, about: Any, files: Sequence[File], opened: Opened, pipe: Connection) -> Any:
    if verb == "open":
        return opened.only(about)
    if verb == "draw":
        name, wanted = about
        return Here().draw(files[0].data, opened.desk(name), wanted)
    return Here().find(files, opened.desk(about), lambda places: pipe.send(("readable", places)))
