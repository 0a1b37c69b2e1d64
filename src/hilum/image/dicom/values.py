"""Samples of a DICOM frame as stored -> grey in [0, 1] as the file means it to be seen; knows no file and no codec.

The order is PS3.3 C.11 and N.2: modality LUT or rescale; VOI LUT or window, else the 0.5 to 99.5 percentile of what is
not padding; MONOCHROME1 inverted last; padding black. Overlays, presentation states and ICC profiles are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space

from hilum.image import colour, grey
from hilum.image.dicom.header import DOUBLE, FLOAT, INTEGER, Header, groups, items, numbers, plain, text


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table: entry 0 stands for the sample `first`; samples outside take the nearest end."""

    first: int
    entries: NDArray[np.uint16]  # (N,)
    bits: int

    def __call__(self, samples: NDArray[Any]) -> NDArray[np.uint16]:
        """Integers of any shape -> their entries, same shape."""
        return grey.in_bands(samples, lambda rows: self.entries[self.index(rows)])

    def index(self, samples: NDArray[Any]) -> NDArray[np.int32]:
        """Integers of any shape -> the place of their entry."""
        wide = samples.astype(np.int64 if samples.dtype.itemsize > 2 else np.int32)
        place: NDArray[np.int32] = np.clip(wide - self.first, 0, len(self.entries) - 1).astype(np.int32)
        return place


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window in the units after rescale (C.11.2.1.2)."""

    centre: float
    width: float
    function: str  # LINEAR, LINEAR_EXACT, SIGMOID


@dataclass(frozen=True, slots=True)
class Rules:
    """How the samples of one frame become grey."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Table | None = None
    voi: Table | None = None
    window: Window | None = None
    padding: tuple[float, float] | None = None  # stored values, both ends included
    inverted: bool = False


def rules_of(header: Header, frame: int) -> Rules:
    """The rules that the header states for `frame`: its functional groups before the data set's own."""
    said, layout = header.said, header.layout
    rescaled = [*groups(said, frame, "PixelValueTransformationSequence"), said]
    viewed = [*groups(said, frame, "FrameVOILUTSequence"), said]
    slope, intercept = next(filter(None, map(_rescale, rescaled)), (1.0, 0.0))
    modality = table_of(next(iter(items(said, "ModalityLUTSequence")), None), header)
    voi, window = next(filter(any, (_view(place, header) for place in viewed)), (None, None))
    return Rules(
        slope=slope if modality is None else 1.0,
        intercept=intercept if modality is None else 0.0,
        modality=modality,
        voi=_signed_first(voi, modality is None and intercept < 0),
        window=window,
        padding=_padding(header),
        inverted=layout.photometric == "MONOCHROME1" or text(said, "PresentationLUTShape") == "INVERSE",
    )


def _view(place: Dataset, header: Header) -> tuple[Table | None, Window | None]:
    """The first VOI LUT and the first window of a data set, or of a frame's functional group (C.7.6.16.2.10)."""
    return table_of(next(iter(items(place, "VOILUTSequence")), None), header), _window(place)


def grey_of(samples: NDArray[Any], rules: Rules) -> NDArray[np.float32]:
    """(H, W) samples as stored -> (H, W) float32 in [0, 1], finite."""
    inside = _inside(samples, rules.padding)
    values = rules.modality(samples) if rules.modality is not None and samples.dtype.kind in "iu" else samples
    shown = _shown(values, rules)
    if shown is None or _shows_nothing(shown, values, inside):
        shown = grey.unit_from_values(values, inside)
        shown = np.float32(1.0) - shown if rules.slope < 0 else shown
    if rules.inverted:
        shown = np.float32(1.0) - shown
    if inside is not None:
        shown[~inside] = 0.0
    return shown


def _shows_nothing(shown: NDArray[np.float32], values: NDArray[Any], inside: NDArray[np.bool_] | None) -> bool:
    """Whether a window makes one grey of everything that is no padding; where that was one value, it is right."""
    if inside is None:
        return bool(np.ptp(shown) == 0)
    return _is_one(shown, inside) and not _is_one(values, inside)


def _is_one(values: NDArray[Any], inside: NDArray[np.bool_]) -> bool:
    """Whether those inside are all the same; they are not copied."""
    one = values[np.unravel_index(int(inside.argmax()), inside.shape)]
    return bool(values.min(where=inside, initial=one) == values.max(where=inside, initial=one))


def _shown(values: NDArray[Any], rules: Rules) -> NDArray[np.float32] | None:
    slope, intercept = rules.slope, rules.intercept
    if rules.voi is not None and values.dtype.kind in "iu":
        looked_up = partial(_looked_up, table=rules.voi, slope=slope, intercept=intercept)
        return grey.in_bands(values, looked_up)
    if rules.window is None:
        return None
    centre, width, function = rules.window.centre, rules.window.width, rules.window.function
    if function == "SIGMOID":
        return grey.in_bands(
            values, lambda rows: _sigmoid((rows.astype(np.float64) * slope + intercept - centre) / width)
        )
    # The half and the one of LINEAR are steps of integers; of floats, or below 1, LINEAR_EXACT is meant.
    if function == "LINEAR" and width >= 1 and values.dtype.kind in "iu":
        centre, width = centre - 0.5, max(width - 1, 1e-6)  # C.11-2a; of width 1 it is a threshold
    low, high = ((edge - intercept) / slope for edge in (centre - width / 2, centre + width / 2))
    ramp = grey.ramp(values, min(low, high), max(low, high))
    return np.float32(1.0) - ramp if slope < 0 else ramp


