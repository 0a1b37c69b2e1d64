"""bytes -> decode -> gate.before -> prepare -> engine -> gate.after -> calibration -> explain -> the public answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hilum.errors import InputError, PackageDamaged, UsageError
from hilum.flows.prediction import BURNED_IN, Prediction
from hilum.flows.speaker import Speaker
from hilum.gate import gate
from hilum.gate.reason import Reasons, no_task
from hilum.image.decode import decode
from hilum.image.image import Image
from hilum.image.limits import Limits
from hilum.image.prepare import network_input
from hilum.model.calibration import Prevalence
from hilum.model.engine import Outputs
from hilum.model.unfolded import ORT_ERRORS

TOGETHER = 8  # images in one pass: more gain nothing, and what a pass takes of memory grows with them

Readable = Callable[[Sequence[int]], None]  # hears the places of the files that can be read


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller wants to be answered.

    prevalence: share of images with disease where this is used (one number), or one share a class; None: the package's.
    prepared: the pixels are the network's declared input already, so they are not prepared again.
    """

    operating_point: str = "balanced"
    prevalence: Prevalence | None = None
    prepared: bool = False


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


@dataclass(frozen=True, eq=False, slots=True)
class File:
    """The bytes of one image file, what it is called, and how its sender wants to be answered."""

    data: bytes
    name: str
    options: Options = field(default_factory=Options)


def predict(data: bytes, name: str, desk: Desk, options: Options) -> tuple[Answer, ...]:
    """Answer every frame of one file.

    Raises:
        InputError: the bytes cannot be read; the message names the file and the reason.
        UsageError: the operating point or the prevalence does not fit.
    """
    (answers,) = predict_all((File(data, name, options),), desk)
    if isinstance(answers, InputError):
        raise answers
    return answers


def predict_all(
    files: Sequence[File], desk: Desk, readable: Readable | None = None
) -> list[tuple[Answer, ...] | InputError]:
    """Answer every frame of several files, a network asked for eight at once; one entry a file, in their order.

    A file that cannot be read is the error that says why; the others are answered. `readable` is told the places of
    the files that can be read, before any network is asked.

    Raises:
        UsageError: an operating point or a prevalence does not fit.
    """
    read = [_decoded(file, desk.limits) for file in files]
    if readable is not None:
        readable([i for i, (found, _) in enumerate(read) if not isinstance(found, InputError)])
    frames = [(image, file.options) for file, (found, _) in zip(files, read, strict=True) for image in _frames(found)]
    answers = iter(_at_the_desk(frames, desk))
    return [
        found
        if isinstance(found, InputError)
        else tuple(_named(next(answers), file.name, len(found), took) for _ in found)
        for file, (found, took) in zip(files, read, strict=True)
    ]


def check_options(options: Options, desk: Desk) -> None:
    """Whether somebody at the desk can answer like this; with one share a class, whether everybody can.

    Raises:
        UsageError: the operating point or the prevalence does not fit.
    """
    for speaker in _able(desk, options):
        _check(options, speaker)


def _able(desk: Desk, options: Options) -> tuple[Speaker, ...]:
    """Who is asked: one without this operating point is passed over; all, where nobody has it, to say what there is."""
    if isinstance(options.prevalence, Sequence):  # as many shares may be another task's classes by chance
        return desk.speakers
    return tuple(speaker for speaker in desk.speakers if _can(options, speaker)) or desk.speakers


def _can(options: Options, speaker: Speaker) -> bool:
    try:
        _check(options, speaker)
    except UsageError:
        return False
    return True


def _check(options: Options, speaker: Speaker) -> None:
    calibration = speaker.package.calibration
    calibration.point(options.operating_point)
    if options.prevalence is not None:
        calibration.site_prevalence(options.prevalence)


def _decoded(file: File, limits: Limits) -> tuple[tuple[Image, ...] | InputError, float]:
    started = time.perf_counter()
    try:
        images = decode(file.data, name=file.name, limits=limits)
    except InputError as error:
        return error, 0.0
    return images, _milliseconds(started) / len(images)


def _frames(found: tuple[Image, ...] | InputError) -> tuple[Image, ...]:
    return () if isinstance(found, InputError) else found


def _at_the_desk(frames: Sequence[tuple[Image, Options]], desk: Desk) -> list[Answer]:
    """Who refuses an image hands it on to the next; where all refuse, the first one's refusal stands."""
    answers: dict[int, Answer] = {}
    left = list(range(len(frames)))
    able = [_able(desk, options) for _, options in frames]
    for speaker in desk.speakers:
        ours = [i for i in left if speaker in able[i]]
        for i, answer in zip(ours, ask_all([frames[i] for i in ours], speaker), strict=True):
            if i not in answers or not answer.prediction.refused:
                answers[i] = answer
        left = [i for i in left if i not in answers or answers[i].prediction.refused]
    if desk.automatic:
        answers |= {i: _no_task(frames[i][0], able[i], frames[i][1]) for i in left}
    return [answers[i] for i in range(len(frames))]


