"""Records and kept images -> what does not fit, in sentences: chains, checkpoints, pictures that should be there."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.records.store import Records
from hilum.storage.images import Images


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was looked at, and a sentence for everything that does not fit."""

    rows: int
    checkpoints: int
    images: int
    faults: tuple[str, ...]


def verify(records: Records, images: Images | None) -> Verified:
    """Look at every row and checkpoint; with `images` also whether each picture is there and is the one it was.

    Raises:
        RecordsError, StorageError: something cannot be read at all.
    """
    found = records.verify()
    if images is None:
        return Verified(found.rows, found.checkpoints, 0, found.faults)
    looked, lost = 0, []
    for key, prediction in records.pictures():
        looked += 1
        fault = images.fault(key)
        if fault is not None:
            lost.append(f"record {prediction} names image {key[:12]}…: {fault}")
    return Verified(found.rows, found.checkpoints, looked, (*found.faults, *lost))
