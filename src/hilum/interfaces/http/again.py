"""The same request with the same Idempotency-Key -> the answers that are on record, not new ones.

The key decides the ids of the answers, so the record itself is the memory: it survives a restart.
"""

from __future__ import annotations

import hmac
import json
import uuid
from asyncio import Lock, to_thread
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from hilum.errors import HilumError
from hilum.flows.answer import Ask, Reply, answer_ids
from hilum.interfaces.http.problems import Problem
from hilum.parts import Parts
from hilum.records.entry import Record
from hilum.secret import derived

Ask_ = Callable[[Sequence[Ask]], Awaitable[list[Reply | HilumError]]]


class Again:
    """Remembers by the record."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._key = derived(parts.secret, "idempotency")
        self._running: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    async def answer(self, asks: Sequence[Ask], key: bytes, fresh: Ask_) -> tuple[list[Reply | HilumError], bool]:
        """The recorded answers of this key, or those that `fresh` gives now; and which of the two.

        Raises:
            Problem: the key is too long (400) or was used for other files (422).
        """
        if not 0 < len(key) <= 255:
            raise Problem(400, "bad_key", "an Idempotency-Key has 1 to 255 characters")
        named = [replace(ask, first_id=self._first_id(ask.caller, key, i)) for i, ask in enumerate(asks)]
        lock = self._running.setdefault(named[0].first_id or "", Lock())
        async with lock:  # the second of two at once waits for the first
            known = [await to_thread(self._known, ask) for ask in named]
            if all(reply is not None for reply in known):
                return [reply for reply in known if reply is not None], True
            return await fresh(named), False

    def _first_id(self, caller: str, key: bytes, index: int) -> str:
        digest = hmac.digest(self._key, f"{caller}|{index}|".encode() + key, "sha256")
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _known(self, ask: Ask) -> Reply | None:
        first = self._parts.records.get(ask.first_id or "")
        if first is None:
            return None
        if first.entry.columns.content != self._parts.clerk.content_of(ask.data):
            raise Problem(422, "key_reused", "this Idempotency-Key was used for another file")
        found, count = [first], 2
        while (more := self._parts.records.get(answer_ids(ask.first_id, count)[-1])) is not None:
            found.append(more)
            count += 1
        return Reply(
            tuple(_with_name(record, ask.name) for record in found),
            cached=True,
            etag=(first.entry.columns.content or "")[:32],
        )


def _with_name(record: Record, name: str) -> bytes:
    said = json.loads(record.entry.body)
    return json.dumps({"id": said.pop("id"), "file": name, **said}, separators=(",", ":")).encode()
