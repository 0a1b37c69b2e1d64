"""Batches that were taken on: how far they are, what came out as JSON or CSV, and how one is stopped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.access.deed import Deed, What
from hilum.errors import NotFound
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import caller_of, parts_of
from hilum.interfaces.http.batch import described, outlined
from hilum.interfaces.http.names import KNOWN_NAMES
from hilum.interfaces.http.problems import answer, told_as
from hilum.interfaces.http.recorded import told
from hilum.jobs.batches import Batches, State
from hilum.jobs.inbox import Order
from hilum.records.entry import Record

router = APIRouter(tags=["predict"])
COLUMNS = (
    "file", "frame", "id", "task", "class", "probability", "admitted", "reasons", "operating_point", "model", "error",
)  # fmt: skip
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet would run; the wide ones where Japanese is written
ACTS: dict[str, What] = {"stopped": "batch_stopped", "forgotten": "batch_forgotten"}


@router.get("/jobs", response_model=shapes.Jobs, summary="Your batches, newest first", dependencies=[KNOWN_NAMES])
def jobs(request: Request) -> Response:
    """Without their progress."""
    found = [order for order in _batches(request).all() if may_see(request, order)]
    return answer({"jobs": [outlined(order) for order in found]})


@router.get(
    "/jobs/{identity}",
    dependencies=[KNOWN_NAMES],
    response_model=shapes.Job | shapes.Results,
    summary="How far a batch is",
    responses=told_as("text/csv"),
)
def job(request: Request, identity: str, format: Literal["json", "csv"] | None = None) -> Response:  # noqa: A002
    """With `format`, what came out so far, as under `/jobs/{identity}/results`."""
    return answer(described(_state(request, identity))) if format is None else results(request, identity, format)


@router.get(
    "/jobs/{identity}/results",
    dependencies=[KNOWN_NAMES],
    response_model=shapes.Results,
    summary="What came out of a batch, as far as it is",
    responses=told_as("text/csv"),
)
def results(request: Request, identity: str, format: Literal["json", "csv"] = "json") -> Response:  # noqa: A002
    """In the order of the files: a prediction a frame, or the error of a file that cannot be read."""
    found = list(_rows(_batches(request), _state(request, identity)))
    headers = {"Cache-Control": "private, no-store"}
    if format == "json":
        return answer({"predictions": found}, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="hilum-{identity[:8]}.csv"'
    return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.delete("/jobs/{identity}", response_model=shapes.JobOutline, summary="Stop a batch, or forget one that is over")
def cancelled(request: Request, identity: str) -> Response:
    """Answers that were given stay on record."""
    _state(request, identity)
    order, done = _batches(request).cancel(identity)
    if done:
        parts_of(request).tell(Deed(ACTS[done], caller_of(request.scope), order.id))
    return answer(outlined(order))


def as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """One line an answer, and a column for each class that occurs; nothing in it runs in a spreadsheet."""
    rows = [_flat(one) for one in found]
    classes = sorted({name for row in rows for name in row} - set(COLUMNS))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *classes], restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _rows(batches: Batches, state: State) -> Iterator[dict[str, Any]]:
    for index, found in batches.results(state):
        yield {"index": index, **(told(found) if isinstance(found, Record) else found)}


def _flat(said: Mapping[str, Any]) -> dict[str, Any]:
    if "error" in said:
        return {"file": said.get("file", ""), "error": said["error"]}
    answered, model = said["prediction"] or {}, said["model"]
    return {
        "file": said.get("file", ""),
        "frame": said.get("frame", ""),
        "id": said["id"],
        "task": said["task"] or "",
        "class": answered.get("class", ""),
        "probability": answered.get("probability", ""),
        "admitted": json.dumps(said["gate"]["admitted"]),
        "reasons": " ".join(said["gate"]["reasons"]),
        "operating_point": said["operating_point"],
        "model": f"{model['name']}@{model['version']}" if model else "",
        **{f"p({name})": share for name, share in said["probabilities"].items()},
    }


def harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _state(request: Request, identity: str) -> State:
    state = _batches(request).state(identity)
    if not may_see(request, state.order):
        raise NotFound(f"no job {identity[:64]!r}")
    return state


def may_see(request: Request, order: Order) -> bool:
    """Whether a batch is the caller's own, or the caller may see everybody's."""
    caller = request.scope.get("state", {}).get("caller")
    return order.caller == caller_of(request.scope) or (caller is not None and caller.may("settings"))


def _batches(request: Request) -> Batches:
    parts = parts_of(request)
    return parts.batches
