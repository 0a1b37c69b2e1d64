"""A split keeps patients and copies on one side, loses nobody silently, and does not show its test."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hilum.data.locked import PARTS
from hilum.data.split import LEAST, Split, folds, make_split
from hilum.errors import DataError, UsageError
from tests.data.made_audit import Row, made_audit, made_dataset, tables

DIGEST = "0" * 64
SPLITS = (None, "train", "train", "val", "test")


def all_parts(split: Split) -> dict[str, tuple[int, ...]]:
    """The four parts, as evaluation sees them."""
    return {**split.parts, "test": split.open_test(DIGEST)}


def place(split: Split, count: int) -> list[str | None]:
    """The part of each case."""
    where: list[str | None] = [None] * count
    for name, cases in all_parts(split).items():
        for index in cases:
            assert where[index] is None, "a case is in two parts"
            where[index] = name
    return where


def drawn(rows: list[Row], near: list[tuple[int, int]], **options: object) -> Split:
    """The split of a made table; tables of which nothing is left are not of interest."""
    try:
        return make_split(made_dataset(rows), made_audit(rows, near), **options)  # type: ignore[arg-type]
    except DataError:
        assume(False)
        raise


@settings(max_examples=60, deadline=None)
@given(tables(SPLITS), st.integers(0, 3))
def test_every_case_is_in_exactly_one_part_or_left_out_with_a_reason(
    table: tuple[list[Row], list[tuple[int, int]]], seed: int
) -> None:
    """Nobody is lost and nobody is twice."""
    rows, near = table
    split = drawn(rows, near, seed=seed)
    where = place(split, len(rows))
    for index, part in enumerate(where):
        assert (part is None) == (index in split.left_out)
    assert all(split.left_out.values())


@settings(max_examples=60, deadline=None)
@given(tables(SPLITS), st.integers(0, 3))
def test_no_patient_and_no_copy_is_in_two_parts(table: tuple[list[Row], list[tuple[int, int]]], seed: int) -> None:
    """The first promise of the project."""
    rows, near = table
    audit = made_audit(rows, near)
    split = drawn(rows, near, seed=seed)
    where = place(split, len(rows))
    for groups in (audit.grouping.copies, audit.grouping.bound, split.groups):
        for group in np.unique(groups):
            parts = {where[index] for index in np.flatnonzero(groups == group)} - {None}
            assert len(parts) <= 1


@settings(max_examples=40, deadline=None)
@given(tables(SPLITS), st.integers(0, 999))
def test_the_order_and_the_names_of_the_files_do_not_matter(
    table: tuple[list[Row], list[tuple[int, int]]], seed: int
) -> None:
    """Listed differently, the same contents go to the same parts."""
    rows, near = table
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    back = {old: new for new, old in enumerate(order)}
    one = place(drawn(rows, near), len(rows))
    other = place(drawn([rows[i] for i in order], [(back[a], back[b]) for a, b in near]), len(rows))
    assert [one[i] for i in order] == other


def test_a_patient_of_two_equally_rare_classes_stands_for_the_same_one_in_any_order() -> None:
    """Which of a patient's images is listed first decides nothing."""
    rows = [Row(f"{label}{i}", label, f"p{i}") for i in range(60) for label in "ab"]
    order = random.Random(0).sample(range(120), 120)
    one, other = place(drawn(rows, []), 120), place(drawn([rows[i] for i in order], []), 120)
    assert [one[i] for i in order] == other


@settings(max_examples=25, deadline=None)
@given(st.integers(200, 500), st.integers(1, 4), st.integers(0, 9))
def test_the_parts_are_near_their_shares_in_each_class(count: int, largest: int, seed: int) -> None:
    """Distinct pictures of each class come within three groups of 75 / 7 / 9 / 9 percent, or calibration takes 19."""
    chance = random.Random(seed)
    rows = [
        Row(f"p{i}", "a" if i % 3 else "b", patient=f"{'a' if i % 3 else 'b'}{i // (3 * chance.randint(1, largest))}")
        for i in range(count)
    ]
    split = drawn(rows, [], seed=seed, fractions=(0.7, 0.1, 0.1, 0.1))
    groups = made_audit(rows).grouping.bound
    for label in ("a", "b"):
        mine = np.array([row.label == label for row in rows])
        size = np.bincount(groups[mine]).max()
        for name, share in zip(PARTS[1:], (0.1, 0.1, 0.1), strict=True):
            got = sum(mine[index] for index in all_parts(split)[name])
            low, high = share * mine.sum() - 3 * size, share * mine.sum() + 3 * size
            assert got >= low
            assert got <= high or name == "calibrate"


