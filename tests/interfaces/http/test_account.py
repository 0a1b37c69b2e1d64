"""Signing in and out over HTTP: JSON and forms, first start, invitations, keys, and what is put on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import sqlalchemy as sa

from hilum.access.tables import sessions
from hilum.interfaces.http.account import local_path
from hilum.interfaces.http.secured import first_words
from hilum.records.store import Query
from tests.interfaces.http.running import WORD, Answer, Running, running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NEW = "another good password"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("on"), AUTH="on") as server:
        yield server


def cookie_of(answer: Answer) -> str:
    """The session cookie as a browser sends it back, after its attributes were looked at."""
    found = SimpleCookie(answer.headers["set-cookie"])["hilum"]
    assert (bool(found["httponly"]), found["samesite"], found["path"]) == (True, "lax", "/")
    assert not found["domain"]
    return f"hilum={found.value}"


HTTPS = {"X-Forwarded-Proto": "https"}  # as a proxy on this machine says it


def test_behind_https_the_cookie_is_for_https_and_this_host_alone(house: Running) -> None:
    answer = house.ask("POST", "/login", {"name": "reader", "password": WORD}, HTTPS)
    (name, found), *others = SimpleCookie(answer.headers["set-cookie"]).items()
    assert (name, others) == ("__Host-hilum", [])
    assert (found["secure"], found["httponly"], found["samesite"], found["path"]) == (True, True, "lax", "/")
    assert not found["domain"]
    cookie = {"Cookie": f"{name}={found.value}"}
    assert house.ask("GET", "/tasks", headers={**HTTPS, **cookie}).status == 200
    assert house.ask("GET", "/tasks", headers=cookie).status == 401  # in the clear
    assert house.ask("GET", "/tasks", headers={**HTTPS, "Cookie": f"hilum={found.value}"}).status == 401
    left = house.ask("POST", "/logout", b"", {**HTTPS, **cookie, "X-CSRF-Token": answer.json()["csrf_token"]})
    (name, gone), *_ = SimpleCookie(left.headers["set-cookie"]).items()
    assert (name, gone.value, gone["max-age"]) == ("__Host-hilum", "", "0")
    assert (gone["secure"], gone["path"]) == (True, "/")  # else a browser does not take it, and keeps the old one
    assert left.headers["clear-site-data"] == '"cache"'


def test_json_gives_a_session_and_its_token(house: Running) -> None:
    answer = house.ask("POST", "/login", {"name": "Reader", "password": WORD})
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    told, cookie = answer.json(), cookie_of(answer)
    assert told["user"]["roles"] == ["reader"]
    seen = house.ask("GET", "/session", headers={"Cookie": cookie}).json()
    assert seen["csrf_token"] == told["csrf_token"]
    assert (seen["auth"], seen["user"]["name"], "predict" in seen["acts"]) == ("on", "reader", True)
    assert house.ask("POST", "/logout", b"", {"Cookie": cookie}).status == 403
    left = house.ask("POST", "/logout", b"", {"Cookie": cookie, "X-CSRF-Token": told["csrf_token"]})
    assert left.status == 204
    assert 'hilum=""' in left.headers["set-cookie"]
    assert house.ask("GET", "/predictions", headers={"Cookie": cookie}).status == 401
    assert house.ask("GET", "/session", headers={"Cookie": cookie}).json()["user"] is None


def test_signing_in_again_ends_the_session_that_was_there(house: Running) -> None:
    first = cookie_of(house.ask("POST", "/login", {"name": "reader", "password": WORD}))
    second = cookie_of(house.ask("POST", "/login", {"name": "reader", "password": WORD}, {"Cookie": first}))
    assert first != second
    assert house.ask("GET", "/tasks", headers={"Cookie": first}).status == 401
    assert house.ask("GET", "/tasks", headers={"Cookie": second}).status == 200


def test_a_form_is_answered_with_redirects(house: Running) -> None:
    right = urlencode({"name": "reader", "password": WORD, "next": "/predictions?task=x"})
    answer = house.ask("POST", "/login", right, FORM)
    assert (answer.status, answer.headers["location"]) == (303, "/predictions?task=x")
    cookie = cookie_of(answer)
    wrong = house.ask("POST", "/login", urlencode({"name": "reader", "password": "x", "next": "/models"}), FORM)
    back = urlsplit(wrong.headers["location"])
    assert (wrong.status, back.path) == (303, "/login")
    assert parse_qs(back.query) == {"failed": ["not_signed_in"], "next": ["/models"]}
    assert "set-cookie" not in wrong.headers
    token = house.ask("GET", "/session", headers={"Cookie": cookie}).json()["csrf_token"]
    assert house.ask("POST", "/logout", "csrf_token=wrong", {**FORM, "Cookie": cookie}).status == 403
    left = house.ask("POST", "/logout", f"csrf_token={token}", {**FORM, "Cookie": cookie})
    assert (left.status, left.headers["location"]) == (303, "/login")


AWAY = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil",
    "javascript:x",
    "/a\r\nX: y",
    "",
    "evil",
]


@pytest.mark.parametrize("target", AWAY)
def test_next_never_leads_away(house: Running, target: str) -> None:
    assert local_path(target) == "/"
    answer = house.ask("POST", "/login", urlencode({"name": "reader", "password": WORD, "next": target}), FORM)
    assert (answer.status, answer.headers["location"]) == (303, "/")


NONSENSE = [
    *(b"", b"{", b"[]", b"null", b'{"name": 1, "password": 2}', b'{"name": "a"}', b"\xff\xfe", b"[" * 50_000),
    b'{"name": "\\ud800", "password": "x"}',
    b'{"name": "a\\u0000", "password": "x"}',
]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:20]))
def test_nonsense_is_a_problem(house: Running, body: bytes) -> None:
    answer = house.ask("POST", "/login", body, {"Content-Type": "application/json"})
    assert answer.status in (400, 422)
    assert answer.is_problem()


def test_large_bodies_are_refused_before_they_are_read(house: Running) -> None:
    answer = house.ask("POST", "/login", b"x" * 70_000, {"Content-Type": "application/json"})
    assert (answer.status, answer.is_problem()) == (413, True)


def test_guessing_is_slowed_and_said(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as server:
        wrong = {"name": "admin", "password": "wrong wrong wrong"}
        seen = [server.ask("POST", "/login", wrong) for _ in range(6)]
        assert [answer.status for answer in seen] == [401] * 5 + [429]
        assert int(seen[-1].headers["retry-after"]) >= 1
        assert seen[-1].is_problem()
        form = server.ask("POST", "/login", urlencode(wrong), FORM)
        assert "failed=too_many_attempts" in form.headers["location"]


def test_the_first_start(tmp_path: Path) -> None:
    from hilum.interfaces.http.app import create_app
    from hilum.parts import assemble
    from hilum.settings import read_settings
    from tests.interfaces.http.running import listening

    parts = assemble(read_settings({"HILUM_HOME": str(tmp_path), "HILUM_AUTH": "on"}))
    words = first_words(parts.access, "http://127.0.0.1:8000")
    assert words
    token = words.rpartition("#")[2]
    with listening(create_app(parts)) as port:
        server = Running(port, parts)
        said = {"token": token, "name": "ada", "password": WORD}
        assert server.ask("POST", "/first-start", {**said, "token": "x"}).status == 401
        assert server.ask("POST", "/first-start", {**said, "password": "admin"}).status == 422
        answer = server.ask("POST", "/first-start", said)
        assert answer.status == 200
        cookie = cookie_of(answer)
        assert server.ask("GET", "/users", headers={"Cookie": cookie}).json()["users"][0]["role"] == "admin"
        assert server.ask("POST", "/first-start", {**said, "name": "eve"}).status == 401
        assert first_words(parts.access, "") is None


def test_an_invited_user_chooses_a_password_and_changes_it(house: Running) -> None:
    made = house.ask("POST", "/users", {"name": "bob", "role": "reviewer"}, role="admin")
    assert made.status == 201
    link = made.json()["link"]
    assert link.startswith(f"http://127.0.0.1:{house.port}/set-password#")
    chosen = house.ask("POST", "/set-password", {"token": link.rpartition("#")[2], "password": WORD})
    assert chosen.status == 200
    cookie, token = cookie_of(chosen), chosen.json()["csrf_token"]
    sent = {"Cookie": cookie, "X-CSRF-Token": token}
    assert house.ask("POST", "/password", {"old": "wrong wrong wrong", "new": NEW}, sent).status == 401
    changed = house.ask("POST", "/password", {"old": WORD, "new": NEW}, sent)
    assert changed.status == 200
    assert house.ask("GET", "/tasks", headers={"Cookie": cookie}).status == 401
    assert house.ask("GET", "/tasks", headers={"Cookie": cookie_of(changed)}).status == 200


def test_an_administrator_changes_and_disables_users(house: Running) -> None:
    made = house.ask("POST", "/users", {"name": "carl", "role": "reader"}, role="admin").json()
    changed = house.ask("PATCH", f"/users/{made['id']}", {"role": "engineer", "disabled": True}, role="admin").json()
    assert (changed["role"], changed["disabled"]) == ("engineer", True)
    assert house.ask("PATCH", "/users/carl", {"disabled": False}, role="admin").json()["disabled"] is False
    assert house.ask("POST", "/users", {"name": "carl", "role": "reader"}, role="admin").status == 422
    assert house.ask("POST", "/users", {"name": "dora", "role": "root"}, role="admin").status == 422
    last = house.ask("PATCH", "/users/admin", {"disabled": True}, role="admin")
    assert (last.status, last.is_problem()) == (422, True)
    assert house.ask("PATCH", "/users/nobody", {"disabled": True}, role="admin").status == 404
    assert house.ask("POST", "/users/carl/link", {}, role="admin").status == 201


@pytest.mark.parametrize(
    ("method", "path", "said", "unknown"),
    [
        ("PATCH", "/users/reader", {"disable": True}, "disable"),
        ("POST", "/users", {"name": "misspelt", "rolle": "admin"}, "rolle"),
        ("POST", "/keys", {"name": "misspelt", "scope": ["read"], "days": 1}, "scope"),
        ("POST", "/keys", {"name": "misspelt", "expires": 1}, "expires"),
        ("POST", "/models/pneumonia-cxr/promote", {"reason": "better"}, "reason"),
    ],
)
def test_a_misspelt_member_is_refused_and_nothing_is_done(
    house: Running, method: str, path: str, said: dict[str, object], unknown: str
) -> None:
    """Left out in silence, somebody would seem shut out who is not, and a key would open more than was asked."""
    seen = ("/users", "/keys", "/history")
    before = [house.ask("GET", place, role="admin").json() for place in seen]
    answer = house.ask(method, path, said, role="admin")
    assert (answer.status, answer.is_problem()) == (422, True)
    assert unknown in answer.json()["detail"]
    assert [house.ask("GET", place, role="admin").json() for place in seen] == before


def test_keys_are_made_seen_and_revoked_by_their_owner(house: Running) -> None:
    made = house.ask("POST", "/keys", {"name": "script", "scopes": ["predict"], "days": 7}, role="reader")
    assert made.status == 201
    token, identity = made.json()["token"], made.json()["id"]
    sent = {"Authorization": f"Bearer {token}"}
    assert house.ask("POST", "/predict", {}, sent).json()["code"] == "no_image"
    assert house.ask("GET", "/predictions", headers=sent).status == 403
    listed = house.ask("GET", "/keys", role="reader")
    assert token not in listed.body.decode()
    assert identity in [key["id"] for key in listed.json()["keys"]]
    assert identity not in house.ask("GET", "/keys", role="engineer").body.decode()
    assert house.ask("GET", "/keys?all=true", role="engineer").status == 403
    assert identity in house.ask("GET", "/keys?all=true", role="admin").body.decode()
    assert house.ask("DELETE", f"/keys/{identity}", role="engineer").status == 404
    assert house.ask("DELETE", f"/keys/{identity}", role="reader").json()["revoked"]
    assert house.ask("POST", "/predict", {}, sent).status == 401
    for greedy in ({"scopes": ["train"]}, {"scopes": ["users"]}, {"scopes": []}, {"days": 0}):
        assert house.ask("POST", "/keys", {"name": "greedy", **greedy}, role="reader").status == 422


def test_every_act_is_on_record_without_names(house: Running) -> None:
    house.ask("POST", "/login", {"name": "typed-a-secret-here", "password": "x"})
    records = house.parts.records.find(Query(kind="act", limit=200)).records
    bodies = [json.loads(record.entry.body) for record in records]
    assert {"user_added", "signed_in", "key_added", "sign_in_failed"} <= {body["act"] for body in bodies}
    whole = " ".join(map(str, bodies))
    assert "typed-a-secret-here" not in whole
    assert "127.0.0.1" not in whole
    assert "reader" not in {body["about"] for body in bodies}
    failed = next(record for record in records if json.loads(record.entry.body)["act"] == "sign_in_failed")
    assert failed.entry.personal["address"] == "127.0.0.1"


def test_without_authentication_there_is_nothing_to_sign_in_to(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        answer = server.ask("POST", "/login", {"name": "a", "password": "b"})
        assert (answer.status, answer.json()["code"]) == (409, "auth_off")
        told = server.ask("GET", "/session").json()
        assert (told["auth"], told["user"]["id"], told["csrf_token"]) == ("off", "local", None)


@pytest.mark.parametrize("token", ["", "0" * 64, "another's"])
@pytest.mark.parametrize("kind", ["form", "json"])
def test_a_password_is_not_changed_by_whoever_lacks_the_sessions_token(house: Running, kind: str, token: str) -> None:
    cookie = cookie_of(house.ask("POST", "/login", {"name": "engineer", "password": WORD}))
    token = house.sessions["admin"].csrf if token == "another's" else token
    said = {"old": WORD, "new": NEW}
    if kind == "form":
        body, headers = urlencode({**said, "csrf_token": token} if token else said), FORM
    else:
        body, headers = json.dumps(said), {"Content-Type": "application/json", "X-CSRF-Token": token}
    answer = house.ask("POST", "/password", body, {**headers, "Cookie": cookie})
    assert (answer.status, answer.json()["code"]) == (403, "csrf")
    assert house.ask("GET", "/tasks", headers={"Cookie": cookie}).status == 200
    assert house.ask("POST", "/login", {"name": "engineer", "password": WORD}).status == 200


def test_a_session_lasts_as_long_as_is_set(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on", SESSION_MINUTES="60", SESSION_HOURS="2") as server:
        assert server.parts.access is not None
        ground, session = server.parts.access.ground, server.sessions["reader"]
        mine = sessions.c.hash == ground.hash("session", session.token)

        def asked(**since: float) -> int:
            with ground.database.writing() as connection:
                connection.execute(sa.update(sessions).where(mine).values(**since))
            ground.recent.clear()
            return server.ask("GET", "/tasks", role="reader").status

        now = ground.now()
        assert 3600 < session.ends - now <= 7200
        assert [asked(seen=now - idle) for idle in (2400, 3601)] == [200, 401]
        assert [asked(seen=ground.now(), ends=now + left) for left in (3600, 0)] == [200, 401]
