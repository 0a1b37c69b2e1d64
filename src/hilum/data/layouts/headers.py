"""DICOM files of a tree -> their identifiers, read from the header only; decodes no pixel, keeps no name."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import config
from pydicom.dataset import Dataset as Header
from pydicom.filereader import read_partial

from hilum.data.layouts.rows import somebody
from hilum.data.places.tree import Tree
from hilum.errors import UnreadableImage
from hilum.image.dicom.header import DICOM_FAULTS

HEAD_BYTES = 64 * 1024
MAX_BYTES = 256 * 1024 * 1024
LAST_TAG = 0x0020000D  # Study Instance UID: all identifiers stand at or before it


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a DICOM header calls the image and the patient; never printed."""

    instance: str | None
    patient: str | None


class Headers:
    """DICOM files of a tree by SOP Instance UID and Patient ID."""

    def __init__(self, tree: Tree, paths: Iterable[str]) -> None:
        self._known: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            found = identifiers(tree, path)
            for identifier in {found.instance, found.patient} - {None}:
                self._known[str(identifier)].append(path)

    def find(self, identifier: str) -> tuple[str, ...]:
        """The files with this SOP Instance UID or Patient ID."""
        return tuple(self._known.get(identifier, ()))


def identifiers(tree: Tree, path: str) -> Identifiers:
    """The identifiers of one file; nothing where it has no readable header."""
    header = _header(tree.head(path, HEAD_BYTES))
    if header is None:
        try:
            header = _header(tree.read(path, MAX_BYTES))  # a deflated file, or a header longer than the head
        except UnreadableImage:
            return Identifiers(None, None)
    if header is None:
        return Identifiers(None, None)
    return Identifiers(_value(header, "SOPInstanceUID"), somebody(_value(header, "PatientID")))


def _header(data: bytes) -> Header | None:
    try:
        return read_partial(io.BytesIO(data), stop_when=lambda tag, _vr, _length: tag > LAST_TAG)
    except DICOM_FAULTS:
        return None


def _value(header: Header, keyword: str) -> str | None:
    """The value as text; None where it is absent, empty or cannot be read: only now does pydicom look into it."""
    try:
        with config.disable_value_validation():
            value = header.get(keyword)
    except DICOM_FAULTS:
        return None
    return str(value).strip() or None if value is not None else None
