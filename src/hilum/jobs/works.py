"""An audit, training or evaluation asked for over HTTP -> a process of its own in a folder of its own; knows no HTTP.

The folder is the truth: what was asked, what came out, how far it is. A server that was killed goes on with what was
not finished when it starts again; `hilum train` itself goes on where it was. One work runs at a time, the others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hilum.durable import sync_folder, write_whole
from hilum.errors import NotFound, UsageError
from hilum.jobs.ids import place_of
from hilum.jobs.leaders import PLACE, end, telling
from hilum.jobs.room import check_room, whole_or_gone
from hilum.jobs.starts import IN_VAIN, NEVER, Starts, reached

STATES = ("waiting", "running", "done", "failed", "stopped")
OVER = ("done", "failed", "stopped")
STATE, RESULT, LOG, PROGRESS, REPORT = "work.json", "result.json", "log.txt", "progress.jsonl", "report"
KINDS = ("audit", "train", "evaluate")
FINE = {"audit": (0, 1), "train": (0,), "evaluate": (0, 3)}  # a bad verdict, or an unreadable case, is a result
DAMAGED = f"its {STATE} is damaged: what was asked cannot be told"  # instead of a title
CALM = 10  # niceness
LOCK, LOOK = "lock", 0.5  # a file beside the works; seconds between two looks at what another server has done
AGAIN = "ask for it again where there is more; how much a training takes hangs on its lines size and batch"
log = logging.getLogger("hilum.jobs")


@dataclass(frozen=True, slots=True)
class Work:
    """What was asked and how it stands.

    arguments: of the command line, after `hilum <kind>`. at, ended: seconds since 1970. code: exit code, once over;
    None where no server lived to see it. starts: how often it was begun in vain.
    """

    id: str
    kind: str
    title: str
    arguments: tuple[str, ...]
    caller: str
    at: float
    state: str = "waiting"
    ended: float | None = None
    code: int | None = None
    starts: Starts = NEVER

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in OVER


_WORK = TypeAdapter(Work)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of progress: at in seconds since 1970, `done` units of `total` of a stage."""

    at: float
    stage: str
    done: int
    total: int | None
    note: str = ""


@dataclass(eq=False, slots=True)
class _Running:
    work: Work
    process: subprocess.Popen[bytes]
    stopped: bool = field(default=False)


