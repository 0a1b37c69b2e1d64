"""The application's own OpenAPI schema -> a page that a person can read, offline and without any script of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hilum.interfaces.web.page import show

router = APIRouter(include_in_schema=False)
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to send: its name, where it goes, what it is."""

    name: str
    place: str
    kind: str
    needed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path."""

    method: str
    path: str
    title: str
    text: str
    fields: tuple[Field, ...]
    bodies: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """A name for links."""
        return f"{self.method}-{self.path.strip('/').replace('/', '-').replace('{', '').replace('}', '') or 'root'}"


@router.get("/docs")
def docs(request: Request) -> Response:
    """Every operation, by the part of the service it belongs to."""
    schema = request.app.openapi()
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                groups.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(method, path, operation))
    host = request.headers.get("host", "127.0.0.1:8000")
    return show(
        request, "docs.html", {"groups": groups, "about": schema["info"], "address": f"{request.url.scheme}://{host}"}
    )


def _operation(method: str, path: str, said: Mapping[str, Any]) -> Operation:
    fields = tuple(
        Field(
            one["name"], one["in"], _kind(one.get("schema", {})), one.get("required", False), one.get("description", "")
        )
        for one in said.get("parameters", ())
    )
    body = said.get("requestBody", {}).get("content", {})
    return Operation(method.upper(), path, said.get("summary", ""), said.get("description", ""), fields, tuple(body))


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    return str(schema.get("format") or schema.get("type") or schema.get("$ref", "").rsplit("/", 1)[-1] or "any")
