"""A trained network and its material -> what the gate and later audits compare new images with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.findings import Audit
from hilum.data.fingerprint import Fingerprints
from hilum.data.shortcuts import WARN_ABOVE
from hilum.errors import DataError
from hilum.flows.material import Material
from hilum.image.decode import from_array
from hilum.image.prepare import prepare
from hilum.learn.admission import FRAME, AdmissionSettings, frame, train_admission
from hilum.learn.admission import Material as GoodAndOther
from hilum.learn.batches import blocks
from hilum.learn.novelty import Held, fit_novelty
from hilum.learn.plan import Plan
from hilum.learn.seal import References
from hilum.learn.stress import KINDS, stressed
from hilum.model.engine import Engine
from hilum.task import Task

STEPS_AN_EPOCH = 40  # of the admission network, for each epoch of the plan
FEWEST_STEPS = 100
OUTLIERS_A_STEP = 10  # made for it; a short training does not draw more
MOST_RESTYLED = 2000  # images; nine copies of each are held at the side of the network
MOST_FRAMES = 20_000  # images that the admission network is shown, all in memory; it draws some hundred thousand
LEAST_SIDE = 256  # pixels of the longer side, from which images are made smaller before they are restyled
FOLDS_TAKE_ALL = "every image taught all but one of the networks that answer together"


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """What references are made from: the material, its audit, the task, and the plan that the network learned by."""

    made: Material
    found: Audit
    task: Task
    plan: Plan


def references(engine: Engine, widths: tuple[int, ...], looked: Looked) -> References:
    """Fit the novelty reference and the admission network; where there are too few images for one, it is left out.

    The average of the folds has no novelty reference: no image is left that none of its networks learned from.
    widths: features of each depth of the network, as they lie side by side in the feature row.
    """
    return References(
        novelty=_novelty(engine, widths, looked),
        admission=_admission(looked),
        fingerprints=_fingerprints(looked),
    )


def logits_of(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, C) logits of prepared images through the graph that will be served."""
    parts = [engine.run(np.ascontiguousarray(pixels[i : i + 64])).logits for i in range(0, len(pixels), 64)]
    return np.concatenate(parts)


def features_of(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, F) features of prepared images through the graph that will be served."""
    parts = [engine.run(np.ascontiguousarray(pixels[i : i + 64])).features for i in range(0, len(pixels), 64)]
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False, slots=True)
class Restyled:
    """rows: (n,) places in the material of the images; copies: kind -> (n, 1, S, S) uint8, prepared."""

    rows: NDArray[np.int64]
    copies: dict[str, NDArray[np.uint8]]


def restyled(looked: Looked) -> Restyled | None:
    """Stressed copies of the calibration part; None where no shortcut asks for them.

    Where a mere property of the files tells the classes, clean held-out images cannot show what another machine does.
    Of a large part so many are drawn as fit the memory; they are first made as small as the network will see them,
    which is also the scale that the stresses are meant for.
    """
    made, negative, preparation = looked.made, looked.task.negative, looked.plan.preparation()
    if negative is None or max(looked.found.shortcuts.values(), default=0.0) <= WARN_ABOVE:
        return None
    rows = made.parts["calibrate"]
    if len(rows) > MOST_RESTYLED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_RESTYLED, replace=False))
    positive = made.labels[rows] != negative
    if positive.all() or not positive.any():
        return None
    longest = max(LEAST_SIDE, preparation.size * 4 // 3)
    films = made.these(rows, lambda image: _small(image.pixels, longest), "restyling the calibration part")
    copies = {kind: np.empty((len(rows), 1, *[preparation.size] * 2), np.uint8) for kind in KINDS}
    for i, of_film in enumerate(stressed(films, positive)):
        for kind, film in of_film.items():
            copies[kind][i] = prepare(from_array(film, "restyled"), preparation)
    return Restyled(rows, copies)


def _small(film: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    share = longest / max(film.shape)
    if share >= 1:
        return film
    height, width = (max(1, round(side * share)) for side in film.shape)
    return np.asarray(cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _novelty(engine: Engine, widths: tuple[int, ...], looked: Looked) -> dict[str, NDArray[Any]] | None:
    made, plan = looked.made, looked.plan
    if plan.folds and not plan.distill:
        made.listener.say(f"no novelty reference: {FOLDS_TAKE_ALL}")
        return None
    pixels, train = made.pixels(plan.preparation()), made.parts["train"]
    known = np.concatenate([features_of(engine, pixels[part]) for part in blocks(train)])
    try:
        reference = fit_novelty(known, made.labels[train], widths, _held(engine, pixels, looked))
    except DataError as error:
        made.listener.say(f"no novelty reference: {error}")
        return None
    return reference.to_arrays()


def _held(engine: Engine, pixels: NDArray[np.uint8], looked: Looked) -> Held:
    """The calibration part, and each kind of its restyled copies as a source of its own."""
    rows, found = looked.made.parts["calibrate"], restyled(looked)
    styles = [(rows, pixels[rows]), *(() if found is None else ((found.rows, of) for of in found.copies.values()))]
    return Held(
        features=np.concatenate([features_of(engine, images) for _, images in styles]),
        sources=np.repeat(np.arange(len(styles)), [len(images) for _, images in styles]),
        groups=np.concatenate([looked.made.groups[places] for places, _ in styles]),
    )


def _admission(looked: Looked) -> bytes | None:
    made, task = looked.made, looked.task
    steps = int(np.clip(STEPS_AN_EPOCH * looked.plan.epochs, FEWEST_STEPS, AdmissionSettings.steps))
    settings = AdmissionSettings(steps=steps, pool=min(AdmissionSettings.pool, OUTLIERS_A_STEP * steps))
    train = made.parts["train"]
    if len(train) > MOST_FRAMES:
        train = np.sort(np.random.default_rng(0).choice(train, MOST_FRAMES, replace=False))
    good = np.stack(made.these(train, lambda image: frame(image, task), "looking at whole frames"))
    groups = made.groups[train]
    strangers = np.zeros((0, FRAME, FRAME), dtype=np.uint8)
    material = GoodAndOther(good, groups, np.zeros(len(good), dtype=np.int64), strangers)
    made.listener.stage("training the admission network", settings.steps)
    try:
        return train_admission(material, task, settings, made.listener.done)
    except DataError as error:
        made.listener.say(f"no admission network: {error}")
        return None


def _fingerprints(looked: Looked) -> Fingerprints:
    """Of every image that the network learned from: with folds of all open parts, a student by way of its teachers."""
    made, found = looked.made, looked.found
    readable = {case: place for place, case in enumerate(i for i, d in enumerate(found.digests) if d is not None)}
    learned = made.numbers if looked.plan.folds else made.numbers[made.parts["train"]]
    return found.fingerprints.take(readable[int(i)] for i in learned)
