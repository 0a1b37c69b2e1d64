"""A trained network -> the ONNX graph that is served, checked to answer as the network does; knows no task.

The graph is a function of the network alone: traces, file names and dates are taken out, so that the same weights
give the same bytes.
"""

from __future__ import annotations

import copy
import logging
import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hilum.errors import TrainingError
from hilum.model.engine import INPUT, OUTPUTS, Engine

OPSET = 18
TOLERANCE = 1e-4  # largest difference of a logit, absolute or relative to the largest logit of the images
BATCH = 64


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a graph and its network compared: images, largest absolute difference of a logit, other answers."""

    images: int
    largest: float
    flips: int


def export_graph(network: nn.Module, size: int) -> bytes:
    """ONNX bytes: pixels (batch, 1, size, size) uint8 -> logits, features, maps, float32; any batch.

    Raises:
        TrainingError: this network cannot be exported.
    """
    served = _Served(copy.deepcopy(network).cpu().float().to(memory_format=torch.contiguous_format)).eval()  # type: ignore[call-overload]
    example = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=4096)
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                served,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: batch},),
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise TrainingError(f"the network cannot be exported to ONNX: {error}") from error
    finally:
        quiet.setLevel(level)
    assert program is not None
    return _plain(program.model_proto)


def check_agreement(network: nn.Module, graph: bytes, pixels: NDArray[np.uint8]) -> Agreement:
    """Run both on prepared images (N, 1, S, S) uint8.

    Raises:
        TrainingError: a logit differs by more than 1e-4, or by that share of the largest logit of all images where
            that is above 1 (a logit near 0 is what large ones leave of each other), is no number, or an answer is
            another one.
    """
    engine = Engine(graph, size=pixels.shape[-1])
    model = copy.deepcopy(network).cpu().float().eval()
    largest, reach, flips = 0.0, 1.0, 0
    for start in range(0, len(pixels), BATCH):
        rows = np.ascontiguousarray(pixels[start : start + BATCH])
        with torch.inference_mode():
            ours = model.outputs(torch.from_numpy(rows))[0].numpy()  # type: ignore[operator]
        theirs = engine.run(rows).logits
        largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # max() would pass over a NaN
        reach = float(np.maximum(reach, np.abs(ours).max()))
        flips += int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    if not largest <= TOLERANCE * reach or flips:
        raise TrainingError(
            f"the ONNX graph differs from the network: logits up to {reach:.2g} by {largest:.2g}, {flips} other "
            f"answers over {len(pixels)} images; nothing was sealed"
        )
    return Agreement(len(pixels), largest, flips)


class _Served(nn.Module):
    """What is exported: the three outputs instead of the training forward."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, features, maps = self.network.outputs(pixels)  # type: ignore[operator]
        return logits, features, maps


def _plain(model: onnx.ModelProto) -> bytes:
    """Without what differs from machine to machine: stack traces, names of files, doc strings."""
    model.doc_string = ""
    del model.metadata_props[:]
    model.graph.doc_string = ""
    for part in (model.graph.node, model.graph.input, model.graph.output, model.graph.value_info):
        for entry in part:
            entry.doc_string = ""
            del entry.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
