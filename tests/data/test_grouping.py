"""Groups chain only as far as they may, and what is tightened is said."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.data import neighbours
from hilum.data.grouping import Link, connect, group_cases, groups_of_many, renumber
from hilum.data.neighbours import likely_neighbours


def test_connected_cases_share_a_number_in_the_order_of_their_first() -> None:
    """0-3-4 and 1-2."""
    groups = connect(6, [(3, 4), (2, 1), (0, 3)])
    assert groups.tolist() == [0, 1, 1, 0, 0, 2]
    assert groups_of_many(groups) == ((0, 3, 4), (1, 2))
    assert renumber(np.array([7, 3, 7])).tolist() == [0, 1, 0]
    assert groups_of_many(np.array([0, 1, 1, 2, 3, 3, 3, 4, 4])) == ((4, 5, 6), (1, 2), (7, 8))


def test_patients_copies_and_neighbours_bind_in_three_steps() -> None:
    """Each grouping holds the one before it."""
    found = group_cases(
        ["a"] * 6, (["p", None, "p", None, None, None],), [Link(0, 1, 0.96)], [Link(2, 3, 0.97), Link(4, 5, 0.99)]
    )
    assert found.copies.tolist() == [0, 0, 1, 2, 3, 4]
    assert found.bound.tolist() == [0, 0, 0, 1, 2, 3]
    assert found.together.tolist() == [0, 0, 0, 0, 1, 1]
    assert found.notes == ()


def test_a_chain_through_a_fifth_of_a_class_is_tightened_step_by_step_and_said() -> None:
    """100 cases linked in a row at 0.955; pairs at 0.99 and exact copies stay."""
    chain = [Link(i, i + 1, 0.955) for i in range(99)]
    strong = [Link(0, 50, 0.99), Link(1, 60, 0.1, firm=True)]
    found = group_cases(["a"] * 100, (), chain + strong, ())
    assert groups_of_many(found.copies) == ((0, 50), (1, 60))
    assert "100% of class 'a'" in found.notes[0]
    assert "above 0.96" in found.notes[0]
    loose = group_cases(["a"] * 100, (), strong, chain)
    assert groups_of_many(loose.together) == ((0, 50), (1, 60))
    assert "neighbours" in loose.notes[0]


def chain(first: int, count: int, similarity: float, *, firm: bool = False) -> list[Link]:
    return [Link(i, i + 1, similarity, firm) for i in range(first, first + count - 1)]


@pytest.mark.parametrize("step", [0.92, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995])
def test_only_links_above_the_first_step_that_breaks_a_chain_bind(step: float) -> None:
    found = group_cases(["a"] * 100, (), [*chain(0, 100, step), Link(0, 50, step + 0.001)], ())
    assert groups_of_many(found.copies) == ((0, 50),)
    assert f"only links above {step} bind (1 of 100 are left)" in found.notes[0]


def test_where_no_step_breaks_a_chain_only_exact_copies_bind() -> None:
    found = group_cases(["a"] * 100, (), [*chain(0, 100, 0.999), Link(1, 60, 1.0, firm=True)], ())
    assert groups_of_many(found.copies) == ((1, 60),)
    assert "at every threshold" in found.notes[0]


@pytest.mark.parametrize(
    ("held", "of", "tightened"), [(20, 90, False), (21, 100, True), (21, 105, False), (22, 105, True)]
)
def test_more_than_twenty_and_more_than_a_fifth_are_too_many(held: int, of: int, tightened: bool) -> None:
    """What has no label is of no class."""
    found = group_cases(["a"] * of + [None] * 300, (), chain(0, held, 0.9) + chain(of, 300, 0.9), ())
    assert bool(found.notes) == tightened
    assert (found.copies[0] != found.copies[held - 1]) == tightened


def test_what_one_chains_is_not_laid_at_anothers_door() -> None:
    """Exact copies are no fault of the rule for patients, and a large patient none of the neighbours."""
    copies = group_cases(["a"] * 100, (["p", "p"] + [None] * 98,), chain(0, 60, 1.0, firm=True), ())
    assert len(groups_of_many(copies.bound)[0]) == 60
    assert not [note for note in copies.notes if "patient" in note]
    patient = group_cases(["a"] * 100, (["p"] * 60 + [None] * 40,), (), [Link(70, 71, 0.9)])
    assert patient.together[70] == patient.together[71]
    assert [note for note in patient.notes if "neighbours" in note] == []


def test_a_class_that_one_patient_fills_leaves_the_neighbours_of_another_class_to_be_tightened() -> None:
    labels = ["a"] * 100 + ["b"] * 100
    found = group_cases(labels, (["p"] * 60 + [None] * 140,), (), [*chain(100, 90, 0.96), Link(70, 71, 0.99)])
    assert len(groups_of_many(found.together)[1]) == 2
    assert any(
        "neighbours in a volume: linked at any similarity they chained 90% of class 'b'" in n for n in found.notes
    )


def test_patients_that_copies_tie_together_are_not_laid_at_the_door_of_their_rule() -> None:
    """Ten images of each patient, and a copy from one to the next: neither chains anybody alone."""
    patients = [f"p{i // 10}" for i in range(100)]
    found = group_cases(["a"] * 100, (patients,), [Link(9, 10, 1.0, firm=True), Link(19, 20, 1.0, firm=True)], ())
    assert found.notes == (
        "copies tie patients together, 30% of class 'a' into one group: look whether they are the same people",
    )
    both = group_cases(["a"] * 100, (["p"] * 40 + patients[40:],), [Link(39, 40, 1.0, firm=True)], ())
    assert "the rule for patients puts 40% of class 'a'" in both.notes[0]


def test_patients_that_neighbours_would_chain_stay_apart() -> None:
    """Three pairs of look-alikes chain nobody by themselves; with the ten images of each patient they chain 40."""
    patients = [f"p{i // 10}" for i in range(100)]
    found = group_cases(["a"] * 100, (patients,), (), [Link(9, 10, 0.9), Link(19, 20, 0.9), Link(29, 30, 0.9)])
    assert found.together.tolist() == found.bound.tolist() == [i // 10 for i in range(100)]
    assert "40% of class 'a'" in found.notes[0]


def test_of_several_chained_classes_the_worst_is_named() -> None:
    found = group_cases(["a"] * 100 + ["b"] * 100, (), [*chain(0, 60, 0.9), *chain(100, 30, 0.9)], ())
    assert "chained 60% of class 'a'" in found.notes[0]
    turned = group_cases(["a"] * 100 + ["b"] * 100, (), [*chain(0, 30, 0.9), *chain(100, 60, 0.9)], ())
    assert "chained 60% of class 'b'" in turned.notes[0]


def test_a_small_class_and_a_large_patient_are_not_tightened() -> None:
    """A patient is a patient; ten images are no chain."""
    small = group_cases(["a"] * 10, (), [Link(i, i + 1, 0.955) for i in range(9)], ())
    assert small.copies.max() == 0
    patient = group_cases(["a"] * 100, (["p"] * 60 + [None] * 40,), [], [])
    assert len(groups_of_many(patient.bound)[0]) == 60
    assert "patient patterns" in patient.notes[0]


def test_neighbours_in_a_volume_are_linked_and_strangers_are_not() -> None:
    """Slices that drift slowly, among noise."""
    chance = np.random.default_rng(0)
    slices = [chance.standard_normal((32, 32))]
    for _ in range(5):
        slices.append(slices[-1] + 0.2 * chance.standard_normal((32, 32)))
    others = [chance.standard_normal((32, 32)) for _ in range(20)]
    stack = np.stack(slices + others)
    stack = ((stack - stack.min()) / np.ptp(stack) * 255).astype(np.uint8)
    links = likely_neighbours(stack, np.arange(100, 126))
    assert {(link.a, link.b) for link in links} >= {(100 + i, 101 + i) for i in range(5)}
    assert all(link.b < 106 for link in links)
    assert likely_neighbours(stack[:1], np.array([3])) == ()


def test_an_index_of_cells_links_the_neighbours_that_a_look_at_all_pairs_links(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    firsts = chance.integers(0, 256, (300, 32, 32))
    seconds = np.clip(firsts + chance.normal(0, 10, firsts.shape), 0, 255)
    stack = np.concatenate([firsts, seconds]).astype(np.uint8)
    every = likely_neighbours(stack, np.arange(600))
    monkeypatch.setattr(neighbours, "_FLAT_LIMIT", 10)
    cells = likely_neighbours(stack, np.arange(600))
    assert [(link.a, link.b) for link in every] == [(n, n + 300) for n in range(300)]
    found = {(link.a, link.b): link.similarity for link in cells}
    assert set(found) <= {(link.a, link.b) for link in every}
    assert len(found) > 290
    assert all(abs(found[link.a, link.b] - link.similarity) < 0.001 for link in every if (link.a, link.b) in found)
