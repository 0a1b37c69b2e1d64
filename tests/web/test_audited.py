"""The audit object -> sentences, tone, and paths without what they all share."""

from __future__ import annotations

from typing import Any

import pytest

from hilum.interfaces.web.audited import HEADLINES, findings

CLEAN: dict[str, Any] = {
    "images": 4,
    "classes": {"a": 2, "b": 2},
    "pairs": [],
    "groups": [],
    "conflicts": [],
    "patients_across_splits": [],
    "unreadable": [],
    "stray": [],
    "shortcuts": {},
    "baseline": {"nearest_neighbour": None, "without_copies": None},
    "verdict": "clean",
}
PATIENT = {"patient": "7", "splits": {"train": ["x"], "test": ["y"]}}
CONFLICT = {"paths": ["x", "y"], "labels": ["a", "b"]}


def pair(a: str, b: str, *, same: bool | None = True, across: bool = False, likeness: float = 1.0) -> dict[str, Any]:
    return {"a": a, "b": b, "kind": "near", "similarity": likeness, "same_label": same, "across_splits": across}


def test_a_clean_set_is_told_as_such() -> None:
    found = findings(CLEAN)
    assert (found.tone, found.headline, found.sentences) == ("good", HEADLINES["clean"], ())


@pytest.mark.parametrize(
    ("said", "tone", "words"),
    [
        ({"verdict": "leaks", "pairs": [pair("t/a", "v/b", across=True)]}, "bad", "1 pair of copies"),
        ({"verdict": "leaks", "patients_across_splits": [PATIENT]}, "bad", "1 patient in"),
        ({"verdict": "conflicts", "conflicts": [CONFLICT]}, "bad", "1 picture under"),
        ({"shortcuts": {"mode": 0.95, "aspect": 0.5}}, "warn", "from: colour mode of the file."),
        ({"unreadable": [{"path": "x/y", "reason": "cut off"}]}, "warn", "1 file could not be read"),
    ],
)
def test_each_finding_has_its_sentence(said: dict[str, Any], tone: str, words: str) -> None:
    found = findings(CLEAN | said)
    assert found.tone == tone
    assert words in " ".join(found.sentences)
