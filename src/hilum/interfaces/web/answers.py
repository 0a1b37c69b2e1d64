"""A recorded prediction -> what its page says: what it is, how sure, what else, may it be trusted, what next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hilum.interfaces.web.models_shown import by_digest, label_of
from hilum.interfaces.web.words import percent, within
from hilum.model.calibration import OperatingPoint
from hilum.model.package import Package
from hilum.parts import Parts
from hilum.records.entry import Record
from hilum.registry.questions import known_tasks
from hilum.task import Label, Task

NEXT_STEPS = {
    "wrong_modality": "Send an image of the modality the question asks for, or choose another question.",
    "wrong_body_part": "Send an image of the body part the question asks for, or choose another question.",
    "not_this_kind_of_image": "Check that the right file was sent. Photos of screens, and pages of images, are no use.",
    "blank": "Export the image again: what arrived shows nothing.",
    "too_small": "Send the original image rather than a thumbnail.",
    "clipped": "Export again with a wider window, or send the DICOM object itself.",
    "inverted": "Invert the image and send it again, or send the DICOM object, which says how it is to be read.",
    "rotated": "Turn the image upright and send it again.",
    "low_quality": "Send a better exported copy of the same image.",
    "out_of_distribution": "Read this image without the model: it has seen too little like it to be of help.",
    "no_task": "Choose the question yourself to see why its gate refuses, or send another kind of image.",
}
SURE = ((0.99, "very sure"), (0.9, "sure"), (0.7, "fairly sure"), (0.0, "unsure"))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image was refused."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Odd:
    """One class with its probability; whether it is in the set, whether it is the answer."""

    title: str
    share: float
    inside: bool
    said: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands on the bar: a share in [0, 1] with its name, and the threshold, where the point is one."""

    name: str
    share: float
    mark: float | None
    mark_text: str


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """All that the answer's template says. Probabilities in [0, 1]; `at` in microseconds since 1970."""

    id: str
    at: int
    file: str
    question: str
    refused: bool
    label: str
    title: str
    sentence: str
    probability: float
    sure_words: str
    bar: Bar | None
    point: OperatingPoint
    point_words: str
    point_short: str
    set_words: str
    odds: tuple[Odd, ...]
    reasons: tuple[Reason, ...]
    next_steps: tuple[str, ...]
    novelty: float | None
    image_words: str
    intended_use: str
    model: dict[str, str] | None
    installed: bool
    frame: int | None
    kept: bool
    erased: bool
    labels: tuple[Label, ...]
    told: str
    told_by: str
    told_title: str
    timings: dict[str, float]
    disagreed: bool


def answers_shown(records: Sequence[Record], parts: Parts) -> list[AnswerShown]:
    """The page's view of several records; what was said to them is asked for once, packages are looked for once."""
    told = parts.records.last_said([record.id for record in records]) if records else {}
    digests = {record.entry.columns.digest for record in records}
    packages = {digest: by_digest(parts.settings, digest) for digest in digests if digest}
    known = known_tasks(parts.settings) if records else ()
    return [
        _shown(one, packages.get(one.entry.columns.digest or ""), known, told.get(one.id, ("", ""))) for one in records
    ]


def answer_shown(record: Record, parts: Parts) -> AnswerShown:
    """The page's view of one record."""
    return answers_shown([record], parts)[0]


