"""The admission network of a package: its thresholds, its reasons, and bytes that are none."""

from __future__ import annotations

import pytest

from hilum.errors import PackageDamaged
from hilum.gate.admission import Admission
from tests.gate import made


@pytest.mark.parametrize(
    ("logits", "codes"),
    [
        ((5.0, 0.0, 0.0, 0.0), []),
        ((0.0, 4.0, 0.0, 1.0), ["inverted"]),
        ((0.0, 0.0, 4.0, 1.0), ["rotated"]),
        ((0.0, 0.0, 1.0, 4.0), ["not_this_kind_of_image"]),
    ],
)
def test_the_worst_fault_is_the_reason(logits: tuple[float, float, float, float], codes: list[str]) -> None:
    reasons = Admission(made.network(logits)).check(made.image(made.phantom()), made.task())
    assert [reason.code for reason in reasons] == codes
    assert all("a sagittal knee MR slice" in reason.text for reason in reasons)


def test_a_fault_that_is_not_asked_never_refuses() -> None:
    said = {"threshold_inverted": "0.0", "threshold_rotated": "-inf", "threshold_other": "0.0"}
    admission = Admission(made.network((1.0, 0.0, 9.0, 0.0), said))
    assert admission.check(made.image(made.phantom()), made.task()) == ()


def test_thresholds_are_those_of_the_file() -> None:
    said = {"threshold_inverted": "1.5", "threshold_rotated": "-2", "threshold_other": "0.25"}
    found = Admission(made.network((0.0, 0.0, 0.0, 0.0), said)).thresholds
    assert (found.inverted, found.rotated, found.other) == (1.5, -2.0, 0.25)


@pytest.mark.parametrize("damaged", [b"", b"nonsense", made.network((0, 0, 0, 0), {"threshold_other": "0"})])
def test_bytes_that_are_no_admission_network_are_refused(damaged: bytes) -> None:
    with pytest.raises(PackageDamaged, match="admission"):
        Admission(damaged)


def test_a_fault_is_measured_against_its_own_threshold() -> None:
    """Turned is the nearer fault, and lies within what is allowed; inverted does not."""
    said = {"threshold_inverted": "3.0", "threshold_rotated": "0.0", "threshold_other": "0.0"}
    admission = Admission(made.network((5.0, 3.0, 4.0, 0.0), said))
    assert [reason.code for reason in admission.check(made.image(made.phantom()), made.task())] == ["inverted"]


def test_what_lies_at_the_threshold_is_admitted() -> None:
    said = {"threshold_inverted": "0.0", "threshold_rotated": "0.0", "threshold_other": "4.0"}
    for other, codes in ((1.0, []), (1.25, ["not_this_kind_of_image"])):
        reasons = Admission(made.network((5.0, 0.0, 0.0, other), said)).check(made.image(made.phantom()), made.task())
        assert [reason.code for reason in reasons] == codes
