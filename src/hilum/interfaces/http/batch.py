"""Files that are too many to wait for, or whose sender will not wait -> a durable batch, and 202 with its address."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool

from hilum.errors import Full
from hilum.flows.answer import Ask
from hilum.interfaces.http.again import keyed_id
from hilum.interfaces.http.body import Upload
from hilum.interfaces.http.packed import MEMBERS, Packed, check_members, is_zip
from hilum.interfaces.http.problems import Problem
from hilum.jobs.batches import State
from hilum.jobs.inbox import OPEN, Order
from hilum.parts import Parts
from hilum.secret import derived

TOGETHER = 64  # files that one request waits for
WAITING = 64  # batches that may wait
Sent = tuple[int, list[tuple[bytes, bytes]], bytes]


class Sending:
    """The files of a request, zips looked into; nothing of a zip is unpacked before `files` is walked."""

    def __init__(self, uploads: Sequence[Upload], most: int, whole: int) -> None:
        """`most`: bytes of one file; `whole`: bytes that are unpacked in memory, for one request to wait for."""
        check_members(one.data for one in uploads if is_zip(one.data))  # of all together, before any is opened
        self._parts: list[Upload | Packed] = [Packed(one.data, most) if is_zip(one.data) else one for one in uploads]
        packed = [part for part in self._parts if isinstance(part, Packed)]
        self.count = len(self._parts) - len(packed) + sum(map(len, packed))
        self.size = sum(part.size for part in packed)  # bytes, once unpacked
        self.large = self.count > TOGETHER or self.size > whole
        if self.count > MEMBERS:
            raise Problem(413, "too_many_files", f"{self.count:,} files; the limit is {MEMBERS:,}")

    def files(self) -> Iterator[Upload]:
        """Every file, in order."""
        for part in self._parts:
            yield from part.files() if isinstance(part, Packed) else (part,)


def wants_no_waiting(headers: Mapping[bytes, bytes]) -> bool:
    """RFC 7240: the caller prefers an answer that does not wait for the work."""
    prefer = headers.get(b"prefer")
    return prefer is not None and b"respond-async" in prefer.lower()


async def taken(parts: Parts, like: Ask, model: str | None, files: Iterable[Upload], key: bytes | None) -> Sent:
    """Take a batch on: `like` says how each file is to be answered; the same key gets the same batch again.

    Raises:
        Full: too many wait. Problem: a zip is broken. MissingExtra: the engine is not installed.
    """
    batches = parts.batches
    order = Order(
        id=str(uuid.uuid4()) if key is None else keyed_id(derived(parts.secret, "batch"), like.caller, key),
        caller=like.caller,
        task=like.task.split(" ", 1)[0],
        model=model,
        operating_point=like.options.operating_point,
        prevalence=_plain(like.options.prevalence),
        keep=like.keep,
    )

    def begin() -> State:
        known = batches.all()
        waiting = sum(one.state in OPEN for one in known)
        if waiting >= WAITING and order.id not in {one.id for one in known}:  # what was taken takes no other place
            raise Full(f"{WAITING} batches wait already: try again later")
        return batches.state(batches.begin(order, ((file.name, file.data) for file in files)).id)

    state = await run_in_threadpool(begin)
    location = f"/jobs/{order.id}".encode()
    headers = [(b"location", location), (b"preference-applied", b"respond-async"), (b"cache-control", b"no-store")]
    return 202, headers, json.dumps(described(state)).encode()


def outlined(order: Order) -> dict[str, Any]:
    """A batch as JSON, without its progress and without the names of its files."""
    said = {
        "id": order.id,
        "kind": "predict",
        "state": order.state,
        "files": len(order.keys),
        "task": order.task,
        "model": order.model,
        "operating_point": order.operating_point,
        "caller": order.caller,
        "at": datetime.fromtimestamp(order.made / 1e6, UTC).isoformat(timespec="milliseconds"),
        "results": f"/jobs/{order.id}/results",
    }
    return said | ({"error": order.fault} if order.fault else {})


def described(state: State) -> dict[str, Any]:
    """A batch as JSON; done: files that were looked at, unreadable: those of them that are no image."""
    unreadable = sum("error" in outcome for outcome in state.outcomes)
    return {**outlined(state.order), "done": state.done, "unreadable": unreadable}


def _plain(prevalence: object) -> float | tuple[float, ...] | None:
    if prevalence is None or isinstance(prevalence, int | float):
        return prevalence
    return tuple(float(share) for share in prevalence)  # type: ignore[attr-defined]
