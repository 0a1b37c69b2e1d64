"""A convolutional trunk and its published head -> a network that trains on raw pixels and serves three outputs.

Knows no task and no file. Pixels are (N, 1, S, S), uint8 or float, 0 to 255; they are scaled and repeated here, so
that the graph that is served holds its own preparation of grey values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


class Head(Protocol):
    """What a head offers besides being a module."""

    def __call__(self, maps: Tensor) -> Tensor: ...

    def class_maps(self, maps: Tensor) -> Tensor:
        """(N, F, h, w) -> (N, C, h, w): what each place alone would have answered."""
        ...


@dataclass(frozen=True, slots=True)
class Grey:
    """How grey values 0 to 255 become the trunk's input: channels, then (x / 255 - mean) / deviation of each."""

    channels: int = 1
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)


class Published(nn.Module):
    """A published design.

    stages: the trunk in order; the means of the last three stages' maps are the features.
    head: maps of the last stage -> logits.
    """

    def __init__(self, stages: Sequence[nn.Module], head: nn.Module, grey: Grey, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.head = head
        self.channels = grey.channels
        self.register_buffer("mean", torch.tensor(grey.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(grey.deviation).view(1, -1, 1, 1), persistent=False)
        self.feature_widths = widths[-3:]
        self.frozen: tuple[nn.Module, ...] = ()
        self.origin = "random start"

    def depths(self, pixels: Tensor) -> list[Tensor]:
        """Maps after each stage."""
        x = pixels.float() * (1.0 / 255.0)
        x = (x.expand(-1, self.channels, -1, -1) - self.get_buffer("mean")) / self.get_buffer("deviation")
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes)."""
        logits: Tensor = self.head(self.depths(pixels)[-1])
        return logits

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is served: logits (N, C), features (N, F) of up to three depths, class maps (N, C, h, w).

        These heads are not linear, so a map is the nearest thing to a class activation map: the logit that the head
        would give if the whole picture looked like that place.
        """
        depths = self.depths(pixels)
        features = torch.cat([depth.mean(dim=(2, 3)) for depth in depths[-3:]], dim=1)
        head: Head = self.head  # type: ignore[assignment]
        return head(depths[-1]), features, head.class_maps(depths[-1])

    def freeze(self, modules: Sequence[nn.Module]) -> None:
        """Leave these as they are: no gradient, and their batch statistics stand still."""
        self.frozen = tuple(modules)
        for module in modules:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Published:
        """As in every module, but what is frozen stays in evaluation."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self


class PooledHead(nn.Module):
    """Global pooling ("mean" or "max"), then dense layers."""

    def __init__(self, pool: str, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        if pool not in ("mean", "max"):
            raise ValueError(f"pool must be 'mean' or 'max', not {pool!r}")
        self.pool = pool
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        pooled = maps.mean(dim=(2, 3)) if self.pool == "mean" else maps.amax(dim=(2, 3))
        logits: Tensor = self.layers(pooled)
        return logits

    def class_maps(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        places = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
        logits: Tensor = self.layers(places)
        return logits.reshape(-1, height, width, logits.shape[1]).permute(0, 3, 1, 2)


class FlatHead(nn.Module):
    """Flatten, then dense layers; needs the side of the maps in advance."""

    def __init__(self, shape: tuple[int, int, int], hidden: int, layers: Sequence[nn.Module]) -> None:
        """shape: (F, h, w) of the maps. hidden: units of the first dense layer. layers: what follows it."""
        super().__init__()
        features, height, width = shape
        self.first = nn.Linear(features * height * width, hidden)
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.first(maps.flatten(1)))
        return logits

    def class_maps(self, maps: Tensor) -> Tensor:
        features, height, width = maps.shape[1:]
        count = height * width
        weight = self.first.weight.reshape(-1, features, count)
        places = torch.einsum("nfp,dfp->npd", maps.flatten(2), weight) * count + self.first.bias
        logits: Tensor = self.layers(places)
        return logits.permute(0, 2, 1).reshape(-1, logits.shape[2], height, width)
