"""The values of this room: a case, and a data set that reads its cases one at a time; knows no layout, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilum.data.manifest import Entry, digest_of, sha256
from hilum.image.decode import Limits
from hilum.image.image import Image

SPLITS = ("train", "val", "test")
Progress = Callable[[int, int | None], None]  # done so far, of how many (None while that is unknown)


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled image (or file of several frames).

    id: the path as given: the reference joined with the path inside it; `a.zip#path`, `a.npz#train/12`.
    raw_label: the data set's own word, None where it has none; label: the task's class, None before `with_task`.
    split: the supplied one: train, val, test, or None.
    patient: whom cases are grouped by, None where unknown; keyed hashes where the source held an identifier.
    source: the reference the case came from.
    path: inside the source, with `/`; what the reader reads.
    """

    id: str
    raw_label: str | None = None
    label: str | None = None
    split: str | None = None
    patient: str | None = None
    source: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS} or None, not {self.split!r}")

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return (self.path or self.id).rpartition("/")[2]


class Reader(Protocol):
    """What a data set reads its cases with; must survive pickling, so that workers can read too."""

    def data(self, case: Case, limits: Limits) -> bytes:
        """The encoded file; of arrays their canonical bytes."""
        ...

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """The decoded image, one for each frame; `data`: what `data` gave, where it is at hand."""
        ...


def middle(frames: Sequence[Image]) -> Image:
    """The frame that stands for a file of several: the one that is audited, learned from and measured."""
    return frames[len(frames) // 2]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled cases, in the order of their ids, and what reads them.

    classes: the raw labels, sorted; after `with_task` the task's classes in the order of the network's outputs.
    stray: ids of files that are no cases (`.DS_Store`, empty, another format, not named by the table).
    layout: which layout was found; notes: sentences for the user about what was decided and left out.
    limits: of one file, where a reading names no others.
    """

    name: str
    cases: tuple[Case, ...]
    classes: tuple[str, ...]
    stray: tuple[str, ...]
    reader: Reader
    layout: str = ""
    notes: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __len__(self) -> int:
        return len(self.cases)

    def data(self, case: Case, limits: Limits | None = None) -> bytes:
        """The case's encoded file; of arrays their canonical bytes.

        Raises:
            UnreadableImage: it cannot be read, does not fit its hash, or is larger than the limit.
        """
        return self.reader.data(case, limits or self.limits)

    def images(self, case: Case, limits: Limits | None = None, data: bytes | None = None) -> tuple[Image, ...]:
        """The case's decoded images, one for each frame, each (H, W) float32 in [0, 1].

        data: what `data` gave for this case, where it is at hand; it is not read again.

        Raises:
            UnreadableImage: it cannot be read or decoded.
        """
        return self.reader.images(case, limits or self.limits, data)

    @property
    def counts(self) -> dict[str, int]:
        """Cases of each class; by raw label before `with_task`. Unlabelled cases are not in it."""
        found = Counter(case.label or case.raw_label for case in self.cases)
        return {name: found[name] for name in self.classes}

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(n,) index into `classes` of each case, -1 where it has no label."""
        index: dict[str | None, int] = {name: i for i, name in enumerate(self.classes)}
        return np.array([index.get(case.label or case.raw_label, -1) for case in self.cases], dtype=np.int64)

    def subset(self, indices: Iterable[int]) -> Dataset:
        """The same data set with these cases only, in this order."""
        return replace(self, cases=tuple(self.cases[i] for i in indices))

    @cached_property
    def manifest(self) -> tuple[Entry, ...]:
        """One entry a case, in the order of the cases; reads every file once.

        Raises:
            UnreadableImage: a file went away or is larger than the limit.
        """
        return self.hashed()

    def hashed(self, progress: Progress | None = None) -> tuple[Entry, ...]:
        """`manifest`, with a progress call after every thousand files."""
        entries: list[Entry] = []
        with ThreadPoolExecutor(max_workers=8) as pool:  # hashing and reading both let go of the interpreter's lock
            for start in range(0, len(self.cases), 1000):  # a pool queues all it is given at once
                entries += pool.map(self._entry, self.cases[start : start + 1000])
                if progress:
                    progress(len(entries), len(self.cases))
        return tuple(entries)

    @property
    def digest(self) -> str:
        """SHA-256 that names this version of the data set: see `manifest.digest_of`."""
        return digest_of(self.manifest)

    def _entry(self, case: Case) -> Entry:
        return Entry(case.path or case.id, sha256(self.data(case)), case.raw_label, case.split)
