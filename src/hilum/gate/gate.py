"""May we answer? An image before the network, its features after it -> reasons for refusal; knows no probability.

A refusal is an answer: it carries a code and a sentence in the task's words. No reason means admitted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.gate.admission import Admission
from hilum.gate.metadata import check_metadata
from hilum.gate.novelty import Novelty, check_features
from hilum.gate.pixels import check_frame, check_quality
from hilum.gate.reason import Reasons
from hilum.image.image import Image
from hilum.task import Task

GATE_VERSION = "1"  # part of every cache key: raise it whenever an image could be judged otherwise


def before(image: Image, task: Task, admission: Admission | None) -> Reasons:
    """Judge one image without inference by the main network; () admits it.

    What the file says and what makes any look useless come first and spare the admission network.
    """
    reasons = (*check_metadata(image.metadata, task), *check_frame(image, task))
    if reasons:
        return reasons
    kind = admission.check(image, task) if admission is not None else ()
    return (*kind, *check_quality(image, task))


def after(features: NDArray[np.float32], novelty: Novelty, task: Task) -> tuple[float, Reasons]:
    """Judge one image by the main network's features.

    features: (F,) float32, the row that the engine gave for it.
    Returns the novelty score in [0, 1] (share of calibration images that are less novel) and the reasons, () admits.
    """
    return check_features(features, novelty, task)
