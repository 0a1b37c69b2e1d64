"""Images and a table that names their class -> cases; knows no task, decodes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from hilum.data.dataset import SPLITS, Case
from hilum.data.layouts.folders import Place, folder_of, places_of
from hilum.data.layouts.found import Columns, Found, TreeReader, split_word, without_suffix
from hilum.data.layouts.names import Names
from hilum.data.layouts.rows import Row, Table, read_table
from hilum.data.patients import is_dicom
from hilum.data.places.tree import Sorted, Tree
from hilum.errors import UnreadableSource, UsageError

COVERS = 0.9  # share of the images a table must name before it can overrule class folders


@dataclass(slots=True)
class Answers:
    """What all tables say: rows by file, and the words that named none, several, or another folder."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    nameless: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def find(tree: Tree, files: Sorted, columns: Columns) -> Found | None:
    """Images with a table, or None where there is no table or class folders say the same.

    Class folders and a table side by side: the folders are used, unless columns were named, or the table names nine
    tenths of the images and its labels are not the folders by another name (folders of patients, of scanners).
    """
    if not files.images or not files.tables:
        return None
    places = places_of(files.images)
    in_folders = len({place.label for place in places.values() if place.label}) > 1
    tables = _tables(tree, files, columns, forgive=in_folders)
    if not tables:
        return None
    answers = _answers(tree, files, tables)
    if in_folders and not columns.ask_for_a_table and not _overrules(answers, files, places):
        return None
    if not answers.rows:
        raise UnreadableSource(tree.id(tables[0].path), f"names none of the {len(files.images)} images beside it")
    found = _found(tree, files, answers, places)
    if columns.ask_for_a_table and not any(row.label for rows in answers.rows.values() for row in rows):
        said = f"gives no image a class: its column '{tables[0].label}' is empty; --label-column NAME takes another"
        raise UnreadableSource(tree.id(tables[0].path), said)
    return replace(found, notes=(*(_chosen(table) for table in tables if table.rivals), *found.notes))


def _chosen(table: Table) -> str:
    rivals = ", ".join(f"'{column}'" for column in table.rivals)
    return f"{table.path}: the class is read from '{table.label}', not from {rivals}; --label-column NAME chooses"


def _tables(tree: Tree, files: Sorted, columns: Columns, *, forgive: bool) -> list[Table]:
    wanted = [path for path in files.tables if columns.table in (None, path)]
    tables, refusals = [], []
    for path in wanted:
        try:
            table = read_table(tree, path, columns)
        except (UnreadableSource, UsageError) as error:
            refusals.append(error)
        else:
            tables += [table] if table else []
    if not tables and refusals and (columns.ask_for_a_table or not forgive):
        raise refusals[0]
    return tables


def _answers(tree: Tree, files: Sorted, tables: Iterable[Table]) -> Answers:
    answers, names = Answers(), Names(files.images)
    for table in tables:
        beside = folder_of(table.path)
        by_name = any(names.find(row.image, beside) for row in table.rows)
        headers = None if by_name else _headers(tree, files)
        by_path = any(names.find(row.image, beside, by_path=True) for row in table.rows if _names_a_folder(row.image))
        for row in table.rows:
            if not by_path and not headers and _names_a_folder(row.image):
                answers.elsewhere.append(row.image)
            paths = headers.find(row.image) if headers else names.find(row.image, beside, by_path=by_path)
            if not paths:
                answers.nameless.append(row.image)
            elif len(paths) > 1 and not headers:
                answers.ambiguous.append(row.image)
                continue
            for path in paths:
                answers.rows[path].append(_with_split(row, table.path))
    return answers


def _names_a_folder(word: str) -> bool:
    return "/" in word or "\\" in word


def _headers(tree: Tree, files: Sorted) -> Any:
    """DICOM files by their identifiers, None without any; a late import, for pydicom is slow to load."""
    dicom = [path for path in files.images if is_dicom(path)]
    return import_module("hilum.data.layouts.headers").Headers(tree, dicom) if dicom else None


def _with_split(row: Row, table: str) -> Row:
    said = row.split or without_suffix(table.rpartition("/")[2])
    return Row(row.image, row.label, split_word(said), row.group, row.sha256)


def _overrules(answers: Answers, files: Sorted, places: dict[str, Place]) -> bool:
    if len(answers.rows) < COVERS * len(files.images):
        return False
    pairs = {(places[folder_of(path)].label, rows[0].label) for path, rows in answers.rows.items()}
    one_to_one = len(pairs) == len({folder for folder, _ in pairs}) == len({label for _, label in pairs})
    return not one_to_one


def _found(tree: Tree, files: Sorted, answers: Answers, places: dict[str, Place]) -> Found:
    cases, stray, conflicts, twice = [], [*files.stray, *files.arrays], [], []
    for path in files.images:
        rows = answers.rows.get(path, [])
        labels = {row.label for row in rows if row.label is not None}
        if len(labels) == 1:
            splits = {row.split for row in rows if row.split}
            twice += [path] if len(splits) > 1 else []
            split = min(splits, key=SPLITS.index, default=None) or places[folder_of(path)].split
            group = next((row.group for row in rows if row.group), None)
            cases.append(Case(tree.id(path), labels.pop(), None, split, group, tree.reference, path))
        else:
            stray.append(path)
            conflicts += [path] if labels else []
    notes = (
        _note("rows name no file", answers.nameless),
        _note("rows name folders that are not here; files were found by their names alone", answers.elsewhere),
        _note("rows name several files and were left out", answers.ambiguous),
        _note("files have rows with different labels and were left out", conflicts),
        _note("files stand in several splits, which leaks, and count as the earliest", twice),
    )
    read = tuple(note for note in notes if note)
    return Found("table", tuple(cases), TreeReader(tree), tuple(sorted(stray)), read)


def _note(what: str, words: list[str]) -> str:
    shown = ", ".join(words[:5]) + (", …" if len(words) > 5 else "")
    return f"{len(words)} {what}: {shown}" if words else ""
