"""Network and graph must answer alike; how alike depends on how large their logits are."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from hilum.errors import TrainingError
from hilum.learn.graph import check_agreement, export_graph
from tests.learn.test_halve import lived_in


def test_large_logits_may_differ_by_what_their_size_costs_and_no_more() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 48, 48), dtype=np.uint8)
    network = lived_in(0)
    with torch.no_grad():
        network.head.weight.mul_(3000.0)
    graph = export_graph(network, 48)
    with torch.inference_mode():
        reach = float(network(torch.from_numpy(pixels)).abs().max())
    assert reach > 300
    assert check_agreement(network, graph, pixels).largest < 1e-4 * reach
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.head.bias.add_(5e-4 * reach)
    with pytest.raises(TrainingError, match="nothing was sealed"):
        check_agreement(other, graph, pixels)


def test_a_graph_that_answers_no_numbers_is_not_sealed() -> None:
    """Every NaN row has its greatest entry at 0, as a network that always answers the first class has."""
    pixels = np.zeros((2, 1, 48, 48), np.uint8)
    network = lived_in(0)
    with torch.no_grad():
        network.head.bias[0] = 100.0
    broken = copy.deepcopy(network)
    with torch.no_grad():
        broken.head.bias.fill_(float("nan"))
    graph = export_graph(broken, 48)
    for other in (network, broken):
        with pytest.raises(TrainingError, match="by nan"):
            check_agreement(other, graph, pixels)
