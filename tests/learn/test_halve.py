"""A network whose weights 16 bits hold: half the file, the same answers."""

from __future__ import annotations

import numpy as np
import torch

from hilum.learn.graph import check_agreement, export_graph
from hilum.learn.halve import halved, packed, rounded, unpacked
from hilum.learn.networks.average import average_of
from hilum.learn.networks.efficient import EfficientLite
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


def test_the_largest_convolutions_fit_eight_bits_and_still_answer_alike() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 48, 48), dtype=np.uint8)
    torch.manual_seed(0)
    network = EfficientLite(3, weights="none").eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.running_var.uniform_(0.5, 2.0)
    small = rounded(network)
    graph = halved(export_graph(small, 48))
    assert len(graph) < 0.4 * 4 * sum(weight.numel() for weight in network.parameters())
    assert check_agreement(small, graph, pixels).largest < 2e-4
    with torch.inference_mode():
        before, after = network(torch.from_numpy(pixels)), small(torch.from_numpy(pixels))
    assert (before - after).abs().max() < 0.05 * before.abs().max()


def test_a_rounded_network_is_kept_in_few_bits_and_comes_back_whole() -> None:
    whole = rounded(EfficientLite(3, weights="none"))
    state = packed(whole)
    assert sum(value.nbytes for value in state.values()) < 0.4 * 4 * sum(p.numel() for p in whole.parameters())
    again = unpacked(EfficientLite(3, weights="none"), state)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-6, atol=0.0)


def test_weights_that_do_not_fit_few_bits_are_kept_as_they_are() -> None:
    network = lived_in(0)
    assert packed(network).keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in packed(network).items())