def _looked_up(values: NDArray[Any], table: Table, slope: float, intercept: float) -> NDArray[np.float32]:
    scaled = values if (slope, intercept) == (1.0, 0.0) else np.rint(values * slope + intercept)
    full = max(2**table.bits - 1, int(table.entries.max()))
    return np.multiply(table(scaled), np.float32(1 / full), dtype=np.float32)


def _sigmoid(distance: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of a value's distance from the centre, in widths (C.11-4)."""
    curve: NDArray[np.float32] = (1 / (1 + np.exp(np.clip(-4 * distance, -60, 60)))).astype(np.float32)
    return np.nan_to_num(curve, copy=False)


def _inside(samples: NDArray[Any], padding: tuple[float, float] | None) -> NDArray[np.bool_] | None:
    inside = np.isfinite(samples) if samples.dtype.kind == "f" else None
    if padding is not None:
        kept = (samples < padding[0]) | (samples > padding[1])
        inside = kept if inside is None else inside & kept
    return None if inside is None or inside.all() or not inside.any() else inside


def _rescale(place: Dataset) -> tuple[float, float] | None:
    slope, intercept = numbers(place, "RescaleSlope"), numbers(place, "RescaleIntercept")
    if not slope and not intercept:
        return None
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _window(place: Dataset) -> Window | None:
    centre, width = numbers(place, "WindowCenter"), numbers(place, "WindowWidth")
    if not centre or not width or width[0] <= 0:
        return None
    function = text(place, "VOILUTFunction") or "LINEAR"
    return Window(centre[0], width[0], function if function in ("LINEAR_EXACT", "SIGMOID") else "LINEAR")


def _padding(header: Header) -> tuple[float, float] | None:
    prefix = {INTEGER: "", FLOAT: "Float", DOUBLE: "DoubleFloat"}[header.layout.keyword]
    value = numbers(header.said, f"{prefix}PixelPaddingValue")
    if not value:
        return None
    limit = numbers(header.said, f"{prefix}PixelPaddingRangeLimit") or value
    ends = [_as_stored(each, header) for each in (value[0], limit[0])]
    return min(ends), max(ends)


def _as_stored(value: float, header: Header) -> float:
    """US or SS: a padding value whose sign the encoding lost (C.7.5.1.1.2)."""
    layout = header.layout
    if layout.keyword != INTEGER:
        return value
    if layout.signed and value > 32767:
        return value - 65536
    return value + 65536 if not layout.signed and value < 0 else value


def table_of(item: Dataset | None, header: Header, prefix: str = "LUT") -> Table | None:
    """The table of a Modality or VOI LUT item (`prefix` LUT) or a palette; None where absent or broken (C.11.1.1)."""
    descriptor = numbers(item, f"{prefix}Descriptor") if item is not None else []
    if item is None or len(descriptor) != 3:
        return None
    count, first, bits = int(descriptor[0]) or 65536, int(descriptor[1]), int(descriptor[2])
    entries = words(plain(item, f"{prefix}Data"), count, header)
    if entries is None or not 1 <= bits <= 16:
        return None
    first = first - 65536 if header.layout.signed and first > 32767 else first
    return Table(first, entries, bits)


def _signed_first(table: Table | None, rescaled: bool) -> Table | None:
    """The VOI LUT of values that a rescale made negative: its first is signed, which implicit files lose (C.11.2)."""
    if table is None or not rescaled or table.first <= 32767:
        return table
    return replace(table, first=table.first - 65536)


def words(raw: Any, count: int, header: Header) -> NDArray[np.uint16] | None:
    """The 16-bit entries of a table as pydicom gives them: bytes (OW), a list (US), or one byte an entry (8 bits)."""
    order = "<u2" if header.elements.encoding.little else ">u2"
    if isinstance(raw, bytes):
        kind = np.dtype("u1") if len(raw) < 2 * count else np.dtype(order)
        entries = np.frombuffer(raw[: len(raw) - len(raw) % kind.itemsize], kind)
    elif isinstance(raw, int):
        entries = np.array([raw])
    else:
        entries = np.asarray(raw[:count] if raw is not None else [])
    whole_numbers = entries.ndim == 1 and entries.size > 0 and entries.dtype.kind in "iu"
    return entries[:count].astype(np.uint16) if whole_numbers else None


def colour_of(samples: NDArray[Any], photometric: str, stored: int) -> tuple[NDArray[np.float32], float]:
    """(H, W, 3) RGB or YBR -> grey and the share of colour. The Y of YBR is the grey of RGB (BT.601)."""
    if photometric.startswith("YBR"):
        step = max(-(-max(samples.shape[:2]) // 128), 1)
        grid = convert_color_space(np.ascontiguousarray(samples[::step, ::step]), "YBR_FULL", "RGB")
        return grey.unit_from_bytes(np.ascontiguousarray(samples[..., 0])), grey.colour_share(grid)
    if samples.dtype.itemsize > 1:
        samples = grey.in_bands(samples, lambda rows: np.rint(rows * (255 / (2**stored - 1))).astype(np.uint8))
    return colour.grey_from_colour(samples.astype(np.uint8, copy=False))
