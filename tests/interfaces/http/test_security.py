"""Who gets in: every route by every role, other web sites, rebound names, forged requests, rates, headers."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from PIL import Image
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from hilum.access.caller import ACTS, ROLES, acts_of
from hilum.access.tables import sessions
from hilum.errors import StorageError, UsageError
from hilum.interfaces.http.rules import OPEN, RULES, Rule, Rules
from hilum.interfaces.http.security import Guard, Security, check_address
from hilum.interfaces.web.static_files import address
from tests.interfaces.http.running import Running, running

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With users and keys."""
    with running(tmp_path_factory.mktemp("on"), AUTH="on", RATE="100000/minute") as server:
        yield server


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """As it comes: no users, loopback only."""
    with running(tmp_path_factory.mktemp("off")) as server:
        yield server


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, whatever it is nested in."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes, prefix + route.include_context.prefix)
        elif getattr(route, "methods", None):
            yield from ((method, prefix + route.path) for method in route.methods)
        else:  # a mount
            yield "GET", prefix + route.path + "/{path:path}"


def test_every_route_has_a_rule_and_meets_no_other(local: Running) -> None:
    from hilum.interfaces.http.app import create_app

    rules, lacking = Rules(), []
    for method, path in routes_of(create_app(local.parts).routes):
        place = rules.at(re.sub(r"\{\w+(:path)?\}", "some-name", path))
        rule = None if place is None else place.get(method)
        shape = re.sub(r"\{\w+", "{", path.removeprefix("/v1") or "/")
        if rule is None or re.sub(r"\{\w+", "{", rule.path) != shape:
            lacking.append(f"{method} {path}")
    assert lacking == []


def test_every_rule_names_an_act_there_is() -> None:
    assert {rule.act for rule in RULES} <= {*ACTS, OPEN}
    assert {rule.own for rule in RULES} <= {*ACTS, ""}
    assert [rule.path for rule in RULES if not rule.act and rule.methods != "GET"] == [
        "/login", "/first-start", "/set-password"
    ]  # fmt: skip


def test_an_open_page_that_asks_by_itself_lets_its_session_idle(house: Running) -> None:
    """The foot of every page asks who answers, Monitoring draws itself anew: nobody was signed out for being away."""
    ground, token = house.parts.access.ground, house.sessions["reader"].token
    mine = sessions.c.hash == ground.hash("session", token)
    away = ground.now() - 1000
    with ground.database.writing() as connection:
        connection.execute(sa.update(sessions).where(mine).values(seen=away))
    itself = {"X-By-Itself": "1"}
    for path, sent, is_seen in (
        ("/app/speaking", {}, False), ("/readyz", {}, False), ("/livez", {}, False),
        ("/app/history", itself, False), ("/app/history", {}, True),
    ):  # fmt: skip
        ground.recent.clear()
        assert house.ask("GET", path, headers=sent, role="reader").status == 200
        with ground.database.reading() as connection:
            seen = connection.scalar(sa.select(sessions.c.seen).where(mine))
        assert (seen > away + 1) is is_seen, path


