"""Bytes fetched or unpacked once -> a file on this disk that is checked by its hash before it is used again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_path

from hilum.durable import LEFT_SECONDS
from hilum.errors import UsageError

BLOCK = 1024 * 1024
KEY_BYTES = 32
HALF = ".part-"  # in front of the name of a file that is on its way
Fill = Callable[[BinaryIO], None]


@dataclass(frozen=True)
class Cache:
    """A folder of files named by what they hold; safe to share between processes, safe to delete."""

    root: Path
    checked: set[str] = field(default_factory=set, compare=False, repr=False)
    swept: set[Path] = field(default_factory=set, compare=False, repr=False)

    def at(self, identity: str, fill: Fill, suffix: str = "") -> Path:
        """The file of this identity; `fill` writes it where it is not there or does not fit its hash.

        identity: everything that must change when the bytes change (address and tag, path with size and time).
        """
        return self.find(identity, suffix) or self.put(identity, fill, suffix)

    def find(self, identity: str, suffix: str = "") -> Path | None:
        """The file of this identity, None where it is not there or does not fit its hash."""
        path = self._path(identity, suffix)
        return path if self._sound(path) else None

    def put(self, identity: str, fill: Fill, suffix: str = "") -> Path:
        """Write the file of this identity anew; what `fill` raises passes through, and leaves nothing behind."""
        path = self._path(identity, suffix)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)  # it may hold images of patients
        self._sweep()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=HALF)
        made = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
            note = {"sha256": hash_file(made), "size": str(made.stat().st_size)}
            _replace(_beside(path), json.dumps(note).encode())
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
        self.checked.add(str(path))
        return path

    def note(self, path: Path) -> dict[str, str]:
        """What was kept beside a file: its sha256, size, and what `annotate` added; {} where nothing is."""
        try:
            kept = json.loads(_beside(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, dict) else {}

    def annotate(self, path: Path, words: dict[str, str]) -> None:
        """Keep words beside a file (an ETag, for example)."""
        _replace(_beside(path), json.dumps(self.note(path) | words).encode())

    def key(self) -> bytes:
        """32 secret bytes of this machine, made at the first call: what patient identifiers are hashed with.

        Raises:
            UsageError: the file that holds them holds something else.
        """
        path = self.root / "patient.key"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                _claim(made, path)
            finally:
                made.unlink(missing_ok=True)
        key = path.read_bytes()
        if len(key) != KEY_BYTES:  # hashed with less, or with nothing, a patient's number could be guessed
            raise UsageError(f"{path}: must be {KEY_BYTES} bytes; put back a copy, or take it away for a new one")
        return key

    def _sweep(self) -> None:
        """Once: take away what fetches left that were killed; it takes room, and may hold images of patients."""
        if self.root in self.swept:
            return
        self.swept.add(self.root)
        before = time.time() - LEFT_SECONDS
        for half in self.root.glob(f"files/*/{HALF}*"):
            with suppress(OSError):  # it was done in this moment; or is not ours
                if half.stat().st_mtime < before:
                    half.unlink()

    def _sound(self, path: Path) -> bool:
        if str(path) in self.checked and path.is_file():
            return True
        note = self.note(path)
        try:
            sound = note.get("size") == str(path.stat().st_size) and note.get("sha256") == hash_file(path)
        except OSError:
            return False
        if sound:
            self.checked.add(str(path))
        return sound

    def _path(self, identity: str, suffix: str) -> Path:
        name = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()  # a path may be no UTF-8
        return self.root / "files" / name[:2] / f"{name}{suffix}"


def default_cache() -> Cache:
    """The cache in the user's cache folder."""
    return Cache(user_cache_path("hilum", appauthor=False) / "sources")


def hash_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_identity(path: Path) -> str:
    """Path, size and time of a file on this disk."""
    found = path.stat()
    return f"{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"


def _claim(made: Path, path: Path) -> None:
    """Give a file its name where no other process was quicker: the first one wins."""
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a drive without hard links
        if not path.exists():
            made.replace(path)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=HALF)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)
