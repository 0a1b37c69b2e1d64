"""Every request, before anything else looks at it -> the same with its caller, or a refusal; and safe headers back.

In this order: whose name is in Host, which rule stands for method and path, whether another web site sent it, who asks,
whether they may, whether the page's token came along, whether they ask too often, how large the body may be. A plain
ASGI layer: it stands before every prediction, and a verified key passes in microseconds.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.access.access import Access
from hilum.access.caller import LOCAL
from hilum.errors import HilumError, UsageError
from hilum.interfaces.http.credentials import NOBODY, Credentials, Found, address_of
from hilum.interfaces.http.inflow import Held, Inflow, check_coding, check_length
from hilum.interfaces.http.origin import SAFE, Origins, is_loopback
from hilum.interfaces.http.problems import Problem, from_error, status_of
from hilum.interfaces.http.rates import Count, Rates
from hilum.interfaces.http.rules import OPEN, RULES, UPLOAD, Rule, Rules
from hilum.settings import Settings

ANONYMOUS_RATE = "120/minute"  # requests of an address nobody has vouched for
LONGEST_TARGET, LARGEST_HEADERS = 8 * 1024, 32 * 1024  # bytes
LARGEST_BODIES = 4  # bodies of HILUM_UPLOAD_BYTES that all requests together may hold
ONCE = (
    b"host",
    b"authorization",
    b"content-length",
    b"content-type",
    b"transfer-encoding",
    b"origin",
    b"x-csrf-token",
    b"sec-fetch-site",
    b"idempotency-key",
)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
]
DEFAULTS = {b"content-security-policy": CSP.encode(), b"cache-control": b"no-store"}  # where a route says nothing
HSTS = (b"strict-transport-security", b"max-age=31536000")
BY_ITSELF = b"x-by-itself"  # a page brings itself up to date: who sits before it did nothing
FORM_TOKEN = "csrf_token"  # noqa: S105  # the name of a field
Page = Callable[[Scope, BaseException, int], Response | None]


@dataclass(frozen=True, slots=True)
class Guard:
    """What the layer needs to know; `access` None: everybody on this machine is the local caller.

    `page` may draw a refusal for a browser; None from it, or without it, the refusal is a problem.
    `away` hears "quota" of each request that came too often.
    """

    access: Access | None
    upload_bytes: int
    public_url: str = ""
    rate: str = ""
    redis_url: str = ""
    rules: tuple[Rule, ...] = RULES
    page: Page | None = None
    away: Callable[[str], None] = lambda _: None


def guard_of(
    settings: Settings, access: Access | None, page: Page | None = None, away: Callable[[str], None] = lambda _: None
) -> Guard:
    """The guard of an installation."""
    limits = settings.upload_bytes, settings.public_url, settings.rate, settings.cache_url
    return Guard(access, *limits, page=page, away=away)


def check_address(host: str, auth: str) -> None:
    """Raises UsageError when the server would listen to other machines without asking who they are."""
    if auth != "on" and not is_loopback(host):
        raise UsageError(
            f"--host {host} would let everybody on the network in without asking who they are: "
            "set HILUM_AUTH=on (the first start prints a one-time link), or stay on 127.0.0.1"
        )


class Security:
    """The layer; `app.add_middleware(Security, guard=…)` last, so that it stands outermost."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard
        self._rules, local = Rules(guard.rules), guard.access is None
        self._origins = Origins(guard.public_url, local=local)
        self._credentials = None if guard.access is None else Credentials(guard.access)
        self._rates = Rates("" if local else guard.rate, guard.redis_url)
        self._strangers = Rates("" if local else ANONYMOUS_RATE)
        self._local = Found(LOCAL)
        self._held = Held(LARGEST_BODIES * guard.upload_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, self._ending(send))
            return
        if scope["method"] == "HEAD":  # answered as GET; uvicorn, which keeps its own scope, leaves the body out
            scope = {**scope, "method": "GET"}
        extra = list(HEADERS) if scope["scheme"] == "http" else [*HEADERS, HSTS]
        try:
            rule = await self._admit(scope, dict(scope["headers"]), extra)
        except (Problem, HilumError) as error:
            await self._refused(scope, error)(scope, receive, _dressed(send, extra))
            return
        if scope["method"] in SAFE:
            await self._app(scope, receive, _dressed(send, extra))
            return
        inflow = Inflow(receive, self._most(rule), self._held)
        scope["state"]["inflow"] = inflow
        try:
            await self._app(scope, inflow, _dressed(send, extra, inflow))
        finally:
            inflow.let_go()

    def _ending(self, send: Send) -> Send:
        """Redis let go of before the server hears that all is closed, and cancels what is not done by then."""

        async def ending(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self._rates.close()
            await send(message)

        return ending

    async def _admit(self, scope: Scope, headers: Mapping[bytes, bytes], extra: list[tuple[bytes, bytes]]) -> Rule:
        method = scope["method"]
        _check_shape(scope, headers)
        place = self._rules.at(scope["path"])
        if place is None:
            raise Problem(404, "not_found", "there is nothing at this path")
        rule = place.get(method)
        if rule is None:
            raise Problem(405, "method_not_allowed", f"{method[:16]} is not for this path", {"Allow": ", ".join(place)})
        if not rule.probe and not self._origins.host_is_ours(headers):
            raise Problem(421, "wrong_host", "this server does not answer to that name (Host)")
        keyed = b"authorization" in headers and self._credentials is not None
        if not keyed and self._origins.is_foreign(headers, method):
            raise Problem(403, "cross_site", "sent by another web site")
        found = self._local
        if self._credentials is not None and not rule.for_nobody:
            by_itself = rule.by_itself or BY_ITSELF in headers
            found = await self._credentials.find(headers, scope["scheme"], by_itself=by_itself)
            await self._permit(scope, rule, found, headers, extra)
        elif self._credentials is not None:
            found = NOBODY
        scope.setdefault("state", {}).update(caller=found.caller, session=found.session)
        check_length(headers.get(b"content-length"), self._most(rule))
        return rule

    async def _permit(
        self, scope: Scope, rule: Rule, found: Found, headers: Mapping[bytes, bytes], extra: list[tuple[bytes, bytes]]
    ) -> None:
        method, stranger = scope["method"], found.caller.via == "nobody"
        if rule.counted and (not stranger or found.fault or rule.outward or method not in SAFE):
            if stranger:
                count = self._strangers.count_here(address_of(scope))
            else:
                count = await self._rates.count(found.caller.key or found.caller.id)
            if count is not None and not count.allowed:
                self._guard.away("quota")
            _check_count(count, extra)
        if rule.act == OPEN:
            return
        if stranger:
            told = 'Bearer realm="hilum"' + (', error="invalid_token"' if found.fault else "")
            raise Problem(401, "not_signed_in", found.fault or "sign in, or send a key", {"WWW-Authenticate": told})
        if not (rule.own and found.caller.may(rule.own)):
            found.caller.must(rule.act)
        if found.session and method not in SAFE and not rule.form:
            self.check_token(found.session, headers.get(b"x-csrf-token", b"").decode("latin-1"))

    def check_token(self, session: str, token: str) -> None:
        """Raises Problem unless the token is the session's."""
        assert self._guard.access is not None
        check_csrf(self._guard.access, session, token)

    def _refused(self, scope: Scope, error: Problem | HilumError) -> Response:
        status = error.status if isinstance(error, Problem) else status_of(error)
        accepts = next((value for key, value in scope["headers"] if key == b"accept"), b"")
        rule = (self._rules.at(scope["path"]) or {}).get(scope["method"])
        form = rule is not None and rule.form
        if (scope["method"] == "GET" or form) and b"text/html" in accepts:
            if status == 401 and rule is not None and (rule.page or form):
                return RedirectResponse(_way_in(scope), 303)
            drawn = self._guard.page(scope, error, status) if self._guard.page else None
            if drawn is not None:
                return drawn
        return from_error(error)

    def _most(self, rule: Rule) -> int:
        return self._guard.upload_bytes if rule.most == UPLOAD else rule.most


def _way_in(scope: Scope) -> str:
    """Signing in, and back to the page that was asked for; a form that was sent signed out did nothing."""
    if scope["method"] != "GET":
        return "/login?failed=signed_out"
    query = scope["query_string"].decode("latin-1")
    target = scope["path"] + (f"?{query}" if query else "")
    return f"/login?next={quote(target, safe='/')}"


def check_csrf(access: Access, session: str, token: str) -> None:
    """Raises Problem unless the token, from the header X-CSRF-Token or the form, is the session's."""
    if not hmac.compare_digest(access.sessions.csrf(session).encode(), token.encode()):
        raise Problem(403, "csrf", "the header X-CSRF-Token is missing or not this session's: load the page again")


def _check_count(count: Count | None, extra: list[tuple[bytes, bytes]]) -> None:
    if count is not None:
        extra += count.headers()
        if not count.allowed:
            raise Problem(429, "too_many_requests", f"more than {count.most} requests in {count.window} seconds")


def _check_shape(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    raw = scope["headers"]
    if sum(len(key) + len(value) for key, value in raw) > LARGEST_HEADERS:
        raise Problem(431, "headers_too_large", f"more than {LARGEST_HEADERS:,} bytes of headers")
    if len(scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
        raise Problem(414, "uri_too_long", f"the path and query are longer than {LONGEST_TARGET:,} bytes")
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Problem(400, "zero_byte", "a zero byte is no text (and PostgreSQL takes none)")
    if len(headers) != len(raw):
        names = [key for key, _ in raw]
        if any(names.count(name) > 1 for name in ONCE):
            raise Problem(400, "repeated_header", "a header that must stand once stands there twice")
    check_coding(headers.get(b"transfer-encoding"))


def _dressed(send: Send, extra: list[tuple[bytes, bytes]], inflow: Inflow | None = None) -> Send:
    replaced = False

    async def dressed(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start":
            if inflow is not None and inflow.refusal is not None and message["status"] != inflow.refusal.status:
                replaced = True
                message, body = _instead(inflow.refusal)
            message["headers"] = given = [*message.get("headers", ()), *extra]
            said = {key for key, _ in given}
            given.extend((key, value) for key, value in DEFAULTS.items() if key not in said)
            await send(message)
            if replaced:
                await send(body)
        elif not replaced:
            await send(message)

    return dressed


def _instead(refusal: Problem) -> tuple[Message, Message]:
    response = from_error(refusal)
    start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
    return start, {"type": "http.response.body", "body": bytes(response.body)}
