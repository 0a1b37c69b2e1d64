"""The Train page: start a training, watch its curves, compare what came of several, let one speak."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.orders import works_of
from hilum.interfaces.http.works import can_learn, may_see, report_page
from hilum.interfaces.web.models_shown import card_of, opened, speaking
from hilum.interfaces.web.ordered import ordered, said_in
from hilum.interfaces.web.page import must, show
from hilum.interfaces.web.trained import HEADLINE, NETWORKS, Run, best, charts, name_of, run_of, side_by_side
from hilum.interfaces.web.worked import shown, sources
from hilum.jobs.works import Work, Works
from hilum.parts import Parts
from hilum.registry.pins import Known, known_packages
from hilum.registry.questions import known_tasks

router = APIRouter()
COMPARED_MOST = 4


@router.get("/train")
def train(request: Request, run: Annotated[list[str], Query(default_factory=list)], again: str = "") -> Response:
    """The way to a new training, the trainings there are, the chosen ones side by side; `again` fills the form."""
    must(request, "train")
    parts = parts_of(request)
    known = works_of(parts)
    works = [work for work in known.all() if work.kind == "train" and may_see(request, work)]
    chosen = [work for work in works if work.id in run][:COMPARED_MOST]
    choices = sources(parts.settings)
    tasks = [(task.name, task.title) for task in known_tasks(parts.settings)]
    asked = next((work.arguments for work in works if work.id == again and work.arguments), None)
    offered = ([value for value, _ in choices.choices], [name for name, _ in tasks])
    return show(request, "train.html", {
        "can": can_learn(),
        "rooted": bool(parts.settings.data_roots),
        "sources": choices,
        "tasks": tasks,
        "again": ordered(asked, *offered, parts.settings) if asked else None,
        "networks": NETWORKS,
        "works": [_row(known, work) for work in works],
        "busy": any(not work.over for work in works),
        "chosen": [work.id for work in chosen],
        "compared": _compared(known, chosen),
        "picked": len(set(run)),
        "most": COMPARED_MOST,
    })  # fmt: skip


@router.get("/train/{identity}")
def training(request: Request, identity: str) -> Response:
    """One training: how far it is, its curves, what came of it."""
    must(request, "train")
    parts = parts_of(request)
    known = works_of(parts)
    work = known.get(identity)
    if work.kind != "train" or not may_see(request, work):
        raise NotFound("no such training")
    came = run_of(known.result(identity)) if work.state == "done" else None
    return show(request, "training.html", {
        "work": shown(known, work),
        "asked": said_in(work.arguments),
        "charts": charts(known, [work]),
        "came": came,
        "reports": [of for of in ("evaluation", "audit") if report_page(known, work, parts.settings.home, of)],
        **(_places(parts, came) if came else {"installed": None, "speaks": None, "card": "", "titles": {}}),
    })  # fmt: skip


def _row(known: Works, work: Work) -> dict[str, Any]:
    came = run_of(known.result(work.id)) if work.state == "done" else None
    asked = said_in(work.arguments)
    return {
        "work": shown(known, work),
        "asked": asked,
        "best": best(known, work),
        "measured": came.of(HEADLINE) if came else "",
    }


def _compared(known: Works, chosen: list[Work]) -> dict[str, Any] | None:
    if len(chosen) < 2:
        return None
    came = [(name_of(work, chosen), work.id, run_of(known.result(work.id))) for work in chosen]
    over = [(name, identity, run) for name, identity, run in came if run is not None]
    runs = [run for _, _, run in over]
    alike = len({(run.task, run.n) for run in runs}) <= 1
    return {"over": over, "rows": side_by_side(runs), "charts": charts(known, chosen), "alike": alike}


def _places(parts: Parts, came: Run) -> dict[str, Any]:
    """The package as it is installed here with its card and its classes' titles, and the one that speaks now."""
    installed = next((one for one in known_packages(parts.settings) if one.digest == came.digest), None)
    package = opened(parts.settings, installed) if installed else None
    card = card_of(package) if package else ""
    titles = {label.name: label.title for label in package.task.labels} if package else {}
    return {"installed": installed, "speaks": _speaker(parts, came.task), "card": card, "titles": titles}


def _speaker(parts: Parts, task: str) -> Known | None:
    return next((one for one in speaking(parts.settings, parts.crew.chosen) if one.task == task), None)
