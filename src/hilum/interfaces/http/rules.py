"""A method and a path -> the one rule that says who may; what has no rule is not there. Knows no caller.

Paths stand without the prefix /v1. A test goes over every route of the application and finds its rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN = ""  # anybody, signed in or not
SMALL = 64 * 1024  # bytes: a form of names and words
UPLOAD = -1  # as much as HILUM_UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Rule:
    """`act` from access.caller.ACTS or OPEN; `most` bytes of body; `counted` against the caller's rate or not.

    `page`: a browser that is not signed in is sent to the sign-in page, anything else gets 401.
    `probe`: an orchestrator asks by address, so the name in Host is not looked at.
    `outward`: the server asks somebody else before it answers, so a stranger's look counts, too.
    `form`: a plain form may send the CSRF token as a field, which the endpoint itself checks.
    `by_itself`: a page asks it over and over though nobody does anything: a session idles all the same.
    `own`: an act that is enough too; the endpoint then shows only what the caller itself started by it.
    """

    methods: str
    path: str
    act: str
    most: int = SMALL
    counted: bool = True
    page: bool = False
    probe: bool = False
    form: bool = False
    outward: bool = False
    by_itself: bool = False
    own: str = ""

    @property
    def for_nobody(self) -> bool:
        """Whether it is all one who asks: nobody is looked for, in a database that may be away."""
        return self.act == OPEN and not self.counted


def _read(path: str, act: str = "read") -> Rule:
    return Rule("GET", path, act, page=True)


def _probe(path: str) -> Rule:
    return Rule("GET", path, OPEN, counted=False, probe=True)


V2_MODELS = ("{name}", "{name}/versions/{version}")

RULES: tuple[Rule, ...] = (
    # answers
    Rule("POST", "/predict", "predict", most=UPLOAD),
    Rule("GET", "/jobs", "predict"),
    Rule("GET DELETE", "/jobs/{identity}", "predict"),
    Rule("GET", "/jobs/{identity}/results", "predict"),
    Rule("POST", "/invocations", "predict", most=UPLOAD),
    Rule("POST", "/feedback", "feedback"),
    Rule("POST", "/evaluate", "evaluate", most=UPLOAD),
    Rule("GET", "/evaluations/{identity}", "evaluate"),
    Rule("GET", "/evaluations/{identity}/report", "evaluate"),
    # what is on record, what can be asked
    _read("/"),
    _read("/predictions"),
    _read("/predictions/{name}"),
    _read("/predictions/{name}/image"),
    _read("/predictions/{name}/pixels"),
    _read("/predictions/{name}/heatmap"),
    _read("/models"),
    _read("/models/{reference}"),
    _read("/models/{reference}/card"),
    Rule("POST", "/models/{reference}/promote", "promote"),
    Rule("POST", "/tasks/{name}/rollback", "promote"),
    _read("/history"),
    _read("/tasks"),
    _read("/tasks/{name}"),
    _read("/samples"),
    _read("/samples/{name}"),
    _read("/samples/{task}/{name}"),
    _read("/docs"),
    _read("/openapi.json"),
    # pages
    Rule("GET", "/static/{version}/{name:path}", OPEN, counted=False),
    _read("/app/", "predict"),
    _read("/app/read", "predict"),
    _read("/app/answer/{name}"),
    Rule("GET", "/app/speaking", "predict", page=True, by_itself=True),
    _read("/app/thumb/{task}/{name}", "predict"),
    _read("/app/jobs", "predict"),
    _read("/app/jobs/{identity}", "predict"),
    _read("/app/history"),
    _read("/app/history/{name}"),
    _read("/app/compare"),
    _read("/app/export"),
    _read("/app/models"),
    _read("/app/models/{reference}"),
    _read("/app/versions"),
    _read("/app/account", "account"),
    _read("/account", "account"),
    _read("/app/monitoring", "monitor"),
    _read("/app/data", "data"),
    _read("/app/data/{identity}", "data"),
    _read("/app/data/{identity}/pair/{place}/{side}", "data"),
    _read("/app/train", "train"),
    _read("/app/train/{identity}", "train"),
    _read("/app/settings", "account"),
    # data and training
    Rule("POST", "/audits", "data", most=UPLOAD),
    Rule("POST", "/trainings", "train"),
    Rule("GET", "/works", "data", own="train"),
    Rule("GET", "/works/{identity}", "data", own="train"),
    Rule("DELETE", "/works/{identity}", "data"),
    Rule("GET", "/works/{identity}/report", "data", own="train"),
    # the server itself
    Rule("GET", "/metrics", "monitor", counted=False, probe=True),
    *(_probe(path) for path in ("/livez", "/readyz", "/health", "/healthz", "/ping")),
    *(_probe(path) for path in ("/v2/health/live", "/v2/health/ready")),
    # Open Inference Protocol v2
    Rule("GET", "/v2", "read"),
    *(Rule("GET", f"/v2/models/{path}", "read") for path in V2_MODELS),
    *(Rule("GET", f"/v2/models/{path}/ready", "read", counted=False) for path in V2_MODELS),
    *(Rule("POST", f"/v2/models/{path}/infer", "predict", most=UPLOAD) for path in V2_MODELS),
    Rule("POST", "/v2/repository/index", "read"),
    Rule("POST", "/v2/repository/models/{name}/load", "promote"),
    Rule("POST", "/v2/repository/models/{name}/unload", "promote"),
    # who asks
    Rule("GET POST", "/login", OPEN, form=True),
    Rule("GET", "/login/oidc", OPEN, outward=True),
    Rule("GET", "/login/oidc/callback", OPEN, outward=True),
    Rule("GET POST", "/first-start", OPEN, form=True),
    Rule("GET POST", "/set-password", OPEN, form=True),
    Rule("GET", "/session", OPEN),
    Rule("POST", "/logout", "account", form=True),
    Rule("POST", "/password", "account", form=True),
    Rule("GET POST", "/keys", "account"),
    Rule("DELETE", "/keys/{identity}", "account"),
    Rule("GET POST", "/users", "users"),
    Rule("PATCH", "/users/{identity}", "users"),
    Rule("POST", "/users/{identity}/link", "users"),
)

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


def pattern_of(path: str) -> re.Pattern[str]:
    """A path with {parameters} as an expression for whole paths; {name:path} takes slashes too."""
    parts, last = [], 0
    for found in _PARAMETER.finditer(path):
        parts += [re.escape(path[last : found.start()]), ".*" if found[2] else "[^/]+"]
        last = found.end()
    return re.compile("".join(parts) + re.escape(path[last:]), re.DOTALL)


class Rules:
    """The table, ready to be asked."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self._exact: dict[str, dict[str, Rule]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Rule]]] = []
        shaped: dict[str, dict[str, Rule]] = {}
        for rule in rules:
            place = shaped.setdefault(rule.path, {})
            for method in rule.methods.split():
                place[method] = rule
                if method == "GET":
                    place["HEAD"] = rule
        for path, place in shaped.items():
            if "{" in path:
                self._patterns.append((pattern_of(path), place))
            else:
                self._exact[path] = place

    def at(self, path: str) -> dict[str, Rule] | None:
        """Method -> rule at a path; None where there is nothing."""
        short = (path[3:] or "/") if path.startswith("/v1/") or path == "/v1" else path
        found = self._exact.get(short)
        if found is not None:
            return found
        return next((place for pattern, place in self._patterns if pattern.fullmatch(short)), None)
