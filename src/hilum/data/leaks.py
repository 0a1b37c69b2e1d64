"""Copies, labels, patients and supplied splits -> what conflicts and what leaks; knows no pixel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilum.data.copies import Copy
from hilum.data.dataset import Dataset
from hilum.data.findings import SPLIT_ORDER, PatientLeak
from hilum.data.grouping import connect, groups_of_many

Tie = tuple[int, int, bool]  # two cases that are copies, and whether exact ones


def conflicts(labels: NDArray[np.int64], copies: Sequence[Copy]) -> tuple[tuple[int, ...], ...]:
    """Case numbers that show one picture under different labels; an exact copy shares the fate of its twin.

    labels: (n,) class numbers, -1 where there is none, which conflicts with nothing.
    """
    same = connect(len(labels), [(copy.a, copy.b) for copy in copies if copy.kind == "exact"])
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(same.tolist()):
        members[number].append(index)
    links: list[tuple[int, int]] = []
    joined = {(int(same[copy.a]), int(same[copy.b])) for copy in copies}  # a group of exact copies is looked at once
    for one, other in sorted(joined):
        both = members[one] + (members[other] if other != one else [])
        if len({int(labels[i]) for i in both} - {-1}) > 1:
            links += [(both[0], twin) for twin in both[1:]]
    return groups_of_many(connect(len(labels), links))


def leaked(splits: Sequence[str | None], groups: NDArray[np.int64], ties: Sequence[Tie] = ()) -> NDArray[np.bool_]:
    """(n,) True for a val or test case of which the group, or a copy, is in an earlier split too; groups (n,) int64."""
    order = {name: place for place, name in enumerate(SPLIT_ORDER)}
    places = np.array([order.get(split or "", len(order)) for split in splits], dtype=np.int64)
    found: NDArray[np.bool_] = (places < len(order)) & (places > earliest(places, groups, ties))
    return found


def earliest(places: NDArray[np.int64], groups: NDArray[np.int64], ties: Sequence[Tie]) -> NDArray[np.int64]:
    """(n,) the lowest place (n,) of each case's group, and of the copies that were seen of it and do not bind.

    Where groups were tightened a pair of copies may be in two of them; an exact copy shares the fate of its twin.
    """
    lowest = _lowest(places, groups)
    same = connect(len(places), [(a, b) for a, b, exact in ties if exact])
    own = _lowest(places, same)
    tied = own.copy()
    one, other = same[np.array([tie[:2] for tie in ties], dtype=np.int64).reshape(-1, 2)].T
    np.minimum.at(tied, one, own[other])
    np.minimum.at(tied, other, own[one])
    return np.minimum(lowest[groups], tied[same])


def _lowest(places: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each group, by its number."""
    found = np.full(int(groups.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(found, groups, places)
    return found


def patients_across(dataset: Dataset, patients: Sequence[str | None]) -> tuple[PatientLeak, ...]:
    """Patients with cases in several supplied splits; patients (n,) as the audit knows them."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (case, patient) in enumerate(zip(dataset.cases, patients, strict=True)):
        if patient is not None and case.split is not None:
            found[patient][case.split].append(index)
    several = [(patient, splits) for patient, splits in sorted(found.items()) if len(splits) > 1]
    leaks = []
    for number, (patient, splits) in enumerate(several, 1):
        told = all(patient in dataset.cases[i].id for indices in splits.values() for i in indices)
        ordered = {name: tuple(splits[name]) for name in SPLIT_ORDER if name in splits}
        leaks.append(PatientLeak(patient if told else f"patient {number}", ordered))
    return tuple(leaks)
