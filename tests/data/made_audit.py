"""Data sets and audits made in memory, so that a split can be tested without a file."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from hilum.data.audit import Audit, Pair
from hilum.data.baseline import Baseline
from hilum.data.copies import Copy
from hilum.data.dataset import Case, Dataset
from hilum.data.fingerprint import Fingerprints
from hilum.data.grouping import Link, group_cases
from hilum.data.leaks import conflicts, leaked
from hilum.image.decode import Limits, from_array
from hilum.image.image import Image


class FakeReader:
    """Reads a picture that depends on the case's path alone."""

    def data(self, case: Case, limits: Limits) -> bytes:
        """The path as bytes."""
        return case.path.encode()

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """A small picture of noise."""
        seed = int.from_bytes(hashlib.sha256(case.path.encode()).digest()[:4])
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 40), dtype=np.uint8)
        return (from_array(pixels, case.id),)


@dataclass(frozen=True)
class Row:
    """One made case: its content, class, patient and supplied split; equal contents are exact copies."""

    content: str
    label: str | None = "a"
    patient: str | None = None
    split: str | None = None


def made_dataset(rows: Sequence[Row]) -> Dataset:
    """A data set of one case a row."""
    cases = tuple(
        Case(f"set/{row.content}#{number}", row.label, None, row.split, row.patient, "set", row.content)
        for number, row in enumerate(rows)
    )
    classes = tuple(sorted({row.label for row in rows if row.label is not None}))
    return Dataset("set", cases, classes, (), FakeReader())


def made_audit(rows: Sequence[Row], near: Sequence[tuple[int, int]] = (), broken: Sequence[int] = ()) -> Audit:
    """The audit of those rows: exact copies by content, near copies as given, unreadable cases as given."""
    first: dict[str, int] = {}
    exact = [(first[row.content], i) for i, row in enumerate(rows) if first.setdefault(row.content, i) != i]
    labels = tuple(row.label for row in rows)
    links = [Link(a, b, 1.0, firm=True) for a, b in exact] + [Link(a, b, 0.97) for a, b in near]
    grouping = group_cases(labels, (tuple(row.patient for row in rows),), links, ())
    copies = [Copy(a, b, "exact", 1.0) for a, b in exact] + [Copy(a, b, "near", 0.97) for a, b in near]
    return Audit(
        name="set",
        against=None,
        counts={label: labels.count(label) for label in sorted({label for label in labels if label})},
        paths=tuple(f"set/{row.content}#{number}" for number, row in enumerate(rows)),
        labels=labels,
        splits=tuple(row.split for row in rows),
        patients=tuple(row.patient for row in rows),
        digests=tuple(
            None if i in broken else hashlib.sha256(row.content.encode()).hexdigest() for i, row in enumerate(rows)
        ),
        pairs=tuple(
            Pair(one.a, one.b, "", "", one.kind, one.similarity, labels[one.a] == labels[one.b], across_splits=False)
            for one in copies
        ),
        grouping=grouping,
        conflicts=conflicts(made_dataset(rows).labels, copies),
        patients_across_splits=(),
        leaked=leaked(
            [row.split for row in rows], grouping.bound, [(one.a, one.b, one.kind == "exact") for one in copies]
        ),
        unreadable=dict.fromkeys(broken, "the file is empty"),
        stray=(),
        statistics=None,
        shortcuts={},
        baseline=Baseline(None, None, 0, 0, "", np.full(len(rows), np.nan)),
        fingerprints=Fingerprints.of(()),
        notes=(),
    )


@st.composite
def tables(draw: st.DrawFn, splits: tuple[str | None, ...] = (None,)) -> tuple[list[Row], list[tuple[int, int]]]:
    """Rows with repeated contents, shared patients and missing labels, and near copies among them.

    Three numbers are drawn and the rest follows from them: a table drawn cell by cell takes a hundred times as long.
    """
    count, chance = draw(st.integers(8, 60)), random.Random(draw(st.integers(0, 10**6)))
    rows = [
        Row(
            content=f"p{chance.randint(0, count * 2)}",
            label=chance.choice(("a", "a", "b", None)),
            patient=chance.choice((None, str(chance.randint(0, count // 2)))),
            split=chance.choice(splits),
        )
        for _ in range(count)
    ]
    rows += [Row("first of a", "a"), Row("first of b", "b")]
    ends = range(len(rows))
    near = [(min(pair), max(pair)) for pair in (chance.sample(ends, 2) for _ in range(draw(st.integers(0, 6))))]
    return rows, near
