"""May we answer? An image before the network, its features after it -> reasons for refusal; knows no probability.

A refusal is an answer: it carries a code and a sentence in the task's words. No reason means admitted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilum.gate.admission import Admission
from hilum.gate.metadata import check_metadata
from hilum.gate.novelty import Novelty, check_features
from hilum.gate.pixels import check_frame, check_quality
from hilum.gate.reason import Reasons
from hilum.image.image import Image
from hilum.task import Task

GATE_VERSION = "2"  # part of every cache key: raise it whenever an image could be judged otherwise


def before(image: Image, task: Task, admission: Admission | None) -> Reasons:
    """Judge one image without inference by the main network; () admits it."""
    return before_all((image,), task, admission)[0]


def before_all(images: Sequence[Image], task: Task, admission: Admission | None) -> list[Reasons]:
    """Judge images without inference by the main network, the admission network asked once; () admits.

    What the file says and what makes any look useless come first and spare the admission network.
    """
    judged = [(*check_metadata(image.metadata, task), *check_frame(image, task)) for image in images]
    left = [i for i, reasons in enumerate(judged) if not reasons]
    kinds = admission.check_all([images[i] for i in left], task) if admission is not None and left else [()] * len(left)
    for i, kind in zip(left, kinds, strict=True):
        judged[i] = (*kind, *check_quality(images[i], task))
    return judged


def after(features: NDArray[np.float32], novelty: Novelty, task: Task) -> tuple[tuple[float, Reasons], ...]:
    """Judge images by the main network's features.

    features: (N, F) float32, the rows that the engine gave for them.
    Returns for each the novelty score in [0, 1] (share of calibration images that are less novel) and the reasons, ()
    admits.
    """
    return check_features(features, novelty, task)
