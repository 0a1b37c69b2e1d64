"""Received files -> answers that are on record: cache -> predict -> keep the image -> commit the row -> reply.

An answer leaves only after its row is committed. Knows no HTTP; whoever waits holds a future.
"""

from __future__ import annotations

import hmac
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from hilum.errors import InputError
from hilum.flows.predict import Desk, File, Options, Readable
from hilum.flows.told import Found, Told, as_json
from hilum.gate.gate import GATE_VERSION
from hilum.monitor.meters import Meters
from hilum.records.entry import Columns, Entry
from hilum.records.store import Records
from hilum.secret import content_names, derived
from hilum.storage.cache import Cache
from hilum.storage.images import Images, Kept

CACHED_SECONDS = 24 * 3600
_SAID = ("task", "model", "digest", "label", "probability", "refused")  # columns that are the same for the same image


@dataclass(frozen=True, eq=False, slots=True)
class Ask:
    """One file and how it is to be answered.

    keep: whether the image may be kept. caller: who asks. first_id: the id of the first answer, where the caller's
    key decides it (the next ones follow from it); None draws one. since: monotonic seconds when the request arrived.
    """

    data: bytes
    name: str
    desk: Desk
    task: str
    options: Options = field(default_factory=Options)
    caller: str = "local"
    keep: bool = True
    first_id: str | None = None
    since: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, eq=False, slots=True)
class Reply:
    """The public answers of one file, one JSON object a frame, and whether the cache knew them."""

    bodies: tuple[bytes, ...]
    cached: bool
    etag: str  # the same for the same bytes, asked in the same way of the same packages
    timings: Mapping[str, float] = field(default_factory=dict)  # of the first frame, milliseconds by stage


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """Where answers go: records, kept images, cache, counters; `clean` makes of a received file what may be kept."""

    records: Records
    images: Images
    cache: Cache
    meters: Meters
    secret: bytes
    clean: Callable[[bytes], bytes]


@dataclass(eq=False, slots=True)
class _Draft:
    """One file's answers on their way to the record."""

    ask: Ask
    content: str
    key: bytes
    reply: Future[Reply] = field(default_factory=Future)
    kept: Kept | None = None
    told: Sequence[Told] = ()
    timings: Sequence[Mapping[str, float]] = ()
    cached: bool = False


class Finds(Protocol):
    """Whoever decodes files and asks the networks."""

    def find(self, files: Sequence[File], desk: Desk, readable: Readable) -> list[Found | InputError]: ...


