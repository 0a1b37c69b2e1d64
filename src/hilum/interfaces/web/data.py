"""The Data page: have a folder or a zip audited, find the audit again, read what it found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.works import can_audit, works_of
from hilum.interfaces.web.audited import HEADLINES, findings
from hilum.interfaces.web.page import must, parts_of, show
from hilum.interfaces.web.worked import all_of, shown, sources
from hilum.jobs.works import REPORT, Works
from hilum.parts import Parts
from hilum.task import shipped_tasks

router = APIRouter()


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
        "tasks": [(task.name, task.title) for task in shipped_tasks()],
        "upload": parts.settings.upload_bytes,
        "works": works,
        "verdicts": {one.id: _verdict(parts, one.id) for one in works if one.state == "done"},
        "busy": any(not one.over for one in works),
    })  # fmt: skip


@router.get("/data/{identity}")
def audit(request: Request, identity: str) -> Response:
    """One audit: how far it is, or what it found."""
    must(request, "data")
    known = works_of(parts_of(request))
    work = known.get(identity)
    if work.kind != "audit":
        raise NotFound("no such audit")
    result = known.result(identity) if work.state == "done" else None
    return show(request, "audit.html", {
        "work": shown(known, work),
        "found": findings(result) if result else None,
        "report": _has_report(known, identity),
    })  # fmt: skip


def _verdict(parts: Parts, identity: str) -> tuple[str, str]:
    """The verdict's tone and sentence; ("", "") where the result cannot be read."""
    result: Any = works_of(parts).result(identity)
    if not result:
        return "", ""
    return findings(result).tone, HEADLINES.get(result["verdict"], result["verdict"])


def _has_report(known: Works, identity: str) -> bool:
    return (known.folder(identity) / REPORT / "index.html").is_file()
