"""The files of a batch and how they are to be answered -> a folder that outlives the process, until they are.

One folder a batch below HOME/inbox, for the owner only: the order, and each file under a name made from its content.
Once a batch is over its files are gone, and of the names only those of files that could not be read are left.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from hilum.durable import sweep_untaken, sync_folder, write_whole
from hilum.errors import ImageGone, NotFound, StorageError
from hilum.jobs.ids import place_of
from hilum.jobs.room import check_room, whole_or_gone
from hilum.jobs.starts import NEVER, Starts
from hilum.secret import derived

ORDER, NAME, LOCK = "order.json", "name", "lock"
OPEN = ("queued", "running")  # states that are not the end
STATES = (*OPEN, "done", "failed", "cancelled")
KEY = re.compile("[0-9a-f]{64}")  # what the file of a batch is called
KEPT_DAYS = 30  # of a batch that is over: its outline, and the names of files that could not be read


@dataclass(frozen=True, slots=True)
class Order:
    """A batch as it was asked for.

    names: as the caller called the files; None once it need not be known any more. keys: of their content; "" for a
    file that was erased before it was answered.
    made: microseconds since 1970 UTC. state: queued, running, done, failed or cancelled. fault: why it failed.
    starts: how often it was begun again in vain.
    """

    id: str
    caller: str
    task: str
    model: str | None
    operating_point: str
    prevalence: float | tuple[float, ...] | None
    keep: bool
    names: tuple[str | None, ...] = ()
    keys: tuple[str, ...] = ()
    made: int = 0
    state: str = "queued"
    fault: str = ""
    starts: Starts = NEVER

    @property
    def has_files(self) -> bool:
        """Whether files of it lie here: until it is over, or where nobody can tell what was asked."""
        return self.state in OPEN or not self.task


_ORDER = TypeAdapter(Order)


class Inbox:
    """The batches of one installation."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder, self._key = folder, derived(secret, "inbox")

    def name(self) -> str:
        """What this inbox is known by among several that share one database; drawn once, kept beside the batches."""
        path = self._folder / NAME
        with contextlib.suppress(FileNotFoundError):
            if name := path.read_text(encoding="ascii"):
                return name
            path.unlink()  # the disk was full when it was drawn
        draft = self._folder / f".{NAME}-{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            write_whole(draft, uuid.uuid4().hex[:12].encode())
            with contextlib.suppress(FileExistsError):  # another process was quicker: its name holds
                os.link(draft, path)
            return path.read_text(encoding="ascii")
        except OSError as error:
            raise StorageError(f"the batch cannot be kept: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def take(self, order: Order, files: Iterable[tuple[str, bytes]]) -> Order:
        """Keep the files and the order durably; nothing of a batch that could not be kept whole is left behind.

        Raises:
            StorageError: the disk does not take it, or would have too little left for the records.
        """
        place = self._place(order.id)
        with whole_or_gone(place, "the batch"):
            place.mkdir(parents=True, mode=0o700, exist_ok=True)
            names, keys = [], []
            for name, data in files:
                check_room(place, len(data), "the batch")
                names.append(name)
                keys.append(self._keep(place, data))
            made = replace(order, names=tuple(names), keys=tuple(keys), made=time.time_ns() // 1000)
            self.write(made)
            sync_folder(self._folder)
        return made

    def same(self, known: Order, asked: Order, files: Iterable[tuple[str, bytes]]) -> bool:
        """Whether a batch that was taken is the one that is asked for; of files erased since nothing can be said."""
        if _question(known) != _question(asked):
            return False
        keys = [self._name(data) for _, data in files]
        return len(keys) == len(known.keys) and all(old in ("", key) for old, key in zip(known.keys, keys, strict=True))

    def order(self, identity: str) -> Order:
        """A batch.

        Raises:
            NotFound: there is none of this id.
        """
        try:
            return _read(self._place(identity))
        except OSError:
            raise NotFound(f"no job {identity[:64]!r}") from None

    def write(self, order: Order) -> None:
        """Put an order in the place of the one before, whole or not at all."""
        write_whole(self._place(order.id) / ORDER, json.dumps(asdict(order)).encode())

    def rewrite(self, identity: str, change: Callable[[Order], Order]) -> Order:
        """Put what `change` makes of an order in its place; nobody else, no other process either, writes meanwhile.

        Raises:
            NotFound: there is none of this id. StorageError: the disk knows no locks.
        """
        with self._alone():
            changed = change(self.order(identity))
            self.write(changed)
        return changed

    def file(self, order: Order, index: int) -> bytes:
        """The bytes of one file.

        Raises:
            ImageGone: it is not there any more, or is damaged.
        """
        key = order.keys[index]
        try:
            data = (self._place(order.id) / key).read_bytes()
        except OSError as error:
            raise ImageGone("a file of the batch is gone") from error
        if not hmac.compare_digest(self._name(data), key):
            raise ImageGone("a file of the batch is damaged")
        return data

    def end(self, order: Order, state: str, *, fault: str = "", unread: Iterable[int] = ()) -> Order:
        """Over: let go of the files, and of every name but those of the files that could not be read.

        Of two ends at once, as where a batch is cancelled while its last file is answered, the first one holds.
        """
        known = set(unread)

        def over(found: Order) -> Order:
            if found.state not in OPEN:
                return found
            names = tuple(name if i in known else None for i, name in enumerate(found.names))
            return replace(found, state=state, fault=fault, names=names)

        done = self.rewrite(order.id, over)
        self._unlink(order.id, order.keys)
        return done

    def erase(self, identity: str, goes: Callable[[bytes], bool]) -> int:
        """Let go of the files, and their names, of which `goes` says so; the batch goes on without them; how many.

        Raises:
            NotFound: there is none of this id.
        """
        order = self.order(identity)
        gone = {key for key in set(order.keys) - {""} if self._says(goes, identity, key)}
        if not gone:
            return 0

        def without(found: Order) -> Order:
            names = tuple(None if key in gone else name for name, key in zip(found.names, found.keys, strict=True))
            return replace(found, names=names, keys=tuple("" if key in gone else key for key in found.keys))

        self.rewrite(identity, without)
        self._unlink(identity, gone)
        return sum(key in gone for key in order.keys)

    def sweep(self, older_than: float) -> int:
        """Remove what a crash left of batches that were never taken, so many seconds ago or more; how many batches."""
        return sweep_untaken(self._folder, ORDER, older_than)

    def forget(self, identity: str) -> None:
        """Nothing is left of a batch but what it put on record."""
        shutil.rmtree(self._place(identity), ignore_errors=True)

    def forget_old(self) -> None:
        """Nothing is left of batches that are over and were asked for KEPT_DAYS ago or more."""
        before = (time.time() - KEPT_DAYS * 86400) * 1e6
        for order in self.all():
            if order.state not in OPEN and order.made < before:
                self.forget(order.id)

    def all(self) -> tuple[Order, ...]:
        """Every batch, newest first; one that goes while they are read is left out."""
        found = []
        for path in self._folder.glob(f"*/{ORDER}"):
            with contextlib.suppress(FileNotFoundError):
                found.append(_read(path.parent))
        return tuple(sorted(found, key=lambda order: -order.made))

    def unfinished(self) -> tuple[Order, ...]:
        """What is still to be answered, oldest first."""
        return tuple(order for order in reversed(self.all()) if order.state in OPEN)

    def _place(self, identity: str) -> Path:
        return place_of(self._folder, identity, "job")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise StorageError(f"{self._folder}: this disk gives no locks ({error.strerror})") from error
            yield

    def _says(self, goes: Callable[[bytes], bool], identity: str, key: str) -> bool:
        try:
            return goes((self._place(identity) / key).read_bytes())
        except OSError:  # answered and gone in the meantime
            return False

    def _unlink(self, identity: str, keys: Iterable[str]) -> None:
        for key in set(keys) - {""}:
            (self._place(identity) / key).unlink(missing_ok=True)

    def _keep(self, place: Path, data: bytes) -> str:
        key = self._name(data)
        if not self._is_whole(place / key):
            with (place / key).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        return key

    def _is_whole(self, file: Path) -> bool:
        """Whether it is there, and not half of it, as a server leaves that is killed while it takes a batch."""
        return file.exists() and self._name(file.read_bytes()) == file.name

    def _name(self, data: bytes) -> str:
        return hmac.digest(self._key, data, "sha256").hex()


def _question(order: Order) -> tuple[object, ...]:
    return order.caller, order.task, order.model, order.operating_point, order.prevalence, order.keep


def _read(place: Path) -> Order:
    """What lies in the folder of a batch; where that is damaged, a batch of nobody that failed, with its files.

    Raises:
        OSError: there is none.
    """
    data, at = (place / ORDER).read_bytes(), (place / ORDER).stat().st_mtime_ns
    with contextlib.suppress(ValueError):
        order = _ORDER.validate_json(data)
        if order.id == place.name and order.state in STATES and len(order.names) == len(order.keys):
            return order
    keys = tuple(sorted(path.name for path in place.iterdir() if KEY.fullmatch(path.name)))
    fault = f"its {ORDER} is damaged: what was asked cannot be told"
    outline = Order(place.name, "", "", None, "", None, keep=False, made=at // 1000, state="failed", fault=fault)
    return replace(outline, names=(None,) * len(keys), keys=keys)
