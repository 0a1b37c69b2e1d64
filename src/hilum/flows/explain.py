"""A path -> its answers, and a picture beside each that shows where the evidence lies and how faithful that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.durable import draft_beside
from hilum.errors import InputError, MissingExtra
from hilum.flows.bulk import Line, Unread
from hilum.flows.predict import Answer, Desk, Options, predict
from hilum.flows.reading import Item, readings
from hilum.flows.speaker import Speaker
from hilum.image.image import Image
from hilum.image.prepare import prepare
from hilum.model.explain import OCCLUSION, Heatmap, fidelity, heatmap, in_frame, occlusion, on_input
from hilum.model.overlay import outlined, overlay, png

METHODS = ("cam", "occlusion", "lime")
LONGEST = 200  # bytes of a file's name that its picture bears; with what is added, a file system takes 255


def explain_paths(paths: Iterable[Item], desk: Desk, options: Options, *, folder: Path, method: str) -> Iterator[Line]:
    """Answer each file; an answer gets a PNG in `folder` and says in `explanation` which one and how faithful it is.

    Raises:
        MissingExtra: LIME is asked for and not installed.
    """
    with draft_beside(folder / "pictures") as draft:  # each is made there: a kill or a full disk leaves no half of one
        for path, data in readings(paths, desk.limits.max_bytes):
            try:
                if isinstance(data, InputError):
                    raise data
                answers = predict(data, path, desk, options)
            except InputError as error:
                yield Unread(path, error.code, error.reason)
                continue
            yield from (_explained(answer, draft, method) for answer in answers)


def _explained(answer: Answer, draft: Path, method: str) -> Line:
    said = answer.prediction
    if answer.speaker is None or answer.outputs is None or said.label is None:
        return said
    speaker, image = answer.speaker, answer.image
    label = speaker.package.task.classes.index(said.label)
    heat, picture = drawn(speaker, image, answer.outputs.maps[0], label, method)
    pixels = prepare(image, speaker.package.preparation)
    inside = on_input(heat, image, speaker.package.preparation)
    faith = fidelity(speaker.probabilities, pixels, inside, label)
    made = draft / f"{_stem(said.file, said.frame)}-{said.id[:8]}-{method}.png"
    made.write_bytes(png(picture))
    file = made.rename(draft.parent / made.name)
    explanation = {
        "method": method,
        "file": str(file),
        "deletion": round(faith.deletion, 4),
        "insertion": round(faith.insertion, 4),
    }
    return replace(said, explanation=explanation)


def drawn(
    speaker: Speaker, image: Image, maps: NDArray[np.float32], label: int, method: str
) -> tuple[Heatmap, NDArray[np.uint8]]:
    """Where the evidence for one class of one image lies, and the picture that shows it.

    maps: (C, h, w) of the pass that answered; read by "cam" alone. method: one of METHODS.

    Raises:
        MissingExtra: LIME is asked for and not installed.
    """
    preparation = speaker.package.preparation
    if method == "lime":
        regions = lime()(speaker.probabilities, preparation).explain(image, label)
        return regions.heat, outlined(image, regions.edges)
    heat = heatmap(maps, label, image, preparation) if method == "cam" else _occluded(speaker, image, label)
    return heat, overlay(image, heat)


def lime() -> Any:
    """The way of explaining that needs the learning part.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module("hilum.learn.lime").Lime
    except ModuleNotFoundError as error:
        raise MissingExtra("--method lime", "learn") from error


def _occluded(speaker: Speaker, image: Image, label: int) -> Heatmap:
    preparation = speaker.package.preparation
    values = occlusion(speaker.probabilities, prepare(image, preparation), label)
    return Heatmap(in_frame(values, image, preparation), label, OCCLUSION)


def _stem(file: str | None, frame: int | None) -> str:
    name = Path(file or "image").stem.encode("utf-8", "ignore")[:LONGEST].decode("utf-8", "ignore")
    return name if frame is None else f"{name}-frame{frame}"
