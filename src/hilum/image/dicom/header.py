"""The elements of a DICOM file -> a checked description of its pixels and what else it says; decodes no pixel."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from hilum.errors import UnreadableImage, UnsupportedFormat
from hilum.image.dicom.elements import Elements, Wanted, find_elements
from hilum.image.faults import DECODER_FAULTS
from hilum.image.image import Metadata
from hilum.image.limits import Limits

# Two of pydicom's own are plain exceptions: of a value whose length does not fit its kind, of a file that is none.
DICOM_FAULTS = (*DECODER_FAULTS, BytesLengthException, InvalidDicomError)

_SEQUENCES = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
_SAID = [
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "Manufacturer",
    "PatientID",
    "StudyInstanceUID",
    "BurnedInAnnotation",
]
_PIXEL = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "FloatPixelPaddingValue",
    "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue",
    "DoubleFloatPixelPaddingRangeLimit",
]
_VALUE = [
    "RescaleIntercept",
    "RescaleSlope",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PresentationLUTShape",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
]
_PALETTE = [
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for segmented in ("", "Segmented")
    for colour in ("Red", "Green", "Blue")
    for part in ("Data", "Descriptor")
    if not (segmented and part == "Descriptor")
]


def _tags(keywords: list[str] | tuple[str, ...]) -> frozenset[int]:
    return frozenset(tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


_TABLES = [*(keyword for keyword in _PALETTE if keyword.endswith("Data")), "LUTData"]
WANTED = Wanted(
    _tags([*_SEQUENCES[:4], *_SAID, *_PIXEL, *_VALUE, *_PALETTE, "LUTDescriptor", "LUTData"]),
    _tags(_SEQUENCES),
    _tags(_TABLES),
)
INTEGER, FLOAT, DOUBLE = "PixelData", "FloatPixelData", "DoubleFloatPixelData"
_KEYWORDS = {0x7FE00010: INTEGER, 0x7FE00008: FLOAT, 0x7FE00009: DOUBLE}
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PALETTE = "PALETTE COLOR"


@dataclass(frozen=True, slots=True)
class Layout:
    """The Image Pixel module (PS3.3 C.7.6.3), checked."""

    keyword: str  # PixelData, FloatPixelData or DoubleFloatPixelData
    rows: int
    columns: int
    frames: int
    samples: int  # 1 or 3
    photometric: str
    planar: int  # 1: one plane a sample
    allocated: int  # bits: 1, 8, 16, 32 or 64
    stored: int
    high: int
    signed: bool

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; YBR_FULL_422 holds two samples a pixel (C.7.6.3.1.2)."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.allocated


@dataclass(frozen=True, slots=True)
class Header:
    """One file: where its elements are, what they say, how its pixels lie."""

    elements: Elements
    said: Dataset
    layout: Layout


def read_header(data: bytes, name: str, limits: Limits) -> Header:
    """Read and check the header, no pixel; raises UnreadableImage, UnsupportedFormat or ImageTooLarge."""
    elements = find_elements(data, WANTED, name, limits)
    if elements.pixels is None:
        raise UnreadableImage(name, "this DICOM object holds no image")
    encoding = elements.encoding
    said = read_dataset(io.BytesIO(elements.kept), not encoding.explicit, encoding.little)
    layout = _layout(said, _KEYWORDS[elements.pixels.tag], name)
    limits.check_size(name, layout.columns, layout.rows, layout.frames)
    return Header(elements, said, layout)


def _layout(said: Dataset, keyword: str, name: str) -> Layout:
    allocated = whole(said, "BitsAllocated") or {INTEGER: 0, FLOAT: 32, DOUBLE: 64}[keyword]
    stored = allocated if keyword != INTEGER else whole(said, "BitsStored") or allocated
    high = whole(said, "HighBit")
    layout = Layout(
        keyword=keyword,
        rows=whole(said, "Rows") or 0,
        columns=whole(said, "Columns") or 0,
        frames=whole(said, "NumberOfFrames") or 1,
        samples=whole(said, "SamplesPerPixel") or 1,
        photometric=text(said, "PhotometricInterpretation") or "",
        planar=whole(said, "PlanarConfiguration") or 0,
        allocated=allocated,
        stored=stored,
        high=stored - 1 if high is None or keyword != INTEGER else high,
        signed=whole(said, "PixelRepresentation") == 1,
    )
    _check(layout, name)
    return layout


def _check(layout: Layout, name: str) -> None:
    if layout.rows < 1 or layout.columns < 1 or layout.frames < 1:
        size = f"{layout.frames} frames of {layout.rows} rows and {layout.columns} columns"
        raise UnreadableImage(name, f"the header declares {size}")
    known = {1: (*GREY, PALETTE), 3: COLOUR}.get(layout.samples, ())
    if layout.photometric not in known:
        what = f"{layout.samples} samples of {layout.photometric[:20] or 'no photometric interpretation'!r}"
        raise UnsupportedFormat(name, f"pixels of {what} are not read")
    if layout.allocated not in {INTEGER: (1, 8, 16, 32), FLOAT: (32,), DOUBLE: (64,)}[layout.keyword]:
        raise UnsupportedFormat(name, f"{layout.allocated} bits allocated to a sample are not read")
    if not layout.stored <= layout.high + 1 <= layout.allocated or layout.planar not in (0, 1):
        bits = f"{layout.stored} bits stored of {layout.allocated}, high bit {layout.high}"
        raise UnreadableImage(name, f"the header contradicts itself: {bits}")
    if layout.photometric.startswith("YBR") and layout.allocated != 8:
        raise UnsupportedFormat(name, f"{layout.photometric} of {layout.allocated} bits is not read")


def metadata(header: Header) -> Metadata:
    """What the file says about itself, without any name."""
    said, layout = header.said, header.layout
    burned = text(said, "BurnedInAnnotation")
    return Metadata(
        format="DICOM",
        mode=layout.photometric,
        bits=layout.stored,
        width=layout.columns,
        height=layout.rows,
        modality=text(said, "Modality"),
        body_part=(text(said, "BodyPartExamined") or "").upper() or None,
        view=text(said, "ViewPosition"),
        manufacturer=text(said, "Manufacturer"),
        transfer_syntax=header.elements.transfer_syntax,
        patient=text(said, "PatientID"),
        study=text(said, "StudyInstanceUID"),
        burned_in={"YES": True, "NO": False}.get((burned or "").upper()),
    )


def spacing_mm(header: Header, frame: int) -> tuple[float, float] | None:
    """(row, column) distance of pixel centres: the frame's Pixel Measures, else Pixel, Imager or scanned spacing."""
    places = [*groups(header.said, frame, "PixelMeasuresSequence"), header.said]
    for place in places:
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            both = numbers(place, keyword)
            if len(both) == 2 and min(both) > 0:
                return both[0], both[1]
    return None


