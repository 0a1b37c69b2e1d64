"""Made images, tasks and networks for the tests of the gate; nothing here was ever a patient."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hilum.image.image import Image, Metadata
from hilum.task import Task, parse_task

TASK = """
name = "knee-mr"
title = "Effusion on a knee MR slice"
modalities = ["MR"]
body_parts = ["KNEE"]
image_words = "a sagittal knee MR slice"
intended_use = "Tests only."
geometry = "foreground"
[[labels]]
name = "dry"
title = "Dry"
negative = true
[[labels]]
name = "effusion"
title = "Effusion"
"""


def task(**changes: str) -> Task:
    """The made task, with words of its text exchanged."""
    text = TASK
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_task(text)


def image(pixels: NDArray[np.floating], *, colour_share: float = 0.0, **said: str) -> Image:
    """An image of these pixels whose header says what is given."""
    height, width = pixels.shape
    metadata = Metadata(format="PNG", mode="L", bits=8, width=width, height=height, **said)
    return Image(pixels.astype(np.float32), metadata, colour_share=colour_share)


def phantom(side: int = 128, seed: int = 0) -> NDArray[np.float32]:
    """(side, side) float32: a bright textured ellipse with a dark hole on black, as a slice looks from afar."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    body = ((rows / 0.8) ** 2 + (columns / 0.6) ** 2 < 1).astype(np.float32)
    hole = ((rows - 0.2) / 0.15) ** 2 + (columns / 0.25) ** 2 < 1
    texture = cv2.GaussianBlur(generator.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 2)
    pixels = body * (0.55 + 0.35 * texture)
    pixels[hole] *= 0.3
    return np.clip(pixels, 0, 1).astype(np.float32)


def network(logits: tuple[float, float, float, float], thresholds: dict[str, str] | None = None) -> bytes:
    """ONNX bytes of an admission network that gives every image these logits."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["nought"]),
        helper.make_node("Add", ["nought", "row"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([2, 3], dtype=np.int64), "axes"),
        numpy_helper.from_array(np.zeros((1, 1), dtype=np.float32), "none"),
        numpy_helper.from_array(np.array([logits], dtype=np.float32), "row"),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 1, 64, 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    said = {f"threshold_{name}": "0.0" for name in ("inverted", "rotated", "other")}
    helper.set_model_props(model, said if thresholds is None else thresholds)
    return model.SerializeToString()
