"""A split data set -> nothing, or an error in words before any time is spent on what cannot become a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hilum.data.dataset import Dataset
from hilum.data.findings import Audit
from hilum.data.split import Split
from hilum.data.split import folds as divided
from hilum.errors import DataError, UsageError
from hilum.flows.progress import Listener

LEAST = 8  # groups of each class beside the test: fewer teach nothing that a figure could be put on
WORDS = {"train": "train on", "tune": "choose by", "calibrate": "calibrate on"}


def check_enough(dataset: Dataset, found: Audit, split: Split, folds: int = 0) -> None:
    """Every class must have images to learn from and, without folds, images to calibrate on.

    Raises:
        DataError: one has not; the message says which, how many there are, and what to do.
    """
    unseen = [name for i, name in enumerate(dataset.classes) if not (dataset.labels == i).any()]
    if unseen:
        raise DataError(
            f"{dataset.name}: no image of {', '.join(unseen)}: every class must be there. Where its folder or label is "
            "called otherwise, add that word to `synonyms` in a task file of your own"
        )
    counts = {part: _groups(dataset, split, part) for part in WORDS}
    short = [
        i
        for i in range(len(dataset.classes))
        if not counts["train"][i]
        or (not folds and not counts["calibrate"][i])
        or sum(counted[i] for counted in counts.values()) < LEAST
    ]
    if short:
        said = "; ".join(_said(dataset, found, split, (counts, i)) for i in short)
        raise DataError(
            f"{dataset.name}: too few images that are no copies of each other: {said}. Some of each class must be left "
            "to train, choose, calibrate and test on: add images, about 20 of each class at least"
        )


def check_folds(dataset: Dataset, split: Split, folds: int) -> None:
    """Every fold must hold something.

    Raises:
        UsageError: one does not; the message says how many folds the rarest class fills.
    """
    if folds and not all(held for _, held in divided(split, folds)):
        opened = np.array(sorted(i for part in split.parts.values() for i in part), dtype=np.int64)
        labels, groups = dataset.labels[opened], split.groups[opened]
        fewest = min(int(np.unique(groups[labels == i]).size) for i in np.unique(labels))
        raise UsageError(f"{folds} folds: some would hold no image; {fewest} is the most that the rarest class fills")


def too_small(sizes: Mapping[str, int], side: int) -> str | None:
    """What to say of images that the package's own gate will refuse; sizes: how many images are "WIDTHxHEIGHT".

    side: the least short side that the task admits, in pixels.
    """
    few = sum(count for size, count in sizes.items() if min(map(int, size.split("x"))) < side)
    if not few:
        return None
    return (
        f"beware: {few} of {sum(sizes.values())} images have a short side under {side} pixels; the package will "
        "refuse to answer such images, in its own test too: use the originals rather than thumbnails, or write "
        "smallest_side = … in the task file"
    )


def tell_ahead(listener: Listener, found: Audit, split: Split, side: int) -> None:
    """Say what was found, who is in which part, and what to beware of; side: as in `too_small`."""
    parts = ", ".join(f"{name} {count}" for name, count in split.sizes.items())
    listener.say(f"audit: {found.verdict}; {len(found.pairs)} copy pairs, {len(found.unreadable)} unreadable")
    listener.say(f"split: {parts}; left out {len(split.left_out)}")
    for note in dict.fromkeys((*found.notes, *split.notes, *split.marks)):  # how groups were made is in both
        listener.say(f"  {note}")
    if found.statistics and (beware := too_small(found.statistics.whole.sizes, side)):
        listener.say(f"  {beware}")


def _said(dataset: Dataset, found: Audit, split: Split, counted: tuple[dict[str, list[int]], int]) -> str:
    counts, number = counted
    parts = ", ".join(f"{counts[part][number]} to {word}" for part, word in WORDS.items())
    cases = np.flatnonzero(dataset.labels == number).tolist()
    why = _why(found, split, cases)
    return f"{dataset.classes[number]}: {len(cases)} images{f' ({why})' if why else ''}, {parts}"


def _why(found: Audit, split: Split, cases: Sequence[int]) -> str:
    """What keeps a class that has images from being learned, "" where there are merely few."""
    out = [i for i in cases if i in split.left_out]
    used = [i for i in cases if i not in split.left_out]
    reasons = [f"{len(out)} left out, the first because: {split.left_out[out[0]]}"] if out else []
    if used and all(found.splits[i] == "test" for i in used):
        reasons.append("all in the test part of the data: have some in its train part, or give the data without parts")
    if used and len({found.patients[i] for i in used}) == 1 and found.patients[used[0]] is not None:
        reasons.append("all of one patient, who cannot be in two parts: add other patients")
    elif len(used) > 1 and len(np.unique(split.groups[used])) == 1:
        reasons.append("all bound together, as copies of one image or slices of one volume")
    return "; ".join(reasons)


def _groups(dataset: Dataset, split: Split, part: str) -> list[int]:
    """Groups of each class in a part."""
    numbers = np.array(split.parts[part], dtype=np.int64)
    labels, groups = dataset.labels[numbers], split.groups[numbers]
    return [int(np.unique(groups[labels == i]).size) for i in range(len(dataset.classes))]
