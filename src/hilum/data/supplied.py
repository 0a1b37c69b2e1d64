"""The split a data set came with and its audit -> what of it is kept; draws nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.data.findings import Audit
from hilum.data.grouping import renumber
from hilum.data.leaks import earliest

LEAST = 19  # groups of each class a part must hold to be of use: with fewer no class can have a 95% set of its own
LEAKS = "a copy, or the patient, is in an earlier part of the supplied split"
TWIN = "no split is given for it, and a copy or the patient is in the supplied val or test"
POOL, TUNE, TEST = 0, 1, 3  # where a case goes: to be drawn, or a part by its number


@dataclass(frozen=True, eq=False, slots=True)
class Supplied:
    """What is settled before anything is drawn.

    fixed: (n,) int64, TUNE or TEST where the supplied split decides, else POOL.
    groups: (n,) int64, never across two of these. left_out: case number -> reason, beyond what is left out anyway.
    """

    fixed: NDArray[np.int64]
    groups: NDArray[np.int64]
    left_out: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


def read_supplied(audit: Audit, left_out: dict[int, str], *, keep: bool) -> Supplied:
    """Respect a clean supplied split, take the clean part of a leaking one, or keep it as it is and mark it."""
    splits = np.array([split or "" for split in audit.splits], dtype=object)
    usable = np.array([index not in left_out for index in range(len(splits))], dtype=bool)
    test, val = (splits == "test") & usable, (splits == "val") & usable
    if not (test | val).any():
        none = ("no split is supplied that could be kept: the parts are drawn",) if keep else ()
        return Supplied(np.zeros(len(splits), dtype=np.int64), audit.groups, {}, (*audit.grouping.notes, *none))
    if keep:
        return _kept(audit, usable, test, val)
    clean_test, clean_val = test & ~audit.leaked, val & ~audit.leaked
    notes: list[str] = []
    if test.any() and not _serves(test, clean_test, audit):
        found = _lost(test, clean_test)
        return Supplied(
            np.zeros(len(splits), dtype=np.int64),
            audit.groups,
            {},
            (*audit.grouping.notes, f"the supplied test leaks ({found}) and its clean part is too small: drawn anew"),
        )
    gone = dict.fromkeys(np.flatnonzero(test & audit.leaked).tolist(), LEAKS)
    if test.any():
        notes.append("the supplied test is used" + (f" without what leaks ({_lost(test, clean_test)})" if gone else ""))
    if val.any() and not _large(clean_val, audit):
        notes.append(f"the supplied val has fewer than {LEAST} clean groups of a class: it joins the training images")
        clean_val = np.zeros_like(clean_val)
    elif val.any():
        leaking = np.flatnonzero(val & audit.leaked).tolist()
        gone |= dict.fromkeys(leaking, LEAKS)
        notes.append("the supplied val tunes" + (f" without what leaks ({_lost(val, clean_val)})" if leaking else ""))
    fixed = np.where(clean_test, TEST, np.where(clean_val, TUNE, POOL)).astype(np.int64)
    unplaced = usable & (splits == "") & _tied(audit, fixed != POOL)
    gone |= dict.fromkeys(np.flatnonzero(unplaced).tolist(), TWIN)
    return Supplied(fixed, _apart(audit.groups, fixed), gone, (*audit.grouping.notes, *notes))


def _kept(audit: Audit, usable: NDArray[np.bool_], test: NDArray[np.bool_], val: NDArray[np.bool_]) -> Supplied:
    fixed = np.where(test, TEST, np.where(val, TUNE, POOL)).astype(np.int64)
    marks = []
    for name, part, number in (("test", test, TEST), ("val", val, TUNE)):
        earlier = usable & (fixed < number)  # also images without a split, which are trained on
        leaking = int((part & _tied(audit, earlier)).sum())
        if leaking:
            marks.append(
                f"the supplied split was kept although it leaks: of {leaking} of {int(part.sum())} {name} images "
                "a copy or the patient is in an earlier part"
            )
    return Supplied(fixed, _apart(audit.groups, fixed), {}, audit.grouping.notes, tuple(marks))


def _tied(audit: Audit, those: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) True for a case of which a copy or the patient is among those (n,), itself too."""
    ties = [(pair.a, pair.b, pair.kind == "exact") for pair in audit.pairs if pair.b is not None]
    tied: NDArray[np.bool_] = earliest(np.where(those, 0, 1), audit.grouping.bound, ties) == 0
    return tied


def _apart(groups: NDArray[np.int64], fixed: NDArray[np.int64]) -> NDArray[np.int64]:
    return renumber(groups * 4 + fixed)


def _serves(supplied: NDArray[np.bool_], clean: NDArray[np.bool_], audit: Audit) -> bool:
    """A test from which nothing was taken serves whatever its size; else each of its classes needs enough groups."""
    return bool((supplied == clean).all()) or _large(clean, audit, _classes(supplied, audit))


def _large(part: NDArray[np.bool_], audit: Audit, classes: Sequence[str] | None = None) -> bool:
    marks = np.array([label or "" for label in audit.labels], dtype=object)
    wanted = classes if classes is not None else sorted({label for label in audit.labels if label is not None})
    return all(len(np.unique(audit.grouping.bound[part & (marks == label)])) >= LEAST for label in wanted)


def _classes(part: NDArray[np.bool_], audit: Audit) -> list[str]:
    return sorted({label for index in np.flatnonzero(part) if (label := audit.labels[index]) is not None})


def _lost(supplied: NDArray[np.bool_], clean: NDArray[np.bool_]) -> str:
    return f"{int(supplied.sum() - clean.sum())} of {int(supplied.sum())} images"
