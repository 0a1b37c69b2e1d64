"""What every part of access stands on: the tables, a keyed hash, the clock and whom deeds are told to."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hilum.access.deed import Tell, tell_nobody
from hilum.access.recent import Recent
from hilum.access.tables import Database

REMEMBERED = 5.0  # seconds a verified key or session needs no look into the database
TOKEN_BYTES = 32  # of randomness in every token


@dataclass(frozen=True, slots=True)
class Ground:
    """`key` is 32 bytes for access alone; `now` gives seconds since 1970 UTC."""

    database: Database
    key: bytes
    tell: Tell = tell_nobody
    now: Callable[[], float] = time.time
    recent: Recent = field(default_factory=lambda: Recent(REMEMBERED))

    def hash(self, purpose: str, token: str) -> bytes:
        """HMAC-SHA256: tokens carry 256 random bits, so a slow hash would add nothing but time."""
        return hmac.digest(self.key, f"{purpose}\0{token}".encode(), hashlib.sha256)


def new_token() -> str:
    """256 random bits in URL-safe letters."""
    return secrets.token_urlsafe(TOKEN_BYTES)