def _shown(record: Record, package: Package | None, known: Sequence[Task], last_said: tuple[str, str]) -> AnswerShown:
    told, told_by = last_said
    said = json.loads(record.entry.body)
    model = said.get("model")
    task = package.task if package else next((t for t in known if t.name == said.get("task")), None)
    label = (said.get("prediction") or {}).get("class", "")
    refused = said.get("prediction") is None
    gate = said.get("gate", {})
    reasons = tuple(Reason(*pair) for pair in zip(gate.get("reasons", ()), gate.get("messages", ()), strict=False))
    point = _point(package, said)
    return AnswerShown(
        id=record.id,
        at=record.entry.at,
        file=record.entry.personal.get("file", ""),
        question=task.title if task else "No question fits",
        refused=refused,
        label=label,
        title=label_of(task, label).title,
        sentence=_sentence(task, label, said),
        probability=(said.get("prediction") or {}).get("probability", 0.0),
        sure_words=_sure((said.get("prediction") or {}).get("probability", 0.0)),
        bar=None if refused else _bar(task, said, point),
        point=point,
        point_words=_point_words(point),
        point_short=_point_short(point, said),
        set_words=set_words(task, said.get("conformal_set", []), label),
        odds=_odds(task, said, label),
        reasons=reasons,
        next_steps=tuple(dict.fromkeys(NEXT_STEPS[r.code] for r in reasons if r.code in NEXT_STEPS)),
        novelty=gate.get("novelty"),
        image_words=task.image_words if task else "a known kind of image",
        intended_use=task.intended_use if task else "",
        model=model,
        installed=package is not None,
        frame=said.get("frame"),
        kept=record.entry.columns.image is not None and not record.erased,
        erased=record.erased,
        labels=tuple(sorted(task.labels, key=lambda one: one.name != label)) if task else (),  # the answer first
        told=told,
        told_by=told_by,
        told_title=label_of(task, told).title,
        timings=said.get("timings", {}),
        disagreed=bool(told) and bool(label) and told != label,  # with a refusal nobody can
    )


def _sentence(task: Task | None, label: str, said: dict[str, Any]) -> str:
    if task is None or not label:
        return ""
    ranked = sorted(said["probabilities"], key=said["probabilities"].__getitem__, reverse=True)
    if ranked and ranked[0] != label:
        return f"At this operating point, though {within(label_of(task, ranked[0]).title)} is the more probable."
    return f"The most probable of the {len(task.labels)} classes this model knows, on {task.image_words}."


def _sure(probability: float) -> str:
    return next(words for least, words in SURE if probability >= least)


def _point(package: Package | None, said: dict[str, Any]) -> OperatingPoint:
    """The operating point, its threshold where it stands among the probabilities that were told."""
    name = said["operating_point"]
    if package is None or name not in package.calibration.points:
        return OperatingPoint(name, None)
    there = package.calibration.threshold(name, said.get("prevalence"))
    return replace(package.calibration.points[name], threshold=there)


def _point_short(point: OperatingPoint, said: dict[str, Any]) -> str:
    most = "" if point.threshold is not None else "The most probable class is the answer."
    share = said.get("prevalence")
    where = f"Probabilities are for a place where {percent(share)} are ill." if isinstance(share, float | int) else ""
    return f"{most} {where}".strip()


def _point_words(point: OperatingPoint) -> str:
    if point.threshold is None:
        return f"At '{point.name}' the most probable class is the answer; there is no threshold."
    words = f"At '{point.name}' an image is called diseased from a probability of {percent(point.threshold)} on."
    if point.sensitivity is not None and point.specificity is not None:
        found, cleared = percent(point.sensitivity), percent(point.specificity)
        words += f" In calibration that found {found} of disease and cleared {cleared} of the rest."
    return f"{words} {point.note}".strip()


def _bar(task: Task | None, said: dict[str, Any], point: OperatingPoint) -> Bar | None:
    if task is None or task.negative is None:
        return None
    disease = 1.0 - said["probabilities"].get(task.classes[task.negative], 0.0)
    found = [label.title for i, label in enumerate(task.labels) if i != task.negative]
    name = (
        f"Probability of {within(found[0])}"
        if len(found) == 1
        else "Probability of any of: " + ", ".join(map(within, found))
    )
    mark = f"called diseased from {percent(point.threshold)}" if point.threshold is not None else ""
    return Bar(name, min(max(disease, 0.0), 1.0), point.threshold, mark)


def set_words(task: Task | None, inside: Sequence[str], label: str) -> str:
    """What the 95% set says beside the class that was answered."""
    others = [within(label_of(task, name).title) for name in inside if name != label]
    if not others:
        return f"Nothing else: {within(label_of(task, label).title)} alone is in the 95% set." if inside else ""
    either = " or ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
    without = "" if label in inside else "; the answer itself is not in it"
    return f"On this image {either} cannot be ruled out (95% set{without})."


def _odds(task: Task | None, said: dict[str, Any], label: str) -> tuple[Odd, ...]:
    inside, shares = said.get("conformal_set", []), said.get("probabilities", {})
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return tuple(Odd(label_of(task, name).title, share, name in inside, name == label) for name, share in ranked)
