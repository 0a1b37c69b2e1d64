"""Which predictions -> their pictures, names, notes and copies erased, and that it was done put on record.

The erasure is put on record first, marked as unfinished: where the power fails in between, the next erasure, whatever
it asks for, or a server within the hour finishes it. The records themselves hold no picture and no name, so that the
chain still fits afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from hilum.errors import NotFound, StorageError
from hilum.records.entry import Entry
from hilum.records.erasures import Begun, Kept
from hilum.records.store import Records
from hilum.sqlite import in_turns
from hilum.storage.cache import Cache
from hilum.storage.images import Images

COPIES, ERASURES = "training", "erasures"  # below HILUM_HOME
CACHED = "answers in the cache, which did not answer: erase again when it is back, else they go within a day"
AT_ONCE = 500  # erasures put on record in one transaction
ORPHAN_SECONDS = 3600.0  # a picture that no record names is on its way to one, or was left over by a crash


@dataclass(frozen=True, slots=True)
class Going:
    """The pictures that nobody needs any more, of which no training copy shall stay.

    pictures: their keys. received: HMACs of the files as they came. unseen: some were never kept.
    """

    pictures: tuple[str, ...] = ()
    received: frozenset[str] = frozenset()
    unseen: bool = False

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.pictures or self.received)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall go beside the predictions themselves.

    contents: files whose HMAC is one of these. caller: everything of this caller. before: everything from before this
    moment, microseconds since 1970 UTC. going: the pictures that this comes to.
    """

    contents: frozenset[str] = frozenset()
    caller: str | None = None
    before: int | None = None
    going: Going = Going()


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it elsewhere.

    files: that are gone. still: a sentence for each thing that holds such a picture and stays. unsearched: folders
    that were not looked into, each with what it holds. removed: what went whole because the picture was in it.
    """

    files: int
    still: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Elsewhere(Protocol):
    """Whoever else holds images or names of files: batches that wait, uploads, trainings."""

    def erase(self, wanted: Wanted) -> Found: ...

    def sweep(self, older_than: float) -> int: ...


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """Everything that holds something of a picture.

    copies: the folder of training copies, each named by the key of its picture and anything after a dot.
    erasures: the file whose change empties the caches of running servers. elsewhere: who else holds images or names.
    """

    records: Records
    images: Images
    cache: Cache
    copies: Path
    erasures: Path
    elsewhere: tuple[Elsewhere, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: predictions, pictures, training copies, files that no prediction names (yet).

    personal: names, notes and addresses. still, unsearched: in words, where such a picture still lies and where it was
    not looked for. removed: what went whole because it held one.
    """

    predictions: int
    images: int
    personal: int
    copies: int
    files: int = 0
    still: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Erasure:
    """What one erasure is to reach. images: keys of pictures. again: ids to look at once more, erased or not.

    begun: predictions whose erasure was stopped, which goes on with this one.
    """

    chosen: Sequence[Kept]
    images: Sequence[str]
    wanted: Wanted
    again: tuple[str, ...] = ()
    begun: tuple[Kept, ...] = ()


def erase_one(identity: str, places: Places, *, by: str = "local", why: str = "asked") -> Erased:
    """Erase one prediction and all others of the very same picture.

    Raises:
        NotFound: there is no such prediction.
    """
    record = places.records.get(identity)
    if record is None or record.entry.kind != "prediction":
        raise NotFound(f"no prediction {identity[:64]!r}")
    at = record.entry.columns
    same = list(places.records.kept(content=at.content)) if at.content else []  # kept or not: the very same bytes
    pictures = sorted(filter(None, {at.image, *(found.image for found in same)}))
    same += places.records.kept(images=pictures) if pictures else ()
    ids = {found.id: found for found in same}
    if not record.erased:
        ids.setdefault(identity, Kept(identity, at.image, record.entry.caller, at.content))
    contents = frozenset(filter(None, (at.content, *(found.content for found in ids.values()))))
    return _erase(_Erasure(tuple(ids.values()), pictures, Wanted(contents), again=(identity,)), places, by, why)


def erase_older(before: int, places: Places, *, by: str = "local", why: str = "retention") -> Erased:
    """Erase what was predicted before a moment (microseconds since 1970 UTC); a picture seen since then stays.

    The addresses of those who failed to sign in before it go, too.
    """
    return _erase_all(places.records.kept(before=before), Wanted(before=before), places, by, why)


def erase_caller(caller: str, places: Places, *, by: str = "local", why: str = "caller") -> Erased:
    """Erase what one caller sent; a picture that another one sent too stays for the other."""
    return _erase_all(places.records.kept(caller=caller), Wanted(caller=caller), places, by, why)