def test_another_seed_draws_another_split() -> None:
    """The seed is used."""
    rows = [Row(f"p{i}") for i in range(100)]
    assert place(drawn(rows, [], seed=0), 100) != place(drawn(rows, [], seed=1), 100)


def test_calibration_gets_nineteen_groups_of_a_class_where_there_are_enough() -> None:
    """80 pictures of the rare class would give seven; with fewer than 76 nothing is forced and it is said."""
    rows = [Row(f"a{i}", "a") for i in range(400)] + [Row(f"b{i}", "b") for i in range(80)]
    split = drawn(rows, [])
    held = [rows[index].label for index in split.parts["calibrate"]]
    assert held.count("b") == LEAST
    assert held.count("a") == 36
    few = drawn(rows[:440], [])
    assert [rows[index].label for index in few.parts["calibrate"]].count("b") < 6
    assert any("class 'b' (" in note and "pooled" in note for note in few.notes)


def test_many_small_classes_are_told_in_one_line_the_thinnest_by_name() -> None:
    rows = [Row(f"{label}{i}", label) for label in "abcdefghijkl" for i in range(10 if label == "l" else 60)]
    (note,) = [note for note in drawn(rows, []).notes if "pooled" in note]
    assert note.startswith("classes 'l' (")
    assert note.count("' (") == 8
    assert " and 4 more: fewer than" in note


def test_a_patient_with_images_of_two_classes_counts_for_both() -> None:
    """Slices of one patient, with and without disease: the calibration part holds enough groups of either class."""
    rows = [Row(f"{label}{i}", label, f"p{i}") for i in range(300) for label in "ab"] + [Row("c", "b"), Row("d", "b")]
    split = drawn(rows, [])
    held = {(rows[index].label, rows[index].patient) for index in split.parts["calibrate"]}
    assert len(held) >= 2 * LEAST
    assert not [note for note in split.notes if "pooled" in note]


def test_copies_stay_together_and_conflicts_and_broken_files_are_left_out() -> None:
    """What training does with findings."""
    rows = [Row("x", "a"), Row("x", "a"), Row("y", "a"), Row("z", "a"), Row("z", "b"), Row("w", "b"), Row("v", None)]
    audit = made_audit(rows, near=[(0, 2)], broken=[5])
    assert (audit.leaks, audit.verdict, audit.bad) == (False, "conflicts", True)
    split = make_split(made_dataset(rows), audit, fractions=(1, 0, 0, 0))
    assert split.parts["train"] == (0, 1, 2)
    assert split.left_out == {
        3: "copies of this picture bear different labels",
        4: "copies of this picture bear different labels",
        5: "unreadable: the file is empty",
        6: "no label",
    }


def supplied(leaks: int, tests: int = 60) -> list[Row]:
    """200 training and `tests` test images of two classes; the first `leaks` tests are copies of training images."""
    rows = [Row(f"p{i}", "ab"[i % 2], split="train") for i in range(200)]
    return rows + [Row(f"p{i}" if i < leaks else f"t{i}", "ab"[i % 2], split="test") for i in range(tests)]


def test_a_clean_supplied_test_is_respected_and_calibration_comes_out_of_training() -> None:
    """Small as it may be."""
    rows = supplied(leaks=0, tests=10)
    split = drawn(rows, [])
    assert split.open_test(DIGEST) == tuple(range(200, 210))
    assert len(split.parts["calibrate"]) >= 2 * LEAST
    assert split.marks == ()


def test_a_leaking_split_is_made_anew_from_its_clean_part() -> None:
    """What leaks is left out, with its reason; the rest of the test stays the test."""
    split = drawn(supplied(leaks=20), [])
    assert split.open_test(DIGEST) == tuple(range(220, 260))
    assert set(split.left_out) == set(range(200, 220))
    assert "earlier part" in split.left_out[200]


def test_a_copy_that_no_longer_binds_leaks_all_the_same() -> None:
    """Near copies that chain a class do not bind, but each pair was seen to be one picture, and so was its twin."""
    rows = [*supplied(leaks=0), Row("t9", "b", split="test"), Row("loose", "a")]
    near = [*((2 * i, 2 * i + 2) for i in range(60)), (4, 208), (5, 209), (206, 261)]
    audit = made_audit(rows, near)
    assert audit.grouping.bound[4] != audit.grouping.bound[208]
    assert np.flatnonzero(audit.leaked).tolist() == [208, 209, 260]
    split = drawn(rows, near)
    assert sorted(split.left_out) == [208, 209, 260, 261]
    (mark,) = drawn(rows, near, keep=True).marks
    assert "of 4 of 61 test images" in mark


