"""What networks ending in a 1x1 convolution share: what they serve, and some of their outputs as a network of its own.

Knows no task.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn


class Headed(Protocol):
    """A network that ends in a 1x1 convolution with one output a class."""

    head: nn.Conv2d


def served(head: nn.Conv2d, depths: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Maps of three depths, the last one the head's -> logits (N, C), features (N, F), class maps (N, C, h, w).

    The spatial mean of a class map is the class's logit (class activation mapping, arXiv 1512.04150).
    """
    maps: Tensor = head(depths[-1])
    features = torch.cat([depth.mean(dim=(2, 3)) for depth in depths], dim=1)
    return maps.mean(dim=(2, 3)), features, maps


Kind = TypeVar("Kind", bound=Headed)


def chosen_outputs(network: Kind, outputs: Sequence[int]) -> Kind:
    """A copy with only these logits, in this order: one head of several as a network of its own."""
    chosen = list(outputs)
    other = copy.deepcopy(network)
    head = nn.Conv2d(network.head.in_channels, len(chosen), 1)
    with torch.no_grad():
        head.weight.copy_(network.head.weight[chosen])
        assert head.bias is not None
        assert network.head.bias is not None
        head.bias.copy_(network.head.bias[chosen])
    other.head = head
    return other
