"""The id of a recorded prediction -> the same question asked again of the same package: is the answer the same?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hilum.errors import ImageGone, NotFound, UnknownModel, UsageError
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.prediction import PIXELS, Prediction
from hilum.records.entry import Record
from hilum.records.store import Records
from hilum.storage.images import Images

TOLERANCE = 1e-6  # of every probability
UNNAMED = (
    "no package gave this answer: every task in turn refused, and the record does not say by which packages. Asked now "
    "were those that are installed, whatever was promoted: another one may have another gate, and admit what was "
    "refused then"
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was answered then and now.

    difference: the largest one of any class's probability, in [0, 1]. why: where it is not the same, what may be behind
    it apart from a change of the records; empty where nothing is known to be.
    """

    id: str
    model: str
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    difference: float
    same: bool
    why: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Past:
    """Where a prediction is found again, and how the package that made it is opened.

    open_desk: the digest of a package (None: every task in turn) -> who answers.
    content_of: what received bytes are known by.
    """

    records: Records
    images: Images
    open_desk: Callable[[str | None], Desk]
    content_of: Callable[[bytes], str]


def replay(identity: str, past: Past, image: bytes | None = None) -> Replayed:
    """Ask again. image: the picture, where it was not kept.

    Raises:
        NotFound: no such prediction. ImageGone: its picture is not kept; the message says why.
        UsageError: `image` is another picture. UnknownModel: the package is not installed any more.
    """
    record = past.records.get(identity)
    if record is None or record.entry.kind != "prediction":
        raise NotFound(f"no prediction {identity[:64]!r}")
    data = _kept(record, past) if image is None else _given(record, past, image)
    said = json.loads(record.entry.body)
    options = Options(said["operating_point"], _prevalence(said.get("prevalence")), said.get("input") == PIXELS)
    answers = predict(data, "the image", _desk(record, past), options)
    frame = int(said.get("frame") or 0)
    if frame >= len(answers):
        raise UsageError(f"the image has {len(answers)} frame(s); the answer was about frame {frame}")
    return _compared(record, said, answers[frame].prediction)


def _desk(record: Record, past: Past) -> Desk:
    at = record.entry.columns
    try:
        return past.open_desk(at.digest)
    except UnknownModel as error:
        if at.digest is None:
            raise
        raise UnknownModel(
            f"{at.model} ({at.digest[:12]}), which gave this answer, is not installed any more: put its folder at "
            "HILUM_HOME/models/NAME/VERSION, trust it (`hilum models --pin`) and ask again"
        ) from error


def _compared(record: Record, said: Mapping[str, Any], again: Prediction) -> Replayed:
    now = json.loads(json.dumps(again.to_json()))
    classes = {*said["probabilities"], *now["probabilities"]}
    gaps = [abs(said["probabilities"].get(name, 0.0) - now["probabilities"].get(name, 0.0)) for name in classes]
    difference = max(gaps, default=0.0)
    alike = _class(said) == _class(now) and said["gate"]["reasons"] == now["gate"]["reasons"]
    same = alike and difference <= TOLERANCE
    return Replayed(
        id=record.id,
        model=record.entry.columns.model or "no package",
        then=_short(said),
        now=_short(now),
        difference=difference,
        same=same,
        why=UNNAMED if not same and record.entry.columns.digest is None else "",
    )


def _kept(record: Record, past: Past) -> bytes:
    other = "; give the same file with --image"
    if record.entry.columns.image is None:
        raise ImageGone(f"the image of {record.id} was not kept{other}")
    if record.erased:
        raise ImageGone(f"the image of {record.id} was erased{other}")
    try:
        return past.images.get(record.entry.columns.image)
    except ImageGone as error:
        raise ImageGone(f"{error}{other}") from error


def _given(record: Record, past: Past, image: bytes) -> bytes:
    """Either what was received or what was kept of it."""
    if past.content_of(image) != record.entry.columns.content and past.images.key(image) != record.entry.columns.image:
        raise UsageError(f"this is not the image of {record.id}: its fingerprint is another one")
    return image


def _prevalence(said: Any) -> float | tuple[float, ...] | None:
    return tuple(said) if isinstance(said, list) else said


def _class(said: Mapping[str, Any]) -> str | None:
    return said["prediction"]["class"] if said["prediction"] else None


def _short(said: Mapping[str, Any]) -> dict[str, Any]:
    probability = said["prediction"]["probability"] if said["prediction"] else None
    return {"class": _class(said), "probability": probability, "reasons": said["gate"]["reasons"]}