def test_where_the_clean_part_is_too_small_everything_is_drawn_anew() -> None:
    """52 of 60 test images are copies: eight are no test."""
    split = drawn(supplied(leaks=52), [])
    assert split.left_out == {}
    assert any("52 of 60" in note for note in split.notes)
    assert 0 < len(split.open_test(DIGEST)) < 60


def test_a_leaking_split_that_is_kept_marks_every_figure() -> None:
    """The parts are as supplied, and it is said."""
    split = drawn(supplied(leaks=20), [], keep=True)
    assert split.open_test(DIGEST) == tuple(range(200, 260))
    assert "20 of 60 test images" in split.marks[0]


def test_where_there_is_no_split_to_keep_it_is_said() -> None:
    """Whoever asks for it believes that there is one."""
    rows = [Row(f"i{i}", "ab"[i % 2]) for i in range(200)]
    assert any("no split is supplied" in note for note in drawn(rows, [], keep=True).notes)
    assert not any("no split" in note for note in drawn(rows, []).notes)


def test_a_split_that_is_kept_is_marked_for_images_without_a_split_too() -> None:
    """They are trained on: a copy of a test image and another image of its patient are known by heart."""
    rows = [replace(row, patient=f"who {i}") for i, row in enumerate(supplied(leaks=0))]
    split = drawn([*rows, Row("new", "a", "who 230"), Row("t31", "b"), Row("newer", "a", "who 7")], [], keep=True)
    (mark,) = split.marks
    assert "of 2 of 60 test images" in mark


def test_a_supplied_val_that_is_too_small_joins_the_training_images() -> None:
    """16 images cannot stop a training."""
    rows = supplied(leaks=0) + [Row(f"v{i}", "ab"[i % 2], split="val") for i in range(16)]
    split = drawn(rows, [])
    assert any("joins the training images" in note for note in split.notes)
    assert "train" in {place(split, len(rows))[number] for number in range(260, 276)}
    large = supplied(leaks=0) + [Row(f"v{i}", "ab"[i % 2], split="val") for i in range(40)]
    assert drawn(large, []).parts["tune"] == tuple(range(260, 300))


def test_a_supplied_val_tunes_without_what_leaks() -> None:
    """Ten of its sixty images are known from training: they are in no part, and it is said."""
    rows = supplied(leaks=0) + [Row(f"p{i}" if i < 10 else f"v{i}", "ab"[i % 2], split="val") for i in range(60)]
    split = drawn(rows, [])
    assert split.parts["tune"] == tuple(range(270, 320))
    assert set(split.left_out) == set(range(260, 270))
    assert all("earlier part" in why for why in split.left_out.values())
    assert "the supplied val tunes without what leaks (10 of 60 images)" in split.notes


def test_nothing_is_said_of_a_val_that_was_not_supplied_nor_of_leaks_where_none_are() -> None:
    rows = supplied(leaks=0)
    assert drawn(rows, []).notes == ("the supplied test is used",)
    rows += [Row(f"v{i}", "ab"[i % 2], split="val") for i in range(40)]
    assert drawn(rows, []).notes == ("the supplied test is used", "the supplied val tunes")


def test_whoever_is_in_the_supplied_test_is_not_trained_on_where_no_split_was_given() -> None:
    """Another image of the patient, and a copy; a patient of the training images stays."""
    rows = [replace(row, patient=f"who {i}") for i, row in enumerate(supplied(leaks=0))]
    loose = [Row("new", "a", "who 230"), Row("t31", "b"), Row("newer", "a", "who 7")]
    split = drawn(rows + loose, [])
    assert {number: "no split is given" in why for number, why in split.left_out.items()} == {260: True, 261: True}
    assert 262 in {number for part in split.parts.values() for number in part}


def test_the_test_is_locked() -> None:
    """Neither its numbers nor its images can be had without the digest of a sealed package."""
    rows = [Row(f"p{i}", "ab"[i % 2]) for i in range(100)]
    dataset = made_dataset(rows)
    split = drawn(rows, [])
    with pytest.raises(DataError, match="locked"):
        split.parts["test"]
    with pytest.raises(DataError, match="digest"):
        split.open_test("please")
    locked = split.locked(dataset)
    index = split.open_test(DIGEST)[0]
    with pytest.raises(DataError, match="locked test"):
        locked.images(locked.cases[index])
    with pytest.raises(DataError, match="locked test"):
        locked.data(locked.cases[index])
    assert locked.images(locked.cases[split.parts["train"][0]])[0].pixels.shape == (40, 40)
    assert dataset.cases[index].id not in str(split.to_json([case.id for case in dataset.cases]))


