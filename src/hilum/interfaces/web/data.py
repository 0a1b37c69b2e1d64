"""The Data page: have a folder or a zip audited, find the audit again, read what it found."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.orders import works_of
from hilum.interfaces.http.works import can_audit, report_page
from hilum.interfaces.web.audited import HEADLINES, findings
from hilum.interfaces.web.page import must, show
from hilum.interfaces.web.pairs import FILTERS, pairs_shown, picture
from hilum.interfaces.web.worked import all_of, shown, sources
from hilum.jobs.works import Work, Works
from hilum.parts import Parts
from hilum.registry.questions import known_tasks

router = APIRouter()
Page = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/data")
def data(request: Request) -> Response:
    """The way to a new audit, and the audits there are."""
    must(request, "data")
    parts = parts_of(request)
    works = all_of(parts, "audit")
    return show(request, "data.html", {
        "can": can_audit(),
        "rooted": bool(parts.settings.data_roots),
        "sources": sources(parts.settings),
        "tasks": [(task.name, task.title) for task in known_tasks(parts.settings)],
        "upload": parts.settings.upload_bytes,
        "works": works,
        "verdicts": {one.id: _verdict(parts, one.id) for one in works if one.state == "done"},
        "busy": any(not one.over for one in works),
    })  # fmt: skip


@router.get("/data/{identity}")
def audit(
    request: Request, identity: str, pairs: str = "", page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
) -> Response:
    """One audit: how far it is, or what it found, with the pairs of a filter page by page."""
    must(request, "data")
    known = works_of(parts_of(request))
    work = _audit(known, identity)
    result = known.result(identity) if work.state == "done" else None
    chosen = pairs if pairs in FILTERS else ""
    return show(request, "audit.html", {
        "work": shown(known, work),
        "found": findings(result) if result else None,
        "pairs": pairs_shown(result, chosen, page) if result else None,
        "filters": FILTERS,
        "report": report_page(known, work, parts_of(request).settings.home, "audit") is not None,
    })  # fmt: skip


@router.get("/data/{identity}/pair/{place}/{side}")
def side(request: Request, identity: str, place: int, side: str) -> Response:
    """The picture of one side of a pair."""
    must(request, "data")
    parts = parts_of(request)
    known = works_of(parts)
    drawn = picture(known, _audit(known, identity), parts.settings, (place, side))
    return Response(drawn, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _audit(known: Works, identity: str) -> Work:
    work = known.get(identity)
    if work.kind != "audit":
        raise NotFound("no such audit")
    return work


def _verdict(parts: Parts, identity: str) -> tuple[str, str]:
    """The verdict's tone and sentence; ("", "") where the result cannot be read."""
    result: Any = works_of(parts).result(identity)
    if not result:
        return "", ""
    return findings(result).tone, HEADLINES.get(result["verdict"], result["verdict"])
