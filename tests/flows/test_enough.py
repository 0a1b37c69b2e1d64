"""What is said before a training of data that is not enough for it."""

from __future__ import annotations

import re

import pytest

from hilum.data.split import make_split
from hilum.errors import DataError
from hilum.flows.enough import check_enough, too_small
from tests.data.made_audit import Row, made_audit, made_dataset

OTHERS = [Row(f"plain {i}", "plain", split="test" if i > 60 else "train") for i in range(80)]


def refused(rows: list[Row], broken: tuple[int, ...] = ()) -> str:
    """What is said of them; the class that is too few for a training is called rare."""
    dataset, found = made_dataset(rows), made_audit(rows, broken=broken)
    with pytest.raises(DataError, match="rare: ") as error:
        check_enough(dataset, found, make_split(dataset, found))
    return str(error.value)


def test_a_class_that_only_the_test_holds_is_refused_with_that_reason() -> None:
    said = refused([*OTHERS, *(Row(f"rare {i}", "rare", split="test") for i in range(30))])
    assert "rare: 30 images (all in the test part of the data: have some in its train part" in said
    assert "plain:" not in said


def test_a_class_of_one_patient_is_refused_with_that_reason() -> None:
    said = refused([*OTHERS, *(Row(f"rare {i}", "rare", "one") for i in range(30))])
    assert "rare: 30 images (all of one patient, who cannot be in two parts: add other patients)" in said
    said = refused([*OTHERS, *(Row("rare", "rare") for _ in range(30))])
    assert "rare: 30 images (all bound together, as copies of one image or slices of one volume)" in said


def test_images_that_were_left_out_are_counted_with_their_reason() -> None:
    rows = [*OTHERS, *(Row(f"rare {i}", "rare", split="train") for i in range(30))]
    said = refused(rows, tuple(range(80, 107)))
    assert re.search(r"rare: 30 images \(27 left out, the first because: unreadable: .*\), \d to train on", said)


def test_a_class_that_is_merely_small_is_given_no_other_reason() -> None:
    assert "rare: 3 images, " in refused([*OTHERS, *(Row(f"rare {i}", "rare", split="train") for i in range(3))])


def test_images_that_the_task_does_not_admit_are_counted() -> None:
    sizes = {"40x60": 3, "64x64": 2, "200x30": 1}
    assert str(too_small(sizes, 64)).startswith("beware: 4 of 6 images have a short side under 64 pixels")
    assert str(too_small(sizes, 40)).startswith("beware: 1 of 6 images have a short side under 40 pixels")
    assert too_small(sizes, 30) is None
