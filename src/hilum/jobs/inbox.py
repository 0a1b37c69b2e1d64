"""The files of a batch and how they are to be answered -> a folder that outlives the process, until they are.

One folder a batch below HOME/inbox, for the owner only: the order, and each file under a name made from its content.
Once a batch is over its files are gone, and of the names only those of files that could not be read are left.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hilum.errors import ImageGone, NotFound, StorageError
from hilum.secret import derived

ORDER, NAME = "order.json", "name"
OPEN = ("queued", "running")  # states that are not the end


@dataclass(frozen=True, slots=True)
class Order:
    """A batch as it was asked for.

    names: as the caller called the files; None once it need not be known any more. keys: of their content.
    made: microseconds since 1970 UTC. state: queued, running, done, failed or cancelled. fault: why it failed.
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


class Inbox:
    """The batches of one installation."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder, self._key = folder, derived(secret, "inbox")

    def name(self) -> str:
        """What this inbox is known by among several that share one database; drawn once, kept beside the batches."""
        path = self._folder / NAME
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError), path.open("x", encoding="ascii") as file:
                file.write(uuid.uuid4().hex[:12])
            return path.read_text(encoding="ascii")

    def take(self, order: Order, files: Iterable[tuple[str, bytes]]) -> Order:
        """Keep the files and the order durably; nothing of a batch that could not be kept whole is left behind.

        Raises:
            StorageError: the disk does not take it.
        """
        place, whole = self._place(order.id), False
        try:
            place.mkdir(parents=True, mode=0o700, exist_ok=True)
            names, keys = [], []
            for name, data in files:
                names.append(name)
                keys.append(self._keep(place, data))
            made = replace(order, names=tuple(names), keys=tuple(keys), made=time.time_ns() // 1000)
            _sync(place)
            self.write(made)
            whole = True
        except OSError as error:
            raise StorageError(f"the batch cannot be kept: {error.strerror}") from error
        finally:
            if not whole:
                shutil.rmtree(place, ignore_errors=True)
        return made

    def order(self, identity: str) -> Order:
        """A batch.

        Raises:
            NotFound: there is none of this id.
        """
        try:
            said = json.loads((self._place(identity) / ORDER).read_bytes())
        except (OSError, ValueError):
            raise NotFound(f"no job {identity[:64]!r}") from None
        return _order(said)

    def write(self, order: Order) -> None:
        """Put an order in the place of the one before, whole or not at all."""
        place = self._place(order.id)
        fresh = place / f"{ORDER}.new"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(order), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place / ORDER)
        _sync(place)

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
        """Over: let go of the files, and of every name but those of the files that could not be read."""
        known = set(unread)
        names = tuple(name if i in known else None for i, name in enumerate(order.names))
        done = replace(order, state=state, fault=fault, names=names)
        self.write(done)
        for key in set(order.keys):
            (self._place(order.id) / key).unlink(missing_ok=True)
        return done

    def forget(self, identity: str) -> None:
        """Nothing is left of a batch but what it put on record."""
        shutil.rmtree(self._place(identity), ignore_errors=True)

    def all(self) -> tuple[Order, ...]:
        """Every batch, newest first."""
        found = [_order(json.loads(path.read_bytes())) for path in self._folder.glob(f"*/{ORDER}")]
        return tuple(sorted(found, key=lambda order: -order.made))

    def unfinished(self) -> tuple[Order, ...]:
        """What is still to be answered, oldest first."""
        return tuple(order for order in reversed(self.all()) if order.state in OPEN)

    def _place(self, identity: str) -> Path:
        try:
            return self._folder / str(uuid.UUID(identity))
        except ValueError:
            raise NotFound(f"no job {identity[:64]!r}") from None

    def _keep(self, place: Path, data: bytes) -> str:
        key = self._name(data)
        if not (place / key).exists():
            with (place / key).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        return key

    def _name(self, data: bytes) -> str:
        return hmac.digest(self._key, data, "sha256").hex()


def _order(said: dict[str, Any]) -> Order:
    shares = said.pop("prevalence")
    prevalence = tuple(shares) if isinstance(shares, list) else shares
    return Order(**{**said, "prevalence": prevalence, "names": tuple(said["names"]), "keys": tuple(said["keys"])})


def _sync(folder: Path) -> None:
    """What stands in a folder survives a loss of power, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
