"""The server's own OpenAPI schema -> docs/reference/http-api.md as text; write_reference.py puts it in its place."""

from __future__ import annotations

import json
import re
import tempfile
from typing import Any

from hilum.interfaces.http.app import create_app
from hilum.interfaces.http.rules import Rules
from hilum.parts import assemble
from hilum.settings import read_settings

UNDER_V1 = (
    "Each also under `/v1`, but pages, probes (`/livez`, `/readyz`, `/health`, `/healthz`, `/ping`), `/metrics`, "
    "`/openapi.json` and what lies under `/v2`."
)
WORDS = """Every path answers under `/v1` too, but those of *Operation* (there only `/invocations` does) and those under
`/v2`. Errors are RFC 9457 problems with a `code`
([errors](errors.md)) and, as the Open Inference Protocol asks, `error`. With `HILUM_AUTH=on` a request carries
`Authorization: Bearer hilum_…` or a session; *needs* names the right it asks for ([permissions](permissions.md)).
How to use it from curl and Python: [call the API](../how-to/call-the-api.md). The running server shows the schema at
`/docs` and `/openapi.json`.
"""
_PARAMETER = re.compile(r"\{[^}]*\}")


def http_api() -> str:
    """Every address of the server, with who may."""
    with tempfile.TemporaryDirectory() as home:
        parts = assemble(read_settings({"HILUM_HOME": home}))
        try:
            schema = create_app(parts).openapi()
        finally:
            parts.close()
    rules = Rules()
    tags: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            tag = (said.get("tags") or ["other"])[0]
            tags.setdefault(tag, []).append(_route(path, method.upper(), said, rules, schema))
    sections = [f"## {tag.capitalize()}\n\n" + "\n".join(routes) for tag, routes in sorted(tags.items())]
    return f"# The HTTP API\n\n{WORDS}\n" + "\n".join(sections)


def _route(path: str, method: str, said: dict[str, Any], rules: Rules, schema: dict[str, Any]) -> str:
    rule = (rules.at(_PARAMETER.sub("x", path)) or {}).get(method)
    needs = "" if rule is None else f" Needs `{rule.act}`." if rule.act else " Open to anybody."
    needs += f" `{rule.own}` is enough for what one started by it." if rule is not None and rule.own else ""
    rows = [f"### `{method} {path}`\n", f"{said.get('summary', '')}.{needs}\n"]
    if said.get("description"):
        rows.append(f"{said['description'].strip()}\n")
    rows += [_parameter(one) for one in said.get("parameters", ())]
    for media, body in said.get("requestBody", {}).get("content", {}).items():
        fields = _resolved(body.get("schema", {}), schema).get("properties", {})
        names = ", ".join(f"`{name}`" for name in fields)
        rows.append(f"- body `{media}`{': ' + names if names else ''}")
    return "\n".join(rows).rstrip() + "\n"


def _parameter(one: dict[str, Any]) -> str:
    shape = one.get("schema", {})
    default = f", default `{json.dumps(shape['default'])}`" if shape.get("default") is not None else ""
    told = one.get("description") or shape.get("description") or ""
    return f"- `{one['name']}` ({one['in']}, {_kind(shape)}{default}){': ' + told if told else ''}"


def _kind(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return " or ".join(f"`{one}`" for one in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(_kind(one) for one in shape["anyOf"] if one.get("type") != "null") or "any"
    return str(shape.get("format") or shape.get("type") or "any")


def _resolved(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    kinds = shape.get("anyOf", [shape])  # one of them is null where the body may be left out
    shape = next((one for one in kinds if one.get("type") != "null"), shape)
    reference = shape.get("$ref")
    found: dict[str, Any] = schema["components"]["schemas"][reference.rpartition("/")[2]] if reference else shape
    return found