def groups(said: Dataset, frame: int, keyword: str) -> list[Dataset]:
    """The items of functional group `keyword` that hold for `frame`: its own, then the shared one (C.7.6.16)."""
    found: list[Dataset] = []
    for sequence, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        outer = items(said, sequence)
        if index < len(outer):
            found += items(outer[index], keyword)[:1]
    return found


def items(said: Dataset, keyword: str) -> Sequence | list[Dataset]:
    """The items of a sequence, not copied: it is asked for every frame; none where it is absent or broken."""
    value = plain(said, keyword)
    return value if isinstance(value, Sequence) else []


def plain(said: Dataset, keyword: str) -> Any:
    """The value of an element; None where it is absent, empty or cannot be read as its type."""
    try:
        return said.get(keyword)
    except DICOM_FAULTS:
        return None


def numbers(said: Dataset, keyword: str) -> list[float]:
    """The finite numbers of an element, in order; none where one of them is no number."""
    value = plain(said, keyword)
    several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    try:
        found = [float(each) for each in several if each is not None]
    except (TypeError, ValueError, OverflowError):
        return []
    return found if all(math.isfinite(each) for each in found) else []


def whole(said: Dataset, keyword: str) -> int | None:
    """The first number of an element, where it is whole."""
    found = numbers(said, keyword)
    return int(found[0]) if found and found[0] == int(found[0]) else None


def text(said: Dataset, keyword: str) -> str | None:
    """The first value of an element as text without blanks and control characters, at most 128 letters."""
    value = plain(said, keyword)
    first = value[0] if isinstance(value, (MultiValue, list)) and value else value
    if not isinstance(first, str):
        return None
    return "".join(letter for letter in first if letter.isprintable())[:128].strip() or None
