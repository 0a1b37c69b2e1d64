"""What was answered: the record of predictions, their images and heatmaps, and what people say to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, BeforeValidator, Field, model_validator
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.flows.feedback import NOTE, Said, give_feedback
from hilum.flows.shown import Shown, heatmap_of, shown
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import caller_of, parts_of
from hilum.interfaces.http.body import TEXT, Strict
from hilum.interfaces.http.names import KNOWN_NAMES, check_near
from hilum.interfaces.http.problems import answer, told_as
from hilum.interfaces.http.turns import Turns
from hilum.model.overlay import grey_png
from hilum.parts import Parts
from hilum.records.entry import Record
from hilum.records.query import Query as Wanted
from hilum.registry.questions import known_tasks
from hilum.task import Label

router = APIRouter(tags=["record"])
T = TypeVar("T")


class Feedback(BaseModel):
    """What a reader says to an answer; what other forms say beside it is passed over, a misspelt name is not."""

    id: str = Field(description="id of the prediction", pattern=TEXT)
    label: str | None = Field(None, description="the right class, in the task's words or a synonym")
    agree: bool | None = Field(None, description="true: the answer is right")
    withdraw: bool = Field(False, description="true: what the caller said to it before counts no more")
    note: str = Field("", max_length=NOTE, pattern=TEXT, description="for people; kept apart and erasable")

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, said: Any) -> Any:
        if isinstance(said, Mapping):
            check_near(map(str, said), tuple(cls.model_fields))
        return said


def _dated(said: object) -> object:
    """A bare number would be seconds since 1970, of which 2026 and 20260131 are hardly any."""
    if isinstance(said, str) and said.strip().lstrip("+-").replace(".", "").isdigit():
        raise ValueError("write the day as 2026-01-31, or the time as 2026-01-31T12:00Z")
    return said


Moment = Annotated[datetime, BeforeValidator(_dated)]


class Filters(Strict):
    """What of the record is wanted."""

    task: str | None = None
    class_: str | None = Field(None, alias="class")
    model: str | None = None
    since: Moment | None = Field(None, description="ISO 8601; without a zone it is UTC")
    until: Moment | None = None
    refused: bool | None = None
    disagreed: bool | None = None
    caller: str | None = None
    text: str | None = Field(
        None, description="part of a file name, note, class or model, or the start of an id", max_length=200
    )
    order: Literal["newest", "uncertain", "priority"] = "newest"
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None


@router.get("/predictions", response_model=shapes.RecordPage, summary="The record of answers, newest first")
def predictions(request: Request, filters: Annotated[Filters, Query()]) -> Response:
    """With filters and paging: follow `next` as `cursor`; `total` is counted once, for the first page."""
    parts = parts_of(request)
    page = parts.records.find(wanted(filters, parts))
    found = [told(record) for record in page.records]
    return answer({"predictions": found, "next": page.next_cursor, "total": page.total})


@router.get("/predictions/{name}", response_model=shapes.RecordedOne, summary="One answer and what was said to it")
def prediction(request: Request, name: str) -> Response:
    """404 where there is no such record."""
    parts = parts_of(request)
    record = found(parts, name)
    return answer({**told(record), "feedback": feedback_on(parts, record.id)})


@router.get(
    "/predictions/{name}/image",
    dependencies=[KNOWN_NAMES],
    summary="The kept picture as PNG",
    response_class=Response,
    responses=told_as("image/png"),
)
async def image(request: Request, name: str, frame: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The grey values that were judged, 8 bit; 404 where the image was not kept or was erased."""

    def drawn() -> Response:
        return Response(grey_png(_shown(request, name, frame).pixels), media_type="image/png", headers=_private())

    return await _in_turn(request, drawn)


@router.get(
    "/predictions/{name}/pixels",
    dependencies=[KNOWN_NAMES],
    summary="The grey plane for a viewer",
    response_class=Response,
    responses=told_as("application/octet-stream"),
)
async def pixels(request: Request, name: str, frame: Annotated[int, Query(ge=0)] = 0) -> Response:
    """uint16, little endian, rows first; size and frames in the headers X-Width, X-Height, X-Frames."""

    def drawn() -> Response:
        picture = _shown(request, name, frame)
        plane = np.rint(picture.pixels * 65535).astype("<u2")
        height, width = plane.shape
        headers = {"X-Width": str(width), "X-Height": str(height), "X-Frames": str(picture.frames), "X-Max": "65535"}
        return Response(plane.tobytes(), media_type="application/octet-stream", headers={**headers, **_private()})

    return await _in_turn(request, drawn)


