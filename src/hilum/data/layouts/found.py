"""What a layout hands back, what it may be told, and how it reads files; knows no place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hilum.data.dataset import Case, Reader
from hilum.data.places.tree import Tree, suffix_of
from hilum.image.decode import Limits, decode
from hilum.image.image import Image

NAMED = 3  # of several tables that are not read
SPLIT_WORDS = {
    "train": "train", "training": "train", "trainset": "train", "trainingset": "train", "trainimages": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "valset": "val", "valimages": "val",
    "validationset": "val",
    "test": "test", "testing": "test", "testset": "test", "testingset": "test", "testimages": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of a table's columns where they are not the usual ones; None = look for the usual ones."""

    image: str | None = None
    label: str | None = None
    group: str | None = None
    table: str | None = None  # path of the one table to read, inside the source

    @property
    def ask_for_a_table(self) -> bool:
        """Whether the user means the labels of a table, whatever the folders are called."""
        return bool(self.image or self.label or self.table)


@dataclass(frozen=True, slots=True)
class Found:
    """Cases of a tree in one layout. stray: paths inside the tree."""

    layout: str
    cases: tuple[Case, ...]
    reader: Reader
    stray: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = field(default=None)  # where the source itself orders them


@dataclass(frozen=True, slots=True)
class TreeReader:
    """Reads cases that are files of a tree."""

    tree: Tree

    def data(self, case: Case, limits: Limits) -> bytes:
        """See Reader."""
        return self.tree.read(case.path, limits.max_bytes)

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """See Reader."""
        return decode(self.data(case, limits) if data is None else data, name=case.id, limits=limits)


def split_word(word: str) -> str | None:
    """train, val or test for the words folders, tables and arrays use for them; None for any other."""
    return SPLIT_WORDS.get("".join(c for c in word.lower() if c.isalnum()))


def unused(tables: Sequence[str], why: str) -> tuple[str, ...]:
    """What is said of tables that lie there and are not read: one note, for there may be one beside every image."""
    more = f" and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
    return (f"{', '.join(tables[:NAMED])}{more}: not used, {why}",) if tables else ()


def without_suffix(name: str) -> str:
    """A file name without its suffix."""
    return name[: len(name) - len(suffix_of(name))]
