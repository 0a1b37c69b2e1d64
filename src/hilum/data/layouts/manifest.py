"""A manifest (JSON lines or CSV with the SHA-256 of every file) and its files -> cases, each checked when read."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.data.dataset import Case
from hilum.data.layouts.folders import folder_of
from hilum.data.layouts.found import Columns, Found, TreeReader, split_word
from hilum.data.layouts.rows import Row, Table, read_table
from hilum.data.manifest import sha256
from hilum.data.places.tree import Sorted, Tree
from hilum.errors import UnreadableImage, UnreadableSource
from hilum.image.decode import Limits, decode
from hilum.image.image import Image

NAME = "manifest.jsonl"
HEX = frozenset("0123456789abcdef")


def find(tree: Tree, files: Sorted, columns: Columns) -> Found | None:
    """The files of a manifest: of the table that was named, or of `manifest.jsonl` at the top of the source."""
    path = columns.table or (NAME if NAME in files.tables and not columns.ask_for_a_table else None)
    table = read_table(tree, path, columns) if path in files.tables and path is not None else None
    if table is None or not table.hashed:
        return None
    folder = folder_of(table.path)
    hashes = {f"{folder}/{row.image}".lstrip("/"): _hash(tree, table, row) for row in table.rows}
    images = set(files.images)
    missing = [path for path in hashes if path not in images]
    if missing:
        said = f"{len(missing)} of its {len(hashes)} files are not here or no images ({', '.join(missing[:3])})"
        raise UnreadableSource(tree.id(table.path), f"{said}; get them, or take the manifest away")
    rows = zip(hashes, table.rows, strict=True) if len(hashes) == len(table.rows) else ()
    cases = tuple(
        Case(tree.id(path), row.label, None, split_word(row.split or ""), row.group, tree.reference, path)
        for path, row in sorted(rows, key=lambda pair: pair[0])
    )
    if not cases:
        raise UnreadableSource(tree.id(table.path), "names a file twice, or none")
    stray = tuple(sorted({*files.stray, *files.arrays, *images} - set(hashes)))
    return Found("manifest", cases, HashedReader(tree, hashes), stray)


@dataclass(frozen=True, slots=True)
class HashedReader:
    """Reads files of a tree and holds each to its hash."""

    tree: Tree
    hashes: dict[str, str]

    def data(self, case: Case, limits: Limits) -> bytes:
        """See Reader; raises UnreadableImage where the bytes are not those of the manifest."""
        data = TreeReader(self.tree).data(case, limits)
        if sha256(data) != self.hashes[case.path]:
            raise UnreadableImage(case.id, "is not the file of the manifest (its SHA-256 differs); get it again")
        return data

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """See Reader."""
        return decode(self.data(case, limits) if data is None else data, name=case.id, limits=limits)


def _hash(tree: Tree, table: Table, row: Row) -> str:
    digest = str(row.sha256).lower()
    if len(digest) != 64 or not HEX.issuperset(digest):
        raise UnreadableSource(tree.id(table.path), f"{row.image}: '{digest}' is no SHA-256")
    parts = row.image.split("/")
    if ".." in parts or "." in parts or "" in parts or "\\" in row.image or ":" in row.image:
        raise UnreadableSource(tree.id(table.path), f"{row.image!r} leads out of its folder")
    return digest
