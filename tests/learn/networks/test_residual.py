"""The residual network: what it takes, what it gives, and that its ONNX graph is the same function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from hilum.learn.networks.heads import chosen_outputs
from hilum.learn.networks.residual import Residual, Standardise


def small(standardise: str = "image") -> Residual:
    torch.manual_seed(0)
    network = Residual(3, 8, (1, 1, 1, 1), standardise)
    for module in network.modules():  # untrained blocks are closed by their zero weight: open them
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def pixels(count: int = 4, side: int = 48) -> torch.Tensor:
    shape = (count, 1, side, side)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_outputs_have_the_declared_shapes_and_agree_with_forward() -> None:
    network = small()
    logits, features, maps = network.outputs(pixels())
    assert logits.shape == (4, 3)
    assert features.shape == (4, sum(network.feature_widths))
    assert maps.shape == (4, 3, 3, 3)
    assert torch.allclose(logits, network(pixels()), atol=1e-5)
    assert torch.allclose(maps.mean(dim=(2, 3)), logits, atol=1e-5)


@pytest.mark.parametrize("side", [33, 50, 64])
def test_any_side_will_do(side: int) -> None:
    logits, _, maps = small().outputs(pixels(2, side))
    assert logits.shape == (2, 3)
    assert maps.shape[-1] == -(-side // 16)


def test_one_image_gives_what_it_gives_in_a_batch() -> None:
    network = small()
    assert torch.allclose(network(pixels())[2:3], network(pixels()[2:3]), atol=1e-5)


def test_uint8_and_float_pixels_are_the_same() -> None:
    assert torch.allclose(small()(pixels()), small()(pixels().float()), atol=1e-5)


@pytest.mark.parametrize("over", ["image", "foreground"])
def test_standardising_takes_brightness_and_contrast_out(over: str) -> None:
    x = 60.0 + 60.0 * torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(Standardise(over)(x), Standardise(over)(x * 1.5), atol=0.02)


@pytest.mark.parametrize("over", ["image", "foreground"])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_of_one_value_gives_finite_logits(over: str, value: int) -> None:
    flat = torch.full((1, 1, 32, 32), value, dtype=torch.uint8)
    assert bool(torch.isfinite(small(over)(flat)).all())


def test_an_unknown_standardisation_is_refused() -> None:
    with pytest.raises(ValueError, match="standardise"):
        Residual(2, 8, standardise="batch")


def test_a_selected_head_gives_the_chosen_logits() -> None:
    network = small()
    part = chosen_outputs(network, [2, 0])
    assert torch.allclose(part(pixels()), network(pixels())[:, [2, 0]], atol=1e-6)
    assert part.outputs(pixels())[2].shape[1] == 2


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("over", ["image", "foreground"])
def test_the_exported_graph_is_the_same_function(over: str, tmp_path: Path) -> None:
    network = small(over)
    network.forward = network.outputs  # type: ignore[method-assign,assignment]
    path = tmp_path / "model.onnx"
    torch.onnx.export(
        network,
        (pixels(2),),
        path,
        dynamo=True,
        opset_version=18,
        input_names=["pixels"],
        output_names=["logits", "features", "maps"],
        dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1, max=64)}},
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 5):
        found = session.run(None, {"pixels": pixels(count).numpy()})
        for wanted, got in zip(network.outputs(pixels(count)), found, strict=True):
            assert np.allclose(wanted.detach().numpy(), got, atol=1e-4)
