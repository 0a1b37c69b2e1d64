"""Arrays of images and labels in .npz files -> cases; holds no image in memory, knows no task."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.data.dataset import SPLITS, Case
from hilum.data.layouts.found import Columns, Found, split_word
from hilum.data.layouts.npz import Stored, read_headers, small, stored
from hilum.data.layouts.rows import somebody
from hilum.data.places.tree import Sorted, Tree
from hilum.errors import UnreadableImage, UnreadableSource
from hilum.image.decode import Limits, from_array
from hilum.image.image import Image

IMAGES = frozenset(("images", "image", "x"))
LABELS = frozenset(("labels", "label", "y"))
GROUPS = frozenset(("groups", "group", "patients", "patient", "subjects", "subject"))
CLASSES = frozenset(("classes", "class_names", "label_names"))
LARGEST = 2**53  # from here on not every whole number is a float


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs together: `train_images` with `train_labels`; prefix is "train", "" or a word of the file's own."""

    prefix: str
    split: str | None
    images: str
    labels: str | None
    groups: str | None


def find(tree: Tree, files: Sorted, columns: Columns) -> Found | None:
    """The arrays of every .npz of the tree, or None where there is none, or image files beside them."""
    if not files.arrays or files.images or columns.ask_for_a_table:
        return None
    cases: list[Case] = []
    sets: dict[str, Stored] = {}
    order: list[str] = []
    for path in files.arrays:
        keys = read_headers(tree.local(path), tree.id(path))
        names = _class_names(tree, path, keys)
        order += names or ()
        lead = f"{path}#" if len(files.arrays) > 1 else ""  # the name of the only file is no part of the data
        for part in _parts(keys, tree.id(path)):
            cases += _cases(tree, path, (lead, part), names)
            sets[f"{lead}{part.prefix}"] = stored(tree.local(path), part.images, tree.id(path), tree.cache)
    said = sorted({case.raw_label for case in cases if case.raw_label is not None})
    classes = tuple(dict.fromkeys((*order, *said))) if order else None  # a file may name classes that others do not
    return Found("arrays", tuple(cases), ArrayReader(sets), files.stray, classes=classes)


@dataclass(frozen=True)
class ArrayReader:
    """Reads cases that are rows of arrays, through maps opened once a process."""

    sets: dict[str, Stored]
    maps: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)

    def data(self, case: Case, limits: Limits) -> bytes:
        """The row as a .npy file: see `canonical`."""
        return canonical(self._row(case, limits))

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:  # noqa: ARG002
        """See Reader; the row itself is at hand anyway."""
        return (from_array(np.ascontiguousarray(self._row(case, limits)), case.id),)

    def __getstate__(self) -> dict[str, Any]:
        return {"sets": self.sets, "maps": {}}

    def _row(self, case: Case, limits: Limits) -> NDArray[Any]:
        file, sign, inner = case.path.rpartition("#")
        prefix, _, number = inner.rpartition("/")
        where = f"{file}{sign}{prefix}"
        limits.check_size(case.id, self.sets[where].shape[2], self.sets[where].shape[1])
        try:
            if where not in self.maps:
                self.maps[where] = self.sets[where].map()
            return np.asarray(self.maps[where][int(number)])
        except (OSError, IndexError, ValueError) as error:  # ValueError: the file is shorter than it was
            raise UnreadableImage(case.id, f"cannot be read: {error}") from error


