"""The Monitoring page: what the server did in a span of time, by task, drawn without any other service."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.web import monitored
from hilum.interfaces.web.page import must, show
from hilum.parts import Parts
from hilum.registry.questions import known_tasks

router = APIRouter()
QUEUE = "hilum_queue_requests"


@router.get("/monitoring")
def monitoring(
    request: Request, span: Literal["hour", "day", "week", "month", "year"] = "day", task: str = ""
) -> Response:
    """The page; span and task stand in its address."""
    must(request, "monitor")
    parts, now = parts_of(request), time.time_ns() // 1000
    known = known_tasks(parts.settings)
    tasks = {one.name: one.title for one in known}
    asked = task if task in tasks else None
    chosen = monitored.SPANS[span]
    found = parts.records.tallies(chosen.since(now), now + 1, chosen.step, asked)
    return show(request, "monitoring.html", {
        "now": now,
        "span": span,
        "spans": {name: one.title for name, one in monitored.SPANS.items()},
        "task": asked or "",
        "tasks": tasks,
        "any": bool(found.predictions),
        "figures": monitored.figures(found, parts.meters, _waiting(parts)),
        "charts": monitored.charts(found, chosen, now, known) if found.predictions else [],
        "models": monitored.by_model(found),
        "reasons": monitored.reasons(parts.meters, asked),
        "stages": monitored.stages(parts.meters),
        "away": monitored.turned_away(parts.meters),
    })  # fmt: skip


def _waiting(parts: Parts) -> int:
    _, read = parts.meters.gauges[QUEUE]
    return round(read())
