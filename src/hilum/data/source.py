"""A reference (path, archive, URL, bucket, hub) -> a data set with its own labels; knows no task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hilum.data.dataset import Case, Dataset, Progress
from hilum.data.layouts import arrays, folders, manifest, plain, table
from hilum.data.layouts.found import Columns, Found
from hilum.data.patients import with_patients
from hilum.data.places.archive import Archive, open_archive
from hilum.data.places.cache import Cache, default_cache
from hilum.data.places.far import is_far, place_of
from hilum.data.places.folder import Folder, OneFile
from hilum.data.places.tree import ARCHIVE_SUFFIXES, TABLE_SUFFIXES, Sorted, Tree, sort_files, suffix_of, unread_formats
from hilum.errors import UnreadableSource, UsageError

__all__ = ["LAYOUTS", "Columns", "open_source"]

Layout = Callable[[Tree, Sorted, Columns], Found | None]

# Most specific first; the first that recognises the tree reads it.
LAYOUTS: tuple[Layout, ...] = (manifest.find, arrays.find, table.find, folders.find, plain.find)
OF_TABLES = ("manifest", "table")


def open_source(
    reference: str, *, columns: Columns | None = None, cache: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """List a source; no image is decoded before it is asked for.

    reference: a folder, a table, an .npz, an archive; see docs/reference/sources.md for all of them.
    columns: names of a table's columns where they are not the usual ones.
    cache: folder for what is downloaded or unpacked; the user's cache folder by default.
    progress: called now and then while a long listing is read.

    Raises:
        UnreadableSource: there is nothing at the reference, or nothing in it is an image.
        UsageError: a column that was named is not there.
        MissingExtra: the kind of place needs an extra that is not installed.
    """
    kept = Cache(cache) if cache else default_cache()
    tree, columns = open_place(reference, columns or Columns(), kept, progress)
    return read_layout(tree, columns, progress)


def open_place(
    reference: str, columns: Columns, cache: Cache, progress: Progress | None = None
) -> tuple[Tree, Columns]:
    """The tree of files at a reference; a table stands for its folder, and is then the one that is read.

    Raises:
        UnreadableSource: there is nothing there, or a file of a kind that holds no images.
    """
    if is_far(reference):
        opened: tuple[Tree, Columns] = place_of(reference).open_remote(reference, columns, cache, progress)
        return opened
    path = Path(reference).expanduser()
    if path.is_dir():
        return Folder(reference, str(path), cache, progress), columns
    if not path.is_file():
        raise UnreadableSource(reference, "no such file or folder")
    if reference.lower().endswith(ARCHIVE_SUFFIXES):
        return open_archive(path, reference, cache), columns
    if suffix_of(path.name) in TABLE_SUFFIXES:
        folder = reference.rpartition("/")[0] or "."
        return Folder(folder, str(path.parent), cache, progress), replace(columns, table=path.name)
    return OneFile(reference, str(path), cache, path.name), columns


def read_layout(tree: Tree, columns: Columns, progress: Progress | None = None) -> Dataset:
    """The first layout that recognises the tree; a tree that holds nothing but one archive is that archive.

    Raises:
        UnreadableSource: none does.
    """
    files = sort_files(tree)
    for layout in LAYOUTS:
        found = layout(tree, files, columns)
        if found is not None and found.cases:
            _check_used(columns, found, tree)
            return _dataset(tree, replace(found, cases=with_patients(found.cases, tree, progress)))
    archives = [path for path in files.stray if path.lower().endswith(ARCHIVE_SUFFIXES)]
    if len(archives) == 1 and not isinstance(tree, Archive):
        inner = open_archive(tree.local(archives[0]), tree.id(archives[0]), tree.cache)
        return read_layout(inner, columns, progress)
    if columns.table in {entry.path for entry in tree.entries} - {*files.tables}:
        raise UnreadableSource(
            tree.id(str(columns.table)), "is empty, or no table: it needs a header and a row for each image"
        )
    if columns.ask_for_a_table and (files.images or files.arrays):
        why = (
            "no table there has a column of images and one of classes: name both"
            if files.tables
            else "no table lies there"
        )
        raise UsageError(f"{tree.reference}: a column is named, and {why}")
    unread = unread_formats(files.stray)
    others = f"{len(tree.entries)} other files" + (f"; {unread}" if unread else "")
    raise UnreadableSource(tree.reference, f"holds no images Hilum can read ({others})")


def _check_used(columns: Columns, found: Found, tree: Tree) -> None:
    """Patients whose column was named and not read would be in two parts of a split.

    Raises:
        UsageError: there are such.
    """
    if columns.group and found.layout not in OF_TABLES:
        raise UsageError(
            f"{tree.reference}: the column '{columns.group}' of patients is not read, for no table names the classes "
            f"(found: {found.layout}); name the table itself, or its column of classes too (--label-column NAME)"
        )


def _dataset(tree: Tree, found: Found) -> Dataset:
    cases = tuple(_writable_case(case) for case in found.cases)
    unread = unread_formats(found.stray)
    classes = found.classes or tuple(sorted({case.raw_label for case in cases if case.raw_label is not None}))
    return Dataset(
        name=_writable(tree.reference.rstrip("/").rpartition("/")[2] or tree.reference),
        cases=cases,
        classes=classes,
        stray=tuple(_writable(tree.id(path)) for path in found.stray),
        reader=found.reader,
        layout=found.layout,
        notes=tuple(map(_writable, (*found.notes, *([f"{unread}; left out with the stray files"] if unread else [])))),
    )


def _writable_case(case: Case) -> Case:
    """The same case, its names such as a report can hold; its path is still what the file is read by."""
    told = {"id": _writable(case.id), "source": _writable(case.source)}
    label = case.raw_label and _writable(case.raw_label)
    same = (case.id, case.source, case.raw_label) == (told["id"], told["source"], label)
    return case if same else replace(case, **told, raw_label=label)


def _writable(name: str) -> str:
    """Bytes of a file's name that are no UTF-8 as escapes: the archives of other systems are full of them."""
    return name.encode("utf-8", "backslashreplace").decode()
