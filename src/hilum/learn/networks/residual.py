"""Raw pixels (N, 1, S, S) -> logits, features and class maps by a small residual network; knows no task and no file.

Residual blocks after He et al. 2016 (arXiv 1512.03385) with the average-pooled shortcut of He et al. 2019
(arXiv 1812.01187) and squeeze-and-excitation after Hu et al. 2018 (arXiv 1709.01507) in the two deepest stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hilum.learn.networks.heads import served

BACKGROUND = 20.0  # of 255: a pixel at or below it is background to the "foreground" standardisation
STANDARDS = ("image", "foreground")


class Standardise(nn.Module):
    """Pixels in 0..255 of any dtype -> float with mean 0 and deviation 1 within each image (or its foreground)."""

    def __init__(self, over: str) -> None:
        super().__init__()
        if over not in STANDARDS:
            raise ValueError(f"standardise must be one of {STANDARDS}, not {over!r}")
        self.over = over

    def forward(self, pixels: Tensor) -> Tensor:  # (N, 1, S, S) -> (N, 1, S, S) float32
        x = pixels.float() * (1.0 / 255.0)
        if self.over == "image":
            centred = x - _mean(x)
            return centred / (_mean(centred * centred).sqrt() + 1e-3)
        inside = (x > BACKGROUND / 255.0).float()
        share = _mean(inside) + 1.0 / (x.shape[2] * x.shape[3])
        centred = x - _mean(x * inside) / share
        return centred / ((_mean(centred * centred * inside) / share).sqrt() + 1e-3)


def _mean(x: Tensor) -> Tensor:
    """(N, 1, S, S) -> (N, 1, 1, 1), by rows first: one long float32 sum loses four digits in some runtimes."""
    return x.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)


class Excite(nn.Module):
    """Weigh each channel by what the whole map holds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, max(8, channels // 8), 1)
        self.up = nn.Conv2d(max(8, channels // 8), channels, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, h, w) -> the same
        weight = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.up(torch.relu(self.down(weight))))


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; stride 2 halves the map with an averaged shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, excite: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.second_norm.weight)  # each block starts as its shortcut
        self.excite = Excite(outputs) if excite else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool: nn.Module = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        y = self.excite(self.second_norm(self.second(y)))
        return torch.relu(y + self.shortcut(x))


class Residual(nn.Module):
    """A residual network that learns from scratch on a few thousand images.

    classes: number of logits (of all heads together).
    width: channels of the first stage, a multiple of 8; the stages have 1, 2, 4 and 6 times as many.
    blocks: residual blocks in each of the four stages.
    standardise: "image" or "foreground", see Standardise.
    dropout: share of the pooled features dropped in training.
    """

    def __init__(
        self,
        classes: int,
        width: int = 32,
        blocks: Sequence[int] = (1, 1, 1, 1),
        standardise: str = "image",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 6 * width]
        self.standardise = Standardise(standardise)
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        stages = []
        before = width
        for depth, (after, count) in enumerate(zip(channels, blocks, strict=True)):
            made = [
                Block(before if i == 0 else after, after, stride=2 if i == 0 and depth else 1, excite=depth >= 2)
                for i in range(count)
            ]
            stages.append(nn.Sequential(*made))
            before = after
        self.stages = nn.ModuleList(stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(before, classes, 1)
        self.feature_widths = tuple(channels[1:])

    def depths(self, pixels: Tensor) -> list[Tensor]:
        """Maps after each of the four stages for pixels (N, 1, S, S): sides S/2, S/4, S/8, S/16."""
        x = torch.relu(self.stem_norm(self.stem(self.standardise(pixels))))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) for pixels (N, 1, S, S), uint8 or float, 0 to 255."""
        pooled = self.depths(pixels)[-1].mean(dim=(2, 3), keepdim=True)
        logits: Tensor = self.head(self.dropout(pooled)).flatten(1)
        return logits

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is served: logits (N, C), features (N, F) of three depths, class maps (N, C, h, w); see heads.served."""
        return served(self.head, self.depths(pixels)[1:])
