"""Bytes of a DICOM file -> one grey Image a frame; knows the order of the steps, and none of them.

Imported only once a DICOM file is met: pydicom is the heaviest import of this room.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from hilum.image.dicom.frames import read_frames
from hilum.image.dicom.header import DICOM_FAULTS, PALETTE, Header, metadata, read_header, spacing_mm
from hilum.image.dicom.palette import palette_of
from hilum.image.dicom.values import colour_of, grey_of, rules_of
from hilum.image.faults import named_faults
from hilum.image.image import Image
from hilum.image.limits import Limits

# Their remarks quote values of the header: nothing of a patient goes to a log.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read_dicom(data: bytes, form: str, name: str, limits: Limits, only: int | None = None) -> tuple[Image, ...]:
    """Decode one DICOM file, with or without preamble, to one Image a frame, or the `only` one that is wanted.

    Raises UnreadableImage, UnsupportedFormat or ImageTooLarge; no message holds a value of the header but sizes.
    """
    with named_faults(name, f"the {form} data", quote=False, faults=DICOM_FAULTS):
        header = read_header(data, name, limits)
        return tuple(_images(header, name, limits, only))


def _images(header: Header, name: str, limits: Limits, only: int | None) -> Iterator[Image]:
    about, frames = metadata(header), header.layout.frames
    chosen = range(frames) if only is None else range(frames)[min(only, frames - 1) :][:1]
    palette = palette_of(header, name) if header.layout.photometric == PALETTE else None
    read = read_frames(header, name, limits, chosen)
    for index, (samples, photometric) in zip(chosen, read, strict=True):
        share = 0.0
        if palette is not None:
            pixels, share = colour_of(palette(samples), "RGB", 8)
        elif samples.ndim == 3:
            pixels, share = colour_of(samples, photometric, header.layout.stored)
        else:
            pixels = grey_of(samples, rules_of(header, index))
        yield Image(np.ascontiguousarray(pixels), about, spacing_mm(header, index), share, index, frames)
