"""The bytes of an image and what is asked about it -> where the evidence for a class lies; drawn by whoever answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.flows.speaker import Speaker
from hilum.image.decode import decode
from hilum.image.limits import ACCEPTED
from hilum.image.prepare import as_seen, network_input
from hilum.model.explain import heatmap, in_frame, occlusion


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is wanted.

    label: index of the class. method: "cam", one pass, or "occlusion", some two hundred. frame: which of the file's.
    prepared: the image came as the network's own input.
    """

    label: int
    method: str
    frame: int = 0
    prepared: bool = False


def evidence(data: bytes, speaker: Speaker, wanted: Drawing) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1] in the frame of the image, 1 = strongest.

    Raises:
        InputError: the image cannot be read.
    """
    (image,) = decode(data, name="kept image", limits=ACCEPTED, only=wanted.frame)
    pixels = network_input(image, speaker.package.preparation, prepared=wanted.prepared)
    preparation = as_seen(speaker.package.preparation, prepared=wanted.prepared)
    if wanted.method == "occlusion":
        return in_frame(occlusion(speaker.probabilities, pixels, wanted.label), image, preparation)
    return heatmap(speaker.engine.run(pixels[None]).maps[0], wanted.label, image, preparation).values
