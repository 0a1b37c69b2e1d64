"""A request -> the parts of the server that answers it, and the name of who asks; knows no route."""

from __future__ import annotations

from fastapi import Request
from starlette.types import Scope

from hilum.parts import Parts


def parts_of(request: Request) -> Parts:
    """The wired parts of this server."""
    parts: Parts = request.app.state.parts
    return parts


def caller_of(scope: Scope) -> str:
    """Who asks, as the record names them."""
    caller = scope.get("state", {}).get("caller")
    return "local" if caller is None else str(caller.id)
