"""Contents and groups -> which images are looked at, and in which fold; the same in whatever order they come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sample(digests: Sequence[str], limit: int, seed: int = 0) -> NDArray[np.int64]:
    """Indices, ascending, of at most `limit` images: those whose content hashes lowest with the seed."""
    if len(digests) <= limit:
        return np.arange(len(digests), dtype=np.int64)
    keys = [hashlib.sha256(f"{seed}:{digest}".encode()).digest() for digest in digests]
    chosen = sorted(range(len(keys)), key=keys.__getitem__)[:limit]
    return np.sort(np.asarray(chosen, dtype=np.int64))


def fold_numbers(groups: NDArray[np.int64], digests: Sequence[str], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """(n,) fold 0..folds-1 of each image; a group stays in one fold, chosen by a hash of its lowest content digest."""
    lowest: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), digests, strict=True):
        lowest[group] = min(digest, lowest.get(group, digest))
    ordered = sorted(lowest, key=lambda group: hashlib.sha256(f"{seed}:{lowest[group]}".encode()).digest())
    place = {group: rank % folds for rank, group in enumerate(ordered)}
    return np.array([place[group] for group in groups.tolist()], dtype=np.int64)
