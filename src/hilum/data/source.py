"""A reference (path, archive, URL, bucket, hub) -> a data set with its own labels; knows no task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.data.dataset import Dataset, Progress
from hilum.data.layouts import folders, plain
from hilum.data.layouts.found import Columns, Found
from hilum.data.places.folder import Folder, OneFile
from hilum.data.places.tree import Sorted, Tree, sort_files
from hilum.errors import UnreadableSource

__all__ = ["LAYOUTS", "Columns", "open_source"]

Layout = Callable[[Tree, Sorted, Columns], Found | None]

# Most specific first; the first that recognises the tree reads it.
LAYOUTS: tuple[Layout, ...] = (folders.find, plain.find)


def open_source(
    reference: str, *, columns: Columns | None = None, cache: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """List a source; no image is opened before it is asked for.

    reference: a folder, a table, an .npz, an archive; see docs/reference/sources.md for all of them.
    columns: names of a table's columns where they are not the usual ones.
    cache: folder for what is downloaded or unpacked; the user's cache folder by default.
    progress: called now and then while a long listing is read.

    Raises:
        UnreadableSource: there is nothing at the reference, or nothing in it is an image.
        MissingExtra: the kind of place needs an extra that is not installed.
    """
    tree = open_place(reference, cache, progress)
    return read_layout(tree, columns or Columns())


def open_place(reference: str, cache: Path | None, progress: Progress | None) -> Tree:
    """The tree of files at a reference; raises UnreadableSource where there is none."""
    path = Path(reference).expanduser()
    if path.is_dir():
        return Folder(reference, str(path), progress)
    if path.is_file():
        return OneFile(reference, str(path))
    raise UnreadableSource(reference, "no such file or folder")


def read_layout(tree: Tree, columns: Columns) -> Dataset:
    """The first layout that recognises the tree; raises UnreadableSource where none does."""
    files = sort_files(tree)
    for layout in LAYOUTS:
        found = layout(tree, files, columns)
        if found is not None and found.cases:
            return _dataset(tree, found)
    raise UnreadableSource(tree.reference, f"holds no images Hilum can read ({len(tree.entries)} other files)")


def _dataset(tree: Tree, found: Found) -> Dataset:
    classes = found.classes or tuple(sorted({case.raw_label for case in found.cases if case.raw_label is not None}))
    return Dataset(
        name=tree.reference.rstrip("/").rpartition("/")[2] or tree.reference,
        cases=found.cases,
        classes=classes,
        stray=tuple(tree.id(path) for path in found.stray),
        reader=found.reader,
        layout=found.layout,
        notes=found.notes,
    )
