"""Weights and held-out logits of a recipe -> a sealed package; its figures and card are put in afterwards (figures.py).

Calibration, thresholds, the novelty reference and the admission network see training and calibration parts only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.gate.novelty import Novelty
from hilum.image.image import Image, Metadata
from hilum.learn.admission import Material, frame, train_admission
from hilum.learn.calibrate import fit
from hilum.learn.graph import export_graph
from hilum.learn.halve import halved
from hilum.learn.networks import feature_widths
from hilum.learn.novelty import Held, fit_novelty
from hilum.learn.operating import BOUND
from hilum.learn.scores import Scores, make_scores, pool
from hilum.learn.seal import References, Sealing, Trained, seal
from hilum.learn.stress import stress_copies
from hilum.model.calibration import Calibration, OperatingPoint
from hilum.task import Task, find_task, task_folder
from recipes.ground import SOURCES, Ground, prepared
from recipes.handover import Made, load

VERSION = "1.1.0"
EVEN = 0.5  # the balanced threshold of the two-class packages
EVEN_RULE = "one half, fixed before the test was opened: the more probable class"
OTHERS = 600  # images of other kinds shown to the admission network


def seal_task(task_name: str, ground: Ground, made_in: Path, models: Path) -> str:
    """Seal `made_in/<task>` as `models/<task>`; returns the digest."""
    task, folder = find_task(task_name), made_in / task_name
    network, made = load(folder)
    held = np.load(folder / "logits.npz")
    rows = _rows(ground, task_name)
    calibrate = rows[ground.part[rows] == "calibrate"]
    graph = halved(export_graph(network, made.preparation.size))
    references = References(
        novelty=_novelty(network, made, ground, rows).to_arrays(),
        admission=_admission(made_in, ground, rows, task),
        fingerprints=Fingerprints.of(fingerprint(film) for film in _images(ground, rows[_in(ground, rows, "train")])),
    )
    sealing = Sealing(
        name=task_name,
        version=VERSION,
        trained=Trained(network, made.name, made.config),
        task_text=(task_folder() / f"{task_name}.toml").read_text(encoding="utf-8"),
        preparation=made.preparation,
        calibration=calibration_of(held, task),
        plan={"recipe": "recipes/shipped.py", **made.notes},
        check=prepared([ground.films[i] for i in calibrate], made.preparation),
        references=references,
        data=_data(ground, rows),
        graph=graph,
    )
    return seal(sealing, models / task_name)


def calibration_of(held: Any, task: Task) -> Calibration:
    """Fitted on the calibration part; films that were stressed count as much as those that were not."""
    part = held["parts"] == "calibrate"
    labels, groups = held["labels"][part], held["groups"][part]
    kinds = [name for name in held.files if name.startswith("stress_")]
    stress: Scores | None = None
    if kinds:
        logits = np.concatenate([held[name][part] for name in kinds])
        stress = make_scores(logits, np.tile(labels, len(kinds)), np.tile(groups, len(kinds)))
    clean = make_scores(held["logits"][part], labels, groups)
    fitted = fit(clean, task, stress=stress)
    return _at_even_chance(fitted, clean if stress is None else pool(clean, stress))


def _at_even_chance(fitted: Calibration, scores: Scores) -> Calibration:
    """The balanced point of a two-class task at one half: the answer is always the more probable class.

    A threshold fitted on a calibration part of a few hundred groups moves with its sampling, and on films of other
    machines the known failure of a low one is the false alarm; see docs/experiments.md.
    """
    if len(fitted.classes) > 2 or fitted.negative is None:
        return fitted
    sick = 1.0 - fitted.probabilities(scores.logits)[:, fitted.negative]
    positive = scores.labels != fitted.negative

    def at(name: str, threshold: float) -> OperatingPoint:
        right = (sick >= threshold) == positive
        rates = [float(np.average(right[kind], weights=scores.weights[kind])) for kind in (positive, ~positive)]
        return replace(fitted.points[name], threshold=threshold, sensitivity=rates[0], specificity=rates[1])

    points = {**fitted.points, "balanced": replace(at("balanced", EVEN), rule=EVEN_RULE)}
    for name, nearer in (("screening", min), ("rule-in", max)):  # never past the balanced point
        if name in points:
            point = at(name, nearer(points[name].threshold or EVEN, EVEN))
            points[name] = replace(point, rule=point.rule.replace(BOUND, "one half"))
    return replace(fitted, points=points)


def _novelty(network: nn.Module, made: Made, ground: Ground, rows: NDArray[np.int64]) -> Novelty:
    """Reference of the training features; limits on the calibration part of each source and on stressed copies."""
    task = find_task(made.task)
    train, held = rows[_in(ground, rows, "train")], rows[_in(ground, rows, "calibrate")]
    films = [ground.films[i].astype(np.float32) / 255.0 for i in held]
    sources = np.unique(ground.source, return_inverse=True)[1]
    features, numbers = [_features(network, prepared(films, made.preparation))], [sources[held]]
    if made.task == "pneumonia-cxr":
        positive = np.array([ground.label[i] == "pneumonia" for i in held])
        for kind, copies in enumerate(stress_copies(films, positive).values()):
            features.append(_features(network, prepared(copies, made.preparation)))
            numbers.append(np.full(len(held), 100 + kind))
    labels = np.array([task.classes.index(ground.label[i]) for i in train])
    known = _features(network, prepared([ground.films[i] for i in train], made.preparation))
    return fit_novelty(known, labels, feature_widths(network), Held(np.concatenate(features), np.concatenate(numbers)))


def _features(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [network.outputs(torch.from_numpy(pixels[i : i + 64]))[1].numpy() for i in range(0, len(pixels), 64)]
    return np.concatenate(parts)


def _admission(made_in: Path, ground: Ground, rows: NDArray[np.int64], task: Task) -> bytes:
    """Trained once for each kind of image and kept beside the weights, on which it does not depend."""
    kind = "chest" if ground.source[rows[0]] == "chest-xray" else "brain"
    kept = made_in / f"admission-{kind}.onnx"
    if not kept.is_file():
        kept.write_bytes(train_admission(_material(ground, kind, task), task))
    return kept.read_bytes()


def _material(ground: Ground, kind: str, task: Task) -> Material:
    """Good: the training parts of all sources that show this kind. Others: some images of the other kind."""
    alike = (ground.source == "chest-xray") == (kind == "chest")
    train = np.flatnonzero(alike & (ground.part == "train"))
    strangers = np.flatnonzero(~alike & (ground.part == "train"))
    strangers = np.random.default_rng(0).permutation(strangers)[:OTHERS]
    sources = np.unique(ground.source, return_inverse=True)[1].astype(np.int64)
    good = np.stack([frame(film, task) for film in _images(ground, train)])
    others = np.stack([frame(film, task) for film in _images(ground, strangers)])
    return Material(good, ground.group[train], sources[train], others)


def _rows(ground: Ground, task_name: str) -> NDArray[np.int64]:
    return ground.rows(*(source for source, task in SOURCES.items() if task == task_name))


def _in(ground: Ground, rows: NDArray[np.int64], part: str) -> NDArray[np.bool_]:
    return np.asarray(ground.part[rows] == part, dtype=bool)


def _images(ground: Ground, rows: NDArray[np.int64]) -> Iterator[Image]:
    for i in rows:
        height, width = ground.films[i].shape
        yield Image(ground.films[i].astype(np.float32) / 255.0, Metadata("ARRAY", "L", 8, width, height))


def _data(ground: Ground, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Counts of the parts by source and class; which images they were is in parts.csv beside the weights."""
    counts: dict[str, Any] = {}
    for i in rows:
        place = counts.setdefault(str(ground.part[i]), {})
        word = f"{ground.source[i]}: {ground.label[i]}"
        place[word] = place.get(word, 0) + 1
    return json.loads(json.dumps({"images": len(rows), "parts": counts}, sort_keys=True))
