"""The value every pixel of Hilum travels in: one grey image and what its header said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the file said about itself; None where it said nothing. Holds no name of a person.

    `patient` and `study` are identifiers used for grouping only: never logged, never shown.
    """

    format: str  # PNG, JPEG, TIFF, BMP, WEBP, DICOM, ARRAY
    mode: str  # the file's own mode: L, LA, RGB, RGBA, P, I;16, F, 1; DICOM: photometric interpretation
    bits: int  # bits of one sample as stored
    width: int  # as stored, before orientation
    height: int
    modality: str | None = None  # DICOM (0008,0060): MR, CR, DX, CT, ...
    body_part: str | None = None  # DICOM (0018,0015) upper case
    view: str | None = None  # DICOM (0018,5101): AP, PA, LL, ...
    manufacturer: str | None = None
    transfer_syntax: str | None = None
    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    burned_in: bool | None = None  # DICOM (0028,0301)


@dataclass(frozen=True, eq=False, slots=True)
class Image:
    """One grey image.

    pixels: (H, W) float32 in [0, 1], bright = high signal (MONOCHROME1 already inverted), finite.
    spacing_mm: (row, column) distance of pixel centres in millimetres, None where unknown.
    colour_share: share in [0, 1] of the pixels that were visibly coloured before they were made grey.
    frame: index in a multi-frame file, from 0. frames: how many that file holds.
    """

    pixels: NDArray[np.float32]
    metadata: Metadata
    spacing_mm: tuple[float, float] | None = None
    colour_share: float = 0.0
    frame: int = 0
    frames: int = 1

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be (H, W) float32, not {self.pixels.shape} {self.pixels.dtype}")
        if self.pixels.size == 0:
            raise ValueError("an image needs at least one pixel")
