"""Augmentation: within range, repeatable, off when off, never mixing images that it should not mix."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from hilum.learn.augment import Augment, _warped
from hilum.learn.policy import NONE, AugmentPolicy

EVERYTHING = AugmentPolicy(
    curve=1, match=1, equalise=1, bias=1, spectrum=1, soften=1, shrink=1, jpeg=1, frame=1, erase=1, flip_vertical=0.5
)


def batch(seed: int = 0, count: int = 6, side: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, side, side), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def apply(policy: AugmentPolicy, pixels: torch.Tensor, seed: int = 0, size: int | None = None) -> torch.Tensor:
    return Augment(policy, torch.Generator().manual_seed(seed))(pixels, size)


@given(seed=st.integers(0, 2**20), value=st.sampled_from([None, 0, 255]))
@settings(max_examples=15, deadline=None)
def test_everything_at_once_stays_in_range_and_is_a_number(seed: int, value: int | None) -> None:
    pixels = batch(seed) if value is None else torch.full((3, 1, 32, 32), value, dtype=torch.uint8)
    varied = apply(EVERYTHING, pixels, seed)
    assert varied.shape == pixels.shape
    assert varied.dtype == torch.float32
    assert bool(torch.isfinite(varied).all())
    assert float(varied.min()) >= 0.0
    assert float(varied.max()) <= 255.0


def test_the_same_seed_gives_the_same_batch_and_another_another() -> None:
    assert torch.equal(apply(EVERYTHING, batch()), apply(EVERYTHING, batch()))
    assert not torch.equal(apply(EVERYTHING, batch()), apply(EVERYTHING, batch(), seed=1))


class FloatSums(TorchDispatchMode):
    """Notes running sums of floats, which PyTorch refuses on a GPU where results are to be the same each time."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.cumsum.default and args[0].is_floating_point():
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def test_no_change_needs_what_a_gpu_refuses_in_deterministic_mode() -> None:
    pixels = batch()
    with FloatSums() as noted:
        apply(EVERYTHING, pixels)
    assert not noted.found


def test_nothing_changes_when_all_is_off() -> None:
    assert torch.allclose(apply(NONE, batch()), batch().float(), atol=0.01)


def test_the_batch_given_is_left_as_it_was() -> None:
    pixels = batch()
    before = pixels.clone()
    apply(EVERYTHING, pixels)
    assert torch.equal(pixels, before)


CHANGES = {
    "rotate": 20.0, "scale": 1.3, "stretch": 1.3, "shift": 0.1, "flip": 1.0, "flip_vertical": 1.0, "gamma": 0.5,
    "contrast": 0.3, "curve": 1.0, "match": 1.0, "equalise": 1.0, "bias": 1.0, "spectrum": 1.0, "soften": 1.0,
    "shrink": 1.0, "jpeg": 1.0, "noise": 9.0, "frame": 1.0, "erase": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_alone_changes_something(name: str) -> None:
    varied = apply(replace(NONE, **{name: CHANGES[name]}), batch())  # type: ignore[arg-type]
    assert float((varied - batch().float()).abs().max()) > 1.0


def test_the_table_of_changes_is_complete() -> None:
    assert {field.name for field in fields(AugmentPolicy)} == set(CHANGES) | {"fill"}


def test_a_flip_is_a_flip() -> None:
    assert torch.allclose(apply(replace(NONE, flip=1.0), batch()), batch().float().flip(3), atol=0.01)
    assert torch.allclose(apply(replace(NONE, flip_vertical=1.0), batch()), batch().float().flip(2), atol=0.01)


def test_a_full_match_takes_the_grey_values_of_another_image() -> None:
    dark, bright = torch.arange(0, 100).repeat(41)[:1024], torch.arange(150, 250).repeat(41)[:1024]
    pixels = torch.stack([dark, bright]).view(2, 1, 32, 32).to(torch.uint8)
    matched = Augment(NONE, torch.Generator())._matched(pixels.long().flatten(1))
    assert matched.shape == (2, 256)
    assert bool((matched.diff(dim=1) >= 0).all())


@pytest.mark.parametrize("size", [32, 20, 48])
@pytest.mark.parametrize("fill", ["zeros", "border"])
def test_the_quick_warp_is_the_sampling_it_stands_for(size: int, fill: str) -> None:
    pixels = functional.avg_pool2d(batch().float(), 3, 1, 1)
    theta = 0.2 * torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(1))
    theta[:, 0, 0] += 1
    theta[:, 1, 1] += 1
    grid = functional.affine_grid(theta, [6, 1, size, size], align_corners=False)
    wanted = functional.grid_sample(pixels, grid, padding_mode=fill, align_corners=False)
    difference = (_warped(pixels, theta.numpy(), size, fill) - wanted).abs().numpy()
    assert np.mean(difference) < 0.3
    assert np.quantile(difference, 0.98) < 3.0  # the outermost ring is filled a little differently


def test_a_smaller_size_is_given() -> None:
    assert apply(AugmentPolicy(), batch(), size=24).shape == (6, 1, 24, 24)
