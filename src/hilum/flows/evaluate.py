"""Labelled cases + a package -> an evaluation of what is served: the same decode, gates, engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.data.audit import audit
from hilum.data.dataset import Case, Dataset, middle
from hilum.data.findings import Audit
from hilum.data.fingerprint import Fingerprints
from hilum.data.labels import with_task
from hilum.errors import DataError, InputError
from hilum.evaluate.evaluation import Evaluation, evaluate
from hilum.evaluate.rows import Rows, Setting
from hilum.evaluate.subgroups import size_band
from hilum.flows.predict import Options, ask
from hilum.flows.prediction import Prediction
from hilum.flows.progress import Listener, Silent
from hilum.flows.speaker import Speaker
from hilum.image.image import Metadata
from hilum.metrics.intervals import Interval
from hilum.model.calibration import Prevalence
from hilum.model.package import FINGERPRINTS

FACETS = ("source", "format", "mode", "size", "modality", "view", "manufacturer")


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """What is known of the cases besides their labels.

    groups: (n,) one number a case for clustered intervals. copied: (n,) whether a training image is a copy.
    baseline: accuracy of the nearest neighbour, with its interval. cues: AUROC of mere properties of the files.
    marks: sentences that every figure must carry.
    """

    groups: NDArray[np.int64]
    copied: NDArray[np.bool_] | None = None
    baseline: Mapping[str, Interval] = field(default_factory=dict)
    cues: Mapping[str, float] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """An evaluation with the rows behind it and the cases of those rows."""

    evaluation: Evaluation
    rows: Rows
    cases: tuple[Case, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Told:
    """What is kept of an answer: the pixels and maps of a hundred thousand cases do not fit in memory."""

    prediction: Prediction
    metadata: Metadata


def evaluate_source(dataset: Dataset, speaker: Speaker, options: Options, listener: Listener | None = None) -> Measured:
    """Audit a labelled set against the package's training images, answer every case, and measure.

    Raises:
        DataError: no case has a label of the package's task.
    """
    listener = listener or Silent()
    labelled = with_task(dataset, speaker.package.task)
    listener.stage("looking for copies of training images", len(labelled))
    prints = training_prints(speaker)
    found = audit(labelled, against=prints, progress=listener.done)
    return evaluate_cases(labelled, speaker, options, known_from(found, prints is not None), listener)


def training_prints(speaker: Speaker) -> Fingerprints | None:
    """The fingerprints of the package's training images, where it holds them."""
    package = speaker.package
    return Fingerprints.load(package.folder / FINGERPRINTS) if package.has(FINGERPRINTS) else None


def known_from(found: Audit, compared: bool) -> Known:
    """What an audit tells of the cases it looked at."""
    copied = np.zeros(len(found.paths), dtype=bool)
    copied[[pair.a for pair in found.pairs if pair.b is None]] = True
    neighbour = found.baseline.of_asked(found.groups)
    return Known(
        groups=found.groups,
        copied=copied if compared else None,
        baseline={} if neighbour is None else {"nearest neighbour": neighbour},
        cues=found.shortcuts,
        marks=("Labels conflict among copies in this set.",) if found.conflicts else (),
    )


def evaluate_cases(
    dataset: Dataset, speaker: Speaker, options: Options, known: Known, listener: Listener | None = None
) -> Measured:
    """Answer every labelled, readable case of `dataset` and measure the answers."""
    listener = listener or Silent()
    listener.stage("answering", len(dataset))
    places = [i for i, label in enumerate(dataset.labels.tolist()) if label >= 0]
    answered: list[tuple[int, _Told]] = []
    unreadable: list[tuple[str, str]] = []
    with ThreadPoolExecutor(2) as pool:
        each = pool.map(lambda i: _answer(dataset, dataset.cases[i], speaker, options), places)
        for count, (i, answer) in enumerate(zip(places, each, strict=True), 1):
            if isinstance(answer, InputError):
                unreadable.append((dataset.cases[i].id, answer.reason))
            else:
                answered.append((i, answer))
            listener.done(count, len(places))
    if not answered:
        raise DataError(f"{dataset.name}: no readable case with a label of {speaker.package.task.name}")
    rows = _rows(dataset, speaker, answered, known)
    listener.stage("measuring")
    measured = evaluate(rows, speaker.package.task, _setting(dataset, speaker, options, known, unreadable))
    return Measured(measured, rows, tuple(dataset.cases[i] for i, _ in answered))


def _answer(dataset: Dataset, case: Case, speaker: Speaker, options: Options) -> _Told | InputError:
    try:
        image = middle(dataset.images(case))
        return _Told(ask(image, speaker, options).prediction, image.metadata)
    except InputError as error:
        return error


def _rows(dataset: Dataset, speaker: Speaker, answered: Sequence[tuple[int, _Told]], known: Known) -> Rows:
    classes = speaker.package.task.classes
    places = np.array([i for i, _ in answered], dtype=np.int64)
    predictions = [answer.prediction for _, answer in answered]
    probabilities = np.full((len(places), len(classes)), np.nan)
    sets = np.zeros((len(places), len(classes)), dtype=bool)
    for row, prediction in enumerate(predictions):
        if not prediction.refused:
            probabilities[row] = [prediction.probabilities[name] for name in classes]
            sets[row] = [name in prediction.conformal_set for name in classes]
    return Rows(
        ids=tuple(dataset.cases[i].id for i in places),
        labels=dataset.labels[places],
        groups=known.groups[places],
        probabilities=probabilities,
        predicted=np.array([-1 if p.label is None else classes.index(p.label) for p in predictions]),
        reasons=tuple(tuple(reason.code for reason in p.reasons) for p in predictions),
        subgroups=_subgroups([dataset.cases[i] for i in places], [answer.metadata for _, answer in answered]),
        copied=None if known.copied is None else known.copied[places],
        sets=sets,
    )


def _subgroups(cases: Sequence[Case], metadata: Sequence[Metadata]) -> dict[str, tuple[str, ...]]:
    columns = {
        "source": [case.source for case in cases],
        "format": [m.format for m in metadata],
        "mode": [m.mode for m in metadata],
        "size": [size_band(m.height, m.width) for m in metadata],
        "modality": [m.modality or "" for m in metadata],
        "view": [m.view or "" for m in metadata],
        "manufacturer": [m.manufacturer or "" for m in metadata],
    }
    return {name: tuple(columns[name]) for name in FACETS if any(columns[name])}


def _as_given(prevalence: Prevalence | None) -> float | tuple[float, ...] | None:
    if prevalence is None or isinstance(prevalence, float | int):
        return prevalence
    return tuple(float(share) for share in prevalence)


def _setting(
    dataset: Dataset, speaker: Speaker, options: Options, known: Known, unreadable: Sequence[tuple[str, str]]
) -> Setting:
    calibration, name = speaker.package.calibration, speaker.name
    points = {point: calibration.threshold(point, options.prevalence) for point in calibration.points}
    return Setting(
        source=dataset.name,
        model={"name": name.name, "version": name.version, "digest": name.digest},
        operating_point=options.operating_point,
        prevalence=_as_given(options.prevalence),
        threshold=points[options.operating_point],
        points={point: threshold for point, threshold in points.items() if threshold is not None},
        baseline=known.baseline,
        cues=known.cues,
        marks=known.marks,
        unreadable=tuple(unreadable),
    )
