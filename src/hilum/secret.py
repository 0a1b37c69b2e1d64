"""The secret of an installation -> one key for each purpose; knows no file format and nobody's password."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from hilum.durable import sync_folder
from hilum.errors import UsageError

BYTES = 32


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose: HMAC-SHA256(secret, "hilum " + purpose); no key tells another."""
    return hmac.digest(secret, b"hilum " + purpose.encode(), hashlib.sha256)


def content_names(secret: bytes) -> Callable[[bytes], str]:
    """Received bytes -> what they are known by on record: an HMAC, which nobody without the secret can guess."""
    key = derived(secret, "content")
    return lambda data: hmac.digest(key, data, "sha256").hex()


def read_secret(file: Path) -> bytes:
    """The installation's secret, drawn at the first start; the file holds 64 hexadecimal digits, mode 0600.

    Raises:
        UsageError: the file holds something else or cannot be read or written.
    """
    return read_or_draw(file)[0]


def read_or_draw(file: Path) -> tuple[bytes, bool]:
    """As `read_secret`, and whether it was drawn by this very call, not by another process."""
    try:
        drawn = not file.exists() and _drawn(file)
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: no usable secret (64 hexadecimal digits): {error}") from error
    if len(secret) != BYTES:
        raise UsageError(f"{file}: the secret must be {BYTES} bytes, that is {2 * BYTES} hexadecimal digits")
    return secret, drawn


def _drawn(file: Path) -> bool:
    """Draw a secret; False where another process was quicker, whose secret then holds."""
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}.new")  # the process's number is 1 in every container
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.link(fresh, file)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(file.parent)
    return True
