"""EfficientNet-Lite0 -> raw pixels (N, 1, S, S) to logits, features, class maps; pretrained where weights are at hand.

The trunk of Tan and Le 2019 (arXiv 1905.11946) in its Lite form: no squeeze-and-excitation, ReLU6, so that it is quick
on any processor. All layers learn. Knows no task.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hilum.errors import UsageError
from hilum.learn.networks.heads import served
from hilum.learn.networks.pretrained import IMAGENET_LITE0, find_packaged
from hilum.learn.networks.residual import Standardise

SCALE = 0.5  # of a standardised image: about the spread of grey values that the published weights were trained on
NEW_HEAD = 0.01  # spread of the first weights of a head on tuned features: surer ones shake the features apart


class Stage(NamedTuple):
    """Blocks of one width: how many, side of the depthwise kernel, stride of the first, expansion, channels."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, TOP = 32, 1280
DEPTH_DROP = 0.1  # chance that the deepest block is skipped in training; shallower ones in proportion
SPOKEN = (2, 4)  # stages whose means are features beside those of the top: sides S/8 and S/16


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow pads: an odd pixel goes right and below, as the published weights expect."""

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return F.conv2d(x, self.weight, None, 1, kernel // 2, 1, self.groups)
        total = [max(kernel - (stride if side % stride == 0 else side % stride), 0) for side in x.shape[:1:-1]]
        padded = F.pad(x, [n for whole in total for n in (whole // 2, whole - whole // 2)])
        return F.conv2d(padded, self.weight, None, stride, 0, 1, self.groups)


class Block(nn.Module):
    """Widen by 1x1, filter each channel, narrow by 1x1; a shortcut where the shape stays (inverted residual)."""

    def __init__(self, inputs: int, stage: Stage, stride: int, drop: float) -> None:
        super().__init__()
        wide = inputs * stage.expand
        self.expand = nn.Conv2d(inputs, wide, 1, bias=False) if stage.expand > 1 else None
        self.expand_norm = _norm(wide) if stage.expand > 1 else None
        self.depthwise = Same(wide, wide, stage.kernel, stride=stride, groups=wide, bias=False)
        self.depthwise_norm = _norm(wide)
        self.project = nn.Conv2d(wide, stage.channels, 1, bias=False)
        self.project_norm = _norm(stage.channels)
        self.shortcut = stride == 1 and inputs == stage.channels
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.expand is not None and self.expand_norm is not None:
            y = F.relu6(self.expand_norm(self.expand(y)))
        y = F.relu6(self.depthwise_norm(self.depthwise(y)))
        y = self.project_norm(self.project(y))
        if not self.shortcut:
            return y
        if self.training and self.drop:  # stochastic depth (arXiv 1603.09382), an image at a time
            keep = 1.0 - self.drop
            y = y * (torch.rand(len(y), 1, 1, 1, device=y.device, dtype=y.dtype) < keep) / keep
        return x + y


class EfficientLite(nn.Module):
    """EfficientNet-Lite0 for one grey channel, with a linear head over the mean of the top's maps.

    classes: number of logits (of all heads together).
    standardise: "image" or "foreground", see residual.Standardise. dropout: share of the pooled features dropped.
    frozen: how many of the first stages, and the stem, stay as the published weights have them; 0 without such weights.
    weights: "none", "auto" (those of ImageNet, where their package is installed), or the path of a .safetensors file.
    """

    def __init__(
        self,
        classes: int,
        *,
        standardise: str = "image",
        dropout: float = 0.2,
        frozen: int = 2,
        weights: str = "auto",
    ) -> None:
        super().__init__()
        self.standardise = Standardise(standardise)
        self.stem = Same(1, STEM, 3, stride=2, bias=False)
        self.stem_norm = _norm(STEM)
        self.stages = _stages()
        self.top = nn.Conv2d(STAGES[-1].channels, TOP, 1, bias=False)
        self.top_norm = _norm(TOP)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(TOP, classes, 1)
        _start(self)
        self.feature_widths = (*(STAGES[i].channels for i in SPOKEN), TOP)
        self.origin, self.frozen = "random start", 0
        found = find_packaged(weights, IMAGENET_LITE0)
        if found:
            _load(self, found[0])
            self.origin = found[1]
            nn.init.normal_(self.head.weight, std=NEW_HEAD)
            self.freeze(frozen)

    def freeze(self, stages: int) -> None:
        """Leave the stem and the first stages as they are: no gradient, and their batch statistics stand still."""
        self.frozen = stages
        for module in self._still():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientLite:
        """As in every module, but what is frozen stays in evaluation."""
        super().train(mode)
        for module in self._still():
            module.eval()
        return self

    def _still(self) -> list[nn.Module]:
        return [self.stem, self.stem_norm, *self.stages[: self.frozen]] if self.frozen else []

    def depths(self, pixels: Tensor) -> list[Tensor]:
        """Maps after each stage, then after the top: sides S/2, S/4, S/8, S/16, S/16, S/32, S/32, S/32."""
        x = F.relu6(self.stem_norm(self.stem(self.standardise(pixels) * SCALE)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps.append(F.relu6(self.top_norm(self.top(x))))
        return maps

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) for pixels (N, 1, S, S), uint8 or float, 0 to 255."""
        pooled = self.depths(pixels)[-1].mean(dim=(2, 3), keepdim=True)
        logits: Tensor = self.head(self.dropout(pooled)).flatten(1)
        return logits

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is served: logits (N, C), features (N, F) of three depths, class maps (N, C, h, w); see heads.served."""
        depths = self.depths(pixels)
        return served(self.head, [depths[i] for i in (*SPOKEN, -1)])


def _load(network: EfficientLite, tensors: dict[str, Tensor]) -> None:
    """All but the head, whose classes are others."""
    try:
        missing, _ = network.load_state_dict(translated(tensors), strict=False)
    except (KeyError, RuntimeError) as error:
        raise UsageError(f"these weights are of another network: {error}") from error
    assert all(name.startswith("head.") or name.endswith("num_batches_tracked") for name in missing)


def translated(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names and shapes of the published tensors -> ours: one grey channel instead of three equal ones, no classes."""
    made = {
        "stem.weight": tensors["_conv_stem.weight"].sum(dim=1, keepdim=True),
        "top.weight": tensors["_conv_head.weight"],
        **_norm_of(tensors, "_bn0", "stem_norm"),
        **_norm_of(tensors, "_bn1", "top_norm"),
    }
    number = 0
    for depth, stage in enumerate(STAGES):
        for place in range(stage.blocks):
            theirs, ours = f"_blocks.{number}", f"stages.{depth}.{place}"
            if stage.expand > 1:
                made[f"{ours}.expand.weight"] = tensors[f"{theirs}._expand_conv.weight"]
                made |= _norm_of(tensors, f"{theirs}._bn0", f"{ours}.expand_norm")
            made[f"{ours}.depthwise.weight"] = tensors[f"{theirs}._depthwise_conv.weight"]
            made[f"{ours}.project.weight"] = tensors[f"{theirs}._project_conv.weight"]
            made |= _norm_of(tensors, f"{theirs}._bn1", f"{ours}.depthwise_norm")
            made |= _norm_of(tensors, f"{theirs}._bn2", f"{ours}.project_norm")
            number += 1
    return made


def _norm_of(tensors: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{ours}.{part}": tensors[f"{theirs}.{part}"] for part in parts}


def _stages() -> nn.ModuleList:
    made, before, number = [], STEM, 0
    blocks = sum(stage.blocks for stage in STAGES)
    for stage in STAGES:
        own = []
        for place in range(stage.blocks):
            own.append(Block(before, stage, stage.stride if place == 0 else 1, DEPTH_DROP * number / blocks))
            before, number = stage.channels, number + 1
        made.append(nn.Sequential(*own))
    return nn.ModuleList(made)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)


def _start(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
