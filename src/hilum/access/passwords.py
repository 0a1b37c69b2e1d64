"""A password -> an argon2id hash, or yes or no; knows no user."""

from __future__ import annotations

import threading
import unicodedata

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from hilum.errors import UsageError

SHORTEST, LONGEST = 12, 256  # characters
TYPED = 4 * LONGEST  # characters before their accents and letters are put together
DISTINCT = 5
AT_ONCE = 2  # hashes computed side by side: bounds memory (46 MiB each) and processor time whoever knocks

# OWASP password storage: argon2id, 46 MiB, one pass, one lane
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=47104, parallelism=1)
_TURN = threading.BoundedSemaphore(AT_ONCE)
# The hash of nothing anyone can type: unknown names cost as much time as known ones.
_NOBODY = _HASHER.hash("\x00 nobody")


def hashed(password: str) -> str:
    """The hash to store."""
    with _TURN:
        return _HASHER.hash(_plain(password))


def fits(password: str, stored: str) -> bool:
    """Whether the password is the one; takes the same time when nothing is stored."""
    plain = _plain(password)
    if len(plain) > LONGEST:
        return False
    with _TURN:
        try:
            return _HASHER.verify(stored or _NOBODY, plain) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def check_new(password: str, name: str) -> None:
    """The rules for a new password: length before anything (NIST SP 800-63B 5.1.1.2).

    Raises:
        UsageError: says which rule.
    """
    plain = _plain(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise UsageError(f"the password needs {SHORTEST} to {LONGEST} characters")
    try:
        plain.encode()
    except UnicodeEncodeError as error:  # lone surrogates, as a file of other letters brings them to stdin
        raise UsageError("the password is no UTF-8") from error
    if len(set(plain)) < DISTINCT:
        raise UsageError(f"the password needs at least {DISTINCT} different characters")
    if name and name.casefold() in plain.casefold() and len(plain) - len(name) < SHORTEST // 2:
        raise UsageError("the password is hardly more than the name")


def _plain(password: str) -> str:
    """One spelling of it (NFKC); what is too long in any spelling stays as it is: ordering its accents takes long."""
    return unicodedata.normalize("NFKC", password) if len(password) <= TYPED else password