class Works:
    """The works of one installation."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, tell: Callable[[Work], None] | None = None
    ) -> None:
        """Go on with what lies there.

        folder: holds one folder a work. environment: added to this process's own for the works. tell: puts on record
        that a work begins, before it does.
        """
        self._folder, self._tell = folder, tell
        self._environment = dict(environment or {})
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock, self._taking = threading.Lock(), threading.Lock()
        self._running: _Running | None = None
        self._closing = threading.Event()
        for work in sorted(self.all(), key=lambda work: work.at):
            if not work.over:
                self._queue.put(work.id)
            elif work.title == DAMAGED:
                log.warning("work %s: %s", work.id, DAMAGED)
        self._thread = threading.Thread(target=self._serve, name="works", daemon=True)
        self._thread.start()

    def begin(
        self,
        kind: str,
        title: str,
        arguments: Sequence[str],
        caller: str,
        files: Mapping[str, bytes] | None = None,
        *,
        identity: str | None = None,
    ) -> Work:
        """Put a work in the line, with files of its own beside it; it is told of and on the disk when this returns.

        identity: a UUID; a work of this id that is there already is not begun twice. None draws one.

        Raises:
            UsageError: no such kind. StorageError: the disk does not take it, or would have too little left for the
                records.
        """
        if kind not in KINDS:
            raise UsageError(f"no work of the kind {kind!r}; there are: {', '.join(KINDS)}")
        work = Work(identity or str(uuid.uuid4()), kind, title, tuple(arguments), caller, round(time.time(), 3))
        with self._taking:
            if identity is not None:
                with contextlib.suppress(NotFound):
                    return self.get(identity)
            if self._tell is not None:
                self._tell(work)
            self._keep(work, files or {}, again=identity is not None)
        self._queue.put(work.id)
        return work

    def _keep(self, work: Work, files: Mapping[str, bytes], *, again: bool) -> None:
        """The files and the work, durably; of what cannot be kept whole nothing is left behind."""
        place = self.folder(work.id)
        with whole_or_gone(place, "the work"):
            place.mkdir(parents=True, mode=0o700, exist_ok=again)  # there already: of one that was killed half way
            if files:
                check_room(place, sum(map(len, files.values())), "the upload")
            for name, data in files.items():
                write_whole(place / name, data)
            self._write(work)
            sync_folder(self._folder)

    def folder(self, identity: str) -> Path:
        """Where a work lies; ids are UUIDs, so that no other folder can be named.

        Raises:
            NotFound: no id.
        """
        return place_of(self._folder, identity, "work")

    def get(self, identity: str) -> Work:
        """One work.

        Raises:
            NotFound: there is none of this id.
        """
        try:
            return read_work(self.folder(identity))
        except OSError:
            raise NotFound(f"no work {identity[:64]!r}") from None

    def all(self) -> tuple[Work, ...]:
        """Every work, newest first."""
        found = []
        for path in self._folder.glob(f"*/{STATE}"):
            with contextlib.suppress(NotFound):  # erased in this moment
                found.append(self.get(path.parent.name))
        return tuple(sorted(found, key=lambda work: -work.at))

    def steps(self, identity: str) -> tuple[Step, ...]:
        """The progress so far, oldest first."""
        try:
            lines = (self.folder(identity) / PROGRESS).read_text(encoding="utf-8").splitlines()
        except OSError:
            return ()
        found = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):  # the last line may be half written
                found.append(Step(**json.loads(line)))
        return tuple(found)

    def result(self, identity: str) -> Any:
        """What the work printed as JSON; None before it is done or where it failed."""
        try:
            return json.loads((self.folder(identity) / RESULT).read_bytes())
        except (OSError, ValueError):
            return None

    def said(self, identity: str, most: int = 4000) -> str:
        """The end of what it wrote for people."""
        try:
            return (self.folder(identity) / LOG).read_text(encoding="utf-8", errors="replace")[-most:]
        except OSError:
            return ""

    def stop(self, identity: str) -> Work:
        """Stop a work that waits or runs, within LOOK where another server runs it; what is over stays as it is."""
        with self._lock:
            work = self.get(identity)
            if work.state == "waiting":
                return self._write(replace(work, state="stopped", ended=round(time.time(), 3)))
            if self._running is not None and self._running.work.id == work.id:
                self._running.stopped = True
                end(self._running.process.pid)
            elif work.state == "running":  # begun by another server, or by one that was killed and left it behind
                self._write(replace(work, state="stopped", ended=round(time.time(), 3)))
                for leader in telling(self.folder(work.id) / PROGRESS):
                    end(leader)
        return self.get(identity)

    def close(self) -> None:
        """Let go: the running work is stopped and goes on at the next start."""
        self._closing.set()
        self._queue.put(None)
        with self._lock:
            if self._running is not None:
                self._let_go(self._running)
        self._thread.join(10)

    def _let_go(self, running: _Running) -> None:
        """End it; that it was begun by this server does not count."""
        end(running.process.pid)
        with contextlib.suppress(NotFound, OSError):  # erased; or the disk is full
            work = self.get(running.work.id)
            if work.state == "running":
                self._write(replace(work, starts=work.starts.let_go))

    def _serve(self) -> None:
        while (identity := self._queue.get()) is not None and not self._closing.is_set():
            try:
                with self._turn() as lock:
                    if lock is not None and not (work := self.get(identity)).over and not self._is_ended(work):
                        self._run(work, lock)
            except NotFound:  # erased while it waited
                continue
            except Exception as error:  # whatever it was, the works behind it must have their turn
                log.exception("work %s cannot be run", identity)
                self._give_up(identity, error)

    def _was_done(self, work: Work) -> bool:
        """Whether a work that outlived its server came to its end: what it prints last is there, and is its result."""
        with self._lock:
            if self.get(work.id).state != "running" or self.result(work.id) is None:
                return False
            ended = (self.folder(work.id) / RESULT).stat().st_mtime
            self._write(replace(work, state="done", ended=round(ended, 3)))
        log.info("work %s %s: done, after its server had ended", work.id, work.kind)
        return True

    def _is_ended(self, work: Work) -> bool:
        """Whether it is not begun (again): it came to its end without its server, or would take this one along, too."""
        return self._was_done(work) or self._was_in_vain(work)

    def _was_in_vain(self, work: Work) -> bool:
        with self._lock:
            if not self._started(work).in_vain:
                return False
            with (self.folder(work.id) / LOG).open("ab") as words:
                words.write(f"\n{IN_VAIN}; {AGAIN}\n".encode())
            self._write(replace(work, state="failed", ended=round(time.time(), 3)))
        log.warning("work %s %s: failed, it was begun too often in vain", work.id, work.kind)
        return True

    def _started(self, work: Work) -> Starts:
        """Its starts with one more."""
        return work.starts.another(reached((step.stage, step.done) for step in self.steps(work.id)))

    def _give_up(self, identity: str, error: Exception) -> None:
        """Mark a work as failed, for a reason that names no folder; where not even that can be written, it waits."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            end(running.process.pid)
            running.process.wait()
        with self._lock, contextlib.suppress(NotFound, OSError, ValueError, TypeError, KeyError):
            work = self.get(identity)
            if not work.over:
                with contextlib.suppress(OSError), (self.folder(identity) / LOG).open("ab") as words:
                    words.write(f"it could not be run here: {reason}; the server's log says more\n".encode())
                self._write(replace(work, state="failed", ended=round(time.time(), 3)))

    @contextlib.contextmanager
    def _turn(self) -> Iterator[int | None]:
        """Nobody else runs a work of this folder meanwhile: no other server, and no work that outlived its own.

        The lock, a file's descriptor, is handed on to the work: it is held until both have ended. None: this server
        leaves, and somebody else's work may be under way still.
        """
        self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        with (self._folder / LOCK).open("a") as file:
            mine = False
            while not self._closing.is_set():
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    mine = True
                    break
                self._closing.wait(LOOK)
            yield file.fileno() if mine else None

    def _run(self, work: Work, lock: int) -> None:
        place = self.folder(work.id)
        environment = {**os.environ, **self._environment, PLACE: str(place / PROGRESS)}
        command = [sys.executable, "-m", "hilum", work.kind, *work.arguments, "--json"]
        with (place / RESULT).open("wb") as out, (place / LOG).open("ab") as words, self._lock:
            if self._closing.is_set() or self.get(work.id).over:
                return
            begun = replace(work, state="running", starts=self._started(work))
            self._write(begun)  # before it is: it may outlive a server that is killed here
            process = subprocess.Popen(  # noqa: S603 - a list, no shell, and every word was checked at the door
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=words,
                start_new_session=True, pass_fds=(lock,),
            )  # fmt: skip
            running = self._running = _Running(begun, process)
            os.setpriority(os.PRIO_PROCESS, process.pid, CALM)  # the server's answers come first
        code = self._code(running)
        with self._lock:
            self._running = None
            if self._closing.is_set() and not running.stopped:
                return  # still "running" on the disk: the next start goes on with it
            if self.get(work.id).state == "stopped":  # at another server
                return
            fine = code in FINE[work.kind] and self.result(work.id) is not None  # else it broke off with that code
            state = "stopped" if running.stopped else "done" if fine else "failed"
            if state == "failed" and code < 0:
                self._tell_killed(work.id, -code)
            self._write(replace(running.work, state=state, code=code, ended=round(time.time(), 3)))
        log.info("work %s %s: %s", work.id, work.kind, state)

    def _tell_killed(self, identity: str, number: int) -> None:
        """It could not say so itself; its last words would pass for the reason."""
        words = f"it was ended from outside, by signal {number}"
        if number == signal.SIGKILL:
            words += ": most often because this machine had no memory left"
        with contextlib.suppress(OSError), (self.folder(identity) / LOG).open("ab") as file:
            file.write(f"\n{words}\n".encode())

    def _code(self, running: _Running) -> int:
        """How it ended: of itself, or because another server was asked to stop it that cannot see its process."""
        while True:
            try:
                return running.process.wait(LOOK)
            except subprocess.TimeoutExpired:
                with self._lock:
                    if not running.stopped and self.get(running.work.id).state == "stopped":
                        running.stopped = True
                        end(running.process.pid)

    def _write(self, work: Work) -> Work:
        write_whole(self.folder(work.id) / STATE, json.dumps(asdict(work)).encode())
        return work


def read_work(place: Path) -> Work:
    """What lies in the folder of a work; where that is damaged, a work that failed and is called DAMAGED.

    Raises:
        OSError: there is none.
    """
    data, at = (place / STATE).read_bytes(), (place / STATE).stat().st_mtime
    with contextlib.suppress(ValueError):
        work = _WORK.validate_json(data)
        if work.id == place.name and work.kind in KINDS and work.state in STATES:
            return work
    kind = next((kind for kind in KINDS if f'"{kind}"'.encode() in data), KINDS[0])  # for a place on the pages
    return Work(place.name, kind, DAMAGED, (), "", at, "failed", at)
