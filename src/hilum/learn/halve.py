"""A trained network -> one whose graph stores its weights in 16 bits and still answers as the network does.

The normalisation that follows a convolution is folded into it in the graph. So the convolution's weights are moved to
where the folded ones fit a 16-bit float, in the network itself: graph and network stay the same function, and only the
file is half as large. ONNX Runtime unfolds the weights once, when it loads the graph; every pass computes in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

LEAST = 1024  # values; smaller tensors are not worth a node
LARGEST = 65504.0  # of a 16-bit float


def rounded(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose large convolution and linear weights, once folded, fit 16-bit floats."""
    network = copy.deepcopy(network).eval()
    norms = dict(_normalised(network))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.numel() >= LEAST:
                factor = _factor(norms.get(module), module.weight)
                module.weight.copy_((module.weight * factor).half().float() / factor)
    return network


def halved(graph: bytes) -> bytes:
    """The graph with its large float32 weights stored in 16 bits and unfolded when it is loaded."""
    model = onnx.load_from_string(graph)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for name, tensor in stored.items():
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LEAST or np.abs(values).max() > LARGEST:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    ours = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(ours)
    return bytes(model.SerializeToString())


def _normalised(network: nn.Module) -> Iterator[tuple[nn.Module, nn.BatchNorm2d]]:
    """Convolutions with the normalisation that follows them: `x` and `x_norm`, or neighbours in a sequence."""
    for module in network.modules():
        children = dict(module.named_children())
        for name, child in children.items():
            norm = children.get(f"{name}_norm")
            if isinstance(norm, nn.BatchNorm2d):
                yield child, norm
        if isinstance(module, nn.Sequential):
            for child, norm in zip(module, list(module)[1:], strict=False):
                if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    yield child, norm


def _factor(norm: nn.Module | None, weight: Tensor) -> Tensor:
    """What folding multiplies each output's weights by, shaped to broadcast; 1 without a normalisation."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None or norm.weight is None:
        return torch.ones(1)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    safe = torch.where(scale.abs() < 1e-6, torch.ones_like(scale), scale)
    return safe.reshape(-1, *[1] * (weight.ndim - 1))
