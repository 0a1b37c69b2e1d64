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


def leaked(splits: Sequence[str | None], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) True for a val or test case of which the group is also in an earlier split; groups (n,) int64."""
    order = {name: place for place, name in enumerate(SPLIT_ORDER)}
    places = np.array([order.get(split or "", -1) for split in splits], dtype=np.int64)
    first = np.full(int(groups.max(initial=-1)) + 1, len(order), dtype=np.int64)
    placed = places >= 0
    np.minimum.at(first, groups[placed], places[placed])
    found: NDArray[np.bool_] = placed & (places > first[groups])
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
