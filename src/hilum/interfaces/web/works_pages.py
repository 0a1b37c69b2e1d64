"""The Data and Train pages: ask for an audit or a training, watch it, read what came of it, compare trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.works import can_audit, can_learn, curve, works_of
from hilum.interfaces.web.charts import Chart, Series
from hilum.interfaces.web.page import must, parts_of, show
from hilum.interfaces.web.words import percent
from hilum.jobs.works import REPORT, Work, Works
from hilum.parts import Parts
from hilum.task import shipped_tasks

router = APIRouter()
PAIRS = 40  # told in words; the report shows the pictures
VERDICTS = {
    "clean": ("good", "Clean: nothing was found that would make figures of this set untrue."),
    "copies": ("warn", "Copies inside the set. Keep them together when it is split."),
    "leaks": ("bad", "The split leaks: the same picture or patient stands in two parts."),
    "conflicts": ("bad", "The same picture bears different labels."),
    "leaks+conflicts": ("bad", "The split leaks, and the same picture bears different labels."),
}
STATES = {
    "waiting": ("plain", "Waiting"),
    "running": ("plain", "Running"),
    "done": ("good", "Done"),
    "failed": ("bad", "Failed"),
    "stopped": ("warn", "Stopped"),
}
NETWORKS = ("", "cnn-2block", "cnn-3block", "residual-small", "residual")


@router.get("/data")
def data(request: Request) -> Response:
    """Audits so far, and a form for another."""
    must(request, "data")
    parts = parts_of(request)
    return show(request, "data.html", {**_common(parts, "audit"), "can": can_audit()})


@router.get("/data/{identity}")
def audit(request: Request, identity: str) -> Response:
    """One audit: how far it is, or what it found."""
    must(request, "data")
    known, work = _work(parts_of(request), identity, "audit")
    found = known.result(identity) if work.over else None
    return show(request, "audit.html", {
        **_told(known, work),
        "found": found,
        "verdict": VERDICTS.get(found["verdict"], ("warn", found["verdict"])) if found else None,
        "pairs": _worst(found["pairs"]) if found else [],
        "report": (known.folder(identity) / REPORT / "index.html").is_file(),
    })  # fmt: skip


@router.get("/train")
def train(request: Request, run: Annotated[list[str], Query(default_factory=list)]) -> Response:
    """Trainings so far, those chosen drawn together, and a form for another."""
    must(request, "train")
    parts = parts_of(request)
    common = _common(parts, "train")
    known = works_of(parts)
    chosen = [work for work in common["works"] if work.id in run][:6]
    scores = {work.id: _last(known, work) for work in common["works"]}
    return show(request, "train.html", {
        **common, "can": can_learn(), "chosen": [work.id for work in chosen], "scores": scores, "networks": NETWORKS,
        "charts": [_chart(known, chosen, "score"), _chart(known, chosen, "loss")] if chosen else [],
    })  # fmt: skip


@router.get("/train/{identity}")
def training(request: Request, identity: str) -> Response:
    """One training: its curve while it runs, its package and figures afterwards."""
    must(request, "train")
    known, work = _work(parts_of(request), identity, "train")
    return show(request, "training.html", {
        **_told(known, work),
        "charts": [_chart(known, [work], "score"), _chart(known, [work], "loss")],
        "found": known.result(identity) if work.state == "done" else None,
    })  # fmt: skip


def _common(parts: Parts, kind: str) -> dict[str, Any]:
    known = works_of(parts)
    works = [work for work in known.all() if work.kind == kind]
    roots = [(str(root), _folders(root)) for root in parts.settings.data_roots]
    return {"works": works, "roots": roots, "tasks": shipped_tasks(), "states": STATES}


def _folders(root: Any) -> list[str]:
    """The folders right under a root, which are what one most likely means."""
    try:
        return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))[
            :50
        ]
    except OSError:
        return []


def _work(parts: Parts, identity: str, kind: str) -> tuple[Works, Work]:
    known = works_of(parts)
    work = known.get(identity)
    if work.kind != kind:
        raise NotFound(f"no {kind} {identity[:64]!r}")
    return known, work


def _told(known: Works, work: Work) -> dict[str, Any]:
    steps = known.steps(work.id)
    step = steps[-1] if steps else None
    share = step.done / step.total if step and step.total else None
    return {"work": work, "step": step, "share": share, "log": known.said(work.id), "state": STATES[work.state]}


def _worst(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(pairs, key=lambda p: (not p["across_splits"], p["same_label"] is not False, -p["similarity"]))[:PAIRS]


def _last(known: Works, work: Work) -> str:
    scores = [point["score"] for point in curve(known.steps(work.id)) if point["score"] is not None]
    return percent(max(scores)) if scores else "–"


def _chart(known: Works, works: Sequence[Work], what: str) -> Chart:
    """Epoch by epoch, one line a training."""
    rows = {work.id: {int(point["epoch"] or 0): point[what] for point in curve(known.steps(work.id))} for work in works}
    last = max((max(row, default=0) for row in rows.values()), default=0)
    epochs = range(min((min(row, default=0) for row in rows.values()), default=0), last + 1)
    series = tuple(Series(work.title if len(works) == 1 else f"{work.title} ({work.id[:4]})", tuple(rows[work.id].get(i) for i in epochs)) for work in works)  # fmt: skip
    title, says = {
        "score": ("Score on the tune part", "Balanced accuracy on images the network does not learn from."),
        "loss": ("Loss", "How far the network is from the labels it learns from."),
    }[what]
    written = (lambda value: percent(value, 0)) if what == "score" else (lambda value: f"{value:.2f}")
    return Chart(what, title, says, tuple(map(str, epochs)), series, shape="lines", top=1.0 if what == "score" else 0.0,
                 across="Epoch", empty="No epoch is over yet.", written=written)  # fmt: skip
