"""The Settings page: users, keys, what is kept and how long, questions; each part for those who may see it."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.access.caller import ACTS, ROLES, SCOPES, acts_of
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.web.models_shown import speaking
from hilum.interfaces.web.page import caller_of, may, must, show
from hilum.interfaces.web.words import size
from hilum.registry.questions import known_tasks
from hilum.settings import SETTINGS, Settings, without_secrets

router = APIRouter()
KEEPING = {
    "yes": "Kept, unless whoever sends them says no",
    "ask": "Kept only if whoever sends them says yes",
    "no": "Never kept",
}


@router.get("/settings")
def settings(request: Request) -> Response:
    """The page."""
    must(request, "account")
    parts, caller = parts_of(request), caller_of(request)
    access, known = parts.access, parts.settings
    everybody = access.users.all() if access and may(request, "users") else ()
    return show(request, "settings.html", {
        "auth": access is not None,
        "users": everybody,
        "roles": ROLES,
        "keys": access.keys.all(caller.id) if access else (),
        "others": [key for key in access.keys.all() if key.user != caller.id] if access and everybody else (),
        "names": {user.id: user.name for user in everybody},
        "rights": [(words, [act in acts_of(role) for role in ROLES]) for act, words in ACTS.items()],
        "server": server_settings(known) if may(request, "settings") else (),
        "scopes": {act: words for act, words in ACTS.items() if act in SCOPES and caller.may(act)},
        "now": time.time(),
        "keeping": KEEPING[known.keep_images],
        "retention": _retention(known),
        "stores": _stores(known),
        "folders": _folders(request, known),
        "tasks": known_tasks(known),
        "speaks": {one.task: one.reference for one in speaking(known, parts.crew.chosen)},
    })  # fmt: skip


def _retention(known: Settings) -> str:
    days = known.retention_days
    return f"Erased after {days} day{'' if days == 1 else 's'}" if days else "Until somebody erases them"


def _stores(known: Settings) -> tuple[tuple[str, str], ...]:
    away = "://" in known.images_url and not known.images_url.startswith("file")
    return (
        ("Records", "PostgreSQL" if known.database_url.startswith("postgresql") else "SQLite, on this machine"),
        ("Images", "Object storage" if away else "A folder on this machine"),
        ("Cache", "Redis" if known.cache_url else "In this process"),
        ("Largest upload", size(known.upload_bytes)),
        ("Fetching by address", ", ".join(known.image_url_hosts) or "Off"),
    )


def _folders(request: Request, known: Settings) -> tuple[str, ...]:
    """Which folders are open, for those who may have them read; who may not is told how many."""
    if not known.data_roots:
        return ("None",)
    told = any(may(request, act) for act in ("data", "train", "settings"))
    return tuple(map(str, known.data_roots)) if told else (str(len(known.data_roots)),)


def server_settings(known: Settings) -> list[tuple[str, str, str]]:
    """Name, value and meaning of every setting; secrets and passwords are never told."""
    return [(f"HILUM_{one.name}", _told(getattr(known, one.name.lower()), one.name), one.help) for one in SETTINGS]


def _told(value: object, name: str) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str("" if value is None else value)
    if name.endswith("_SECRET"):
        return "set, not shown" if text else ""
    return without_secrets(text)
