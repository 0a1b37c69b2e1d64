"""The Settings page: users, keys, what is kept and how long, questions; each part for those who may see it."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.access.caller import ACTS, ROLES, SCOPES
from hilum.interfaces.web.models_shown import speaking
from hilum.interfaces.web.page import caller_of, may, must, parts_of, show
from hilum.task import shipped_tasks

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
        "scopes": {act: words for act, words in ACTS.items() if act in SCOPES and caller.may(act)},
        "now": time.time(),
        "keeping": KEEPING[known.keep_images],
        "retention": f"Erased after {known.retention_days} days" if known.retention_days else "Until somebody erases them",
        "stores": (
            ("Records", "PostgreSQL" if known.database_url.startswith("postgresql") else "SQLite, on this machine"),
            ("Images", "Object storage" if "://" in known.images_url and not known.images_url.startswith("file") else "A folder on this machine"),
            ("Cache", "Redis" if known.cache_url else "In this process"),
            ("Largest upload", f"{known.upload_bytes / 1e6:.0f} MB"),
            ("Fetching by address", ", ".join(known.image_url_hosts) or "Off"),
            ("Folders for audits and training", str(len(known.data_roots)) if known.data_roots else "None"),
        ),
        "tasks": shipped_tasks(),
        "speaks": {one.task: one.reference for one in speaking(known)},
    })  # fmt: skip
