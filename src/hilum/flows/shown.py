"""A record -> the kept image as it was judged, and where the evidence for a class lies in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.errors import NotFound, UsageError
from hilum.flows.desks import Desks
from hilum.flows.prediction import PIXELS
from hilum.image.decode import decode
from hilum.image.image import Image
from hilum.image.prepare import as_seen, network_input
from hilum.model.explain import heatmap, in_frame, occlusion
from hilum.records.entry import Record
from hilum.storage.images import Images


class Where(Protocol):
    """What of the server is needed here."""

    @property
    def images(self) -> Images: ...
    @property
    def desks(self) -> Desks: ...


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """pixels: (H, W) float32 in [0, 1], one frame of `frames`."""

    pixels: NDArray[np.float32]
    frames: int


def shown(record: Record, where: Where, frame: int = 0) -> Shown:
    """The kept image of a record.

    Raises:
        NotFound: it was not kept, was erased, or has no such frame.
    """
    images = frames_of(record, where)
    if frame >= len(images):
        raise NotFound(f"the image has {len(images)} frame(s); there is no frame {frame}")
    return Shown(images[frame].pixels, len(images))


def heatmap_of(record: Record, where: Where, *, method: str, label: str | None) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1]: evidence for the class answered, or for `label`, by the package that answered.

    Raises:
        NotFound: the image is gone. UsageError: the image was refused, or there is no such class.
        UnknownModel: the package is not installed any more.
    """
    wanted = label or record.entry.columns.label
    if record.entry.columns.digest is None or wanted is None:
        raise UsageError("the image was refused: there is no evidence to show")
    (speaker,) = where.desks.desk("auto", record.entry.columns.digest).speakers
    classes = speaker.package.task.classes
    if wanted not in classes:
        raise UsageError(f"{wanted!r} is no class of {speaker.package.task.name}; there are: {', '.join(classes)}")
    image, index = frame_of(record, where), classes.index(wanted)
    prepared = json.loads(record.entry.body).get("input") == PIXELS
    pixels = network_input(image, speaker.package.preparation, prepared=prepared)
    preparation = as_seen(speaker.package.preparation, prepared=prepared)
    if method == "occlusion":
        return in_frame(occlusion(speaker.probabilities, pixels, index), image, preparation)
    return heatmap(speaker.engine.run(pixels[None]).maps[0], index, image, preparation).values


def frame_of(record: Record, where: Where) -> Image:
    """The very frame that the record speaks of."""
    images = frames_of(record, where)
    return images[min(int(json.loads(record.entry.body).get("frame") or 0), len(images) - 1)]


def frames_of(record: Record, where: Where) -> tuple[Image, ...]:
    """All frames of the kept file."""
    if record.entry.columns.image is None:
        raise NotFound("the image was not kept: whoever sent it, or the operator, chose so")
    return decode(where.images.get(record.entry.columns.image), name="kept image")


def grey_png(values: NDArray[np.float32]) -> bytes:
    """(H, W) float32 in [0, 1] -> an 8-bit grey PNG."""
    done, data = cv2.imencode(".png", np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
    if not done:
        raise ValueError("the picture cannot be written as PNG")
    return data.tobytes()
