"""Groups with a weight and a stratum -> the part each goes to; knows no case, no file and no class by name.

Same groups, same seed, same answer, in whatever order they come: the order of work is a hash of each group's key.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Item:
    """One indivisible group.

    key: derived from the content of its images, never from their names or their order.
    stratum: (class, source) it stands for. weight: distinct pictures it holds, more than 0.
    """

    key: str
    stratum: tuple[str, str]
    weight: float


def assign(items: Sequence[Item], fractions: Sequence[float], seed: int) -> NDArray[np.int64]:
    """The part (index into `fractions`) of each item, (len(items),) int64.

    Inside each stratum an item goes to the part that is furthest below its share; what one stratum rounds away is
    made up for by the next one of the same class. Items larger than half of the smallest share go first, so that
    no small part is swallowed by one of them.
    """
    shares = np.asarray(fractions, dtype=np.float64) / np.sum(fractions)
    parts = np.zeros(len(items), dtype=np.int64)
    for classes in _by(items, range(len(items)), 0):
        wanted, given = np.zeros_like(shares), np.zeros_like(shares)  # of the class so far
        for members in _by(items, classes, 1):
            weights = {index: items[index].weight for index in members}
            stratum = shares * sum(weights.values())
            wanted += stratum
            taken = np.zeros_like(shares)
            small = stratum[stratum > 0].min() / 2
            for index in sorted(members, key=lambda i: (weights[i] <= max(small, 1), shuffle_key(items[i].key, seed))):
                part = int(np.argmax((stratum - taken) + (wanted - given) - (shares == 0) * 1e18))
                parts[index] = part
                taken[part] += weights[index]
                given[part] += weights[index]
    return parts


def shuffle_key(key: str, seed: int) -> str:
    """The place of a group in the shuffled order: a hash of its key and the seed."""
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def top_up(items: Sequence[Item], parts: NDArray[np.int64], part: int, least: int, seed: int) -> NDArray[np.int64]:
    """Move the smallest items of part 0 until each class has `least` items in `part`, where a class has 4 x `least`.

    Returns new parts; classes with fewer items are left as they are.
    """
    moved = parts.copy()
    for members in _by(items, range(len(items)), 0):
        if len(members) < 4 * least:
            continue
        missing = least - sum(int(moved[index]) == part for index in members)
        givers = [index for index in members if moved[index] == 0]
        givers.sort(key=lambda i: (items[i].weight, shuffle_key(items[i].key, seed)))
        moved[givers[: max(missing, 0)]] = part
    return moved


def _by(items: Sequence[Item], indices: Sequence[int] | range, level: int) -> list[list[int]]:
    """Indices by the class (level 0) or the source (level 1) of their stratum, in the order of its name."""
    found: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        found[items[index].stratum[level]].append(index)
    return [found[name] for name in sorted(found)]
