"""What an audit found, as one frozen value with its JSON; finds nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.data.baseline import Baseline
from hilum.data.fingerprint import Fingerprints
from hilum.data.grouping import Grouping, groups_of_many
from hilum.data.statistics import Statistics

Kind = Literal["exact", "near", "mirrored"]
SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two copies; `a` is a case number, `b` another, or None where the copy is in the set compared against.

    a_path, b_path: as given. similarity: 1 for exact copies, else the likeness after alignment.
    same_label: None where one of them has none. across_splits: in two supplied splits, or in the other set.
    """

    a: int
    b: int | None
    a_path: str
    b_path: str
    kind: Kind
    similarity: float
    same_label: bool | None
    across_splits: bool


@dataclass(frozen=True, slots=True)
class PatientLeak:
    """One patient in several splits: the case numbers in each. `name` is a number unless the paths tell it anyway."""

    name: str
    splits: dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False, slots=True)
class Audit:
    """What was found. Case numbers count in `dataset.cases`; arrays are (n,), one entry a case.

    paths, labels, splits, patients: of the cases; labels are class names or None. digests: SHA-256 of the bytes, None
    where unreadable. conflicts: case numbers of copies that bear different labels, one tuple a picture.
    leaked: True for a val or test case of which a copy or the patient is in an earlier split (train, val).
    shortcuts: AUROC by cue, worst first. notes: how things were measured and what was decided.
    """

    name: str
    against: str | None
    counts: dict[str, int]
    paths: tuple[str, ...]
    labels: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    patients: tuple[str | None, ...]
    digests: tuple[str | None, ...]
    pairs: tuple[Pair, ...]
    grouping: Grouping
    conflicts: tuple[tuple[int, ...], ...]
    patients_across_splits: tuple[PatientLeak, ...]
    leaked: NDArray[np.bool_]
    unreadable: dict[int, str]
    stray: tuple[str, ...]
    statistics: Statistics | None
    shortcuts: dict[str, float]
    baseline: Baseline
    fingerprints: Fingerprints  # of the readable cases, in their order
    notes: tuple[str, ...]

    @property
    def groups(self) -> NDArray[np.int64]:
        """(n,) which cases a split must keep together: copies, patients, studies, likely neighbours in a volume."""
        return self.grouping.together

    @property
    def verdict(self) -> str:
        """One of "leaks", "conflicts", "leaks+conflicts"; else "copies" (inside one part only); else "clean"."""
        bad = [word for word, is_so in (("leaks", self.leaks), ("conflicts", bool(self.conflicts))) if is_so]
        return "+".join(bad) or ("copies" if self.pairs else "clean")

    @property
    def leaks(self) -> bool:
        """A copy or a patient is in two supplied splits, or a copy is in the set compared against."""
        return bool(self.leaked.any()) or any(pair.across_splits for pair in self.pairs)

    @property
    def bad(self) -> bool:
        """A split leaks or labels conflict: the command ends with 1."""
        return self.leaks or bool(self.conflicts)

    @property
    def inner(self) -> tuple[Pair, ...]:
        """The pairs inside this data set; the others are with the set compared against."""
        return tuple(pair for pair in self.pairs if pair.b is not None)

    @property
    def copy_groups(self) -> tuple[tuple[int, ...], ...]:
        """Case numbers of each picture that occurs more than once, largest group first."""
        return groups_of_many(self.grouping.copies)

    def to_json(self) -> dict[str, object]:
        """The audit object of the public face; paths as given."""
        return {
            "images": len(self.paths),
            "classes": dict(self.counts),
            "pairs": [_pair_json(pair) for pair in self.pairs],
            "groups": [[self.paths[i] for i in group] for group in self.copy_groups],
            "conflicts": [
                {"paths": [self.paths[i] for i in group], "labels": [self.labels[i] for i in group]}
                for group in self.conflicts
            ],
            "patients_across_splits": [
                {"patient": leak.name, "splits": {k: [self.paths[i] for i in v] for k, v in leak.splits.items()}}
                for leak in self.patients_across_splits
            ],
            "unreadable": [{"path": self.paths[i], "reason": reason} for i, reason in self.unreadable.items()],
            "stray": list(self.stray),
            "shortcuts": dict(self.shortcuts),
            "baseline": {
                "nearest_neighbour": self.baseline.with_copies,
                "without_copies": self.baseline.without_copies,
            },
            "verdict": self.verdict,
        }


def _pair_json(pair: Pair) -> dict[str, object]:
    return {
        "a": pair.a_path,
        "b": pair.b_path,
        "kind": pair.kind,
        "similarity": round(pair.similarity, 4),
        "same_label": pair.same_label,
        "across_splits": pair.across_splits,
    }
