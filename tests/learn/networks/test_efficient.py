"""EfficientNet-Lite0: the published shapes, published weights where they are installed, and what stays frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from hilum.errors import UsageError
from hilum.learn.networks import origin, parameters
from hilum.learn.networks.efficient import SCALE, STAGES, EfficientLite, Same
from hilum.learn.networks.heads import chosen_outputs
from hilum.learn.networks.pretrained import Packaged, at_hand, find_packaged


def made(**config: str | float) -> EfficientLite:
    torch.manual_seed(0)
    return EfficientLite(3, **{"weights": "none", **config})  # type: ignore[arg-type]


def published() -> dict[str, Tensor]:
    """Tensors with the names and shapes of the published file, their values random."""
    random = torch.Generator().manual_seed(1)

    def conv(outputs: int, inputs: int, side: int) -> Tensor:
        return torch.randn(outputs, inputs, side, side, generator=random) * 0.1

    def norm(name: str, channels: int) -> dict[str, Tensor]:
        parts = {part: torch.rand(channels, generator=random) + 0.5 for part in ("weight", "bias", "running_var")}
        return {f"{name}.{part}": value for part, value in parts.items()} | {
            f"{name}.running_mean": torch.zeros(channels)
        }

    tensors = {"_conv_stem.weight": conv(32, 3, 3), "_conv_head.weight": conv(1280, 320, 1)}
    tensors |= norm("_bn0", 32) | norm("_bn1", 1280)
    before, number = 32, 0
    for stage in STAGES:
        for _ in range(stage.blocks):
            own, wide = f"_blocks.{number}", before * stage.expand
            if stage.expand > 1:
                tensors[f"{own}._expand_conv.weight"] = conv(wide, before, 1)
                tensors |= norm(f"{own}._bn0", wide)
            tensors[f"{own}._depthwise_conv.weight"] = conv(wide, 1, stage.kernel)
            tensors[f"{own}._project_conv.weight"] = conv(stage.channels, wide, 1)
            tensors |= norm(f"{own}._bn1", wide) | norm(f"{own}._bn2", stage.channels)
            before, number = stage.channels, number + 1
    return tensors


def test_the_trunk_has_the_published_number_of_weights() -> None:
    classifier = 1281 * 1000
    colours = 2 * 32 * 9  # of the stem, which sees one channel instead of three
    assert parameters(made()) == 4_652_008 - classifier - colours + 1281 * 3


def test_one_grey_channel_answers_as_three_equal_ones_would(tmp_path: Path) -> None:
    tensors = published()
    save_file(tensors, tmp_path / "lite.safetensors")
    network = made(weights=str(tmp_path / "lite.safetensors")).eval()
    assert origin(network) == "pretrained: lite.safetensors"
    pixels = torch.randint(0, 256, (2, 1, 33, 33), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    grey = network.standardise(pixels) * SCALE
    wide = torch.nn.functional.pad(grey.expand(-1, 3, -1, -1), (1, 1, 1, 1))
    expected = torch.nn.functional.conv2d(wide, tensors["_conv_stem.weight"], stride=2)
    torch.testing.assert_close(network.stem(grey), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "kernel"), [(8, 3), (8, 5), (9, 3), (9, 5)])
def test_padding_is_tensorflows(side: int, kernel: int) -> None:
    """SAME: ceil(side / 2) places, and of an odd number of added pixels the greater half right and below."""
    layer = Same(1, 1, kernel, stride=2, bias=False)
    torch.nn.init.ones_(layer.weight)
    before = ((-(-side // 2) - 1) * 2 + kernel - side) // 2
    after = (-(-side // 2) - 1) * 2 + kernel - side - before
    x = torch.rand(1, 1, side, side)
    padded = torch.nn.functional.pad(x, (before, after, before, after))
    torch.testing.assert_close(layer(x), torch.nn.functional.avg_pool2d(padded, kernel, 2) * kernel**2)


def test_what_is_frozen_stays_and_the_rest_learns(tmp_path: Path) -> None:
    save_file(published(), tmp_path / "lite.safetensors")
    network = made(weights=str(tmp_path / "lite.safetensors")).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    network(torch.rand(4, 1, 64, 64) * 255).square().sum().backward()
    torch.optim.SGD(learning, 0.01).step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert not any(name.startswith(("stem", "stages.0", "stages.1")) for name in moved)
    assert any(name.startswith("stages.2") for name in moved)
    assert "head.weight" in moved


def test_without_weights_nothing_is_frozen() -> None:
    assert origin(made()) == "random start"
    assert all(weight.requires_grad for weight in made().parameters())


def test_some_outputs_of_a_head_make_a_network_of_their_own() -> None:
    network = made().eval()
    pixels = torch.rand(2, 1, 64, 64) * 255
    with torch.inference_mode():
        torch.testing.assert_close(chosen_outputs(network, [2, 0])(pixels), network(pixels)[:, [2, 0]])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="another network"):
        made(weights=str(tmp_path / "other.safetensors"))


def test_a_package_with_another_file_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changed_weights").mkdir()
    (tmp_path / "changed_weights" / "__init__.py").touch()
    (tmp_path / "changed_weights" / "w.pth").write_bytes(b"anything")
    monkeypatch.syspath_prepend(tmp_path)
    known = Packaged("changed_weights", "w.pth", "0" * 64, "some weights")
    assert at_hand(known)
    with pytest.raises(UsageError, match="not the weights that Hilum knows"):
        find_packaged("auto", known)


def test_an_absent_package_means_a_random_start() -> None:
    known = Packaged("no_such_package_of_weights", "w.pth", "0" * 64, "some weights")
    assert not at_hand(known)
    assert find_packaged("auto", known) is None


def test_the_published_file_is_what_its_hash_says() -> None:
    network = EfficientLite(3)
    assert origin(network) == "pretrained: ImageNet, efficientnet-lite0"
    assert not network.stem.weight.requires_grad


def test_a_tuned_network_starts_undecided() -> None:
    network = made(weights="auto").eval()
    pixels = torch.randint(0, 256, (4, 1, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        logits = network(pixels)
    assert 0 < logits.abs().max() < 1
