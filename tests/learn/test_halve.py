"""A network whose weights 16 bits hold: half the file, the same answers."""

from __future__ import annotations

import numpy as np
import torch

from hilum.learn.graph import check_agreement, export_graph
from hilum.learn.halve import halved, rounded
from hilum.learn.networks.average import average_of
from hilum.learn.networks.residual import Residual


def lived_in(seed: int) -> Residual:
    """A network whose normalisations have seen something, as after training."""
    torch.manual_seed(seed)
    network = Residual(3, 16, (1, 1, 1, 1))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.3, 2.0)
                module.running_var.uniform_(0.2, 3.0)
                module.running_mean.normal_()
    return network.eval()


def test_a_graph_of_half_the_size_answers_as_its_network() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 48, 48), dtype=np.uint8)
    trained = [lived_in(0), lived_in(1)]
    both = average_of([rounded(network) for network in trained])
    graph = export_graph(both, 48)
    small = halved(graph)
    assert len(small) < 0.62 * len(graph)
    assert check_agreement(both, small, pixels).largest < 2e-5
    with torch.inference_mode():
        shifted = both(torch.from_numpy(pixels)) - average_of(trained)(torch.from_numpy(pixels))
    assert shifted.abs().max() < 0.02


def test_a_graph_whose_weights_do_not_fit_is_found_out() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 48, 48), dtype=np.uint8)
    network = lived_in(2)
    loose = check_agreement(rounded(network), halved(export_graph(rounded(network), 48)), pixels).largest
    values = halved(export_graph(network, 48))
    from hilum.model.engine import Engine

    with torch.inference_mode():
        ours = network.outputs(torch.from_numpy(pixels))[0].numpy()
    assert np.abs(Engine(values, size=48).run(pixels).logits - ours).max() > 10 * loose
