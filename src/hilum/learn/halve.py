"""A trained network -> one whose graph stores its weights in 16 bits, the largest in 8, and still answers as it does.

The normalisation that follows a convolution is folded into it in the graph. So the convolution's weights are moved to
where the folded ones fit few bits, in the network itself: graph and network stay the same function, and only the file
is half as large or less. ONNX Runtime unfolds the weights once, when it loads the graph; a pass computes in float32.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

LEAST = 1024  # values; smaller tensors and biases are not worth a node
LARGEST = 65504.0  # of a 16-bit float
EIGHT_BITS = 100_000  # values of a convolution from which 8 bits and a scale for each output hold them
STEPS = 127.0


def rounded(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose large convolution and linear weights, once folded, fit 16 or 8 bits."""
    network = copy.deepcopy(network).eval()
    norms = dict(_normalised(network))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.numel() >= LEAST:
                factor = _factor(norms.get(module), module.weight)
                folded = module.weight * factor
                module.weight.copy_((_stepped(folded) if _is_huge(folded) else folded.half().float()) / factor)
    return network


def packed(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network, for `unpacked`: what `rounded` moved lies there in as few bits as in the graph.

    A weight becomes `<name>.half` (16 bits), or `<name>.steps` (8 bits) and `<name>.step`; every other tensor stays.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    norms = dict(_normalised(network))
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear) or module.weight.numel() < LEAST:
            continue
        key, factor = f"{name}.weight", _factor(norms.get(module), module.weight).detach().cpu()
        folded = state[key] * factor
        step = _step(folded) if _is_huge(folded) else None
        few = {f"{key}.half": folded.half()} if step is None else {
            f"{key}.steps": torch.round(folded / step).to(torch.int8), f"{key}.step": step,
        }  # fmt: skip
        if torch.allclose(_unfolded(few, key, factor), state[key], rtol=1e-6, atol=0.0):
            del state[key]
            state |= few
    return state


def unpacked(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Load what `packed` gave into a network of the same design; in eval mode."""
    few = {name.rpartition(".")[0] for name in state if name.endswith((".half", ".steps"))}
    plain = {name: value for name, value in state.items() if name.rpartition(".")[0] not in few}
    network.load_state_dict(plain, strict=False)  # the norms first: they say what was folded
    norms = dict(_normalised(network))
    for key in few:
        module = network.get_submodule(key.rpartition(".")[0])
        plain[key] = _unfolded(state, key, _factor(norms.get(module), module.weight).detach())  # type: ignore[arg-type]
    network.load_state_dict(plain)
    return network.eval()


def _unfolded(few: Mapping[str, Tensor], key: str, factor: Tensor) -> Tensor:
    half = few.get(f"{key}.half")
    folded = half.float() if half is not None else few[f"{key}.steps"].float() * few[f"{key}.step"]
    return folded / factor


def _is_huge(weight: Tensor | NDArray[np.float32]) -> bool:
    return weight.ndim == 4 and math.prod(weight.shape) >= EIGHT_BITS


def _stepped(folded: Tensor) -> Tensor:
    step = _step(folded)
    return torch.round(folded / step) * step


def _step(folded: Tensor) -> Tensor:
    return folded.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12) / STEPS


def halved(graph: bytes) -> bytes:
    """The graph with its large float32 weights stored in 16 or 8 bits and unfolded when it is loaded."""
    model = onnx.load_from_string(graph)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for name, tensor in stored.items():
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < LEAST or np.abs(values).max() > LARGEST:
            continue
        if _is_huge(values):
            nodes += _in_steps(model, tensor, values)
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    ours = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(ours)
    return bytes(model.SerializeToString())


def _in_steps(model: onnx.ModelProto, tensor: TensorProto, values: NDArray[np.float32]) -> list[onnx.NodeProto]:
    """Whole numbers times a step for each output; a cast and a product, which the runtime computes once.

    DequantizeLinear says the same, but the runtime keeps it for every pass: 33 of 90 ms less to load the shipped
    4-class graph, 2 to 4 ms more than 23 to 28 for each image, and logits that move by 1e-7.
    """
    name = tensor.name
    step = np.maximum(np.abs(values).max(axis=(1, 2, 3), keepdims=True), 1e-12) / np.float32(STEPS)
    tensor.CopyFrom(numpy_helper.from_array(np.rint(values / step).astype(np.int8), f"{name}.steps"))
    model.graph.initializer.append(numpy_helper.from_array(step.astype(np.float32), f"{name}.step"))
    return [
        helper.make_node("Cast", [f"{name}.steps"], [f"{name}.whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.whole", f"{name}.step"], [name]),
    ]


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
