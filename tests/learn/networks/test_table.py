"""One contract over every network of the table: it trains, serves three outputs and exports as it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.errors
import numpy as np
import pytest
import torch
from monai.networks.nets.resnet import resnet50
from safetensors.torch import save_file

from hilum.errors import UsageError
from hilum.learn.networks import (
    DESIGNS,
    build,
    feature_widths,
    find_design,
    full_config,
    origin,
    parameters,
    takes,
)
from hilum.learn.networks.pretrained import find_weights
from hilum.learn.networks.published import Published
from hilum.learn.networks.xception import xception_trunk

SMALL = {"cnn-4block": 144}


def made(name: str, **config: Any) -> tuple[torch.nn.Module, int]:
    side = SMALL.get(name, 64)
    extra: dict[str, Any] = {"size": side} if takes(name, "size") else {}
    if takes(name, "weights"):
        extra["weights"] = "none"
    torch.manual_seed(0)
    return build(name, {"classes": 3, **extra, **config}), side


@pytest.mark.parametrize("name", DESIGNS)
def test_every_network_serves_what_it_trains(name: str) -> None:
    network, side = made(name)
    network.eval()
    pixels = torch.randint(0, 256, (2, 1, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, features, maps = network.outputs(pixels)  # type: ignore[operator]
        torch.testing.assert_close(network(pixels), logits, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network(pixels.float()), logits, rtol=1e-4, atol=1e-5)
    assert logits.shape == (2, 3)
    assert features.shape == (2, sum(feature_widths(network)))
    assert maps.shape[:2] == (2, 3)
    assert all(torch.isfinite(t).all() for t in (logits, features, maps))


@pytest.mark.parametrize("name", DESIGNS)
def test_every_network_can_learn_one_batch(name: str) -> None:
    network, side = made(name, **({"dropout": 0.0} if takes(name, "dropout") else {}))
    network.train()
    pixels = torch.randint(0, 256, (3, 1, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(network(pixels.float()), torch.arange(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[1:]) < losses[0]


def test_published_sizes_are_those_of_the_designs() -> None:
    """Weights counted by hand from the published shapes, for four classes."""
    three = build("cnn-3block", {"classes": 4})
    assert parameters(three) == (
        (32 * 25 + 32 + 64) + (64 * 32 * 25 + 64 + 128) + (128 * 64 * 9 + 128 + 256) + (128 * 64 + 64) + (64 * 4 + 4)
    )
    two = build("cnn-2block", {"classes": 4})
    assert parameters(two) == (
        (32 * 27 + 32) + (64 * 32 * 9 + 64) + (36 * 36 * 64 * 128 + 128) + (128 * 64 + 64) + (64 * 4 + 4)
    )
    fifty = build("resnet50-transfer", {"classes": 4, "weights": "none"})
    trunk = 25_557_032 - 2_049_000  # ResNet-50 without its ImageNet classifier
    head = 2 * 2048 + (2048 * 128 + 128) + 2 * 128 + (128 * 256 + 256) + 2 * 256 + (256 * 128 + 128) + (128 * 4 + 4)
    assert parameters(fifty) == trunk + head
    assert parameters(xception_trunk()) == 22_855_952 - 2_049_000


def test_class_maps_of_a_flat_head_add_up_to_the_first_layer() -> None:
    """With nothing behind the first layer the mean over places is the logit itself."""
    network, side = made("cnn-2block")
    assert isinstance(network, Published)
    network.head.layers = torch.nn.Sequential()  # type: ignore[union-attr]
    pixels = torch.randint(0, 256, (2, 1, side, side), dtype=torch.uint8)
    logits, _, maps = network.outputs(pixels)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, rtol=1e-4, atol=1e-4)


def test_without_weights_a_transfer_design_is_called_a_random_start() -> None:
    network, _ = made("resnet50-transfer")
    assert origin(network) == "random start"
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("name", ["resnet50-transfer", "xception-transfer"])
def test_with_weights_only_the_last_layers_learn(name: str, tmp_path: Path) -> None:
    donor, side = made(name)
    names = _trunk_tensors(name, donor)
    save_file(names, tmp_path / "weights.safetensors")
    network, _ = made(name, weights=str(tmp_path / "weights.safetensors"))
    assert origin(network) == "pretrained: weights.safetensors"
    assert isinstance(network, Published)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    optimiser = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], 0.1)
    network(torch.rand(4, 1, side, side) * 255).sum().backward()
    optimiser.step()
    after = network.state_dict()
    moved = {
        key.split(".")[1] for key in before if key.startswith("stages.") and not torch.equal(before[key], after[key])
    }
    assert "0" not in moved
    assert "3" in moved


def _trunk_tensors(name: str, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    if name == "xception-transfer":
        return {key: value.contiguous() for key, value in xception_trunk().state_dict().items()}
    trunk = resnet50(spatial_dims=2, n_input_channels=3, conv1_t_stride=2, bias_downsample=False, feed_forward=False)
    return {key: value.contiguous() for key, value in trunk.state_dict().items()}


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="another network"):
        made("resnet50-transfer", weights=str(tmp_path / "other.safetensors"))
    with pytest.raises(UsageError, match=r"no \.safetensors weights"):
        find_weights(str(tmp_path / "absent.safetensors"), "timm/none")


def test_a_hub_out_of_reach_means_a_random_start_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download by itself tries six times, for 23 seconds and a warning each, and that for every network built."""
    asked = []

    def refused(*_: Any, **__: Any) -> str:
        asked.append("asked")
        raise ConnectionError("no route")

    def tries_for_long(*_: Any, **__: Any) -> str:
        raise AssertionError("downloading from a hub that does not answer")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refused)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", tries_for_long)
    assert find_weights("auto", "timm/resnet50.tv_in1k") is None
    assert asked == ["asked"]


def test_a_download_that_is_cut_off_means_a_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error of the library that this release of the client itself speaks HTTP with, whichever that is."""

    def cut_off(*_: Any, **__: Any) -> str:
        raise huggingface_hub.errors.HTTPError("cut off")  # type: ignore[attr-defined]

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cut_off)
    assert find_weights("auto", "timm/resnet50.tv_in1k") is None


def test_weights_fetched_before_need_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "kept.safetensors")

    def refused(*_: Any, **__: Any) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(tmp_path / "kept.safetensors"))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refused)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    found = find_weights("auto", "timm/resnet50.tv_in1k")
    assert found is not None
    assert found[1] == "pretrained: timm/resnet50.tv_in1k"


def test_weights_that_were_kept_and_are_damaged_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept.safetensors").write_bytes(b"cut off")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(tmp_path / "kept.safetensors"))
    with pytest.raises(UsageError, match="are damaged"):
        find_weights("auto", "timm/resnet50.tv_in1k")


def test_unknown_names_and_arguments_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="residual-s, residual-m"):
        find_design("vgg")
    with pytest.raises(UsageError, match="takes classes"):
        build("residual-s", {"classes": 2, "depth": 5})
    with pytest.raises(UsageError, match="takes classes"):
        build("residual-s", {})


def test_a_full_config_leaves_nothing_to_defaults() -> None:
    config = full_config("residual-m", {"classes": 2, "dropout": 0.3})
    assert config == {"classes": 2, "width": 32, "blocks": (1, 2, 2, 1), "standardise": "image", "dropout": 0.3}


def test_the_same_seed_gives_the_same_network() -> None:
    first, second = made("residual-s")[0], made("residual-s")[0]
    assert all(
        np.array_equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
