"""Networks of several designs as one: each sees its own side, and the graph answers as the whole does."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hilum.learn.graph import check_agreement, export_graph
from hilum.learn.halve import halved, rounded
from hilum.learn.networks import build, feature_widths, full_config
from hilum.learn.networks.mixture import Mixture, mixture_of

PARTS = (
    {"name": "residual-s", "config": {"dropout": 0.0}, "side": 40},
    {"name": "efficientnet-lite0", "config": {"weights": "none"}, "side": 48},
)


def made() -> Mixture:
    torch.manual_seed(0)
    network = Mixture(3, PARTS)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def pixels(side: int = 48) -> torch.Tensor:
    shape = (3, 1, side, side)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_each_member_sees_the_image_at_its_own_side() -> None:
    network = made()
    grey = pixels().float()
    smaller = functional.interpolate(grey, size=(40, 40), mode="bilinear", align_corners=False)
    with torch.inference_mode():
        expected = (network.members[0](smaller) + network.members[1](grey)) / 2
        torch.testing.assert_close(network(pixels()), expected, rtol=1e-2, atol=1e-2)


def test_maps_have_the_finest_members_side_and_features_lie_side_by_side() -> None:
    network = made()
    logits, features, maps = network.outputs(pixels())
    assert logits.shape == (3, 3)
    assert features.shape == (3, sum(feature_widths(network)))
    assert maps.shape == (3, 3, 3, 3)


def test_graph_and_mixture_agree_also_in_few_bits() -> None:
    small = mixture_of([rounded(member) for member in made().members], [40, 48])
    graph = halved(export_graph(small, 48))
    assert check_agreement(small, graph, pixels().numpy()).largest < 1e-4


def test_it_is_built_again_from_its_configuration() -> None:
    first = made()
    again = build("mixture", full_config("mixture", {"classes": 3, "members": PARTS}))
    again.load_state_dict(first.state_dict())
    with torch.inference_mode():
        assert np.allclose(again.eval()(pixels()), first(pixels()))
