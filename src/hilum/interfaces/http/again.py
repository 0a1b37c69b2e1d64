"""The same request with the same Idempotency-Key -> the answers that are on record, not new ones.

The key decides the ids of the answers, so the record itself is the memory: it survives a restart. The id of a file's
answer also says whether more files follow, so that another number of files is known for another request.
"""

from __future__ import annotations

import hmac
import json
import uuid
from asyncio import Lock, to_thread
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from starlette.applications import Starlette

from hilum.errors import DuplicateRecord, HilumError, InputError, KeyReused
from hilum.flows.answer import Ask, Reply, answer_ids
from hilum.interfaces.http.problems import Problem
from hilum.model.package import Package
from hilum.parts import Parts
from hilum.records.entry import Record
from hilum.secret import derived

Ask_ = Callable[[Sequence[Ask]], Awaitable[list[Reply | HilumError]]]


def again_of(app: Starlette) -> Again:
    """The memory that the endpoints of an application share, made when it is first asked for."""
    if not hasattr(app.state, "again"):
        app.state.again = Again(app.state.parts)
    made: Again = app.state.again
    return made


def keyed_id(secret: bytes, caller: str, key: bytes) -> str:
    """The id that a caller's key decides.

    Raises:
        Problem: the key is too long, or empty (400).
    """
    if not 0 < len(key) <= 255:
        raise Problem(400, "bad_key", "an Idempotency-Key has 1 to 255 characters")
    digest = hmac.digest(secret, f"{caller}|".encode() + key, "sha256")
    return str(uuid.UUID(bytes=digest[:16], version=4))


class Again:
    """Remembers by the record."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._key = derived(parts.secret, "idempotency")
        self._running: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    async def answer(
        self, asks: Sequence[Ask], key: bytes, fresh: Ask_, version: str = ""
    ) -> tuple[list[Reply | HilumError], bool]:
        """The recorded answers of this key and, of files that have none, those that `fresh` gives now.

        And whether all answers were on record, of which a file that cannot be read has none: it is looked at again.
        version: of the package, where one was asked for beside the name.

        Raises:
            Problem: the key is too long (400). KeyReused: it was used for other files or another question.
        """
        caller, many = asks[0].caller, len(asks)
        last = [keyed_id(self._key, f"{caller}|{i}", key) for i in range(many + 1)]
        more = [keyed_id(self._key, f"{caller}|{i}+", key) for i in range(many + 1)]
        mine = [*more[: many - 1], last[many - 1]]
        named = [replace(ask, first_id=identity) for ask, identity in zip(asks, mine, strict=True)]
        lock = self._running.setdefault(last[0], Lock())
        async with lock:  # the second of two at once waits for the first
            known, made = await self._answered(named, frozenset((*last, *more)), version, fresh)
            if any(isinstance(reply, DuplicateRecord) for reply in made):
                known, made = await self._answered(named, frozenset((*last, *more)), version, fresh)
            for reply in made:
                if isinstance(reply, DuplicateRecord):  # of no answer to this key: that cannot be mended here
                    raise reply
            rest = iter(made)
            found = [next(rest) if reply is None else reply for reply in known]
            replies = [_tagged(reply, ask) for reply, ask in zip(found, named, strict=True)]
            answered = [old for reply, old in zip(replies, known, strict=True) if isinstance(reply, Reply)]
            return replies, bool(answered) and None not in answered

    async def _answered(
        self, named: Sequence[Ask], ids: frozenset[str], version: str, fresh: Ask_
    ) -> tuple[list[Reply | None], list[Reply | HilumError]]:
        """What is on record, and answers to the rest; DuplicateRecord where another process was quicker with one."""
        known = await to_thread(self._known, named, ids, version)
        missing = [ask for ask, reply in zip(named, known, strict=True) if reply is None]
        try:
            return known, await _fresh(missing, fresh, alone=len(named) == 1)
        except DuplicateRecord as error:
            return known, [error] * len(missing)

    def _known(self, asks: Sequence[Ask], ids: frozenset[str], version: str) -> list[Reply | None]:
        """`ids`: of the first answers that there would be, were the files more or fewer."""
        found = self._parts.records.many([*ids])
        if not found.keys() <= {ask.first_id for ask in asks}:
            raise KeyReused("this Idempotency-Key was used for another number of files")
        firsts = [found.get(ask.first_id or "") for ask in asks]
        return [
            None if first is None else self._replied(first, ask, version)
            for first, ask in zip(firsts, asks, strict=True)
        ]

    def _replied(self, first: Record, ask: Ask, version: str) -> Reply:
        if first.entry.columns.content != self._parts.clerk.content_of(ask.data):
            raise KeyReused("this Idempotency-Key was used for another file")
        if not _alike(json.loads(first.entry.body), ask, version):
            raise KeyReused("this Idempotency-Key was used to ask something else of this file")
        found, count = [first], 2
        while (more := self._parts.records.get(answer_ids(first.id, count)[-1])) is not None:
            found.append(more)
            count += 1
        return Reply(
            tuple(_with_name(record, ask.name) for record in found),
            cached=True,
            etag="",
        )


def _tagged(reply: Reply | HilumError, ask: Ask) -> Reply | HilumError:
    """The answer to a key is the one that bears its id, whoever speaks since: so does its ETag, now and later."""
    return replace(reply, etag=(ask.first_id or "").replace("-", "")) if isinstance(reply, Reply) else reply


async def _fresh(missing: Sequence[Ask], fresh: Ask_, *, alone: bool) -> list[Reply | HilumError]:
    """What is asked alone raises where it cannot be read; here it may be the rest of several."""
    if not missing:
        return []
    try:
        return await fresh(missing)
    except InputError as error:
        if alone:
            raise
        return [error]


def _alike(said: Mapping[str, Any], ask: Ask, version: str) -> bool:
    """Whether a recorded answer is one to this question; who speaks for a task may have changed since."""
    given = ask.options.prevalence
    shares = given if given is None or isinstance(given, int | float) else list(given)
    packages = [speaker.package for speaker in ask.desk.speakers]
    reference = ask.task.partition(" ")[2]  # where a package was asked for
    return (
        said["operating_point"] == ask.options.operating_point
        and said.get("prevalence") == shares
        and (ask.desk.automatic if said["task"] is None else said["task"] in [one.task.name for one in packages])
        and (not reference or _same_package(said["model"], packages[0], reference, version))
    )


def _same_package(said: Mapping[str, str], asked: Package, reference: str, version: str) -> bool:
    """By digest or version, where one was asked for; a mere name is that of any version."""
    name, _, named = reference.partition("@")
    if name != asked.name and asked.digest.startswith(name):
        return said["digest"] == asked.digest
    any_version = (version or named) in ("", "champion", "latest")
    return said["name"] == asked.name and (any_version or said["version"] == asked.version)


def _with_name(record: Record, name: str) -> bytes:
    said = json.loads(record.entry.body)
    return json.dumps({"id": said.pop("id"), "file": name, **said}, separators=(",", ":")).encode()
