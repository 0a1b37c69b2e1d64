"""Which group goes to which part, by hand: large ones first, small ones to make up for what a class lacks."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.data.assign import Item, assign, top_up


def items(*weights: float) -> list[Item]:
    return [Item(f"key-{number}", ("class", "here"), weight) for number, weight in enumerate(weights)]


@pytest.mark.parametrize("seed", range(10))
def test_a_group_larger_than_half_of_the_smallest_share_does_not_swallow_it(seed: int) -> None:
    """Ten of fifty pictures are one patient's, and the smaller part is to hold ten."""
    parts = assign(items(*[1.0] * 40, 10.0), (0.8, 0.2), seed)
    assert parts[40] == 0
    assert np.sum(parts == 1) == 10


@pytest.mark.parametrize("seed", range(10))
def test_fractions_need_not_make_one_and_a_part_of_none_stays_empty(seed: int) -> None:
    parts = assign(items(*[1.0] * 40), (3, 0, 1), seed)
    assert np.bincount(parts, minlength=3).tolist() == [30, 0, 10]


def test_a_part_that_lacks_groups_is_given_the_smallest_that_train_holds() -> None:
    """Neither what it holds already nor the groups of another part, though they are smaller."""
    weights, parts = (1, 1, 1, 1, 5, 4, 3, 2), np.array([1, 1, 2, 3, 0, 0, 0, 0])
    assert top_up(items(*weights), parts, 2, 2, seed=0).tolist() == [1, 1, 2, 3, 0, 0, 0, 2]
    assert parts.tolist() == [1, 1, 2, 3, 0, 0, 0, 0]


def test_a_class_with_too_few_groups_is_left_as_it_is() -> None:
    for count, moved in ((8, 2), (7, 0)):
        found = top_up(items(*[1] * count), np.zeros(count, dtype=np.int64), 2, 2, seed=0)
        assert np.sum(found == 2) == moved


@pytest.mark.parametrize("seed", range(3))
def test_a_class_of_many_small_sources_fills_every_part(seed: int) -> None:
    """Two pictures of each of a hundred places: no place has enough for four parts, all of them together have."""
    listed = [Item(f"{place}-{i}", ("class", f"place {place}"), 1.0) for place in range(100) for i in range(2)]
    assert np.bincount(assign(listed, (0.75, 0.07, 0.09, 0.09), seed)).tolist() == [150, 14, 18, 18]


def test_which_of_alike_groups_are_moved_does_not_depend_on_their_order() -> None:
    given = items(*[1.0] * 40)
    moved = []
    for listed in (given, given[::-1]):
        parts = top_up(listed, np.zeros(40, dtype=np.int64), 2, 5, seed=3)
        moved.append({item.key for item, part in zip(listed, parts, strict=True) if part == 2})
    assert moved[0] == moved[1]
    assert len(moved[0]) == 5