def canonical(pixels: NDArray[Any]) -> bytes:
    """(H, W[, C]) -> bytes of shape, type and values only: npy 1.0, little-endian, C order, (H, W) for C = 1."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    ordered = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    file = io.BytesIO()
    np.lib.format.write_array(file, ordered, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _parts(keys: dict[str, tuple[int, ...]], name: str) -> Iterator[Part]:
    meanings: dict[str, dict[str, str]] = {}
    for key in keys:
        kind, prefix = _meaning(key)
        if kind:
            meanings.setdefault(prefix, {})[kind] = key
    found = {prefix: kinds for prefix, kinds in meanings.items() if "images" in kinds}
    if not found:
        raise UnreadableSource(
            name, f"needs arrays named images and labels, x and y, or *_images; it has {', '.join(keys)}"
        )
    found = {prefix: kinds for prefix, kinds in found.items() if len(keys[kinds["images"]]) > 1} or found  # `image_ids`
    for prefix, kinds in sorted(found.items(), key=lambda item: (_order(item[0]), item[0])):
        shape = keys[kinds["images"]]
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
            raise UnreadableSource(f"{name}#{kinds['images']}", f"is {shape}: give (N, H, W) or (N, H, W, 1, 3 or 4)")
        yield Part(prefix, split_word(prefix), kinds["images"], kinds.get("labels"), kinds.get("groups"))


def _order(prefix: str) -> int:
    split = split_word(prefix)
    return SPLITS.index(split) if split else -1


def _meaning(key: str) -> tuple[str | None, str]:
    """`train_images`, `x_train`, `images`, `patient_ids` -> what it holds, and the word beside it ("" for none)."""
    words = re.split(r"[_\W]+", key.lower())
    if words[-1] in ("id", "ids") and words[-2:-1] and words[-2] in GROUPS:
        words.pop()
    for kind, names in (("images", IMAGES), ("labels", LABELS), ("groups", GROUPS)):
        for at in (len(words) - 1, 0):
            if words[at] in names:
                return kind, "_".join(words[:at] + words[at + 1 :])
    return None, ""


def _cases(tree: Tree, path: str, place: tuple[str, Part], names: tuple[str, ...] | None) -> list[Case]:
    lead, part = place
    name, local = tree.id(path), tree.local(path)
    count = read_headers(local, name)[part.images][0]
    labels = _labels(small(local, part.labels, name, tree.cache), name, names) if part.labels else [None] * count
    groups = _groups(small(local, part.groups, name, tree.cache)) if part.groups else [None] * count
    if len(labels) != count or len(groups) != count:
        raise UnreadableSource(f"{name}#{part.images}", f"{count} images, {len(labels)} labels: give one each")
    inner = f"{part.prefix}/" if part.prefix else ""
    return [
        Case(f"{name}#{inner}{i}", label, None, part.split, group, tree.reference, f"{lead}{inner}{i}")
        for i, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def _groups(array: NDArray[Any]) -> list[str | None]:
    return [somebody(_word(word).strip()) for word in array.ravel().tolist()]


def _labels(array: NDArray[Any], name: str, names: tuple[str, ...] | None) -> list[str | None]:
    if array.ndim == 2 and array.shape[1] > 1:
        if not _one_hot(array):
            raise UnreadableSource(name, f"labels are {array.shape}: give one class an image, not several")
        array = array.argmax(axis=1)
    if array.ndim > 1 and array[:1].size > 1:
        raise UnreadableSource(name, f"labels are {array.shape}: give one class an image, not several")
    flat = array.ravel()
    if flat.dtype.kind == "f":
        if not (np.isfinite(flat) & (flat == np.rint(flat)) & (np.abs(flat, dtype=np.float64) < LARGEST)).all():
            raise UnreadableSource(
                name, "labels are no whole numbers but fractions or NaN: give whole numbers or words"
            )
        flat = flat.astype(np.int64)
    if flat.dtype.kind == "b":
        flat = flat.astype(np.int64)
    words = [_word(word) for word in flat.tolist()]
    if names and flat.dtype.kind in "ui" and len(flat):
        low, high = int(flat.min()), int(flat.max())
        if low < 0 or high >= len(names):
            raise UnreadableSource(name, f"labels run from {low} to {high}, the {len(names)} classes from 0")
        words = [names[int(word)] for word in words]
    return [word or None for word in words]


def _one_hot(array: NDArray[Any]) -> bool:
    """Whether each row (n, C) marks one class; whole numbers, or 0 and 1 as floats, which Keras makes of labels."""
    if array.dtype.kind not in "bui" and not (array.dtype.kind == "f" and np.isin(array, (0, 1)).all()):
        return False
    return bool((array.astype(bool).sum(axis=1) == 1).all())


def _word(value: object) -> str:
    """As text; half a letter, which numpy can hold and nothing can be made of, as an escape."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "backslashreplace").decode()


def _class_names(tree: Tree, path: str, keys: dict[str, tuple[int, ...]]) -> tuple[str, ...] | None:
    key = next((key for key in keys if key.lower() in CLASSES), None)
    if key is None:
        return None
    array = small(tree.local(path), key, tree.id(path), tree.cache)
    return tuple(_word(word) for word in array.tolist()) if array.ndim == 1 and array.dtype.kind in "US" else None