@router.get(
    "/predictions/{name}/heatmap",
    dependencies=[KNOWN_NAMES],
    summary="Where the evidence lies, as a grey PNG",
    response_class=Response,
    responses=told_as("image/png"),
)
async def heatmap(
    request: Request, name: str, method: Literal["cam", "occlusion"] = "cam", label: str | None = None
) -> Response:
    """Size of the image; black 0, white 1. `label`: evidence for another class than the one answered."""
    parts = parts_of(request)

    def drawn() -> bytes:
        return heatmap_of(found(parts, name), parts, method=method, label=label)

    costly: Turns = request.app.state.drawing
    picture = await (costly.run(drawn) if method == "occlusion" else _in_turn(request, drawn))
    return Response(picture, media_type="image/png", headers=_private())


@router.post(
    "/feedback",
    response_model=shapes.Said,
    status_code=201,
    summary="Say whether an answer was right",
    dependencies=[KNOWN_NAMES],
)
def feedback(request: Request, said: Annotated[Feedback, Body()]) -> Response:
    """Put on record beside the answer, never in its place; 409 for a note on an answer that was erased.

    With `withdraw` nothing is said: all that the caller said before stays on record and counts no more; 409 where
    nothing stands.
    """
    parts = parts_of(request)
    words = Said(said.label, said.agree, said.withdraw, said.note)
    return answer(give_feedback(said.id, words, caller_of(request.scope), parts.records, parts.settings), 201)


def wanted(filters: Filters, parts: Parts) -> Wanted:
    """The filters as the record understands them; times in microseconds since 1970."""
    labels = [label for task in known_tasks(parts.settings) for label in task.labels]
    return Wanted(
        kind="prediction",
        task=filters.task,
        label=filters.class_,
        model=filters.model,
        since=_micros(filters.since),
        until=_micros(filters.until),
        refused=filters.refused,
        disagreed=filters.disagreed,
        caller=filters.caller,
        text=filters.text,
        titled=titled(filters.text or "", labels),
        order=filters.order,
        negatives=tuple(label.name for label in labels if label.negative),  # last where the worklist goes by priority
        limit=filters.limit,
        cursor=filters.cursor,
    )


def told(record: Record) -> dict[str, Any]:
    """A record as the public object, with the time, the caller and what of it can be looked at."""
    said = json.loads(record.entry.body)
    file = record.entry.personal.get("file")
    at = datetime.fromtimestamp(record.entry.at / 1e6, UTC).isoformat(timespec="milliseconds")
    named = {"file": file} if file else {}
    return {
        "id": said.pop("id"),
        **named,
        **said,
        "at": at,
        "caller": record.entry.caller,
        "image": record.entry.columns.image is not None and not record.erased,
    }


def feedback_on(parts: Parts, name: str) -> list[dict[str, Any]]:
    """What people said to one answer, oldest first."""
    return [
        {
            **json.loads(record.entry.body),
            "caller": record.entry.caller,
            "note": record.entry.personal.get("note", ""),
            "at": record.entry.at,
        }
        for record in parts.records.about(name, "feedback")
    ]


def found(parts: Parts, name: str) -> Record:
    """The record of a prediction.

    Raises:
        NotFound: there is none of this id.
    """
    record = parts.records.get(name)
    if record is None or record.entry.kind != "prediction":
        raise NotFound(f"no prediction {name[:64]!r}")
    return record


def titled(text: str, labels: Sequence[Label]) -> tuple[str, ...]:
    """The classes that pages call by these words."""
    return tuple(dict.fromkeys(label.name for label in labels if text.lower() in label.title.lower()))


async def _in_turn(request: Request, drawn: Callable[[], T]) -> T:
    """A few at a time: while it is drawn a large picture takes hundreds of megabytes, and a thread that others need."""
    shown: Turns = request.app.state.showing
    return await shown.run(drawn)


def _shown(request: Request, name: str, frame: int) -> Shown:
    parts = parts_of(request)
    return shown(found(parts, name), parts, frame)


def _private() -> dict[str, str]:
    return {"Cache-Control": "private, no-store"}


def _micros(at: datetime | None) -> int | None:
    if at is None:
        return None
    since = at.replace(tzinfo=at.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)  # any year, unlike timestamp()
    return since // timedelta(microseconds=1)
