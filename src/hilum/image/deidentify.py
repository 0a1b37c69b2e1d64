"""A DICOM file -> the same picture without its patient (PS3.15 Annex E, Basic Profile); knows no storage.

Table E.1-1 says what is removed (X), emptied (Z), replaced (D) or given another UID (U). Beyond it everything goes
that could name somebody and that no pixel needs: private elements, unknown ones, overlays and curves, remaining names,
dates, addresses and free text. What is burned into the pixels stays; `Metadata.burned_in` says where the file says so.
"""

from __future__ import annotations

import hmac
import io
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.charset import default_encoding
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from hilum.errors import UnreadableImage
from hilum.image.dicom.elements import (
    DEFLATED,
    DEFLATED_FRAME,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PIXELS,
    Wanted,
    find_elements,
)
from hilum.image.dicom.header import DICOM_FAULTS, text, whole
from hilum.image.faults import named_faults
from hilum.image.limits import DEFAULT_LIMITS, Limits
from hilum.image.remarks import frames_without_remarks
from hilum.image.remarks_jpeg import Steps
from hilum.secret import derived

METHOD = "Hilum: PS3.15 Basic Profile; pixels not cleaned"
CLASS_UID, VERSION = "2.25.214403486312650861932391862843173419876", "HILUM"
_ICC_PROFILE = 0x00282000  # its description names devices and people, and no pixel needs it here
_FLOATS = 0x7FE00008
_PATIENT_ID = Tag(0x00100020)
# Kinds of value that name people, places and moments, or hold whatever somebody typed.
_TELLING = frozenset(("PN", "DA", "DT", "TM", "AE", "LT", "ST", "UT", "UC", "UR", "UN"))
_DUMMIES = {
    "AE": "NONE", "AS": "000Y", "AT": 0, "CS": "NONE", "DA": "19000101", "DS": "0", "DT": "19000101000000", "FD": 0.0,
    "FL": 0.0, "IS": "0", "LO": "NONE", "LT": "NONE", "PN": "NONE", "SH": "NONE", "SL": 0, "SS": 0, "ST": "NONE",
    "TM": "000000", "UC": "NONE", "UL": 0, "UR": "", "US": 0, "UT": "NONE",
}  # fmt: skip


class _Sequences:
    """The tags of all sequences."""

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, int) and dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


_WHOLE = Wanted(frozenset(), _Sequences(), whole=True)
_HEAD = 8  # bytes that pydicom reads of an element before all others
_ODD = 1024  # elements that it may find beyond those that were counted
LONGEST = 64 * 1024  # bytes of a value that is looked at here: pydicom makes an object of each part of it


