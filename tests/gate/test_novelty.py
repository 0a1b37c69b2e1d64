"""The novelty reference: what it ranks, what it stores, and bytes that are none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.errors import PackageDamaged
from hilum.gate.gate import after
from hilum.gate.novelty import Depth, Novelty, Scale
from hilum.model.package import NOVELTY, read_arrays
from tests.gate import made

SCALE = Scale(np.linspace(0.5, 1.5, 11, dtype=np.float32), 0.2)


def _reference(limit: float = 3.0) -> Novelty:
    """One depth of four features, two kept, means at +-1 of the first."""
    axes = np.eye(4, dtype=np.float16)[:, :2]
    zeros, ones = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    means = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    depth = Depth(0, zeros, ones, axes, np.eye(2, dtype=np.float32), means, 1.0, SCALE)
    return Novelty((depth,), Scale(np.linspace(0, 1, 11, dtype=np.float32), 0.5), limit)


def test_far_from_every_class_is_refused_and_near_one_is_not() -> None:
    near, far = np.array([1.1, 0, 0.2, 0], np.float32), np.array([9, 9, 9, 9], np.float32)
    ((score, reasons),) = after(near[None], _reference(), made.task())
    assert reasons == ()
    assert 0 <= score < 0.9
    ((score, reasons),) = after(far[None], _reference(), made.task())
    assert [reason.code for reason in reasons] == ["out_of_distribution"]
    assert score > 0.999
    assert "a sagittal knee MR slice" in reasons[0].text


def test_directions_outside_the_subspace_count() -> None:
    inside, outside = np.array([[1, 0, 0, 0]], np.float32), np.array([[1, 0, 8, 0]], np.float32)
    assert _reference().surprise(outside)[0] > _reference().surprise(inside)[0] + 2


@settings(max_examples=50, deadline=None)
@given(a=st.floats(0, 50), b=st.floats(0, 50))
def test_surprise_rises_with_distance_and_has_no_ceiling(a: float, b: float) -> None:
    low, high = sorted((a, b))
    found = SCALE.surprise(np.array([low, high]))
    assert found[0] <= found[1]
    if low > 1.5 and high > low + 1e-3:
        assert found[0] < found[1]


def stored(arrays: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_it_comes_back_from_a_package_as_it_went() -> None:
    reference = _reference()
    again = Novelty.from_arrays(read_arrays(stored(reference.to_arrays()), NOVELTY))
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    assert np.array_equal(again.surprise(rows), reference.surprise(rows))
    assert again.limit == reference.limit


def test_a_distance_is_as_written_down_standardised_to_the_nearest_mean_and_by_the_rest_outside() -> None:
    """By hand: z = (2.5, 0.5, 2, 0); whitened (5, 0.5), 4.03 from the mean (1, 0); outside 2 x 2 over a rest of 0.5."""
    axes, half = np.eye(4, dtype=np.float16)[:, :2], np.full(4, 0.5, np.float32)
    means = np.array([[1, 0], [-3, 0]], dtype=np.float32)
    depth = Depth(1, half, np.full(4, 2, np.float32), axes, np.diag([2, 1]).astype(np.float32), means, 0.5, SCALE)
    row = np.array([[99, 5.5, 1.5, 4.5, 0.5, 99]], np.float32)  # its own columns only
    assert depth.distance(row)[0] == pytest.approx(np.sqrt((4**2 + 0.5**2 + 4 / 0.5) / 4))
    mirrored = depth.distance(1 - row)  # nearest to the other mean, (-3, 0)
    assert mirrored[0] == pytest.approx(np.sqrt((2**2 + 0.5**2 + 4 / 0.5) / 4))


def test_surprise_counts_the_powers_of_ten_of_the_share_that_lies_farther() -> None:
    found = SCALE.surprise(np.array([0.0, 0.5, 1.0, 1.5, 1.5 + 0.2 * np.log(10), 1.5 + 0.4 * np.log(10)]))
    assert found == pytest.approx([0.0, 0.0, -np.log10(0.55), 1.0, 2.0, 3.0])


def test_the_worst_depth_counts() -> None:
    (calm,) = _reference().depths
    zeros, ones, knots = np.zeros(1, np.float32), np.ones(1, np.float32), np.linspace(0, 1, 11, dtype=np.float32)
    wild = Depth(4, zeros, ones, np.ones((1, 1), np.float16), np.eye(1, dtype=np.float32), zeros[None], 1.0, SCALE)
    both = Novelty((calm, wild), Scale(knots, 0.5), 3.0)
    row = np.array([[1, 0, 0, 0, 9]], np.float32)
    assert both.surprise(row)[0] > 3.0 > Novelty((calm,), Scale(knots, 0.5), 3.0).surprise(row)[0]


def test_what_lies_at_the_limit_is_admitted_and_beyond_it_refused() -> None:
    row = np.array([[1, 0, 3, 0]], np.float32)
    (surprise,) = _reference().surprise(row)
    for limit, codes in ((surprise, []), (np.nextafter(surprise, 0.0), ["out_of_distribution"])):
        ((score, reasons),) = after(row, _reference(float(limit)), made.task())
        assert [reason.code for reason in reasons] == codes
        assert score == pytest.approx(1 - 10**-surprise)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", np.array(2)),
        ("0_centre", np.zeros(3, np.float32)),
        ("0_whiten", np.eye(3, dtype=np.float32)),
        ("0_means", np.zeros((2, 3), np.float32)),
        ("0_means", np.zeros(2, np.float32)),
        ("0_axes", np.zeros(4, np.float16)),
    ],
)
def test_a_reference_of_another_format_or_whose_arrays_disagree_is_refused(name: str, value: np.ndarray) -> None:
    with pytest.raises(PackageDamaged, match="novelty"):
        Novelty.from_arrays({**_reference().to_arrays(), name: value})


def test_a_broken_or_incomplete_file_and_a_pickle_are_refused() -> None:
    pickled = stored({"limit": np.array([{"a": 1}], dtype=object)})
    for data in (b"", b"nonsense", pickled):
        with pytest.raises(PackageDamaged):
            read_arrays(data, NOVELTY)
    arrays = _reference().to_arrays()
    del arrays["0_whiten"]
    with pytest.raises(PackageDamaged, match="novelty"):
        Novelty.from_arrays(arrays)
