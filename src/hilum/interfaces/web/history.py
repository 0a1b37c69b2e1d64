"""The list of answers with its filters in the address; one of them, two beside each other, the list as a file."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse

from hilum.errors import UsageError
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.jobs import harmless
from hilum.interfaces.http.recorded import Filters, feedback_on, found, told, wanted
from hilum.interfaces.web.answers import answer_shown, answers_shown
from hilum.interfaces.web.page import must, show
from hilum.parts import Parts
from hilum.registry.pins import known_packages
from hilum.registry.questions import known_tasks
from hilum.task import Task

router = APIRouter()
LIMIT = 50
MOST = 100_000  # rows of a file
LINES = 100  # of it sent at a time
FIELDS = ("text", "task", "class", "model", "since", "until", "state", "order")
ORDERS = {"newest": "Newest first", "priority": "Most likely disease first", "uncertain": "Least certain first"}
STATES = {"answered": "Answered", "refused": "Refused", "disagreed": "Somebody disagreed"}
TITLES = {  # of the filters, as they are called on the page
    "text": "Search", "task": "Question", "class": "Answer", "state": "State",
    "model": "Model", "since": "From (UTC)", "until": "To (UTC)", "order": "Order",
}  # fmt: skip
COLUMNS = ("id", "at", "file", "task", "class", "probability", "refused", "reasons", "set", "model", "digest", "caller")


@router.get("/history")
def history(request: Request) -> Response:
    """The list; with htmx only its rows are taken from the page."""
    must(request, "read")
    parts, asked = parts_of(request), _asked(request.query_params)
    problem, page = "", None
    try:
        page = parts.records.find(wanted(_filters(asked, LIMIT, request.query_params.get("cursor")), parts))
    except UsageError as error:
        problem = str(error)
    kept = {name: value for name, value in asked.items() if value}
    tasks = known_tasks(parts.settings)
    return show(request, "history.html", {
        "rows": answers_shown(page.records, parts) if page else [],
        "total": page.total if page else 0,
        "most": MOST,
        "next": urlencode({**kept, "cursor": page.next_cursor}) if page and page.next_cursor else "",
        "paged": "cursor" in request.query_params,
        "asked": asked,
        "filtered": any(value for name, value in kept.items() if name != "order"),
        "query": urlencode(kept),
        "named": _named(asked, tasks),
        "problem": problem,
        "tasks": tasks,
        "classes": _classes(tasks),
        "models": _models(parts),
        "orders": ORDERS,
        "states": STATES,
    })  # fmt: skip


@router.get("/history/{name}")
def record(request: Request, name: str) -> Response:
    """One answer beside its picture."""
    must(request, "read")
    parts = parts_of(request)
    one = found(parts, name)
    shown = answer_shown(one, parts)
    titles = {label.name: label.title for label in shown.labels}
    said = [{**each, "title": titles.get(each["class"], each["class"] or "")} for each in _heard(parts, name)]
    body = json.dumps(told(one), indent=2, ensure_ascii=False)
    return show(request, "record.html", {"answers": [shown], "feedback": said, "body": body})


def _heard(parts: Parts, name: str) -> list[dict[str, Any]]:
    """What was said to an answer, oldest first; `back`: whether it was taken back later."""
    said = feedback_on(parts, name)
    return [
        {**one, "back": any(later["class"] is None and later["caller"] == one["caller"] for later in said[i + 1 :])}
        for i, one in enumerate(said)
    ]


@router.get("/compare")
def compare(request: Request, a: str, b: str) -> Response:
    """Two answers beside each other; their pictures move together."""
    must(request, "read")
    parts = parts_of(request)
    both = answers_shown([found(parts, name) for name in (a, b)], parts)
    return show(request, "compare.html", {"answers": both})


@router.get("/export")
def export(request: Request, form: Literal["csv", "json"] = "csv") -> Response:
    """The list as it is filtered, as CSV or JSON."""
    must(request, "read")
    parts, asked = parts_of(request), _asked(request.query_params)
    rows = map(told, parts.records.first(wanted(_filters(asked, LIMIT, None), parts), MOST))
    lines = _json(rows) if form == "json" else _csv(rows)
    kind = "application/json" if form == "json" else "text/csv; charset=utf-8"
    return StreamingResponse(
        iter(lambda: "".join(islice(lines, LINES)), ""),
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="hilum-history.{form}"'},
    )


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip() for name in FIELDS}


def _named(asked: Mapping[str, str], tasks: Sequence[Task]) -> list[tuple[str, str]]:
    """The filters in words: what each is called, and what was chosen."""
    words = {
        "task": {task.name: task.title for task in tasks},
        "class": {name: title for name, title, _ in _classes(tasks)},
        "state": STATES,
        "order": ORDERS,
    }
    given = {**asked, "order": asked["order"] or "newest"}
    return [(TITLES[name], words.get(name, {}).get(value, value)) for name, value in given.items() if value]


def _filters(asked: Mapping[str, str], limit: int, cursor: str | None) -> Filters:
    state: dict[str, dict[str, bool]] = {
        "": {},
        "answered": {"refused": False},
        "refused": {"refused": True},
        "disagreed": {"disagreed": True},
    }
    if asked["state"] not in state:
        raise UsageError(f"state: one of {', '.join(STATES)}")
    said: dict[str, Any] = {name: value for name, value in asked.items() if value and name != "state"}
    said |= state[asked["state"]]
    if len(asked["until"]) == 10 and asked["until"][4] == "-":  # a day is meant whole
        said["until"] = _day_after(asked["until"])
    try:
        return Filters.model_validate({**said, "limit": limit, "cursor": cursor})
    except ValidationError as error:
        raise UsageError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())) from error


def _day_after(day: str) -> str:
    try:
        return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    except (ValueError, OverflowError):  # no day, or the last one there is
        return day


def _models(parts: Parts) -> list[str]:
    """Those installed and those on record: a version that speaks no more is what one looks for when answers changed."""
    return sorted({one.reference for one in known_packages(parts.settings)} | parts.records.models())


def _classes(tasks: Sequence[Task]) -> list[tuple[str, str, str]]:
    """Name, title and questions of every class; where several have one title, the question tells them apart."""
    asked: dict[str, list[Task]] = {}
    titles: dict[str, str] = {}
    for task in tasks:
        for label in task.labels:
            asked.setdefault(label.name, []).append(task)
            titles.setdefault(label.name, label.title)
    several = Counter(titles.values())
    return [
        (
            name,
            title if several[title] == 1 else f"{title} ({asked[name][0].title})",
            " ".join(t.name for t in asked[name]),
        )
        for name, title in titles.items()
    ]


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield '{"predictions": ['
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(row)
    yield "\n]}\n"


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in rows:
        said, gate, model = row.get("prediction") or {}, row["gate"], row.get("model") or {}
        yield _line((
            row["id"], row["at"], row.get("file", ""), row.get("task") or "",
            said.get("class", ""), said.get("probability", ""),
            not gate["admitted"], " ".join(gate["reasons"]), " ".join(row["conformal_set"]),
            f"{model.get('name', '')} {model.get('version', '')}".strip(), model.get("digest", ""), row["caller"],
        ))  # fmt: skip


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([harmless(cell) for cell in cells])
    return out.getvalue()
