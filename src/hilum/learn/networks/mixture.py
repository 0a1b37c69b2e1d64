"""Networks of several designs, each at its own input side -> one that answers with the mean of their logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hilum.learn.networks import build, feature_widths, origin

MEMBERS = ({"name": "residual-s", "config": {}, "side": 96}, {"name": "residual-s", "config": {}, "side": 128})


class Mixture(nn.Module):
    """What designs of different kinds agree in; they err on other images than seeds of one design do.

    members: one mapping each: "name" and "config" as `networks.build` takes them (the classes are added), and "side",
    the input side in pixels that the member learned with; the pixels it gets are resized to it.
    """

    def __init__(self, classes: int, members: Sequence[Mapping[str, Any]] = MEMBERS) -> None:
        super().__init__()
        built = [build(one["name"], {**one["config"], "classes": classes}) for one in members]
        self.take(built, [int(one["side"]) for one in members])

    def take(self, members: Sequence[nn.Module], sides: Sequence[int]) -> None:
        """Answer with these members, each at its side."""
        self.members, self.sides = nn.ModuleList(members), tuple(sides)
        self.feature_widths = tuple(width for network in members for width in feature_widths(network))
        self.origin = "; ".join(dict.fromkeys(origin(network) for network in members))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return torch.stack([member(seen) for member, seen in self._seen(pixels)]).mean(dim=0)

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, features and maps as every network gives them; smaller maps are stretched to the largest."""
        logits, features, maps = zip(*(member.outputs(seen) for member, seen in self._seen(pixels)), strict=True)  # type: ignore[operator]
        side = max(one.shape[-1] for one in maps)
        return torch.stack(logits).mean(dim=0), torch.cat(features, dim=1), _mean([_resized(one, side) for one in maps])

    def _seen(self, pixels: Tensor) -> list[tuple[nn.Module, Tensor]]:
        grey = pixels.float()
        return [(member, _resized(grey, side)) for member, side in zip(self.members, self.sides, strict=True)]


def mixture_of(networks: Sequence[nn.Module], sides: Sequence[int]) -> Mixture:
    """Trained networks as one."""
    whole = Mixture.__new__(Mixture)
    nn.Module.__init__(whole)
    whole.take(networks, sides)
    return whole.eval()


def _resized(maps: Tensor, side: int) -> Tensor:
    """Linear in both directions, as two products: runtimes round their own resizing each in their own way."""
    if maps.shape[-1] == side:
        return maps
    rows = torch.tensor(_shares(maps.shape[-1], side), dtype=maps.dtype, device=maps.device)
    return rows @ maps @ rows.T


@lru_cache
def _shares(before: int, after: int) -> NDArray[np.float32]:
    """(after, before): what each old place gives to each new one, pixel centres aligned; values that 16 bits hold."""
    at = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    low = np.minimum(at.astype(int), before - 2)
    shares = np.zeros((after, before), np.float16)
    shares[np.arange(after), low + 1] = at - low
    shares[np.arange(after), low] = 1 - shares[np.arange(after), low + 1]
    return shares.astype(np.float32)


def _mean(maps: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(maps)).mean(dim=0)
