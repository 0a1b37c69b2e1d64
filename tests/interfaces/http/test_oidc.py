"""OpenID Connect against a real provider on loopback: one that behaves, and one that lies in every way it can."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hilum.access.caller import LOCAL
from hilum.errors import NotAllowed, UsageError
from hilum.interfaces.http import oidc
from hilum.interfaces.http.provider import Provider, roles_of
from hilum.settings import read_settings
from tests.interfaces.http.running import WORD, Running, listening, running

NAMED, SECRET = "hilum-server", "provider-secret"
Lie = Callable[["Op", dict[str, Any]], str | None]


@dataclass
class Op:
    """A small provider: authorization code with PKCE, client_secret_basic, RS256. `lie` may make another ID token."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True))
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "248289", "preferred_username": "Ada", "groups": ["ml"]}
    )
    says: dict[str, str] = field(default_factory=dict)  # of itself, instead of the truth
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)  # keys that it publishes beside its own
    lie: Lie | None = None

    def app(self) -> Starlette:
        return Starlette(routes=[
            Route("/.well-known/openid-configuration", self.describe), Route("/keys", self.keys),
            Route("/authorize", self.authorize), Route("/token", self.token, methods=["POST"]),
        ])  # fmt: skip

    async def describe(self, _: Request) -> Response:
        ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        truth = {"issuer": self.issuer} | {name: self.issuer + path for name, path in ends.items()}
        return JSONResponse(truth | self.says)

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [*self.others, *KeySet([self.key]).as_dict(private=False)["keys"]]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["client_id"], asked["response_type"]) == (NAMED, "code")
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        asked = self.codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{NAMED}:{SECRET}".encode()).decode()
        if asked is None or request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_grant"}, 400)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(given["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        )
        if challenge != asked["code_challenge"] or given["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": NAMED,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        token = (self.lie and self.lie(self, claims)) or self.signed(claims)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key or self.key)


@dataclass
class Browser:
    """Follows redirects by hand and keeps cookies, as a browser does."""

    server: Running
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        parts = urlsplit(address)
        sent = dict(headers)
        if self.cookies and parts.port in (None, self.server.port):
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or self.server.port, timeout=120)
        connection.request("GET", f"{parts.path}?{parts.query}", headers=sent)
        got = connection.getresponse()
        got.read()
        connection.close()
        for told in got.headers.get_all("set-cookie") or []:
            for name, morsel in SimpleCookie(told).items():
                self.cookies.pop(name, None)
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        return got.status, got.headers.get("location", ""), dict(got.headers)

    def sign_in(self, start: str = "/login/oidc?next=/models") -> str:
        """Where the browser is sent at the end."""
        _, to_provider, _ = self.get(start)
        _, back, _ = self.get(to_provider)
        _, end, _ = self.get(
            back, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        )
        return end


@pytest.fixture(scope="module")
def op() -> Iterator[Op]:
    made = Op()
    with listening(made.app()) as port:
        made.issuer = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture(scope="module")
