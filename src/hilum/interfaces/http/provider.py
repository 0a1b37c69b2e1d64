"""What an OpenID Connect provider says of itself and of a person -> checked claims and a role; knows no browser.

Who they are is the pair issuer and subject, never a name or an address; the role comes from a claim by the operator's
table. Only signatures with public keys count, so neither "none" nor a shared secret can vouch for anybody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from hilum.access.caller import ROLES, roles_up_to
from hilum.errors import NotAllowed, UsageError
from hilum.interfaces.http.origin import is_loopback
from hilum.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SECONDS = 10.0  # for each question to the provider
REMEMBERED = 3600.0  # seconds the provider's description and keys are kept
SCOPE = "openid profile email"
FAULTS = (
    httpx2.HTTPError, httpx2.InvalidURL, AuthlibBaseError, JoseError, ValueError, KeyError, TypeError,
    RecursionError,  # JSON of lists in lists
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Described:
    """What a provider says of itself (Discovery 1.0), and its keys."""

    issuer: str
    authorize: str
    token: str
    keys: KeySet
    until: float


class Provider:
    """One provider; knows its description, keys and our table of roles.

    Raises:
        UsageError: the settings do not go together.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.oidc_client_id or not settings.oidc_roles:
            raise UsageError("HILUM_OIDC_ISSUER also needs HILUM_OIDC_CLIENT_ID and HILUM_OIDC_ROLES")
        self.issuer, self._claim = settings.oidc_issuer, settings.oidc_claim
        self._id, self._secret = settings.oidc_client_id, settings.oidc_client_secret
        self._roles = roles_of(settings.oidc_roles)
        self._known: Described | None = None

    async def described(self, *, fresh: bool = False) -> Described:
        """The provider's own description, asked for when it is not known or too old.

        Raises:
            one of FAULTS: it does not answer, or speaks for another issuer.
        """
        if self._known is None or fresh or self._known.until < time.monotonic():
            async with httpx2.AsyncClient(timeout=SECONDS) as client:
                told = (await client.get(f"{self.issuer}/.well-known/openid-configuration")).raise_for_status().json()
                if str(told["issuer"]).rstrip("/") != self.issuer:
                    raise ValueError("the provider speaks for another issuer")
                keys = _keys((await client.get(_safe(told["jwks_uri"]))).raise_for_status().json())
            ends = _safe(told["authorization_endpoint"]), _safe(told["token_endpoint"])
            self._known = Described(told["issuer"], *ends, keys, time.monotonic() + REMEMBERED)
        return self._known

    def client(self, back: str) -> AsyncOAuth2Client:
        """Speaks to the provider as this server."""
        method = "client_secret_basic" if self._secret else "none"
        return AsyncOAuth2Client(
            self._id, self._secret or None, scope=SCOPE, redirect_uri=back, timeout=SECONDS,
            code_challenge_method="S256", token_endpoint_auth_method=method,
        )  # fmt: skip

    async def claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        """What a checked ID token says (Core 1.0, 3.1.3.7).

        Raises:
            one of FAULTS: signature, issuer, audience, time or nonce do not fit.
        """
        known = await self.described()
        try:
            said = jwt.decode(token, known.keys, algorithms=list(ALGORITHMS)).claims
        except (JoseError, ValueError):  # keys are changed from time to time: ask for them once more
            known = await self.described(fresh=True)
            said = jwt.decode(token, known.keys, algorithms=list(ALGORITHMS)).claims
        rules = jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": known.issuer},
            aud={"essential": True, "value": self._id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        rules.validate(said)
        audience = said["aud"]
        if isinstance(audience, list) and len(audience) > 1 and said.get("azp") != self._id:
            raise ValueError("the token was made for somebody else")
        if not said["sub"].isprintable():
            raise ValueError("the subject is no text")
        return said

    def role(self, claims: Mapping[str, Any]) -> str:
        """The highest role that the claim's values reach.

        Raises:
            NotAllowed: none.
        """
        values = claims.get(self._claim, [])
        values = values if isinstance(values, list) else [values]
        found = {self._roles[value] for value in (*values, "*") if isinstance(value, str) and value in self._roles}
        if not found:
            raise NotAllowed("the provider knows you, but none of your groups has a role here: ask an administrator")
        return max(found, key=ROLES.index)


def roles_of(words: str) -> dict[str, str]:
    """`value=role,…` as a table.

    Raises:
        UsageError: not of that form, or no such role.
    """
    table = {}
    for word in filter(None, (part.strip() for part in words.split(","))):
        value, equals, role = word.rpartition("=")
        if not equals or not value:
            raise UsageError(f"HILUM_OIDC_ROLES: {word!r}: write value=role")
        roles_up_to(role)
        table[value] = role
    return table


def _keys(told: Mapping[str, Any]) -> KeySet:
    """The keys that are understood; others may stand beside them (RFC 7517, 5)."""
    found = []
    for one in told["keys"]:
        with suppress(JoseError, ValueError, KeyError, TypeError):
            found.append(JWKRegistry.import_key(one))
    if not found:
        raise ValueError("the provider publishes no key that is understood here")
    return KeySet(found)


def _safe(address: str) -> str:
    parts = urlsplit(str(address))
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("the provider names an address that is not https")
    _ = httpx2.URL(address), parts.port  # what is no address is refused here, not when somebody comes back with a code
    return address