@pytest.mark.parametrize("shown", ["role", "key"])
def test_what_is_open_to_all_is_answered_while_nobody_can_be_looked_up(
    house: Running, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    """A probe that shows a key, and the style of the page on which a browser reads that the database is away."""

    def away(*_: object) -> None:
        raise StorageError("no database")

    access = house.parts.access
    for checked in (access.sessions, access.keys):
        monkeypatch.setattr(type(checked), "check", away)
    access.ground.recent.clear()
    found = {path: house.ask("GET", path, **{shown: "reader"}).status for path in ("/livez", "/readyz", "/predictions")}
    assert found == {"/livez": 200, "/readyz": 200, "/predictions": 503}
    assert house.ask("GET", "/static/1/none.css", **{shown: "reader"}).status == 404


def test_redis_is_let_go_of_before_the_server_hears_that_all_is_closed() -> None:
    """What is not done by then is cancelled, which was a traceback in the log at every stop."""
    told = []

    class Pool:
        async def disconnect(self) -> None:
            await asyncio.sleep(0)
            told.append("let go")
            raise ConnectionError("Redis is away")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def send(message: Message) -> None:
        told.append(message["type"])

    async def receive() -> Message:
        return {}

    layer = Security(app, Guard(None, 1000))
    layer._rates._pool = Pool()
    asyncio.run(layer({"type": "lifespan"}, receive, send))
    assert told == ["lifespan.startup.complete", "let go", "lifespan.shutdown.complete"]


# signing out ends the session: tested by itself
PATHS = [(method, rule) for rule in RULES for method in rule.methods.split() if rule.path != "/logout"]


@pytest.mark.parametrize(("method", "rule"), PATHS, ids=lambda value: getattr(value, "path", value))
def test_each_rule_lets_in_whom_the_table_says(house: Running, method: str, rule: Rule) -> None:
    path = re.sub(r"\{\w+(:path)?\}", "no-such-thing", rule.path)
    seen = {}
    for prefix in ("", "/v1"):
        for role in ROLES:
            seen[f"{prefix} {role}"] = house.ask(method, prefix + path, {}, role=role).status
            seen[f"{prefix} key {role}"] = house.ask(method, prefix + path, {}, key=role).status
        seen[f"{prefix} nobody"] = house.ask(method, prefix + path, {}).status
    for who, status in seen.items():
        role = who.split()[-1]
        if rule.act == OPEN:
            assert status not in (401, 403) or path in ("/first-start", "/set-password", "/login"), who
        elif role == "nobody":
            assert status == 401, who
        elif rule.act not in acts_of(role) or ("key" in who and rule.act in ("account", "users")):
            assert status == 403, who
        else:
            assert status not in (401, 403, 405, 421, 429), who


def test_the_welcome_stands_at_both_ends_of_the_prefix(house: Running) -> None:
    whole, short = house.ask("GET", "/v1/", role="reader"), house.ask("GET", "/v1", role="reader")
    assert (whole.status, house.ask("GET", "/v1").status) == (200, 401)
    assert (short.status, short.body) == (200, whole.body)
    page = house.ask("GET", "/v1", headers={"Accept": "text/html"}, role="reader")
    assert (page.status, page.headers["location"]) == (303, "/app/read")


def test_what_has_no_rule_is_not_there(house: Running) -> None:
    for path in ("/nothing", "//predict", "/predict/", "/v1/v1/predict", "/PREDICT", "/users/../predict", "/%2e%2e/x"):
        for role in ("", "admin"):
            answer = house.ask("GET", path, role=role)
            assert (answer.status, answer.is_problem()) == (404, True), path
    answer = house.ask("DELETE", "/predict", role="admin")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert house.ask("TRACE", "/predict", role="admin").status == 405


def test_a_broken_or_foreign_credential_is_nobody(house: Running) -> None:
    for value in (
        "Bearer",
        "Bearer hilum_x_y",
        "Basic YWRtaW46YWRtaW4=",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "x" * 9000,
    ):
        answer = house.ask("GET", "/predictions", headers={"Authorization": value})
        assert (answer.status, answer.is_problem()) == (401, True), value
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert value[8:] not in answer.body.decode() or len(value) < 9
    for cookie in (
        "hilum=",
        "hilum=x",
        "hilum=a; hilum=b",
        "hilum=\xff",
        "__Host-hilum=" + house.sessions["admin"].token,
    ):
        assert house.ask("GET", "/predictions", headers={"Cookie": cookie}).status == 401


def asked_twice(server: Running, name: str, values: tuple[str, str]) -> tuple[int, str]:
    """Status and code of a prediction whose headers name one thing twice."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.putrequest("POST", "/predict", skip_host=True)
        for key, value in (
            ("Host", f"127.0.0.1:{server.port}"),
            ("Content-Type", "image/png"),
            ("Content-Length", "1"),
        ):
            if key != name:
                connection.putheader(key, value)
        for value in values:
            connection.putheader(name, value)
        connection.endheaders(b"x")
        got = connection.getresponse()
        return got.status, json.loads(got.read())["code"]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Host", ("127.0.0.1", "evil.example")),
        ("Authorization", ("Bearer a", "Bearer b")),
        ("Content-Type", ("image/png", "application/json")),
        ("Origin", ("null", "https://evil.example")),
        ("X-CSRF-Token", ("a", "b")),
        ("Sec-Fetch-Site", ("same-origin", "cross-site")),
        ("Idempotency-Key", ("first", "second")),
        ("Idempotency-Key", ("same", "same")),
    ],
)
def test_a_header_that_stands_twice_says_nothing(
    house: Running, local: Running, name: str, values: tuple[str, str]
) -> None:
    for server in (house, local):
        assert asked_twice(server, name, values) == (400, "repeated_header")


def test_two_session_cookies_are_none(house: Running) -> None:
    token = house.sessions["admin"].token
    assert house.ask("GET", "/users", headers={"Cookie": f"hilum={token}"}).status == 200
    assert house.ask("GET", "/users", headers={"Cookie": f"hilum={token}; hilum=injected"}).status == 401


def test_a_session_changes_nothing_without_its_token(house: Running) -> None:
    for token in (None, "", "0" * 64, house.sessions["engineer"].csrf):
        headers = {"Cookie": f"hilum={house.sessions['admin'].token}"} | (
            {} if token is None else {"X-CSRF-Token": token}
        )
        answer = house.ask("POST", "/users", {"name": "mallory", "role": "admin"}, headers)
        assert (answer.status, answer.json()["code"]) == (403, "csrf")
    assert "mallory" not in house.ask("GET", "/users", role="admin").body.decode()


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://["},  # no address at all
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_web_site_changes_nothing(house: Running, local: Running, headers: dict[str, str]) -> None:
    for server, role in ((house, "admin"), (local, "")):
        answer = server.ask("POST", "/predict", b"x", {"Content-Type": "text/plain", **headers}, role=role)
        assert (answer.status, answer.json()["code"]) == (403, "cross_site")
    answer = house.ask("POST", "/login", {"name": "admin", "password": "x"}, headers)
    assert answer.json()["code"] == "cross_site"


def test_a_key_vouches_for_a_program_wherever_it_came_from_and_what_is_none_vouches_for_nothing(
    house: Running, local: Running
) -> None:
    foreign, none = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Authorization": "Basic eDp5"}
    assert house.ask("POST", "/predict", {}, foreign, key="reader").json()["code"] == "no_image"
    assert house.ask("POST", "/predict", {}, {**foreign, **none}, role="admin").status == 401  # the cookie is not asked
    answer = local.ask("POST", "/predict", {}, {**foreign, **none})
    assert (answer.status, answer.json()["code"]) == (403, "cross_site")


def test_another_web_site_embeds_nothing_but_may_link(house: Running, local: Running) -> None:
    embed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for server, role in ((house, "admin"), (local, "")):
        assert server.ask("GET", "/predictions", headers=embed, role=role).status == 403
        assert server.ask("GET", "/predictions", headers=frame, role=role).status == 403
        assert server.ask("GET", "/predictions", headers=link, role=role).status == 200


def test_our_own_pages_and_programs_pass(local: Running) -> None:
    own = {"Origin": f"http://127.0.0.1:{local.port}", "Sec-Fetch-Site": "same-origin"}
    for headers in (own, {}):
        assert local.ask("POST", "/predict", {}, headers).json()["code"] == "no_image"


STRANGE_HOSTS = """
evil.example 127.0.0.1.evil.example evil.example:8000 0.0.0.0 a@127.0.0.1 localhost.evil.example [::ffff:10.0.0.1]
127.0.0.1:x 127.0.0.1/x 10.0.0.1
"""


@pytest.mark.parametrize("host", ["", *STRANGE_HOSTS.split()])
def test_a_name_that_was_made_to_point_here_is_not_answered(local: Running, host: str) -> None:
    answer = local.ask("GET", "/predictions", headers={"Host": host})
    assert answer.status in (400, 421)
    assert answer.status == 400 or answer.is_problem()
    assert b"predictions" not in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.3.2.1:80", "[::1]:8000", "app.localhost"]
)
def test_the_names_of_this_machine_are_answered(local: Running, host: str) -> None:
    assert local.ask("GET", "/predictions", headers={"Host": host}).status == 200


def test_the_public_name_alone_is_answered_where_it_is_set(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on", PUBLIC_URL="https://hilum.example.org") as server:
        for host, status in (("hilum.example.org", 200), ("other.example.org", 421), ("localhost", 200)):
            assert server.ask("GET", "/predictions", headers={"Host": host}, key="reader").status == status
        assert server.ask("GET", "/livez", headers={"Host": "10.1.2.3:8000"}).status == 200
        told = {"Host": "hilum.example.org", "Origin": "https://hilum.example.org"}
        assert server.ask("POST", "/feedback", {}, told, role="reviewer").status == 422


@pytest.mark.parametrize(("path", "status"), [("/tasks", 200), ("/predict", 405), ("/nothing", 404), ("/livez", 200)])
def test_every_answer_carries_the_safe_headers(local: Running, path: str, status: int) -> None:
    answer = local.ask("GET", path)
    assert answer.status == status
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert rules == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob: data:",
        "connect-src": "'self'", "font-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }  # fmt: skip
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert {"camera=()", "microphone=()", "geolocation=()"} <= {*answer.headers["permissions-policy"].split(", ")}
    assert answer.headers["cache-control"] == ("no-cache" if path == "/tasks" else "no-store")
    assert "strict-transport-security" not in answer.headers
    by_https = local.ask("GET", path, headers={"X-Forwarded-Proto": "https"})  # as a proxy on this machine says it
    assert by_https.headers["strict-transport-security"] == "max-age=31536000"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/app/read", "/app/nothing", "/docs", address("app.js"), "/static/1/none.js", "/tasks"]
)
def test_no_header_of_an_answer_stands_twice(local: Running, path: str) -> None:
    """Of two some browsers take none, and whoever examines the server calls it a fault."""
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=120)
    connection.request("GET", path, headers={"Accept": "text/html"})
    names = sorted(name.lower() for name, _ in connection.getresponse().getheaders())
    connection.close()
    assert names == sorted(set(names))
    assert {"content-security-policy", "referrer-policy", "x-content-type-options"} <= set(names)


def test_a_browser_is_sent_to_sign_in_and_a_program_is_told(house: Running) -> None:
    page = house.ask("GET", "/predictions?task=x&order=newest", headers={"Accept": "text/html,*/*"})
    assert (page.status, page.headers["location"]) == (303, "/login?next=/predictions%3Ftask%3Dx%26order%3Dnewest")
    assert house.ask("GET", "/predictions", headers={"Accept": "application/json"}).status == 401


@pytest.fixture
def no_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a minute or an hour ends, what was counted in it begins to fade."""
    begun = time.time()
    middle = begun - begun % 3600 + 1830
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=lambda: middle))


