"""A table (CSV, TSV or JSON lines) -> its rows of image, label, split, group and hash; knows no image and no task."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hilum.data.layouts.found import Columns
from hilum.data.places.tree import Tree, suffix_of
from hilum.errors import UnreadableSource, UsageError

MAX_TABLE_BYTES = 512 * 1024 * 1024
# Compared without case, spaces and punctuation; the first that the table has is taken.
IMAGE_COLUMNS = (
    "image", "file", "path", "filename", "imageid", "filepath", "imagepath", "imagename", "imageindex",
    "sopinstanceuid", "patientid",
)  # fmt: skip
LABEL_COLUMNS = ("class", "label", "diagnosis", "target", "category")
GROUP_COLUMNS = ("patient", "patientid", "subject", "subjectid")
SPLIT_COLUMNS = ("split", "subset", "partition", "set")

_SAYS_DELIMITER = re.compile(r'"?sep=([,;\t])"?')
_QUOTED = re.compile(r'"[^"]*"')
_NOBODY = frozenset((  # where a patient should stand: not one person
    "nan", "none", "null", "na", "n/a", "unknown", "anonymous", "anonymized", "anonymised", "anon",
))  # fmt: skip
_WHOLE = re.compile(r"(\d+)\.0")  # 7, where the column lacks a number: the same person in another table is 7


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, as text; None where the table has no such column or the cell is empty."""

    image: str
    label: str | None = None
    split: str | None = None
    group: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file.

    hashed: every row has the SHA-256 of its file, which makes the table a manifest.
    label: the column that was read as the class; rivals: other columns of a usual name that divide the images
    otherwise, and that nobody chose between.
    """

    path: str
    rows: tuple[Row, ...]
    hashed: bool
    label: str
    rivals: tuple[str, ...] = ()


def read_table(tree: Tree, path: str, columns: Columns) -> Table | None:
    """The rows of a table, or None where it has no column of images or none of labels.

    Raises:
        UnreadableSource: it is no UTF-8 text or no table.
        UsageError: a column that was asked for is not there; the message lists those there are.
    """
    name = tree.id(path)
    text = _text(tree.read(path, MAX_TABLE_BYTES), name)
    if suffix_of(path) == ".jsonl":
        records = list(_json_lines(text, name))
        header: Sequence[str] = list(dict.fromkeys(key for record in records for key in record))
        cells: Iterable[Mapping[str, str]] = records
    else:
        header, cells = _delimited(text, name)
    return _table(path, name, (header, cells), columns)


def _table(
    path: str, name: str, content: tuple[Sequence[str], Iterable[Mapping[str, str]]], columns: Columns
) -> Table | None:
    header, cells = content
    image = _column(header, columns.image, IMAGE_COLUMNS, name)
    label = _column(header, columns.label, LABEL_COLUMNS, name)
    if image is None or label is None:
        if columns.table == path:
            raise UsageError(f"{name}: name the columns with --image-column and --label-column: {_shown(header)}")
        return None
    group = _column(header, columns.group, GROUP_COLUMNS, name)
    split, digest = _column(header, None, SPLIT_COLUMNS, name), _column(header, None, ("sha256",), name)
    pairs = _Pairs(label, () if columns.label else _others(header, label))
    rows = tuple(
        Row(
            cell[image].strip(),
            _cell(cell, label),
            _cell(cell, split),
            somebody(_cell(cell, group)),
            _cell(cell, digest),
        )
        for cell in pairs.seen(_readable(cells, name))
        if (cell.get(image) or "").strip()
    )
    return Table(path, rows, bool(rows) and all(row.sha256 for row in rows), label, pairs.rivals)


def _others(header: Sequence[str], label: str) -> tuple[str, ...]:
    """The other columns that could name the class as well."""
    return tuple(column for column in header if column and column != label and plain(column) in LABEL_COLUMNS)


class _Pairs:
    """Which words of other columns stand beside which words of the one that is read, counted as rows go by."""

    def __init__(self, label: str, others: Sequence[str]) -> None:
        self._label = label
        self._found: dict[str, set[tuple[str | None, str | None]]] = {other: set() for other in others}

    def seen(self, cells: Iterable[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
        """The same cells."""
        for cell in cells:
            for other, pairs in self._found.items():
                pairs.add((_cell(cell, self._label), _cell(cell, other)))
            yield cell

    @property
    def rivals(self) -> tuple[str, ...]:
        """Those that are not the same classes by other words."""
        return tuple(
            other
            for other, pairs in self._found.items()
            if not len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs})
        )


def plain(word: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return "".join(c for c in word.lower() if c.isalnum())


def _column(header: Sequence[str], asked: str | None, usual: Sequence[str], name: str) -> str | None:
    known = {plain(column): column for column in reversed(header) if column}
    if asked is not None:
        if plain(asked) not in known:
            raise UsageError(f"{name}: no column '{asked}'; there are: {_shown(header)}")
        return known[plain(asked)]
    return next((known[word] for word in usual if word in known), None)


def _cell(cell: Mapping[str, str], column: str | None) -> str | None:
    return (cell.get(column) or "").strip() or None if column else None


def somebody(word: str | None) -> str | None:
    """A word for a patient, None where it is empty or one of those that stand for nobody known."""
    if not word or word.lower() in _NOBODY:
        return None
    return number[1] if (number := _WHOLE.fullmatch(word)) else word


def _shown(header: Sequence[str]) -> str:
    return ", ".join(column for column in header if column) or "none"


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSource(name, "is no UTF-8 text; save the table as CSV in UTF-8") from error
    if "\0" in text:
        raise UnreadableSource(name, "holds zero bytes: it is no table")
    return text


def _delimited(text: str, name: str) -> tuple[Sequence[str], csv.DictReader[str]]:
    text = text.lstrip("\r\n")
    first, _, rest = text.partition("\n")
    if said := _SAYS_DELIMITER.fullmatch(first.strip()):  # as spreadsheets write it
        text, delimiter = rest, said[1]
    else:
        delimiter = max(",;\t", key=_QUOTED.sub("", first).count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return reader.fieldnames or (), reader
    except csv.Error as error:
        raise UnreadableSource(name, f"is no table: {error}") from error


def _readable(cells: Iterable[Mapping[str, str]], name: str) -> Iterator[Mapping[str, str]]:
    try:
        yield from cells
    except csv.Error as error:
        raise UnreadableSource(name, f"is no table: {error}") from error


def _json_lines(text: str, name: str) -> Iterator[dict[str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(name, f"line {number} is no JSON object") from error
        if not isinstance(record, dict):
            raise UnreadableSource(name, f"line {number} is no JSON object")
        yield {_told(key): "" if value is None else _told(value) for key, value in record.items()}


def _told(value: object) -> str:
    """As text; half a letter, which JSON can write and nothing can be made of, as an escape."""
    return str(value).encode("utf-8", "backslashreplace").decode()
