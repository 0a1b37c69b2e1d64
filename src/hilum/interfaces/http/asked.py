"""A request -> the parts of the server that answers it, the name of who asks, and what it holds; knows no route."""

from __future__ import annotations

from fastapi import Request
from starlette.types import Scope

from hilum.interfaces.http.inflow import Inflow
from hilum.parts import Parts


def parts_of(request: Request) -> Parts:
    """The wired parts of this server."""
    parts: Parts = request.app.state.parts
    return parts


def caller_of(scope: Scope) -> str:
    """Who asks, as the record names them."""
    caller = scope.get("state", {}).get("caller")
    return "local" if caller is None else str(caller.id)


def unpacked(scope: Scope, size: int) -> None:
    """So many bytes are, or will be, held for a request beside its body: unpacked or fetched.

    Raises:
        Problem: 503 where all requests together hold too much.
    """
    inflow: Inflow | None = scope.get("state", {}).get("inflow")
    if inflow is not None:
        inflow.unpack(size)