def house(op: Op, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {"OIDC_ISSUER": op.issuer, "OIDC_CLIENT_ID": NAMED, "OIDC_CLIENT_SECRET": SECRET,
                "OIDC_ROLES": "radiology=reviewer,ml=engineer"}  # fmt: skip
    with running(tmp_path_factory.mktemp("oidc"), AUTH="on", **settings) as server:
        yield server


@pytest.fixture(autouse=True)
def truthful(op: Op) -> None:
    op.lie, op.says, op.others = None, {}, []
    op.person = {"sub": "248289", "preferred_username": "Ada", "groups": ["ml"]}


def test_the_way_there_and_back_gives_a_session_and_a_role(house: Running, op: Op) -> None:
    browser = Browser(house)
    assert browser.sign_in() == "/models"
    assert "hilum_oidc" not in browser.cookies
    told = house.ask("GET", "/session", headers={"Cookie": f"hilum={browser.cookies['hilum']}"}).json()
    assert (told["user"]["name"], told["user"]["via"], "train" in told["acts"]) == ("Ada", "oidc", True)
    op.person = {"sub": "248289", "preferred_username": "Renamed", "groups": ["other", "radiology"]}
    assert browser.sign_in() == "/models"
    again = house.ask("GET", "/session", headers={"Cookie": f"hilum={browser.cookies['hilum']}"}).json()
    assert again["user"]["id"] == told["user"]["id"]
    assert (again["user"]["name"], "train" in again["acts"], "feedback" in again["acts"]) == ("Ada", False, True)


def test_a_name_that_is_taken_here_is_not_taken_over(house: Running, op: Op) -> None:
    op.person = {"sub": "9", "preferred_username": "admin", "groups": ["radiology"]}
    browser = Browser(house)
    browser.sign_in()
    told = house.ask("GET", "/session", headers={"Cookie": f"hilum={browser.cookies['hilum']}"}).json()
    assert told["user"]["name"].startswith("admin+")
    assert "users" not in told["acts"]
    assert house.ask("POST", "/login", {"name": told["user"]["name"], "password": ""}).status == 401
    assert house.ask("POST", "/login", {"name": "admin", "password": WORD}).status == 200


def test_without_a_role_nobody_comes_in_and_the_disabled_stay_out(house: Running, op: Op) -> None:
    op.person = {"sub": "7", "preferred_username": "Guest", "groups": ["visitors"]}
    assert "failed=not_allowed" in Browser(house).sign_in()
    op.person = {"sub": "8", "preferred_username": "Left", "groups": ["ml"]}
    assert Browser(house).sign_in() == "/models"
    assert house.parts.access is not None
    house.parts.access.users.disable("Left", LOCAL)
    assert "failed=not_allowed" in Browser(house).sign_in()


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(_: Op, claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


def with_the_public_key_as_secret(op: Op, claims: dict[str, Any]) -> str:
    said = f"{part({'alg': 'HS256', 'kid': op.key.kid})}.{part(claims)}"
    return f"{said}.{part(hmac.digest(op.key.as_pem(private=False), said.encode(), 'sha256'))}"


def with_another_key(op: Op, claims: dict[str, Any]) -> str:
    return op.signed(claims, RSAKey.generate_key(2048, {"kid": op.key.kid}, private=True))


def with_a_key_in_the_token(_: Op, claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048, {"kid": "mine"}, private=True)
    return jwt.encode({"alg": "RS256", "kid": "mine", "jwk": own.as_dict(private=False)}, claims, own)


def with_half_a_letter(op: Op, claims: dict[str, Any]) -> str:
    """As JSON alone can say it."""
    said = f"{part({'alg': 'RS256', 'kid': op.key.kid})}.{part({**claims, 'sub': chr(0xD800)})}"
    return f"{said}.{part(op.key.private_key.sign(said.encode(), PKCS1v15(), SHA256()))}"


def changed(**values: Any) -> Lie:
    return lambda op, claims: op.signed({name: v for name, v in {**claims, **values}.items() if v is not None})


LIES: dict[str, Lie] = {
    "alg none": unsigned,
    "public key as secret": with_the_public_key_as_secret,
    "another key": with_another_key,
    "its own key": with_a_key_in_the_token,
    "other issuer": changed(iss="https://evil.test"),
    "other audience": changed(aud="somebody-else"),
    "several audiences, other party": changed(aud=[NAMED, "other"], azp="other"),
    "no audience": changed(aud=None),
    "other nonce": changed(nonce="x"),
    "no nonce": changed(nonce=None),
    "expired": changed(exp=int(time.time()) - 3600),
    "no expiry": changed(exp=None),
    "made tomorrow": changed(iat=int(time.time()) + 86400),
    "no subject": changed(sub=None),
    "half a letter as subject": with_half_a_letter,
    "zero byte in the subject": changed(sub="a\0b"),
    "no token": lambda _op, _claims: "x.y.z",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_provider_that_lies_is_not_believed(
    house: Running, op: Op, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    op.lie = LIES[lie]
    browser = Browser(house)
    assert "failed=not_signed_in" in browser.sign_in()
    assert "hilum" not in browser.cookies
    assert "OpenID Connect: " in caplog.text


def test_a_provider_that_says_no_is_repeated_in_its_own_code(house: Running) -> None:
    for said, told in (("access_denied", "access_denied"), ("<Ada>", "no+code")):
        browser = Browser(house)
        _, to_provider, _ = browser.get("/login/oidc")
        state = parse_qs(urlsplit(to_provider).query)["state"][0]
        _, end, _ = browser.get(f"/login/oidc/callback?{urlencode({'error': said, 'state': state})}")
        assert told in end
        assert "Ada" not in end


def test_a_callback_that_was_not_begun_here_is_refused(house: Running, op: Op) -> None:
    victim, attacker = Browser(house), Browser(house)
    _, to_provider, _ = attacker.get("/login/oidc")
    _, back, _ = attacker.get(to_provider)
    _, end, _ = victim.get(back)  # the attacker's code in the victim's browser
    assert "failed=not_signed_in" in end
    assert victim.cookies == {}
    victim.get("/login/oidc")
    _, end, _ = victim.get(back)
    assert "failed=not_signed_in" in end
    for query in ("", "?code=x", "?state=x", "?code=x&state=", "?error=access_denied"):
        _, end, _ = Browser(house).get(f"/login/oidc/callback{query}")
        assert "failed=not_signed_in" in end


def test_a_code_works_once_and_the_seal_is_ours(house: Running, op: Op) -> None:
    browser = Browser(house)
    _, to_provider, _ = browser.get("/login/oidc")
    _, back, _ = browser.get(to_provider)
    kept = browser.cookies["hilum_oidc"]
    raw, _, seal = kept.partition(".")
    changed_one = json.dumps({**json.loads(bytes.fromhex(raw)), "next": "//evil.test"}).encode().hex()
    browser.cookies["hilum_oidc"] = f"{changed_one}.{seal}"
    assert "failed" in browser.get(back)[1]
    browser.cookies["hilum_oidc"] = kept
    assert browser.get(back)[1] == "/"
    browser.cookies["hilum_oidc"] = kept
    assert "failed" in browser.get(back)[1]


def test_what_is_asked_of_the_provider_names_no_more_than_needed(house: Running) -> None:
    status, address, headers = Browser(house).get("/login/oidc?next=https://evil.test/")
    assert status == 303
    asked = parse_qs(urlsplit(address).query)
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
                          "code_challenge_method"}  # fmt: skip
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "path=/login/oidc" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    _, _, headers = Browser(house).get("/login/oidc", **{"X-Forwarded-Proto": "https"})  # as a proxy here says it
    assert "secure" in headers["set-cookie"].lower().split("; ")


def test_signing_in_again_at_the_provider_ends_the_session_that_was_there(house: Running) -> None:
    browser = Browser(house)
    browser.sign_in()
    first = {"Cookie": f"hilum={browser.cookies['hilum']}"}
    assert house.ask("GET", "/tasks", headers=first).status == 200
    browser.sign_in()
    assert house.ask("GET", "/tasks", headers=first).status == 401
    assert house.ask("GET", "/tasks", headers={"Cookie": f"hilum={browser.cookies['hilum']}"}).status == 200


def test_keys_that_were_changed_are_fetched_again(house: Running, op: Op) -> None:
    assert Browser(house).sign_in() == "/models"
    op.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"}, private=True)
    assert Browser(house).sign_in() == "/models"


OTHERS: list[Any] = [
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "of a later kind"},
    {"kty": "EC", "crv": "BP-256", "x": "AA", "y": "AA", "kid": "on another curve"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "on no curve"},
    {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "broken"},
    {},
    None,
]


def test_keys_that_are_not_understood_keep_nobody_out(house: Running, op: Op) -> None:
    op.key, op.others = RSAKey.generate_key(2048, {"kid": "among others", "use": "sig"}, private=True), OTHERS
    assert Browser(house).sign_in() == "/models"
    op.key = RSAKey.generate_key(2048, {"kid": "kept back", "use": "sig"}, private=True)
    op.lie = with_another_key
    assert "failed=not_signed_in" in Browser(house).sign_in()


def test_a_provider_whose_keys_are_all_unknown_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def keys(_: Op, __: Request) -> Response:
        return JSONResponse({"keys": OTHERS})

    monkeypatch.setattr(Op, "keys", keys)
    odd = Op()
    with listening(odd.app()) as port:
        odd.issuer = f"http://127.0.0.1:{port}"
        with running(
            tmp_path, AUTH="on", OIDC_ISSUER=odd.issuer, OIDC_CLIENT_ID=NAMED, OIDC_ROLES="*=reader"
        ) as server:
            assert "failed=not_signed_in" in Browser(server).get("/login/oidc")[1]
    assert "no key that is understood" in caplog.text


def test_a_provider_that_is_gone_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dead = {"OIDC_ISSUER": "http://127.0.0.1:9", "OIDC_CLIENT_ID": NAMED, "OIDC_ROLES": "*=reader"}
    with running(tmp_path, AUTH="on", **dead) as server:
        came = Browser(server).get("/login/oidc")[1]
        assert "failed=not_signed_in" in came
        page = server.ask("GET", came[came.index("/login") :], headers={"Accept": "text/html"}).body.decode()
        assert "The provider does not answer" in page
        assert "Check the name and the password" not in page
        assert server.ask("GET", "/session").json()["oidc"] is True
    assert "OpenID Connect: ConnectError: " in caplog.text


@pytest.mark.parametrize(
    "said", ['{"issuer": 7}', '{"issuer": ["x"]}', "[]", '"x"', "{}", "[" * 200_000], ids=lambda said: said[:12]
)
def test_a_provider_that_describes_itself_wrongly_is_said(tmp_path: Path, said: str) -> None:
    async def describe(_: Request) -> Response:
        return Response(said, media_type="application/json")

    odd = Starlette(routes=[Route("/.well-known/openid-configuration", describe)])
    with listening(odd) as port:
        about = {"OIDC_ISSUER": f"http://127.0.0.1:{port}", "OIDC_CLIENT_ID": NAMED, "OIDC_ROLES": "*=reader"}
        with running(tmp_path, AUTH="on", **about) as server:
            assert "failed=not_signed_in" in Browser(server).get("/login/oidc")[1]


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://login.evil.test"},
        {"authorization_endpoint": "http://login.test/authorize"},
        {"token_endpoint": "http://login.test/token"},
        {"jwks_uri": "https://127.0.0.1:99999/keys"},
        {"jwks_uri": "https://[v1.x]/keys"},
        {"token_endpoint": "https://login.test/" + "a" * 70_000},
    ],
    ids=["another issuer", "a page in the clear", "a token in the clear", "no port", "no host", "no end"],
)
def test_a_provider_that_speaks_for_another_or_in_the_clear_is_not_followed(
    tmp_path: Path, op: Op, says: dict[str, str]
) -> None:
    op.says = says
    with running(tmp_path, AUTH="on", OIDC_ISSUER=op.issuer, OIDC_CLIENT_ID=NAMED, OIDC_ROLES="*=reader") as server:
        assert "failed=not_signed_in" in Browser(server).get("/login/oidc")[1]


