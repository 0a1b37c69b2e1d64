"""The application's own OpenAPI schema -> a page that a person can read, offline and without any script of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hilum.access.caller import ACTS
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.rules import OPEN, Rule, Rules
from hilum.interfaces.web.page import show

router = APIRouter(include_in_schema=False)
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4  # references that are followed
TITLES = {  # of the parts, in the order in which they stand
    "predict": "Answers",
    "record": "What is on record",
    "evaluate": "Measuring",
    "catalogue": "Questions and models",
    "data and training": "Data and training",
    "open inference protocol": "Open Inference Protocol v2",
    "access": "Users, keys, sessions",
    "operation": "Operation",
}
ERROR = """{"type": "urn:hilum:problem:unsupported_format",
 "title": "Unsupported Media Type",
 "status": 415,
 "detail": "no image format that is read here",
 "code": "unsupported_format"}"""


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
    """One method at one path. right: what the caller must be allowed, in words; "" where anybody may ask."""

    method: str
    path: str
    title: str
    text: str
    fields: tuple[Field, ...]
    bodies: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    right: str

    @property
    def anchor(self) -> str:
        """A name for links."""
        path = self.path.strip("/").replace("/", "-").replace("{", "").replace("}", "")
        return f"{self.method.lower()}-{path or 'root'}"


@router.get("/docs")
def docs(request: Request) -> Response:
    """Every operation, by the part of the service it belongs to."""
    schema = request.app.openapi()
    rules = Rules()
    groups: dict[str, list[Operation]] = {name: [] for name in TITLES}
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                one = _operation(method, path, schema, rules)
                groups.setdefault(methods[method].get("tags", ["predict"])[0].lower(), []).append(one)
    host = request.headers.get("host", "127.0.0.1:8000")
    return show(request, "docs.html", {
        "groups": {TITLES.get(name, name.capitalize()): found for name, found in groups.items() if found},
        "about": schema["info"],
        "address": f"{request.url.scheme}://{host}",
        "auth": parts_of(request).access is not None,
        "error": ERROR,
    })  # fmt: skip


def _operation(method: str, path: str, schema: Mapping[str, Any], rules: Rules) -> Operation:
    said = schema["paths"][path][method]
    asked = tuple(
        Field(one["name"], one["in"], _kind(one.get("schema", {})), one.get("required", False), _text(one))
        for one in said.get("parameters", ())
    )
    contents = said.get("requestBody", {}).get("content", {})
    rule = (rules.at(path) or {}).get(method.upper())
    return Operation(
        method=method.upper(),
        path=path,
        title=said.get("summary", ""),
        text=said.get("description", ""),
        fields=(*asked, *_sent(contents, schema)),
        bodies=tuple(contents),
        answers=tuple((status, one.get("description", "")) for status, one in said.get("responses", {}).items()),
        right="" if rule is None else _right(rule),
    )


def _right(rule: Rule) -> str:
    if rule.act == OPEN:
        return ""
    return f"{ACTS[rule.act]}; for one's own, to {ACTS[rule.own]}" if rule.own else ACTS[rule.act]


def _sent(contents: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Field]:
    """The fields of each kind of body; one that several kinds share stands once."""
    found: dict[str, Field] = {}
    for kind, one in contents.items():
        shape = _resolved(one.get("schema", {}), schema)
        place = "form" if kind.startswith("multipart") or "urlencoded" in kind else "body"
        for name, part in shape.get("properties", {}).items():
            needed = name in shape.get("required", ())
            found.setdefault(name, Field(name, place, _kind(part), needed, _text(part)))
    return list(found.values())


def _resolved(shape: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references and behind "this or nothing"."""
    for _ in range(DEEPEST):
        if "$ref" in shape:
            shape = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in shape:
            shape = next((one for one in shape["anyOf"] if one.get("type") != "null"), {})
        else:
            break
    return shape


def _text(said: Mapping[str, Any]) -> str:
    """What is said of a field, and what it is when nothing is sent."""
    usual = said.get("default", said.get("schema", {}).get("default"))
    text = str(said.get("description", ""))
    return text if usual in (None, "", [], {}) else f"{text} (otherwise {usual})".strip()


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("$ref", "").rsplit("/", 1)[-1] or "any")