def sweep(places: Places) -> int:
    """Remove pictures, whole or half, that no record names, left by crashes an hour ago or more; returns how many.

    Erasures that were stopped are finished before.
    """
    if places.records.begun():
        _erase(_Erasure((), (), Wanted()), places, by="local", why="")
    orphans = list(places.records.without_record(places.images.keys()))
    places.images.delete(*orphans, older_than=ORPHAN_SECONDS)
    _unlink_copies(set(orphans), places.copies)
    for other in places.elsewhere:
        other.sweep(ORPHAN_SECONDS)
    return sum(not places.images.holds(key) for key in orphans) + places.images.sweep(ORPHAN_SECONDS)


def _erase_all(chosen: Sequence[Kept], wanted: Wanted, places: Places, by: str, why: str) -> Erased:
    going = {found.id for found in chosen}
    keys = sorted({found.image for found in chosen if found.image})
    needed = {found.image for found in places.records.kept(images=keys) if found.id not in going}
    return _erase(_Erasure(chosen, [key for key in keys if key not in needed], wanted), places, by, why)


def _erase(asked: _Erasure, places: Places, by: str, why: str) -> Erased:
    _put_on_record(asked, places.records, by, why)
    own, begun = set(asked.images), places.records.begun()
    asked = _with_begun(asked, tuple(begun.values()), places)
    wanted = replace(asked.wanted, going=_going(asked))
    others = [other.erase(wanted) for other in places.elsewhere]  # before the rest: what waits is not answered anew
    since = _sent_since(asked, places.records)  # all of that may have taken minutes
    asked = replace(asked, images=[key for key in asked.images if key not in since])
    held = sum(places.images.holds(key) for key in asked.images)
    if asked.images:
        places.images.delete(*asked.images)
    stuck = {key for key in asked.images if places.images.holds(key)}
    if stuck & own:
        raise StorageError("some images could not be erased; ask again")
    left = places.records.unforgotten(before=wanted.before, caller=wanted.caller)
    ids = [*(found.id for found in (*asked.chosen, *asked.begun)), *asked.again, *left]
    personal = places.records.forget([*dict.fromkeys(ids)])
    copies = _unlink_copies(set(asked.images), places.copies)
    cached = () if places.cache.clear() else (CACHED,)
    _touch(places.erasures)
    places.records.ended([row for row, one in begun.items() if one.prediction.image not in stuck])  # the last act
    return Erased(
        len(asked.chosen), held, personal, copies, sum(one.files for one in others),
        (*(said for one in others for said in one.still), *(since.values() if asked.again else ()), *cached),
        tuple(said for one in others for said in one.unsearched),
        tuple(said for one in others for said in one.removed),
    )  # fmt: skip


def _put_on_record(asked: _Erasure, records: Records, by: str, why: str) -> None:
    """Each erasure, marked as unfinished; portion by portion, so that answers are put on record in between."""
    body, everywhere = json.dumps({"why": why}).encode(), bool(asked.wanted.contents)
    for part in in_turns(asked.chosen, AT_ONCE):
        marked = ((found.id, Begun(found, everywhere=everywhere).marked) for found in part)
        records.append([Entry("erasure", body, by, subject, personal=mark) for subject, mark in marked]).result()


def _with_begun(asked: _Erasure, begun: Sequence[Begun], places: Places) -> _Erasure:
    """The same, and what erasures that were stopped had still to reach."""
    keys = sorted({one.prediction.image for one in begun if one.prediction.image} - set(asked.images))
    needed = {found.image for found in places.records.kept(images=keys)} if keys else set()
    contents = {one.prediction.content for one in begun if one.everywhere and one.prediction.content}
    return replace(
        asked,
        images=[*asked.images, *(key for key in keys if key not in needed)],
        wanted=replace(asked.wanted, contents=asked.wanted.contents | contents),
        begun=tuple(one.prediction for one in begun),
    )


def _sent_since(asked: _Erasure, records: Records) -> dict[str, str]:
    """Pictures that came again since the erasure was put on record, each with what to say where all of it shall go."""
    found = records.kept(images=asked.images) if asked.images else ()
    return {
        one.image: f"the same picture was sent again meanwhile: erase prediction {one.id}, too"
        for one in found
        if one.image is not None
    }


def _going(asked: _Erasure) -> Going:
    """The pictures of an erasure; one that was never kept is known by its file alone."""
    gone = {None, *asked.images}
    every = (*asked.chosen, *asked.begun)
    received = {one.content for one in every if one.content and one.image in gone}
    unseen = not asked.images or any(one.image is None for one in every)
    return Going(tuple(asked.images), frozenset(received | asked.wanted.contents), unseen)


def _unlink_copies(keys: set[str], folder: Path) -> int:
    gone = 0
    for path in folder.rglob("*") if keys and folder.is_dir() else ():
        if path.name.partition(".")[0] in keys and path.is_file():
            path.unlink(missing_ok=True)  # another erasure may be quicker
            gone += 1
    return gone


def _touch(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        raise StorageError(f"{file}: cannot be touched, so running servers are not told ({error.strerror})") from error