def test_a_sign_in_that_took_too_long_begins_again(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "PATIENCE", -60)
    browser = Browser(house)
    assert "took+too+long" in browser.sign_in()
    assert "hilum" not in browser.cookies


def test_who_has_another_role_at_the_provider_has_it_here_at_the_next_sign_in(house: Running, op: Op) -> None:
    def acts(browser: Browser) -> list[str]:
        cookie = {"Cookie": f"hilum={browser.cookies['hilum']}"}
        return list(house.ask("GET", "/session", headers=cookie).json()["acts"])

    before, after = Browser(house), Browser(house)
    op.person = {"sub": "70", "preferred_username": "Turing", "groups": ["ml"]}
    before.sign_in()
    assert "promote" in acts(before)
    op.person["groups"] = ["radiology"]
    after.sign_in()
    assert "promote" not in acts(after)
    assert "promote" not in acts(before)


def test_a_stranger_cannot_have_the_provider_asked_without_end(tmp_path: Path, op: Op) -> None:
    """Each way there, and each way back under our own seal, may be a question to the provider."""
    with running(tmp_path, AUTH="on", OIDC_ISSUER=op.issuer, OIDC_CLIENT_ID=NAMED, OIDC_ROLES="*=reader") as house:
        found = [house.ask("GET", "/login/oidc").status for _ in range(250)]  # the window slides while they come
        assert set(found[:100]) == {303}
        assert found[-1] == 429
        assert house.ask("GET", "/login/oidc/callback?code=a&state=b").status == 429
        assert house.ask("GET", "/login").status == 200


def test_roles_by_claim() -> None:
    found = {"HILUM_OIDC_ISSUER": "https://login.test", "HILUM_OIDC_CLIENT_ID": "x",
             "HILUM_OIDC_ROLES": "a=b=reader, ml=engineer,*=reader"}  # fmt: skip
    provider = Provider(read_settings(found))
    assert provider.role({"groups": ["ml", "a=b", 7, None]}) == "engineer"
    assert provider.role({"groups": "ml"}) == "engineer"
    for nothing in (None, 7, {"ml": True}):
        assert provider.role({"groups": nothing}) == "reader"
    assert provider.role({}) == "reader"
    with pytest.raises(NotAllowed):
        Provider(read_settings({**found, "HILUM_OIDC_ROLES": "ml=engineer"})).role({"groups": ["*"]})
    for words in ("ml", "=reader", "ml=root"):
        with pytest.raises(UsageError):
            roles_of(words)
    for lacking in ("HILUM_OIDC_CLIENT_ID", "HILUM_OIDC_ROLES"):
        with pytest.raises(UsageError, match="also needs"):
            Provider(read_settings({**found, lacking: ""}))
    with pytest.raises(UsageError, match="https"):
        read_settings({"HILUM_OIDC_ISSUER": "http://login.test"})
