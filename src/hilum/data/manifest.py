"""Hashes, labels and splits of the cases -> one digest that names a version of a data set; reads no file itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

FORMAT = "hilum-manifest-1"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One case of a manifest.

    path: inside the source, so that a folder, its zip and its copy in a bucket have one digest.
    sha256: of the encoded file; of arrays, of their canonical bytes (see `arrays.canonical`).
    label: the data set's own word, before any task; split: the supplied one.
    """

    path: str
    sha256: str
    label: str | None = None
    split: str | None = None

    def line(self) -> str:
        """The canonical JSON line; keys sorted, no spaces, no escapes but JSON's own."""
        row = {"label": self.label, "path": self.path, "sha256": self.sha256, "split": self.split}
        return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of the bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_of(entries: Iterable[Entry]) -> str:
    """SHA-256 over the sorted lines: does not depend on the order of a listing, nor on where the data set lies.

    Patients are not part of it: they are read differently by different tasks and may be keyed by the machine.
    """
    whole = hashlib.sha256(f"{FORMAT}\n".encode())
    for line in sorted(entry.line() for entry in entries):
        whole.update(line.encode("utf-8", "surrogatepass") + b"\n")  # a path may be no UTF-8
    return whole.hexdigest()
