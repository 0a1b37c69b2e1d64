"""Conflicting labels among copies: found whatever the number of copies, at a cost that follows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hilum.data import leaks
from hilum.data.copies import Copy


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
