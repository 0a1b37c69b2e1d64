"""The admission network as torch trains it, and the same as ONNX; knows no data.

Five 3 x 3 convolutions on 64 x 64 pixels, 87 thousand parameters, 11 million multiplications. What is turned shows in
where things lie, so a coarse map of the last layer goes to the head beside its mean and its greatest response.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from hilum.gate.admission import FAULTS, OUTPUTS, SIZE, Thresholds

WIDTHS = ((1, 16, 2), (16, 24, 1), (24, 48, 2), (48, 64, 2), (64, 72, 1))  # channels in, out, stride
PLACED = 8  # channels of the coarse map
CELLS = 8  # of its side
SPREAD = 128.0  # grey values 0 to 255 are divided by it; no centring, so that the padding is black


class AdmissionNetwork(nn.Module):
    """Pixels (N, 1, 64, 64) float of 0 to 255 -> logits (N, 4) in the order of OUTPUTS."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())
            for inside, outside, stride in WIDTHS
        ]
        self.blocks = nn.Sequential(*blocks)
        self.place = nn.Conv2d(WIDTHS[-1][1], PLACED, 1)
        self.head = nn.Linear(2 * WIDTHS[-1][1] + PLACED * CELLS * CELLS, len(OUTPUTS))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Mean and greatest response of each channel and the coarse map decide."""
        found = self.blocks(pixels / SPREAD)
        placed = nn.functional.dropout(self.place(found).flatten(1), 0.3, self.training)
        pooled = torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3)), placed], dim=1)
        logits: torch.Tensor = self.head(pooled)
        return logits


def to_onnx(network: AdmissionNetwork, thresholds: Thresholds) -> bytes:
    """The network as ONNX bytes with its thresholds as metadata: "pixels" uint8 (N, 1, 64, 64) -> "logits"."""
    nodes = [helper.make_node("Cast", ["pixels"], ["x"], to=TensorProto.FLOAT)]
    constants: list[onnx.TensorProto] = []
    last = "x"
    for index, block in enumerate(network.blocks):
        kernel, bias = _folded(block, first=index == 0)
        constants += [numpy_helper.from_array(kernel, f"k{index}"), numpy_helper.from_array(bias, f"b{index}")]
        stride = WIDTHS[index][2]
        inputs, shape, border = [last, f"k{index}", f"b{index}"], [3, 3], [1, 1, 1, 1]
        nodes.append(
            helper.make_node("Conv", inputs, [f"c{index}"], kernel_shape=shape, pads=border, strides=[stride, stride])
        )
        last = f"r{index}"
        nodes.append(helper.make_node("Relu", [f"c{index}"], [last]))
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["mean"]),
        helper.make_node("GlobalMaxPool", [last], ["top"]),
        helper.make_node("Conv", [last, "pk", "pb"], ["map"], kernel_shape=[1, 1]),
        *[helper.make_node("Flatten", [name], [f"{name}_row"]) for name in ("mean", "top", "map")],
        helper.make_node("Concat", ["mean_row", "top_row", "map_row"], ["row"], axis=1),
        helper.make_node("Gemm", ["row", "hk", "hb"], ["logits"], transB=1),
    ]
    constants += [_constant(network.place.weight, "pk"), _constant(network.place.bias, "pb")]
    constants += [_constant(network.head.weight, "hk"), _constant(network.head.bias, "hb")]
    return bytes(_model(nodes, constants, thresholds).SerializeToString())


def _folded(block: nn.Module, *, first: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Convolution with its normalisation, and for the first the scaling of the pixels, folded in."""
    convolution, norm = block[0], block[1]  # type: ignore[index]
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    kernel = (convolution.weight * gain[:, None, None, None]).detach().numpy()
    bias = (norm.bias - norm.running_mean * gain).detach().numpy()
    return (kernel / SPREAD if first else kernel).astype(np.float32), bias.astype(np.float32)


def _constant(values: torch.Tensor | None, name: str) -> onnx.TensorProto:
    if values is None:
        raise ValueError(f"{name} has no values")
    return numpy_helper.from_array(values.detach().numpy().astype(np.float32), name)


def _model(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], thresholds: Thresholds) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "admission",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(OUTPUTS)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="hilum")
    said = dict(zip(FAULTS, thresholds.as_array(), strict=True))
    helper.set_model_props(model, {f"threshold_{fault}": repr(float(value)) for fault, value in said.items()})
    return model