def ask(image: Image, speaker: Speaker, options: Options) -> Answer:
    """The arrow for one image and one package."""
    return ask_all([(image, options)], speaker)[0]


def ask_all(frames: Sequence[tuple[Image, Options]], speaker: Speaker) -> list[Answer]:
    """The arrow for several images and one package: one pass of each network for eight of them."""
    parts = (frames[start : start + TOGETHER] for start in range(0, len(frames), TOGETHER))
    return [answer for part in parts for answer in _ask_together(part, speaker)]


def _ask_together(frames: Sequence[tuple[Image, Options]], speaker: Speaker) -> list[Answer]:
    clock = time.perf_counter()
    judged = gate.before_all([image for image, _ in frames], speaker.package.task, speaker.admission)
    share = round(_milliseconds(clock) / len(frames), 3)
    timings: list[dict[str, float]] = [{"gate": share} for _ in frames]
    answers: dict[int, Answer] = {}
    pixels: dict[int, NDArray[np.uint8]] = {}
    for i, ((image, options), reasons) in enumerate(zip(frames, judged, strict=True)):
        if reasons:
            answers[i] = Answer(_refusal(speaker, options, reasons, timings[i]), image, speaker)
            continue
        clock = time.perf_counter()
        pixels[i] = network_input(image, speaker.package.preparation, prepared=options.prepared)
        _lap(timings[i], "prepare", clock)
    for i, passed in zip(pixels, _passed(list(pixels.values()), speaker), strict=True):
        timings[i]["compute"] = passed.took
        answers[i] = _afterwards(*frames[i], passed, speaker, timings[i])
    return [answers[i] for i in range(len(frames))]


@dataclass(frozen=True, eq=False, slots=True)
class _Passed:
    """What the network and the second gate said of one image; took: its share of the milliseconds."""

    outputs: Outputs
    score: float | None
    reasons: Reasons
    took: float


def _passed(pixels: Sequence[NDArray[np.uint8]], speaker: Speaker) -> list[_Passed]:
    """One pass over all images; each gets its own rows.

    Raises:
        PackageDamaged: the network fails on such pixels, or says what is no number.
    """
    if not pixels:
        return []
    started = time.perf_counter()
    judged: Sequence[tuple[float | None, Reasons]] = [(None, ())] * len(pixels)
    try:
        outputs = speaker.engine.run(np.stack(pixels))
        if not np.isfinite(outputs.logits).all():
            raise ValueError("a score is no number")
        if speaker.novelty is not None:
            judged = gate.after(outputs.features, speaker.novelty, speaker.package.task)
    except ORT_ERRORS as error:  # a network that answered when it was tried out may fail on some pictures
        raise PackageDamaged(f"{speaker.package.folder}: its network cannot answer this image ({error})") from error
    share = round(_milliseconds(started) / len(pixels), 3)
    rows = [slice(i, i + 1) for i in range(len(pixels))]
    return [
        _Passed(Outputs(outputs.logits[one], outputs.features[one], outputs.maps[one]), score, reasons, share)
        for one, (score, reasons) in zip(rows, judged, strict=True)
    ]


def _afterwards(image: Image, options: Options, passed: _Passed, speaker: Speaker, timings: dict[str, float]) -> Answer:
    clock = time.perf_counter()
    if passed.reasons:
        said = _refusal(speaker, options, passed.reasons, timings, passed.score)
    else:
        said = _calibrated(speaker, options, passed.outputs, passed.score, timings)
    _lap(timings, "calibrate", clock)
    return Answer(said, image, speaker, passed.outputs)


def _calibrated(
    speaker: Speaker, options: Options, outputs: Outputs, score: float | None, timings: Mapping[str, float]
) -> Prediction:
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
        timings=timings,
        prevalence=options.prevalence,
        prepared=options.prepared,
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
        prevalence=options.prevalence,
        prepared=options.prepared,
    )


def _no_task(image: Image, asked: Sequence[Speaker], options: Options) -> Answer:
    titles = tuple(speaker.package.task.title for speaker in asked)
    return Answer(Prediction(None, None, options.operating_point, reasons=(no_task(titles),)), image)


def _named(answer: Answer, file: str, frames: int, decoded: float) -> Answer:
    frame = answer.image.frame if frames > 1 else None
    timings = {"decode": round(decoded, 3), **answer.prediction.timings}
    warnings = (BURNED_IN,) if answer.image.metadata.burned_in else ()
    said = replace(answer.prediction, file=file, frame=frame, timings=timings, warnings=warnings)
    return replace(answer, prediction=said)


def _lap(timings: dict[str, float], stage: str, since: float) -> None:
    timings[stage] = round(_milliseconds(since), 3)


def _milliseconds(since: float) -> float:
    return (time.perf_counter() - since) * 1000
