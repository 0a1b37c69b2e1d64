"""The files under static/ -> addresses that change with their content, served from memory with far-future caching."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hilum.errors import NotFound

FOLDER = Path(__file__).parent / "static"
YEAR = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    """One static file, plain and compressed."""

    kind: str
    plain: bytes
    small: bytes


@cache
def files() -> dict[str, File]:
    """Every static file by its path, read once."""
    found = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    return {name: _file(path) for name, path in found.items()}


@cache
def version() -> str:
    """One digest of all of them: modules import each other by relative address, so they change address together."""
    digest = hashlib.sha256()
    for name, file in files().items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.plain).digest())
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds a static file.

    Raises:
        KeyError: there is no such file; a page that names one is wrong.
    """
    if name not in files():
        raise KeyError(name)
    return f"/static/{version()}/{name}"


async def _serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in files():
        raise NotFound(f"no static file {name[:80]!r}")
    file = files()[name]
    current = request.path_params["version"] == version()
    headers = {"Cache-Control": YEAR if current else "no-cache", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.small, media_type=file.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.plain, media_type=file.kind, headers=headers)


def _file(path: Path) -> File:
    plain = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(kind, plain, gzip.compress(plain, 9, mtime=0))


static = Route("/static/{version}/{name:path}", _serve, methods=["GET"], include_in_schema=False)
