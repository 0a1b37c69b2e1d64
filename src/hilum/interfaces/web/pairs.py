"""An audit's pairs and the source they were found in -> one page of pairs in words, and the picture of either side."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hilum.bootstrap import limits
from hilum.data.dataset import Case, Dataset
from hilum.data.report_page import picture_uri
from hilum.data.source import open_source
from hilum.errors import InputError, NotFound, UnreadableSource
from hilum.interfaces.http.works import allowed
from hilum.interfaces.web.audited import shortening
from hilum.jobs.works import Work, Works
from hilum.settings import Settings

PAGE = 24
SIDE = 352  # pixels, shown at about half that
KINDS = {"exact": "Exact copy", "near": "Near copy", "mirrored": "Mirrored copy"}
FILTERS = {"": "All", "across": "Across splits", "differ": "Labels differ", **KINDS}
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PairShown:
    """Two images that show the same; place: in the order of `ranked`."""

    place: int
    a: str
    b: str
    kind: str
    likeness: str
    across: bool
    differ: bool


@dataclass(frozen=True, slots=True)
class PairsShown:
    """One page of the pairs of a filter. counts: pairs that each filter leaves, those of none left out."""

    rows: tuple[PairShown, ...]
    counts: Mapping[str, int]
    chosen: str
    page: int
    pages: int


def ranked(said: Said) -> list[Said]:
    """The pairs of an audit, the most serious first."""
    return sorted(
        said["pairs"], key=lambda p: (not p["across_splits"], p["same_label"] is not False, -p["similarity"], p["a"])
    )


def pairs_shown(said: Said, chosen: str, page: int) -> PairsShown:
    """One page of the pairs that a filter leaves."""
    every, short = list(enumerate(ranked(said))), shortening(said)
    counts = {name: sum(_fits(pair, name) for _, pair in every) for name in FILTERS}
    left = [(place, pair) for place, pair in every if _fits(pair, chosen)]
    rows = tuple(
        PairShown(
            place=place,
            a=short(pair["a"]),
            b=short(pair["b"]),
            kind=KINDS.get(pair["kind"], str(pair["kind"])),
            likeness=f"{pair['similarity']:.3f}",
            across=pair["across_splits"],
            differ=pair["same_label"] is False,
        )
        for place, pair in left[(page - 1) * PAGE : page * PAGE]
    )
    some = {name: count for name, count in counts.items() if count or name == ""}
    return PairsShown(rows, some, chosen, page, max(-(-len(left) // PAGE), 1))


def picture(known: Works, work: Work, settings: Settings, at: tuple[int, str]) -> bytes:
    """A JPEG of one side ("a" or "b") of the pair at a place of `ranked`; of several frames the middle one.

    Raises:
        NotFound: there is no such pair, or its file is not there any more. UsageError: the folder is closed by now.
    """
    place, side = at
    said = known.result(work.id)
    pairs = ranked(said) if said else []
    if not 0 <= place < len(pairs) or side not in ("a", "b"):
        raise NotFound("there is no such pair")
    dataset, cases = _opened(_reference(known, work, settings), str(settings.home / "cache"), work.ended)
    case = cases.get(_there(known, work, pairs[place][side]))
    try:
        frames = dataset.images(case, limits(settings)) if case else ()
    except InputError:
        frames = ()
    if not frames:
        raise NotFound("the file is not there any more, or cannot be read")
    uri = picture_uri(frames[len(frames) // 2].pixels, SIDE)
    return base64.b64decode(uri.partition(",")[2])


def _fits(pair: Said, chosen: str) -> bool:
    special = {"": True, "across": pair["across_splits"], "differ": pair["same_label"] is False}
    return bool(special.get(chosen, pair["kind"] == chosen))


@lru_cache(maxsize=2)
def _opened(reference: str, cache: str, _ended: float | None) -> tuple[Dataset, Mapping[str, Case]]:
    """A source and its cases by their ids; listed once."""
    try:
        dataset = open_source(reference, cache=Path(cache))
    except UnreadableSource as error:
        raise NotFound("the data set is not there any more") from error
    return dataset, {case.id: case for case in dataset.cases}


def _reference(known: Works, work: Work, settings: Settings) -> str:
    source = work.arguments[0] if work.arguments else ""
    if Path(source).is_absolute():
        return allowed(source, settings)
    return str(known.folder(work.id) / source)


def _there(known: Works, work: Work, path: str) -> str:
    """A path as the audit gave it, which ran in its own folder -> the id that it has from here."""
    return path if Path(path).is_absolute() else str(known.folder(work.id) / path)
