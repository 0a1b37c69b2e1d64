"""Conflicting labels among copies, whatever their number, at a cost that follows it; and what leaks into which part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hilum.data import leaks
from hilum.data.copies import Copy
from tests.data.made_audit import Row, made_dataset


def test_a_picture_that_occurs_very_often_under_two_labels_is_tied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a placeholder is ("image not available"): some thousand of one took gigabytes."""
    count, links = 300, []
    connect = leaks.connect

    def counted(of: int, pairs: Any) -> Any:
        links.append(len(pairs))
        return connect(of, pairs)

    monkeypatch.setattr(leaks, "connect", counted)
    copies = [Copy(0, n, "exact", 1.0) for n in range(1, count)] + [Copy(n, count, "near", 0.97) for n in range(200)]
    labels = np.arange(count + 2) % 2
    assert leaks.conflicts(labels, copies) == (tuple(range(count + 1)),)
    assert max(links) <= 2 * len(copies)


def test_an_exact_copy_shares_the_fate_of_its_twin_and_what_has_no_label_conflicts_with_nothing() -> None:
    copies = [Copy(0, 1, "exact", 1.0), Copy(1, 2, "near", 0.97), Copy(3, 4, "near", 0.97)]
    assert leaks.conflicts(np.array([0, 0, 1, 0, -1]), copies) == ((0, 1, 2),)
    assert leaks.conflicts(np.array([0, 0, -1, 1, -1]), copies) == ()


def test_only_what_was_met_in_an_earlier_part_leaks() -> None:
    """Train before val before test; who has no part was met nowhere, and leaks into nothing."""
    cases = [("train", 0), ("val", 0), ("test", 0), ("test", 1), (None, 1), ("val", 2), ("test", 2), (None, 3),
             ("train", 3), ("train", 3), ("test", 4), ("test", 4)]  # fmt: skip
    splits, groups = zip(*cases, strict=True)
    assert np.flatnonzero(leaks.leaked(splits, np.array(groups))).tolist() == [1, 2, 6]


@pytest.mark.parametrize("turned", [False, True])
def test_a_copy_leaks_with_its_exact_twin_and_a_copy_of_the_copy_does_not(turned: bool) -> None:
    """Whichever of a pair is listed first."""
    splits, ties = ["train", "test", "test", "test"], [(0, 1, False), (1, 2, True), (2, 3, False)]
    if turned:
        splits, ties = splits[::-1], [(3 - b, 3 - a, exact) for a, b, exact in ties]
    found = leaks.leaked(splits, np.arange(4), ties).tolist()
    assert (found[::-1] if turned else found) == [False, True, True, False]
    between = [(0, 2, False), (0, 1, False)]  # what is a copy of both is listed first
    assert leaks.leaked(["test", "test", "train"], np.arange(3), between).tolist() == [True, False, False]


def test_a_patient_in_several_parts_is_named_only_where_every_path_names_them() -> None:
    """A hash of an identifier is told to nobody: such patients are numbered."""
    rows = [
        Row("p7/a", patient="p7", split="train"), Row("p7/b", patient="p7", split="test"),
        Row("u", patient="k9", split="test"), Row("v", patient="k9", split="train"),
        Row("w", patient="k9", split="val"), Row("x", patient="k9", split="test"),
        Row("p8/a", patient="p8", split="val"), Row("y", patient="p8", split="test"),
        Row("z", patient="once", split="test"), Row("t", patient="once"),
    ]  # fmt: skip
    found = leaks.patients_across(made_dataset(rows), [row.patient for row in rows])
    assert [(leak.name, list(leak.splits.items())) for leak in found] == [
        ("patient 1", [("train", (3,)), ("val", (4,)), ("test", (2, 5))]),
        ("p7", [("train", (0,)), ("test", (1,))]),
        ("patient 3", [("val", (6,)), ("test", (7,))]),
    ]
