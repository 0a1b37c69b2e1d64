"""The public answer: one image's class with its probability, or a refusal with its reasons; one shape everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hilum.gate.reason import Reasons
from hilum.model.calibration import Prevalence

PIXELS = "pixels"  # the member "input" of an answer whose image came as the network's declared input

BURNED_IN = "burned_in_text"  # the file says that text, perhaps a name, is part of its pixels (DICOM (0028,0301))


@dataclass(frozen=True, slots=True)
class ModelName:
    """Which package spoke."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer, or a refusal (then `label` is None and `reasons` says why).

    probability: of the class named, in [0, 1]; probabilities: of every class, they sum to 1.
    conformal_set: the classes that the 95% set holds. novelty: distance from the training set, a percentile in [0, 1].
    timings: milliseconds a stage. prevalence: as the caller gave it, None: the package's own.
    warnings: codes of what the sender should know about the file, none of which changed the answer.
    """

    task: str | None
    model: ModelName | None
    operating_point: str
    label: str | None = None
    probability: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    conformal_set: tuple[str, ...] = ()
    reasons: Reasons = ()
    novelty: float | None = None
    explanation: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    file: str | None = None
    frame: int | None = None
    prevalence: Prevalence | None = None
    warnings: tuple[str, ...] = ()
    prepared: bool = False  # the pixels came as the network's declared input
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        if (self.label is None) == (not self.reasons):
            raise ValueError("a prediction either names a class or gives reasons for refusing")

    @property
    def refused(self) -> bool:
        """Whether the gate refused."""
        return self.label is None

    def to_json(self) -> dict[str, Any]:
        """The prediction object of the public face."""
        answer: dict[str, Any] = {"id": self.id}
        if self.file is not None:
            answer["file"] = self.file
        if self.frame is not None:
            answer["frame"] = self.frame
        if self.prepared:
            answer["input"] = PIXELS
        model = self.model and {"name": self.model.name, "version": self.model.version, "digest": self.model.digest}
        answer |= {
            "task": self.task,
            "model": model,
            "prediction": None if self.refused else {"class": self.label, "probability": self.probability},
            "probabilities": dict(self.probabilities),
            "operating_point": self.operating_point,
            "conformal_set": list(self.conformal_set),
            "gate": {
                "admitted": not self.refused,
                "reasons": [reason.code for reason in self.reasons],
                "messages": [reason.text for reason in self.reasons],
                "novelty": self.novelty,
            },
            "explanation": dict(self.explanation),
            "timings": dict(self.timings),
        }
        if self.prevalence is not None:
            given = self.prevalence
            answer["prevalence"] = given if isinstance(given, float | int) else list(given)
        if self.warnings:
            answer["warnings"] = list(self.warnings)
        return answer
