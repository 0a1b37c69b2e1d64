"""This machine -> what a plan can count on: a graphics processor, published weights. Knows no data set."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hilum.learn.networks.pretrained import IMAGENET_LITE0, at_hand


@dataclass(frozen=True, slots=True)
class Means:
    """gpu: one will train. weights: those of the network that a plan would tune are installed."""

    gpu: bool = False
    weights: bool = False


NOTHING = Means()


def means_here() -> Means:
    """What is here now."""
    return Means(torch.cuda.is_available(), at_hand(IMAGENET_LITE0))