def deidentify(data: bytes, secret: bytes, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """One DICOM file without what names its patient; its frames decode to the same pixels.

    secret: of the installation; the same UID becomes the same other UID, the same patient the same pseudonym.

    Raises:
        UnreadableImage, ImageTooLarge: it cannot be read whole, so that nothing of it may be kept.
    """
    with named_faults("this DICOM file", "the data set", quote=False, faults=DICOM_FAULTS):
        elements = find_elements(data, _WHOLE, "this DICOM file", limits)
        encoding = elements.encoding
        steps = Steps(_ODD + 2 * elements.count)  # a value may be as long as a head
        body = _Counted(elements.body[elements.start : elements.end], steps)  # nothing behind the pixels is needed
        found = read_dataset(body, not encoding.explicit, encoding.little)
        _Cleaner(derived(secret, "dicom"), steps).clean(found)
        if elements.pixels is None:
            raise UnreadableImage("this DICOM file", "it holds no image")
        _clean_frames(found, little=encoding.little, deflated=elements.transfer_syntax == DEFLATED_FRAME)
        _mark(found)
        if elements.transfer_syntax not in (DEFLATED, IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG):
            return _written(found, elements.transfer_syntax, explicit=True, little=True)
        syntax = _plain_syntax(explicit=encoding.explicit, little=encoding.little)
        return _written(found, syntax, explicit=encoding.explicit, little=encoding.little)


class _Counted(io.BytesIO):
    """Bytes of which pydicom reads about as many elements as were counted in them (`find_elements`), and no more.

    Where a header is broken it may take for elements what was stepped over there as one value, and each of them becomes
    an object fifty times as large.
    """

    def __init__(self, data: bytes, steps: Steps) -> None:
        super().__init__(data)
        self._steps = steps

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; raises ValueError at one element too many."""
        if size == _HEAD:
            self._steps.take()
        return super().read(size)


class _Cleaner:
    """Walks a data set, its sequences included."""

    def __init__(self, key: bytes, steps: Steps) -> None:
        self._key, self._steps = key, steps

    def clean(self, found: Dataset) -> None:
        """Act on every element of this data set and of those inside."""
        for tag in list(found.keys()):
            self._element(found, tag)

    def _element(self, found: Dataset, tag: BaseTag) -> None:
        kind = _kind(found, tag)
        action = "X" if _is_out(tag) else actions().get(int(tag), "")
        meant = dictionary_VR(tag).split(" ")[0] if action != "X" else ""  # a careless writer may say another kind
        if not action and (not _TELLING.isdisjoint((kind, meant)) or tag.group == 0x0010):
            action = "X"
        if action in ("", "U") and meant == "SQ" and kind != "SQ":
            action = "X"
        if action == "X":
            del found[tag]
        elif tag == _PATIENT_ID:
            _check_length(found, tag)
            found[tag] = DataElement(tag, "LO", self._pseudonym(str(found[tag].value or "")))
        elif kind == "SQ" and action in ("", "U"):
            for item in self._items(found, tag):
                self.clean(item)
        elif "UI" in (kind, meant):
            _check_length(found, tag)
            found[tag] = DataElement(tag, "UI", self._uids(_texts(found[tag].value)) if action != "Z" else "")
        elif action == "Z":
            found[tag] = DataElement(tag, kind, Sequence() if kind == "SQ" else None)
        elif action == "D":
            found[tag] = _dummy(tag, kind)

    def _items(self, found: Dataset, tag: BaseTag) -> Iterable[Dataset]:
        """The items of a sequence, as pydicom reads them when they are asked for, but counted."""
        raw: Any = found.get_item(tag)
        if isinstance(raw, RawDataElement):
            inside = _Counted(raw.value or b"", self._steps)
            length, letters = len(raw.value or b""), found.original_character_set or default_encoding
            items = read_sequence(inside, raw.is_implicit_VR, raw.is_little_endian, length, letters)
            found[tag] = DataElement(tag, "SQ", items)
        return found[tag].value or ()

    def _pseudonym(self, name: str) -> str:
        return hmac.digest(self._key, b"patient " + name.strip().encode(), "sha256").hex()[:16] if name.strip() else ""

    def _uids(self, several: list[str]) -> str | list[str]:
        made = [self.uid(each) for each in several if each]
        return made if len(made) > 1 else "".join(made)

    def uid(self, old: str) -> str:
        """2.25.<128 bits>, the same for the same UID; those that the standard registers name no patient's object."""
        if UID(old, validation_mode=IGNORE).type:
            return old
        return f"2.25.{int.from_bytes(hmac.digest(self._key, b'uid ' + old.encode(), 'sha256')[:16], 'big')}"


@cache
def actions() -> dict[int, str]:
    """Tag -> X, Z, D or U."""
    text = Path(__file__).with_name("dicom").joinpath("confidentiality.csv").read_text(encoding="ascii")
    rows = (line.split(",") for line in text.splitlines() if not line.startswith("#"))
    return {int(tag, 16): action for tag, action, _ in rows}


def _is_out(tag: BaseTag) -> bool:
    """Private, curves, overlays, group lengths, signatures, padding, colour profiles; what no dictionary knows."""
    if (
        tag.is_private
        or tag == _ICC_PROFILE
        or tag.group >> 8 in (0x50, 0x60)
        or tag.element == 0
        or tag.group < 0x0008
        or tag.group >= 0xFFFA
    ):
        return True
    return not dictionary_has_tag(tag)


def _kind(found: Dataset, tag: BaseTag) -> str:
    said = found.get_item(tag).VR
    if said in (None, "UN") and dictionary_has_tag(tag):
        return dictionary_VR(tag).split(" ")[0]
    return str(said)


def _check_length(found: Dataset, tag: BaseTag) -> None:
    """Raises ValueError where a value is longer than LONGEST."""
    value = found.get_item(tag).value
    if isinstance(value, bytes) and len(value) > LONGEST:
        raise ValueError("a value is longer than any of its kind")


def _texts(value: Any) -> list[str]:
    """Values of UIDs, of whatever kind a careless writer made them."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").rstrip("\0 ").split("\\")
    several = list(value) if isinstance(value, (list, MultiValue)) else [value]
    return [str(each).strip("\0 ") for each in several if each is not None]


def _dummy(tag: BaseTag, kind: str) -> DataElement:
    if kind == "SQ":
        return DataElement(tag, kind, Sequence())
    return DataElement(tag, kind, _DUMMIES.get(kind, b"\0\0"))


def _clean_frames(found: Dataset, *, little: bool, deflated: bool) -> None:
    """Remarks inside compressed frames go too."""
    for tag in PIXELS:
        if tag in found:
            element = found[tag]
            if element.is_undefined_length:
                frames = whole(found, "NumberOfFrames") or 1
                element.value = frames_without_remarks(element.value, frames, deflated=deflated)
            elif tag == 0x7FE00010:
                element.value = _used_bits(found, element.value, little=little)
            else:  # floats, of which every bit counts
                element.value = _no_longer(found, element.value, 32 if tag == _FLOATS else 64)


def _used_bits(found: Dataset, pixels: bytes, *, little: bool) -> bytes:
    """Native pixels without what hangs behind the last frame, and without overlays in bits that no sample uses."""
    allocated = whole(found, "BitsAllocated") or 0
    stored, high = whole(found, "BitsStored") or allocated, whole(found, "HighBit")
    high = stored - 1 if high is None else high
    pixels = _no_longer(found, pixels, allocated)
    if allocated in (8, 16, 32) and 0 < stored < allocated and stored <= high + 1 <= allocated:
        pixels = pixels[: len(pixels) - len(pixels) % (allocated // 8)]
        kind = f"{'<' if little else '>'}{'i' if whole(found, 'PixelRepresentation') == 1 else 'u'}{allocated // 8}"
        plane = np.frombuffer(pixels, kind)
        plane = ((plane << (allocated - 1 - high)) >> (allocated - stored)) << (high + 1 - stored)
        pixels = plane.astype(kind).tobytes()
    return pixels + b"\0" * (len(pixels) % 2)


def _no_longer(found: Dataset, pixels: bytes, allocated: int) -> bytes:
    """Native pixels up to the end of the last frame."""
    size = [whole(found, name) or 1 for name in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")]
    samples = 2 * math.prod(size[:3]) if text(found, "PhotometricInterpretation") == "YBR_FULL_422" else math.prod(size)
    needed = (samples * allocated + 7) // 8
    return pixels[: needed + needed % 2]


def _plain_syntax(*, explicit: bool, little: bool) -> str:
    if not explicit:
        return IMPLICIT_LITTLE
    return EXPLICIT_LITTLE if little else EXPLICIT_BIG


def _mark(found: Dataset) -> None:
    """What de-identification has to leave behind (PS3.3 C.12.1)."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113100", "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    found.PatientIdentityRemoved = "YES"
    found.DeidentificationMethod = METHOD
    found.DeidentificationMethodCodeSequence = Sequence([code])
    found.LongitudinalTemporalInformationModified = "REMOVED"


def _written(found: Dataset, syntax: str, *, explicit: bool, little: bool) -> bytes:
    """With a preamble of zeros and a file meta group that says no more than it must."""
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # counted as it is written
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(found.get("SOPClassUID") or "1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = UID(found.get("SOPInstanceUID") or "2.25.0")
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(CLASS_UID), VERSION
    out = io.BytesIO()
    file = Dataset(found)
    file.file_meta, file.preamble = meta, b"\0" * 128
    # Forced, since pydicom does not know every syntax that is read here: frames deflated each for itself.
    dcmwrite(out, file, implicit_vr=not explicit, little_endian=little, force_encoding=True)
    return out.getvalue()
