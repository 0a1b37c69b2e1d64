"""An image at 64 pixels -> is it the task's kind of image, upright, not inverted; knows no class of the task.

The small network of a package (made by learn/admission.py) carries its thresholds in its own ONNX metadata.
Logits (N, 4): good, inverted, rotated, other. What is thresholded are the three log-odds of good against each fault,
so that one fault's budget of refused good images does not touch the next one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from hilum.errors import PackageDamaged
from hilum.gate.reason import Reason, Reasons, inverted, unlike
from hilum.image.image import Image
from hilum.image.prepare import Preparation, prepare
from hilum.task import Task

SIZE = 64  # pixels
FRAMED = Preparation(size=SIZE, geometry="foreground", keep=0.2, margin=0.03, squash=False)
WHOLE = Preparation(size=SIZE, geometry="whole", squash=True)
OUTPUTS = ("good", "inverted", "rotated", "other")
FAULTS = OUTPUTS[1:]
_NO_MODEL = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


def preparation_of(task: Task) -> Preparation:
    """How an image is shown to the admission network: the foreground at its own aspect, or else the whole frame."""
    return FRAMED if task.geometry == "foreground" else WHOLE


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least log-odds (natural logarithm) of good against each fault at which an image is admitted; -inf = not asked."""

    inverted: float = 0.0
    rotated: float = 0.0
    other: float = 0.0

    def as_array(self) -> NDArray[np.float64]:
        """(3,) float64 in the order of FAULTS."""
        return np.array([self.inverted, self.rotated, self.other], dtype=np.float64)


class Admission:
    """The admission network of one package, ready to run on one thread."""

    def __init__(self, model: bytes) -> None:
        """Open from the bytes of `admission.onnx`.

        Raises:
            PackageDamaged: the bytes are no such network, or its thresholds are missing.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            said = self._session.get_modelmeta().custom_metadata_map
            self.thresholds = Thresholds(**{fault: float(said[f"threshold_{fault}"]) for fault in FAULTS})
        except (KeyError, ValueError, *_NO_MODEL) as error:
            raise PackageDamaged(f"the admission network cannot be opened: {error}; get the package again") from error
        self._least = self.thresholds.as_array()

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels (N, 1, 64, 64) uint8, prepared -> (N, 4) float32 in the order of OUTPUTS."""
        (found,) = self._session.run(["logits"], {"pixels": pixels})
        return np.asarray(found, dtype=np.float32)

    def check(self, image: Image, task: Task) -> Reasons:
        """The worst fault of the image as a reason, () where it is admitted."""
        return self.check_all((image,), task)[0]

    def check_all(self, images: Sequence[Image], task: Task) -> list[Reasons]:
        """The same for several images in one pass."""
        lacking = self._log_odds(images, task) - self._least
        worst = lacking.argmin(axis=1).tolist()
        return [
            () if row[fault] >= 0.0 else (_reason(FAULTS[fault], task),)
            for row, fault in zip(lacking, worst, strict=True)
        ]

    def _log_odds(self, images: Sequence[Image], task: Task) -> NDArray[np.float64]:
        """(N, 3) of good against inverted, rotated, other."""
        rows = self.logits(np.stack([prepare(image, preparation_of(task)) for image in images])).astype(np.float64)
        return np.asarray(rows[:, :1] - rows[:, 1:])


def _reason(fault: str, task: Task) -> Reason:
    if fault == "inverted":
        return inverted(task)
    if fault == "rotated":
        return Reason("rotated", f"The image looks turned for {task.image_words}: send it upright.")
    return unlike(task, "its content is of another kind than the images that the model learned from")
