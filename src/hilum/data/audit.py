"""A data set -> what is wrong with it before anything is trained: copies, leaks, conflicts, shortcuts, a baseline.

One pass over the files, then arithmetic. Knows no network and no page; `audit_report` draws it, `split` acts on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hilum.data.baseline import Baseline, baseline
from hilum.data.copies import LISTED, Copy, find_copies
from hilum.data.dataset import Case, Dataset, Progress
from hilum.data.findings import Audit, Kind, Pair, PatientLeak
from hilum.data.fingerprint import Fingerprints
from hilum.data.grouping import Link, group_cases
from hilum.data.leaks import conflicts, leaked, patients_across
from hilum.data.neighbours import likely_neighbours
from hilum.data.owners import patients_of, studies_of
from hilum.data.shortcuts import shortcuts
from hilum.data.statistics import statistics
from hilum.data.survey import Reading, Survey, survey
from hilum.errors import UnreadableSource

__all__ = ["Audit", "Pair", "PatientLeak", "audit"]


def audit(
    dataset: Dataset, *, against: Dataset | Fingerprints | None = None, progress: Progress | None = None
) -> Audit:
    """Audit a data set, with its raw labels or with those of a task.

    against: another set (is this test copied from that training set?), or the fingerprints a package carries.
    progress: called with how many files are read and how many there are; comparing them follows.

    Raises:
        UnreadableSource: no image of the other set can be read, so that nothing was compared.
    """
    with threadpool_limits(1):  # of the libraries: for products of this size their threads cost more than they save
        return _audited(dataset, against, progress)


def _audited(dataset: Dataset, against: Dataset | Fingerprints | None, progress: Progress | None) -> Audit:
    total = len(dataset) + (len(against) if isinstance(against, Dataset) else 0)
    seen = survey(dataset, _counted(progress, 0, total))
    patients, notes = patients_of(dataset, seen.readings)
    prints = seen.fingerprints
    copies = _copies(seen, prints)
    grouping = group_cases(
        _labels(dataset),
        (patients, studies_of(seen.readings)),
        [Link(copy.a, copy.b, copy.similarity, firm=copy.kind == "exact") for copy in copies],
        _neighbours(seen, patients),
    )
    theirs = survey(against, _counted(progress, len(dataset), total)) if isinstance(against, Dataset) else None
    foreign = _against(dataset, seen, against, theirs)
    splits = tuple(case.split for case in dataset.cases)
    usable = _usable(dataset, seen, grouping.together)
    return Audit(
        name=dataset.name,
        against=_name(against),
        counts=dataset.counts,
        paths=tuple(case.id for case in dataset.cases),
        labels=_labels(dataset),
        splits=splits,
        patients=patients,
        digests=tuple(reading.digest if reading else None for reading in seen.readings),
        pairs=(*_pairs(dataset, copies), *foreign),
        grouping=grouping,
        conflicts=conflicts(dataset.labels, copies),
        patients_across_splits=patients_across(dataset, patients),
        leaked=leaked(splits, grouping.bound, [(one.a, one.b, one.kind == "exact") for one in copies]),
        unreadable=seen.faults,
        stray=dataset.stray,
        statistics=statistics(usable.readings, usable.labels, usable.groups, dataset.classes),
        shortcuts=shortcuts(usable.readings, usable.labels, usable.groups),
        baseline=_baseline(usable, len(dataset)),
        fingerprints=prints,
        notes=(*dataset.notes, *notes, *grouping.notes, *_not_compared(against, theirs)),
    )


def _counted(progress: Progress | None, before: int, total: int) -> Progress | None:
    return (lambda done, _: progress(before + done, total)) if progress else None


def _name(against: Dataset | Fingerprints | None) -> str | None:
    if against is None:
        return None
    return against.name if isinstance(against, Dataset) else "the training images of a package"


def _labels(dataset: Dataset) -> tuple[str | None, ...]:
    return tuple(dataset.classes[number] if number >= 0 else None for number in dataset.labels.tolist())


def _copies(seen: Survey, prints: Fingerprints) -> tuple[Copy, ...]:
    """Copies among the readable cases, as case numbers."""
    place = seen.readable.tolist()
    found = find_copies(prints, [reading.digest for reading in seen.found])
    return tuple(replace(copy, a=place[copy.a], b=place[copy.b]) for copy in found)


def _neighbours(seen: Survey, patients: Sequence[str | None]) -> tuple[Link, ...]:
    """Likely neighbours in a volume, among the cases of which neither patient nor study is known.

    They are looked for in the order of their contents: an index of many depends on it.
    """
    readings = [(i, reading) for i, reading in enumerate(seen.readings) if reading is not None]
    unknown = [(i, reading) for i, reading in readings if patients[i] is None and reading.study is None]
    if not unknown:
        return ()
    unknown.sort(key=lambda one: one[1].digest)
    thumbnails = np.stack([reading.thumbnail for _, reading in unknown])
    return likely_neighbours(thumbnails, np.array([i for i, _ in unknown], dtype=np.int64))


def _pairs(dataset: Dataset, copies: Sequence[Copy]) -> list[Pair]:
    cases, labels = dataset.cases, dataset.labels
    return [
        Pair(
            a=copy.a,
            b=copy.b,
            a_path=cases[copy.a].id,
            b_path=cases[copy.b].id,
            kind=copy.kind,
            similarity=copy.similarity,
            same_label=_same(int(labels[copy.a]), int(labels[copy.b])),
            across_splits=_across(cases[copy.a].split, cases[copy.b].split),
        )
        for copy in copies
    ]


def _same(one: int, other: int) -> bool | None:
    return None if one < 0 or other < 0 else one == other


def _across(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


class _Usable(NamedTuple):
    """The readable, labelled images: case numbers, readings, classes, groups; whether the supplied split says test."""

    places: NDArray[np.int64]
    readings: list[Reading]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    tests: NDArray[np.bool_]


def _usable(dataset: Dataset, seen: Survey, groups: NDArray[np.int64]) -> _Usable:
    indices = [i for i in seen.readable.tolist() if dataset.labels[i] >= 0]
    readings = [reading for i in indices if (reading := seen.readings[i]) is not None]
    tests = np.array([dataset.cases[i].split == "test" for i in indices], dtype=bool)
    return _Usable(np.array(indices, dtype=np.int64), readings, dataset.labels[indices], groups[indices], tests)


def _baseline(usable: _Usable, count: int) -> Baseline:
    """The baseline with one answer for each of the `count` cases."""
    each = np.full(count, np.nan)
    if not usable.readings:
        return Baseline(None, None, 0, 0, "no readable image with a label", each)
    thumbnails = np.stack([reading.thumbnail for reading in usable.readings])
    digests = [reading.digest for reading in usable.readings]
    found = baseline(thumbnails, usable.labels, usable.groups, digests, usable.tests)
    each[usable.places] = found.each
    return replace(found, each=each)


def _not_compared(against: Dataset | Fingerprints | None, theirs: Survey | None) -> tuple[str, ...]:
    """What is said where images of the other set could not be read: a copy of one of them is not found.

    Raises:
        UnreadableSource: none could.
    """
    if theirs is None or not theirs.faults:
        return ()
    broken, every, name = len(theirs.faults), len(theirs.readings), _name(against) or ""
    why = next(iter(theirs.faults.values()))
    if broken == every:
        raise UnreadableSource(name, f"none of its {every} images can be read, the first because: {why}")
    return (f"{broken} of {every} images of {name} could not be read and were compared with nothing ({why})",)


def _against(
    dataset: Dataset, seen: Survey, against: Dataset | Fingerprints | None, theirs: Survey | None
) -> list[Pair]:
    """Copies of our cases in the other set; `b` is None and its path names the other image.

    Of many exact copies of one picture on both sides each of ours is listed with one of theirs.
    """
    if against is None:
        return []
    prints = theirs.fingerprints if theirs else against if isinstance(against, Fingerprints) else Fingerprints.of(())
    place, mine = seen.readable.tolist(), [reading.digest for reading in seen.found]
    far = theirs.readable.tolist() if theirs else list(range(len(prints)))
    digests = [reading.digest for reading in theirs.found] if theirs else [""] * len(prints)
    found: dict[tuple[int, int], tuple[Kind, float]] = {}
    for match in prints.match(seen.fingerprints):
        kind: Kind = "mirrored" if match.mirrored else "near"
        if digests[match.first] != mine[match.second]:
            found[place[match.second], far[match.first]] = (kind, match.similarity)
    known: dict[str, list[int]] = defaultdict(list)
    for number, digest in zip(far, digests, strict=True):
        known[digest].append(number)
    times = Counter(mine)
    for number, digest in zip(place, mine, strict=True):
        twins = known.get(digest, [])
        for other in twins if times[digest] * len(twins) <= LISTED else twins[:1]:
            found[number, other] = ("exact", 1.0)
    return [_foreign(dataset, against, ends, *found[ends]) for ends in sorted(found)]


def _foreign(
    dataset: Dataset, against: Dataset | Fingerprints, ends: tuple[int, int], kind: Kind, similarity: float
) -> Pair:
    mine = dataset.cases[ends[0]]
    if isinstance(against, Dataset):
        other = against.cases[ends[1]]
        return Pair(ends[0], None, mine.id, other.id, kind, similarity, _same_word(mine, other), across_splits=True)
    return Pair(ends[0], None, mine.id, f"fingerprint {ends[1]}", kind, similarity, None, across_splits=True)


def _same_word(mine: Case, other: Case) -> bool | None:
    """Whether two sets call a picture alike; None where a task has read one of them alone, and the words differ."""
    if mine.label is not None and other.label is not None:
        return mine.label == other.label
    if mine.raw_label is None or other.raw_label is None:
        return None
    return mine.raw_label == other.raw_label or (None if mine.label or other.label else False)
