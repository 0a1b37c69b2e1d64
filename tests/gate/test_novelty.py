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


def test_a_broken_or_incomplete_file_and_a_pickle_are_refused() -> None:
    pickled = stored({"limit": np.array([{"a": 1}], dtype=object)})
    for data in (b"", b"nonsense", pickled):
        with pytest.raises(PackageDamaged):
            read_arrays(data, NOVELTY)
    arrays = _reference().to_arrays()
    del arrays["0_whiten"]
    with pytest.raises(PackageDamaged, match="novelty"):
        Novelty.from_arrays(arrays)
