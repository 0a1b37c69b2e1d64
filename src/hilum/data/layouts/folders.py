"""Images in folders named after their class, at any depth, below Training/Testing or not -> cases; opens no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from hilum.data.dataset import Case
from hilum.data.layouts.found import Columns, Found, TreeReader, split_word, unused
from hilum.data.places.tree import Sorted, Tree

# A folder that is called this says nothing about a class: one that holds everything, or one in each class.
SAYS_NOTHING = frozenset(("images", "image", "imgs", "img", "data", "dataset", "pictures", "scans", "files", "dicom"))
TOLD = "the folders name the classes; --label-column NAME takes them from a column"


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders of one image say."""

    label: str | None
    split: str | None


def find(tree: Tree, files: Sorted, columns: Columns) -> Found | None:
    """Class folders, or None where no folder names a class."""
    if columns.ask_for_a_table or not files.images:
        return None
    places = places_of(files.images)
    if all(place.label is None for place in places.values()):
        return None
    cases, stray = [], [*files.stray, *files.arrays]
    for path in files.images:
        place = places[folder_of(path)]
        if place.label is None:
            stray.append(path)
        else:
            cases.append(Case(tree.id(path), place.label, None, place.split, None, tree.reference, path))
    return Found("class folders", tuple(cases), TreeReader(tree), tuple(sorted(stray)), unused(files.tables, TOLD))


def places_of(paths: Iterable[str]) -> dict[str, Place]:
    """Label and split of every folder that holds images.

    The first folder named like a split is taken out, then what all folders begin with. Of what remains the deepest
    level names the class (`Images/Brain Tumor`, `site A/NORMAL`), unless its names only subdivide the level above
    and each occurs once (`NORMAL/patient 17`): then the level above does.
    """
    splits, inner = {}, {}
    for folder in {folder_of(path) for path in paths}:
        parts = folder.split("/") if folder else []
        at = next((i for i, part in enumerate(parts) if split_word(part)), None)
        splits[folder] = split_word(parts[at]) if at is not None else None
        inner[folder] = tuple(parts if at is None else parts[at + 1 :] or parts[:at])
    labels = _labels(_without_prefix(inner))
    return {folder: Place(labels[folder], splits[folder]) for folder in inner}


def folder_of(path: str) -> str:
    """The folder part of a path, "" at the top."""
    return path.rpartition("/")[0]


def _without_prefix(inner: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Drop leading folders that all share, but never the only class folder there is."""
    below = [parts for parts in inner.values() if parts]
    if not below:
        return inner
    shared = 0
    while len({parts[: shared + 1] for parts in below}) == 1 and len(below[0]) > shared:
        shared += 1
    if all(len(parts) == shared for parts in below):  # one class folder
        shared = shared - 1 if below[0][-1].lower() not in SAYS_NOTHING else shared
    return {folder: parts[shared:] for folder, parts in inner.items()}


def _labels(inner: dict[str, tuple[str, ...]]) -> dict[str, str | None]:
    inner = {folder: _named(parts) for folder, parts in inner.items()}
    parents: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for parts in inner.values():
        if len(parts) > 1:
            parents[parts[-1]].add(parts[:-1])
    deep = [parts for parts in inner.values() if len(parts) > 1]
    only_subdivide = (
        bool(deep) and all(len(above) == 1 for above in parents.values()) and len({parts[:-1] for parts in deep}) > 1
    )
    if only_subdivide:
        return {folder: (parts[:-1] or parts or (None,))[-1] for folder, parts in inner.items()}
    return {folder: parts[-1] if parts else None for folder, parts in inner.items()}


def _named(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Without the folders at the end that say nothing: `NORMAL/images`."""
    while len(parts) > 1 and parts[-1].lower() in SAYS_NOTHING:
        parts = parts[:-1]
    return parts
