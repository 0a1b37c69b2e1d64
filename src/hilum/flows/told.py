"""Predictions -> what is stored and sent of them, without what differs when the same is asked again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hilum.flows.predict import Answer
from hilum.flows.prediction import Prediction
from hilum.records.entry import Columns


@dataclass(frozen=True, eq=False, slots=True)
class Told:
    """One answer as it is stored and sent: the object's bytes between the id and the timings, and what is searched."""

    middle: str
    columns: Columns
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """What was found on one file: the answer of every frame, and its milliseconds by stage."""

    told: Sequence[Told]
    timings: Sequence[Mapping[str, float]]


def told_of(prediction: Prediction) -> Told:
    """What of a prediction is the same whenever it is asked again."""
    said = prediction.to_json()
    for name in ("id", "file", "timings"):
        said.pop(name, None)
    middle = as_json(said)[1:-1] + ","
    model = prediction.model
    columns = Columns(
        task=prediction.task,
        model=None if model is None else f"{model.name}@{model.version}",
        digest=None if model is None else model.digest,
        label=prediction.label,
        probability=prediction.probability,
        refused=prediction.refused,
    )
    return Told(middle, columns, tuple(reason.code for reason in prediction.reasons))


def found_of(answers: Sequence[Answer]) -> Found:
    """What is told of all frames of one file."""
    said = [answer.prediction for answer in answers]
    return Found([told_of(prediction) for prediction in said], [prediction.timings for prediction in said])


as_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
