"""bytes -> decode -> gate.before -> prepare -> engine -> gate.after -> calibration -> explain -> the public answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hilum.flows.prediction import Prediction
from hilum.flows.speaker import Speaker
from hilum.gate import gate
from hilum.gate.reason import Reasons, no_task
from hilum.image.decode import decode
from hilum.image.image import Image
from hilum.image.limits import Limits
from hilum.image.prepare import prepare
from hilum.model.calibration import Prevalence
from hilum.model.engine import Outputs


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller wants to be answered.

    prevalence: share of images with disease where this is used (one number), or one share a class; None: the package's.
    """

    operating_point: str = "balanced"
    prevalence: Prevalence | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Desk:
    """Who may answer, in the order in which they are asked, and what is read at most."""

    speakers: tuple[Speaker, ...]
    automatic: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """A prediction with what it was made from, for explanations, evaluation and calibration."""

    prediction: Prediction
    image: Image
    speaker: Speaker | None = None
    outputs: Outputs | None = None


def predict(data: bytes, name: str, desk: Desk, options: Options) -> tuple[Answer, ...]:
    """Answer every frame of one file.

    Raises:
        InputError: the bytes cannot be read; the message names the file and the reason.
        UsageError: the operating point or the prevalence does not fit.
    """
    started = time.perf_counter()
    images = decode(data, name=name, limits=desk.limits)
    decoded = _milliseconds(started) / len(images)
    answers = [_at_the_desk(image, desk, options) for image in images]
    several = len(images) > 1
    return tuple(_named(a, name, a.image.frame if several else None, decoded) for a in answers)


def _at_the_desk(image: Image, desk: Desk, options: Options) -> Answer:
    refusals = []
    for speaker in desk.speakers:
        answer = ask(image, speaker, options)
        if not answer.prediction.refused:
            return answer
        refusals.append(answer)
    return _no_task(image, desk, options) if desk.automatic else refusals[0]


def ask(image: Image, speaker: Speaker, options: Options) -> Answer:
    """The arrow for one image and one package."""
    package = speaker.package
    timings: dict[str, float] = {}
    clock = time.perf_counter()
    reasons = gate.before(image, package.task, speaker.admission)
    clock = _lap(timings, "gate", clock)
    if reasons:
        return Answer(_refusal(speaker, options, reasons, timings), image, speaker)
    pixels = prepare(image, package.preparation)[None]
    clock = _lap(timings, "prepare", clock)
    outputs = speaker.engine.run(pixels)
    clock = _lap(timings, "compute", clock)
    score, reasons = _after(outputs, speaker)
    if reasons:
        _lap(timings, "calibrate", clock)
        return Answer(_refusal(speaker, options, reasons, timings, score), image, speaker, outputs)
    answer = _calibrated(speaker, options, outputs, score)
    _lap(timings, "calibrate", clock)
    return Answer(replace(answer, timings=timings), image, speaker, outputs)


def _after(outputs: Outputs, speaker: Speaker) -> tuple[float | None, Reasons]:
    if speaker.novelty is None:
        return None, ()
    return gate.after(outputs.features[0], speaker.novelty, speaker.package.task)


def _calibrated(speaker: Speaker, options: Options, outputs: Outputs, score: float | None) -> Prediction:
    calibration, classes = speaker.package.calibration, speaker.package.task.classes
    probabilities = calibration.probabilities(outputs.logits, options.prevalence)
    chosen = int(calibration.decide(probabilities, options.operating_point, options.prevalence)[0])
    row = probabilities[0]
    inside = calibration.conformal_set(row, options.prevalence)
    return Prediction(
        task=speaker.package.task.name,
        model=speaker.name,
        operating_point=options.operating_point,
        label=classes[chosen],
        probability=float(row[chosen]),
        probabilities={name: float(p) for name, p in zip(classes, row, strict=True)},
        conformal_set=tuple(classes[i] for i in inside),
        novelty=score,
    )


def _refusal(
    speaker: Speaker,
    options: Options,
    reasons: Reasons,
    timings: Mapping[str, float],
    score: float | None = None,
) -> Prediction:
    return Prediction(
        task=speaker.package.task.name,
        model=speaker.name,
        operating_point=options.operating_point,
        reasons=reasons,
        novelty=score,
        timings=timings,
    )


def _no_task(image: Image, desk: Desk, options: Options) -> Answer:
    titles = tuple(speaker.package.task.title for speaker in desk.speakers)
    return Answer(Prediction(None, None, options.operating_point, reasons=(no_task(titles),)), image)


def _named(answer: Answer, file: str, frame: int | None, decoded: float) -> Answer:
    timings = {"decode": round(decoded, 3), **answer.prediction.timings}
    return replace(answer, prediction=replace(answer.prediction, file=file, frame=frame, timings=timings))


def _lap(timings: dict[str, float], stage: str, since: float) -> float:
    timings[stage] = round(_milliseconds(since), 3)
    return time.perf_counter()


def _milliseconds(since: float) -> float:
    return (time.perf_counter() - since) * 1000
