"""A data set and its split -> the arrays that training reads, prepared once, kept on disk; never of the test."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hilum.data.dataset import Dataset, middle
from hilum.data.findings import Audit
from hilum.data.manifest import Entry, digest_of
from hilum.data.split import Split
from hilum.durable import naming
from hilum.flows.progress import Listener
from hilum.image.image import Image
from hilum.image.prepare import Preparation, prepare
from hilum.learn.fitting import Cases

Ints = NDArray[np.int64]
Value = TypeVar("Value")
AHEAD = 256  # images read before the first is used, at most


@dataclass(frozen=True, eq=False, slots=True)
class Material:
    """The open parts of a data set, numbered 0 to N - 1 in the order of their case numbers.

    dataset: with the test locked. numbers: (N,) case number of each. digests: (N,) SHA-256 of each file.
    parts: name -> (n,) indices into the N. labels, groups: (N,). folder: where prepared arrays are kept.
    """

    dataset: Dataset
    numbers: Ints
    digests: tuple[str | None, ...]
    parts: dict[str, Ints]
    labels: Ints
    groups: Ints
    folder: Path
    listener: Listener

    def cases(self) -> Cases:
        """What the training room takes."""
        return Cases(self.pixels, self.labels, self.groups, self.parts["train"], self.parts["tune"])

    def pixels(self, preparation: Preparation) -> NDArray[np.uint8]:
        """(N, 1, S, S) uint8, all N images prepared; from disk where they were prepared before."""
        name = hashlib.sha256(json.dumps([asdict(preparation), self.digests]).encode()).hexdigest()[:12]
        file = self.folder / f"prepared-{name}.npy"
        if not file.is_file():
            self._prepare(preparation, file)
        found: NDArray[np.uint8] = np.load(file, mmap_mode="r")
        return found

    def these(self, rows: Ints, make: Callable[[Image], Value], title: str) -> list[Value]:
        """`make` of the images at these places, in order."""
        return list(self._read(rows, make, title))

    def _prepare(self, preparation: Preparation, file: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(".half.npy")
        shape = (len(self.numbers), 1, preparation.size, preparation.size)
        array = np.lib.format.open_memmap(half, mode="w+", dtype=np.uint8, shape=shape)
        try:
            with naming(half), half.open("r+b") as room:  # a full disk is told now: later it would kill the process
                os.posix_fallocate(room.fileno(), 0, half.stat().st_size)
        except OSError:
            half.unlink()  # what it has taken of that disk
            raise
        every = np.arange(len(self.numbers))
        for i, pixels in enumerate(self._read(every, lambda image: prepare(image, preparation), "preparing images")):
            array[i] = pixels
        array.flush()
        half.rename(file)

    def _read(self, wanted: Ints, make: Callable[[Image], Value], title: str) -> Iterator[Value]:
        self.listener.stage(title, len(wanted))
        with ThreadPoolExecutor(2) as pool:
            for start in range(0, len(wanted), AHEAD):
                block = wanted[start : start + AHEAD]
                yield from pool.map(lambda i: make(self._image(int(i))), block)
                self.listener.done(min(start + AHEAD, len(wanted)), len(wanted))

    def _image(self, place: int) -> Image:
        return middle(self.dataset.images(self.dataset.cases[int(self.numbers[place])]))


def material(dataset: Dataset, found: Audit, split: Split, folder: Path, listener: Listener) -> Material:
    """The open parts of a split data set."""
    numbers, parts = places(split)
    return Material(
        dataset=split.locked(dataset),
        numbers=numbers,
        digests=tuple(found.digests[i] for i in numbers),
        parts=parts,
        labels=dataset.labels[numbers],
        groups=split.groups[numbers],
        folder=folder,
        listener=listener,
    )


def places(split: Split) -> tuple[Ints, dict[str, Ints]]:
    """The (N,) case numbers of the open parts, ascending; for each part the (n,) indices into them."""
    numbers = np.array(sorted(i for part in split.parts.values() for i in part), dtype=np.int64)
    return numbers, {
        name: np.searchsorted(numbers, np.array(part, dtype=np.int64)) for name, part in split.parts.items()
    }


def digest_of_data(dataset: Dataset, found: Audit) -> str:
    """The digest of the data set's version, from the hashes the audit has already taken; unreadable files left out."""
    return digest_of(
        Entry(case.path or case.id, digest, case.raw_label, case.split)
        for case, digest in zip(dataset.cases, found.digests, strict=True)
        if digest is not None
    )
