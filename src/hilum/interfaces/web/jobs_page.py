"""The Batches page: begin one, see how far each is, stop it, take its results along; one of them answer by answer."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.body import FILES
from hilum.interfaces.http.jobs import may_see
from hilum.interfaces.http.packed import MEMBERS
from hilum.interfaces.web.batched import ANSWERED, REFUSED, UNREAD, Batched, BatchShown
from hilum.interfaces.web.page import caller_of, may, must, show
from hilum.interfaces.web.questions import offered
from hilum.jobs.inbox import Order

router = APIRouter()
BATCHES, ROWS = 30, 50  # of a page
KINDS = {"": "All", ANSWERED: "Answered", REFUSED: "Refused", UNREAD: "Not read"}
Page = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/jobs")
def jobs(request: Request, page: Page = 1) -> Response:
    """The way to a new batch, and the batches one may see, newest first."""
    must(request, "predict")
    parts, can = parts_of(request), can_batch()
    orders = [order for order in parts.batches.all() if may_see(request, order)] if can else []
    here = orders[(page - 1) * BATCHES : page * BATCHES]
    batches = _shown(request, here)
    return show(request, "jobs.html", {
        "can": can,
        "batches": batches,
        "total": len(orders),
        "page": page,
        "older": len(orders) > page * BATCHES,
        "busy": any(not one.over for one in batches),
        "at_once": FILES,
        "members": MEMBERS,
        **offered(parts),
    })  # fmt: skip


@router.get("/jobs/{identity}")
def job(request: Request, identity: str, kind: str = "", page: Page = 1) -> Response:
    """One batch: how far it is, and what came out, answer by answer."""
    must(request, "predict")
    known = batched_of(request)
    state = parts_of(request).batches.state(identity)
    if not may_see(request, state.order):
        raise NotFound(f"no batch {identity[:64]!r}")
    kind = kind if kind in KINDS else ""
    batch = known.shown(state, _who(state.order, _names(request)))
    return show(request, "job.html", {
        "one": batch,
        "rows": known.rows(state, kind, (page - 1) * ROWS, ROWS),
        "kind": kind,
        "kinds": KINDS,
        "page": page,
        "pages": max(-(-batch.count(kind) // ROWS), 1),
    })  # fmt: skip


def can_batch() -> bool:
    """Whether the engine that answers batches is installed."""
    return importlib.util.find_spec("dbos") is not None


def batched_of(request: Request) -> Batched:
    """What this server knows of its batches."""
    known: Batched = request.app.state.batched
    return known


def _shown(request: Request, orders: Iterable[Order]) -> list[BatchShown]:
    known, names, found = batched_of(request), _names(request), []
    for order in orders:
        try:
            found.append(known.shown(known.state(order), _who(order, names)))
        except NotFound:  # it was forgotten while the page was made
            continue
    return found


def _names(request: Request) -> Mapping[str, str]:
    """Id of a caller -> name; only those that the visitor may know."""
    access, me = parts_of(request).access, caller_of(request)
    everybody = {user.id: user.name for user in access.users.all()} if access and may(request, "users") else {}
    return {**everybody, "local": "this machine", me.id: "you"}


def _who(order: Order, names: Mapping[str, str]) -> str:
    return names.get(order.caller, "somebody who is gone")
