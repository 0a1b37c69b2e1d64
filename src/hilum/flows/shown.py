"""A record -> the kept image as it was judged, and where the evidence for a class lies in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilum.errors import NotFound, UsageError
from hilum.flows.desks import Desks
from hilum.flows.evidence import Drawing
from hilum.flows.predict import Desk
from hilum.flows.prediction import PIXELS
from hilum.image.decode import decode
from hilum.image.limits import ACCEPTED
from hilum.records.entry import Record
from hilum.storage.images import Images


class Draws(Protocol):
    """Whoever draws."""

    def draw(self, data: bytes, desk: Desk, wanted: Drawing) -> bytes: ...


class Where(Protocol):
    """What of the server is needed here."""

    @property
    def images(self) -> Images: ...
    @property
    def desks(self) -> Desks: ...
    @property
    def finder(self) -> Draws: ...


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
    (image,) = decode(kept(record, where), name="kept image", limits=ACCEPTED, only=frame)
    if frame >= image.frames:
        raise NotFound(f"the image has {image.frames} frame(s); there is no frame {frame}")
    return Shown(image.pixels, image.frames)


def heatmap_of(record: Record, where: Where, *, method: str, label: str | None) -> bytes:
    """Evidence for the class answered, or for `label`, by the package that answered: a grey PNG, white = strongest.

    Raises:
        NotFound: the image is gone. UsageError: the image was refused, or there is no such class.
        UnknownModel: the package is not installed any more.
    """
    wanted = label or record.entry.columns.label
    if record.entry.columns.digest is None or wanted is None:
        raise UsageError("the image was refused: there is no evidence to show")
    desk = where.desks.desk("auto", record.entry.columns.digest)
    task = desk.speakers[0].package.task
    if wanted not in task.classes:
        raise UsageError(f"{wanted!r} is no class of {task.name}; there are: {', '.join(task.classes)}")
    said = json.loads(record.entry.body)
    prepared = said.get("input") == PIXELS
    drawing = Drawing(task.classes.index(wanted), method, int(said.get("frame") or 0), prepared)
    return where.finder.draw(kept(record, where), desk, drawing)


def kept(record: Record, where: Where) -> bytes:
    """The kept file.

    Raises:
        NotFound: it was not kept, or was erased: the same picture may be kept for another prediction.
    """
    if record.entry.columns.image is None:
        raise NotFound("the image was not kept: so it was chosen, or it could not be freed of names")
    if record.erased:
        raise NotFound("the image was erased")
    return where.images.get(record.entry.columns.image)
