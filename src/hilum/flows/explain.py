"""A path -> its answers, and a picture beside each that shows where the evidence lies and how faithful that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.errors import InputError, MissingExtra
from hilum.flows.bulk import Line, Unread
from hilum.flows.predict import Answer, Desk, Options, predict
from hilum.flows.reading import Item, readings
from hilum.flows.speaker import Speaker
from hilum.image.image import Image
from hilum.image.prepare import prepare
from hilum.model.explain import Heatmap, fidelity, heatmap, in_frame, occlusion, on_input
from hilum.model.overlay import outlined, overlay, png

METHODS = ("cam", "occlusion", "lime")
LONGEST = 200  # bytes of a file's name that its picture bears; with what is added, a file system takes 255


def explain_paths(paths: Iterable[Item], desk: Desk, options: Options, *, folder: Path, method: str) -> Iterator[Line]:
    """Answer each file; an answer gets a PNG in `folder` and says in `explanation` which one and how faithful it is.

    Raises:
        MissingExtra: LIME is asked for and not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in readings(paths, desk.limits.max_bytes):
        try:
            if isinstance(data, InputError):
                raise data
            answers = predict(data, path, desk, options)
        except InputError as error:
            yield Unread(path, error.code, error.reason)
            continue
        yield from (_explained(answer, folder, method) for answer in answers)


def _explained(answer: Answer, folder: Path, method: str) -> Line:
    said = answer.prediction
    if answer.speaker is None or answer.outputs is None or said.label is None:
        return said
    speaker, image = answer.speaker, answer.image
    label = speaker.package.task.classes.index(said.label)
    heat, picture = _drawn(speaker, answer, label, method)
    pixels = prepare(image, speaker.package.preparation)
    inside = on_input(heat, image, speaker.package.preparation)
    faith = fidelity(speaker.probabilities, pixels, inside, label)
    file = folder / f"{_stem(said.file, said.frame)}-{said.id[:8]}-{method}.png"
    file.write_bytes(png(picture))
    explanation = {
        "method": method,
        "file": str(file),
        "deletion": round(faith.deletion, 4),
        "insertion": round(faith.insertion, 4),
    }
    return replace(said, explanation=explanation)


def _drawn(speaker: Speaker, answer: Answer, label: int, method: str) -> tuple[Heatmap, NDArray[np.uint8]]:
    preparation, image = speaker.package.preparation, answer.image
    if method == "lime":
        regions = _lime()(speaker.probabilities, preparation).explain(image, label)
        return regions.heat, outlined(image, regions.edges)
    heat = _cam(answer, label) if method == "cam" else _occluded(speaker, image, label)
    return heat, overlay(image, heat)


def _lime() -> Any:
    try:
        return import_module("hilum.learn.lime").Lime
    except ModuleNotFoundError as error:
        raise MissingExtra("--method lime", "learn") from error


def _cam(answer: Answer, label: int) -> Heatmap:
    assert answer.outputs is not None
    assert answer.speaker is not None
    return heatmap(answer.outputs.maps[0], label, answer.image, answer.speaker.package.preparation)


def _occluded(speaker: Speaker, image: Image, label: int) -> Heatmap:
    preparation = speaker.package.preparation
    values = occlusion(speaker.probabilities, prepare(image, preparation), label)
    return Heatmap(in_frame(values, image, preparation), label, "occlusion")


def _stem(file: str | None, frame: int | None) -> str:
    name = Path(file or "image").stem.encode("utf-8", "ignore")[:LONGEST].decode("utf-8", "ignore")
    return name if frame is None else f"{name}-frame{frame}"