def test_the_training_room_never_opens_the_test() -> None:
    """Read from its source files."""
    room = Path(__file__).resolve().parents[2] / "src" / "hilum" / "learn"
    assert not [path.name for path in room.rglob("*.py") if "open_test" in path.read_text(encoding="utf-8")]


@settings(max_examples=30, deadline=None)
@given(tables(), st.integers(2, 6))
def test_folds_cover_all_but_the_test_once_and_part_no_group(
    table: tuple[list[Row], list[tuple[int, int]]], k: int
) -> None:
    """Each case is held out once; no group is on both sides."""
    rows, near = table
    split = drawn(rows, near)
    pool = sorted(index for cases in split.parts.values() for index in cases)
    made = folds(split, k)
    assert sorted(index for _, held in made for index in held) == pool
    for kept, held in made:
        assert sorted(kept + held) == pool
        assert not set(split.groups[list(kept)].tolist()) & set(split.groups[list(held)].tolist())


def test_wrong_fractions_and_folds_are_refused() -> None:
    """In words."""
    rows = [Row(f"p{i}") for i in range(10)]
    for fractions in ((0.5, 0.5), (0.0, 0.5, 0.25, 0.25), (0.9, -0.1, 0.1, 0.1)):
        with pytest.raises(UsageError, match="four shares"):
            make_split(made_dataset(rows), made_audit(rows), fractions=fractions)
    with pytest.raises(UsageError, match="2 folds"):
        folds(drawn(rows, []), 1)
    with pytest.raises(DataError, match="no labelled"):
        make_split(made_dataset([Row("x", None)]), made_audit([Row("x", None)]))


def test_a_picture_weighs_as_one_however_many_copies_there_are_and_a_part_of_none_stays_empty() -> None:
    """Half of two hundred pictures are a hundred, though one of them is there three hundred times more."""
    rows = [Row(f"p{i}") for i in range(200)] + [Row("p0")] * 300
    split = drawn(rows, [], fractions=(0.5, 0, 0, 0.5))
    held = {name: len({rows[index].content for index in cases}) for name, cases in all_parts(split).items()}
    assert held == {"train": 100, "tune": 0, "calibrate": 0, "test": 100}


@pytest.mark.parametrize("seed", range(4))
def test_patients_with_a_rare_finding_are_dealt_out_as_the_rare_are(seed: int) -> None:
    """One image in four of twenty patients shows it: ten of them go to either side, whatever becomes of the others."""
    rows = [Row(f"{who}-{i}", "ab"[who < 20 and i == 0], f"p{who}") for who in range(120) for i in range(4)]
    split = drawn(rows, [], seed=seed, fractions=(0.5, 0, 0, 0.5))
    assert sum(rows[index].label == "b" for index in split.parts["train"]) == 10


@pytest.mark.parametrize(("images", "patients", "tunes"), [(38, 38, True), (36, 36, False), (60, 12, False)])
def test_a_supplied_val_tunes_from_nineteen_patients_of_each_class(images: int, patients: int, tunes: bool) -> None:
    rows = supplied(leaks=0) + [Row(f"v{i}", "ab"[i % 2], f"w{i % patients}", "val") for i in range(images)]
    split = drawn(rows, [])
    assert (split.parts["tune"] == tuple(range(260, 260 + images))) == tunes


def test_a_test_of_one_class_is_not_asked_for_what_it_never_held() -> None:
    """Ten of its thirty images leak, twenty are enough."""
    rows = [row for row in supplied(leaks=20) if row.split == "train" or row.label == "a"]
    assert drawn(rows, []).open_test(DIGEST) == tuple(range(210, 230))


def test_of_a_split_that_is_kept_each_part_is_marked_by_what_an_earlier_one_tells() -> None:
    rows = supplied(leaks=0) + [Row(f"p{i}" if i < 3 else f"v{i}", "ab"[i % 2], split="val") for i in range(40)]
    split = drawn([*rows, Row("v5", "b", split="test")], [], keep=True)
    assert split.parts["tune"] == tuple(range(260, 300))
    test, val = split.marks
    assert "of 1 of 61 test images" in test
    assert "of 3 of 40 val images" in val