@pytest.mark.usefixtures("no_window_ends")
def test_rates_are_each_callers_own(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on", RATE="5/minute;1000/hour") as server:
        seen = [server.ask("GET", "/tasks", key="reader") for _ in range(8)]
        assert [answer.status for answer in seen] == [200] * 5 + [429] * 3
        assert server.parts.meters.turned_away == {"quota": 3}
        assert seen[4].headers["ratelimit"].startswith('"caller";r=0;')
        assert seen[0].headers["ratelimit-policy"] == '"caller";q=5;w=60'
        assert (seen[5].is_problem(), int(seen[5].headers["retry-after"]) > 0) == (True, True)
        assert server.ask("GET", "/tasks", key="engineer").status == 200
        assert server.ask("GET", "/tasks", role="reader").status == 200
        assert server.ask("GET", "/livez").status == 200


@pytest.mark.usefixtures("no_window_ends")
def test_strangers_are_slowed_and_others_are_not(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as server:
        seen = [
            server.ask("GET", "/tasks", headers={"Authorization": f"Bearer hilum_{n}_x"}).status for n in range(130)
        ]
        assert set(seen[:115]) == {401}
        assert seen[-1] == 429
        assert server.ask("GET", "/tasks", key="reader").status == 200
        elsewhere = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120, source_address=("127.0.0.2", 0))
        elsewhere.request("GET", "/tasks", headers={"Authorization": "Bearer hilum_x_y"})
        assert elsewhere.getresponse().status == 401  # not for what others did
        elsewhere.close()


@pytest.mark.usefixtures("no_window_ends")
def test_strangers_who_send_without_end_are_slowed_and_those_who_look_are_not(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as server:
        seen = [server.ask("POST", "/set-password", {}).status for _ in range(130)]
        assert (set(seen[:115]), seen[-1]) == ({422}, 429)
        assert server.ask("GET", "/login").status == 200


def test_listening_to_others_needs_authentication() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        check_address(host, "off")
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", "", "::ffff:0.0.0.0"):
        with pytest.raises(UsageError, match="HILUM_AUTH=on"):
            check_address(host, "off")
        check_address(host, "on")


def test_a_prediction_bears_the_callers_id(house: Running) -> None:
    picture = io.BytesIO()
    Image.new("L", (64, 64), 90).save(picture, "PNG")
    answered = house.ask("POST", "/predict", picture.getvalue(), {"Content-Type": "image/png"}, key="reader")
    assert answered.status == 200
    shown = house.ask("GET", f"/predictions/{answered.json()['id']}", key="reader").json()
    assert house.parts.access is not None
    assert shown["caller"] == house.parts.access.users.find("reader").id


def test_head_is_get_without_a_body(house: Running, local: Running) -> None:
    for path in ("/livez", "/readyz", "/models", "/app/read"):
        told, whole = local.ask("HEAD", path), local.ask("GET", path)
        assert (told.status, told.body, told.headers["content-length"]) == (200, b"", whole.headers["content-length"])
    assert local.ask("HEAD", "/predict").status == 405
    assert house.ask("HEAD", "/predictions").status == 401
