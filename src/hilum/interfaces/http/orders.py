"""Long work that was asked for -> in the line, once for each Idempotency-Key; knows no body and no route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from hilum.errors import KeyReused, NotFound
from hilum.interfaces.http.again import keyed_id
from hilum.interfaces.http.asked import caller_of
from hilum.jobs.works import Work, Works
from hilum.parts import Parts
from hilum.registry.questions import name_of
from hilum.secret import derived

ZIP = "source.zip"  # an upload, beside its work
NAMES = {"audit": "audit", "train": "training", "evaluate": "evaluation"}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks, and the Idempotency-Key that was sent, if any."""

    caller: str
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done. named: whether a package was asked for; else whoever speaks now, which may change."""

    kind: str
    title: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    named: bool = True

    def same(self, arguments: Sequence[str]) -> bool:
        """Whether these arguments ask the same."""
        return self._question(self.arguments) == self._question(arguments)

    def _question(self, arguments: Sequence[str]) -> list[str]:
        """What was asked; a task of one's own by its name: its file is the newest package's, which changes."""
        return [_by_name(argument) for argument in arguments if self._counts(argument)]

    def _counts(self, argument: str) -> bool:
        """Whether an argument is part of the question; evaluations of older versions were begun without a report."""
        return (self.named or not argument.startswith("--model=")) and not argument.startswith("--report=")


def _by_name(argument: str) -> str:
    option, _, reference = argument.partition("=")
    return f"{option}={name_of(reference)}" if option == "--task" else argument


def sender_of(request: Request) -> Sender:
    """Who sent a request, with its key."""
    return Sender(caller_of(request.scope), dict(request.scope["headers"]).get(b"idempotency-key"))


def works_of(parts: Parts) -> Works:
    """The works of this installation."""
    if parts.works is None:
        raise NotFound("this server does no such work")
    return parts.works


def taken(parts: Parts, order: Order, sender: Sender) -> Work:
    """The work in the line; of a key that was sent before, the one that it began.

    Raises:
        Problem: the key is too long, or empty (400). KeyReused: it was used for something else.
    """
    known, key = works_of(parts), sender.key
    new = None if key is None else keyed_id(derived(parts.secret, order.kind), sender.caller, key)
    work = known.begin(order.kind, order.title, order.arguments, sender.caller, order.files, identity=new)
    if key is None:
        return work
    there = {path.name: path.read_bytes() for path in known.folder(work.id).glob(ZIP)}
    if not order.same(work.arguments) or there != order.files:
        raise KeyReused(f"this Idempotency-Key was used for another {NAMES[order.kind]}")
    return work
