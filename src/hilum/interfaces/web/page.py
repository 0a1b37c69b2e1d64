"""A template and its values -> a page with what every page shows: navigation, state, caller, notice, strict policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hilum import __version__
from hilum.errors import NotAllowed, PackageError
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.web import static_files, words
from hilum.interfaces.web.models_shown import speaking
from hilum.registry.pins import Known

FOLDER = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}  # the others come with every answer


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation: its address, its key after `g`, the act its visitors need."""

    title: str
    path: str
    key: str
    act: str


PLACES = (
    Place("Read", "/app/read", "r", "predict"),
    Place("Batches", "/app/jobs", "b", "predict"),
    Place("History", "/app/history", "h", "read"),
    Place("Models", "/app/models", "m", "read"),
    Place("Monitoring", "/app/monitoring", "o", "monitor"),
    Place("Data", "/app/data", "d", "data"),
    Place("Train", "/app/train", "t", "train"),
    Place("Settings", "/app/settings", "s", "account"),
)


def caller_of(request: Request) -> Any:
    """Who asks; None where nobody signed in."""
    return getattr(request.state, "caller", None)


def may(request: Request, act: str) -> bool:
    """Whether the caller may do this; without authentication everybody on this machine may."""
    caller = caller_of(request)
    return caller is not None and bool(caller.may(act))


def csrf_of(request: Request) -> str:
    """The token that a change must carry; "" where there is no session."""
    session, access = getattr(request.state, "session", ""), parts_of(request).access
    return access.sessions.csrf(session) if access is not None and session else ""


def must(request: Request, act: str) -> None:
    """Raises NotAllowed unless the caller may do this."""
    if not may(request, act):
        raise NotAllowed(f"this page needs the right to {act}")


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, which gets pages; programs get JSON."""
    return "text/html" in request.headers.get("accept", "")


def show(request: Request, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200) -> Response:
    """One page, or one part of a page; what is no text in a name of a file (bytes of another system) as escapes."""
    text = environment().get_template(template).render(**_common(request), **(values or {}))
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), status, dict(HEADERS))


def move(path: str) -> Response:
    """Go on to another page."""
    return RedirectResponse(path, 303)


@cache
def environment() -> jinja2.Environment:
    """Templates, escaped by default; a name that a template uses and a page lacks is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(static=static_files.address, version=__version__)
    made.filters.update(
        percent=words.percent,
        when=words.when,
        day=words.day,
        size=words.size,
        within=words.within,
        figure=words.figure,
        meaning=words.meaning,
        why=words.why,
    )
    return made


def _lacking(request: Request) -> list[str]:
    """What keeps the server from answering; it may name folders, which only who is on this machine is told."""
    parts = parts_of(request)
    found = parts.lacking()
    return found if parts.access is None else ["The server's log says why."] * bool(found)


def _speaking(request: Request) -> tuple[Known, ...]:
    """Whom the foot names; nobody where a shipped package is damaged, so that a page can still say so."""
    parts = parts_of(request)
    try:
        return speaking(parts.settings, parts.crew.chosen)
    except PackageError:
        return ()


def _common(request: Request) -> dict[str, Any]:
    caller = caller_of(request)
    theme = request.cookies.get("hilum_theme", "")
    return {
        "caller": caller,
        "may": lambda act: may(request, act),
        "places": PLACES,
        "here": request.url.path,
        "csrf": csrf_of(request),
        "theme": theme if theme in ("light", "dark") else "",
        "speaking": _speaking(request),
        "lacking": _lacking(request),
        "part": request.headers.get("hx-request") == "true",
    }
