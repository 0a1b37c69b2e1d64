"""Several trained networks -> one that answers with the mean of their logits; the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hilum.learn.networks import build, feature_widths, origin


class Average(nn.Module):
    """The mean of the members' logits and maps; their features lie side by side.

    member, config: name and configuration of each member. count: how many.
    """

    def __init__(
        self, classes: int, member: str = "residual-s", config: Mapping[str, Any] | None = None, count: int = 2
    ) -> None:
        super().__init__()
        self.take([build(member, {**(config or {}), "classes": classes}) for _ in range(count)])

    def take(self, members: Sequence[nn.Module]) -> None:
        """Answer with these members."""
        self.members = nn.ModuleList(members)
        self.feature_widths = tuple(width for network in members for width in feature_widths(network))
        self.origin = origin(members[0])

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return torch.stack([member(pixels) for member in self.members]).mean(dim=0)

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, features, maps, as every network gives them."""
        logits, features, maps = zip(*(member.outputs(pixels) for member in self.members), strict=True)  # type: ignore[operator]
        return torch.stack(logits).mean(dim=0), torch.cat(features, dim=1), torch.stack(maps).mean(dim=0)


def average_of(networks: Sequence[nn.Module]) -> Average:
    """Networks of one design as one."""
    whole = Average.__new__(Average)
    nn.Module.__init__(whole)
    whole.take(networks)
    return whole.eval()