class Clerk:
    """Answers questions in batches and puts each answer on record before it is told."""

    def __init__(self, places: Places, finder: Finds) -> None:
        """`finder`: who is asked what the cache does not know."""
        self._places = places
        self._finder = finder
        self.content_of = content_names(places.secret)
        self._cache = derived(places.secret, "cache")

    def answer(self, asks: Sequence[Ask]) -> list[Future[Reply]]:
        """One future an ask, in their order; it holds an InputError where the file cannot be read."""
        drafts = [self._draft(ask) for ask in asks]
        missed: dict[Desk, list[_Draft]] = {}
        for draft in drafts:
            if self._from_cache(draft):
                self._begin_to_keep(draft)
                self._put_on_record(draft)
            else:
                missed.setdefault(draft.ask.desk, []).append(draft)
        for desk, together in missed.items():
            self._predict(desk, together)
        return [draft.reply for draft in drafts]

    def _draft(self, ask: Ask) -> _Draft:
        content = self.content_of(ask.data)
        digests = ",".join(speaker.package.digest for speaker in ask.desk.speakers)
        options = (
            f"{content}|{ask.task}|{digests}|{ask.options.operating_point}|{ask.options.prevalence}|{GATE_VERSION}"
        )
        return _Draft(ask, content, hmac.digest(self._cache, options.encode(), "sha256"))

    def _from_cache(self, draft: _Draft) -> bool:
        found = self._places.cache.get(draft.key)
        told = None if found is None else _unpacked(found)
        self._places.meters.cached(told is not None)
        if told is None:
            return False
        draft.told, draft.cached = told, True
        draft.timings = [{"cache": round((time.perf_counter() - draft.ask.since) * 1000, 3)} for _ in told]
        return True

    def _predict(self, desk: Desk, drafts: Sequence[_Draft]) -> None:
        """Ask for all at once; where that fails, one at a time, so that nobody pays for what another sent."""
        try:
            answered = self._found(desk, drafts)
        except Exception as error:  # noqa: BLE001 - whoever sent it must be told, whatever it was
            if len(drafts) == 1:
                drafts[0].reply.set_exception(error)
            else:
                for draft in drafts:
                    self._predict(desk, [draft])
            return
        for draft, found in zip(drafts, answered, strict=True):
            if isinstance(found, InputError):
                draft.reply.set_exception(found)
                continue
            draft.told, draft.timings = found.told, found.timings
            self._places.cache.put(draft.key, _packed(draft.told), CACHED_SECONDS)
            self._put_on_record(draft)

    def _found(self, desk: Desk, drafts: Sequence[_Draft]) -> list[Found | InputError]:
        """The images are kept while the networks are asked."""
        files = [File(draft.ask.data, draft.ask.name, draft.ask.options) for draft in drafts]

        def readable(places: Sequence[int]) -> None:
            for i in places:
                if drafts[i].kept is None:
                    self._begin_to_keep(drafts[i])

        return self._finder.find(files, desk, readable)

    def _put_on_record(self, draft: _Draft) -> None:
        """Commit the rows once the image is safe, then reply; whatever fails on the way fails the reply."""
        started, kept = time.perf_counter(), draft.kept
        rows, bodies = self._rows(draft, None if kept is None else kept.key)

        def committed(done: Future[None]) -> None:
            error = done.exception()
            self._places.meters.stage("record", time.perf_counter() - started)
            if error is not None:
                draft.reply.set_exception(error)
            else:
                draft.reply.set_result(Reply(bodies, draft.cached, draft.key.hex()[:32], draft.timings[0]))

        self._places.records.append(rows, None if kept is None else kept.saved).add_done_callback(committed)

    def _begin_to_keep(self, draft: _Draft) -> None:
        """The image goes on its way to where it is kept, unless it must not be: nobody may, or it holds on to names."""
        if draft.ask.keep:
            with suppress(InputError):
                draft.kept = self._places.images.keep(self._places.clean(draft.ask.data))

    def _rows(self, draft: _Draft, image: str | None) -> tuple[list[Entry], tuple[bytes, ...]]:
        """The rows, whose bodies name no file, and what the caller is told, which does."""
        now, ask = time.time_ns() // 1000, draft.ask
        took_all = round((time.perf_counter() - ask.since) * 1000, 3)
        rows, bodies = [], []
        for one, took, name in zip(draft.told, draft.timings, answer_ids(ask.first_id, len(draft.told)), strict=True):
            self._places.meters.answer(one.columns, one.reasons, took)
            rest = f'{one.middle}"timings":{as_json(dict(took))}}}'
            columns = replace(one.columns, image=image, content=draft.content, took=took_all)
            body = f'{{"id":"{name}",{rest}'.encode()
            rows.append(Entry("prediction", body, ask.caller, None, columns, {"file": ask.name}, name, now))
            bodies.append(f'{{"id":"{name}","file":{json.dumps(ask.name)},{rest}'.encode())
        return rows, tuple(bodies)


def answer_ids(first: str | None, count: int) -> list[str]:
    """Ids of the answers of one file; what follows a given id follows from it."""
    if first is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    base = uuid.UUID(first)
    return [first, *(str(uuid.uuid5(base, str(i))) for i in range(1, count))]


def _packed(told: Sequence[Told]) -> bytes:
    return as_json([(one.middle, [getattr(one.columns, name) for name in _SAID], one.reasons) for one in told]).encode()


def _unpacked(data: bytes) -> list[Told] | None:
    try:
        rows = json.loads(data)
        return [Told(middle, Columns(**dict(zip(_SAID, said, strict=True))), tuple(why)) for middle, said, why in rows]
    except (ValueError, TypeError):
        return None  # written by another version: as if it were not there
