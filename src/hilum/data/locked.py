"""The parts of a split and a data set's reader -> the same without the test; what training code is handed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hilum.data.dataset import Case, Reader
from hilum.errors import DataError
from hilum.image.decode import Limits
from hilum.image.image import Image

PARTS = ("train", "tune", "calibrate", "test")


class OpenParts(Mapping[str, tuple[int, ...]]):
    """The parts training may read: train, tune, calibrate. Asking for the test raises DataError."""

    def __init__(self, parts: Mapping[str, tuple[int, ...]]) -> None:
        self._parts = {name: parts[name] for name in PARTS[:-1]}

    def __getitem__(self, name: str) -> tuple[int, ...]:
        if name == "test":
            raise DataError(
                "the test part is locked: seal the package, then evaluation opens it by the package's digest"
            )
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


@dataclass(frozen=True, slots=True)
class LockedReader:
    """Reads every case but the closed ones."""

    reader: Reader
    closed: frozenset[str]

    def data(self, case: Case, limits: Limits) -> bytes:
        """As the reader inside; raises DataError for a closed case."""
        self._check(case)
        return self.reader.data(case, limits)

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """As the reader inside; raises DataError for a closed case."""
        self._check(case)
        return self.reader.images(case, limits, data)

    def _check(self, case: Case) -> None:
        if case.id in self.closed:
            raise DataError(f"{case.id} is in the locked test, which training cannot read")
