"""Images without any label -> cases without one; the last layout, for looking at images and for finding copies."""

from __future__ import annotations

from hilum.data.dataset import Case
from hilum.data.layouts.folders import folder_of
from hilum.data.layouts.found import Columns, Found, TreeReader, split_word, unused
from hilum.data.places.tree import Sorted, Tree

NOTE = "no labels found: no class folders, no table, no array names a class"
UNKNOWN = (  # a user who has a table is not helped by "add a table"
    "none of its columns is known to name the images, or none their class; "
    "name them with --image-column NAME --label-column NAME"
)


def find(tree: Tree, files: Sorted, columns: Columns) -> Found | None:
    """Every image as an unlabelled case, or None where there is no image or a table was asked for."""
    if columns.ask_for_a_table or not files.images:
        return None
    cases = tuple(Case(tree.id(path), None, None, _split(path), None, tree.reference, path) for path in files.images)
    return Found(
        "unlabelled", cases, TreeReader(tree), files.stray + files.arrays, unused(files.tables, UNKNOWN) or (NOTE,)
    )


def _split(path: str) -> str | None:
    return next((word for part in folder_of(path).split("/") if (word := split_word(part))), None)
