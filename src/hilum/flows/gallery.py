"""Measured rows -> the pictures and heatmaps of the report, and how faithful the maps are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.dataset import Dataset, middle
from hilum.errors import InputError
from hilum.evaluate.report import Extras, Shown, notable
from hilum.flows.evaluate import Measured
from hilum.flows.explain import drawn
from hilum.flows.speaker import Speaker
from hilum.image.prepare import prepare
from hilum.metrics.intervals import Interval
from hilum.model.explain import Fidelity, fidelity, on_input
from hilum.model.overlay import png

MOST = 16
LONGEST = 768  # pixels of a side: more than a page shows; sixteen of 2400 x 2000 in full made one of 40 MB, so 6.8


def gallery(measured: Measured, dataset: Dataset, speaker: Speaker, method: str = "cam") -> Extras:
    """Pictures of the rows worth a look, each with the heatmap of the class that was answered.

    method: how the heatmaps are made. Beside another than "cam" stands how faithful "cam" is on the same images.
    """
    shown, scores = [], defaultdict(list)
    for row in notable(measured.rows, MOST):
        try:
            image = middle(dataset.images(measured.cases[row]))
        except InputError:
            continue
        label = int(measured.rows.predicted[row])
        if label < 0:
            shown.append(Shown(row, _shown(_plain(image.pixels)), None))
            continue
        pixels = prepare(image, speaker.package.preparation)
        maps = speaker.engine.run(pixels[None]).maps[0]
        for each in dict.fromkeys(("cam", method)):
            heat, picture = drawn(speaker, image, maps, label, each)
            inside = on_input(heat, image, speaker.package.preparation)
            scores[heat.method].append(fidelity(speaker.probabilities, pixels, inside, label))
        shown.append(Shown(row, _shown(_plain(image.pixels)), _shown(picture)))
    return Extras(gallery=tuple(shown), fidelity={name: _means(found) for name, found in scores.items()})


def _plain(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = np.rint(pixels * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _shown(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of a picture, a large one made smaller."""
    share = LONGEST / max(picture.shape[:2])
    if share >= 1:
        return png(picture)
    height, width = (max(1, round(side * share)) for side in picture.shape[:2])
    return png(np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8))


def _means(scores: Sequence[Fidelity]) -> dict[str, Interval]:
    found = {}
    for name in ("deletion", "insertion"):
        values = np.array([getattr(score, name) for score in scores], dtype=np.float64)
        half = 1.96 * float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        mean = float(values.mean())
        found[name] = Interval(mean, mean - half, mean + half)
    return found
