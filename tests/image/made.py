"""Made images: rasters and DICOM files of any layout, written without the code under test."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

UNDEFINED = 0xFFFFFFFF


def encoded(array: NDArray[Any], form: str, mode: str | None = None, **options: Any) -> bytes:
    """An array as the bytes of an image file."""
    picture = Pillow.fromarray(array)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, form, **options)
    return buffer.getvalue()


def picture(height: int = 96, width: int = 112, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W) uint8: a bright disc with structure on a dark ground, like a slice of a head."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    radius = np.hypot(rows / 0.85, columns / 0.7)
    tissue = 120 + 60 * np.sin(7 * rows + 3 * columns) + 30 * np.cos(11 * columns)
    plane = np.where(radius < 1, tissue, 6) + generator.normal(0, 4, rows.shape)
    return np.clip(plane, 0, 255).astype(np.uint8)


def dicom_set(samples: NDArray[Any], **elements: Any) -> Dataset:
    """A data set of one or more frames. samples: (H, W), (F, H, W) or (H, W, 3), integers; elements: by keyword."""
    said = Dataset()
    said.SOPClassUID, said.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    colour = samples.ndim == 3 and samples.shape[-1] == 3
    frames = samples if samples.ndim == 3 and not colour else samples[None]
    said.Rows, said.Columns = frames.shape[1:3]
    said.SamplesPerPixel = 3 if colour else 1
    said.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        said.PlanarConfiguration = 0
    if len(frames) > 1:
        said.NumberOfFrames = len(frames)
    bits = samples.dtype.itemsize * 8
    said.BitsAllocated, said.BitsStored, said.HighBit = bits, bits, bits - 1
    said.PixelRepresentation = int(samples.dtype.kind == "i")
    said.PixelData = samples.tobytes() + b"\0" * (samples.nbytes % 2)
    said["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in elements.items():
        setattr(said, keyword, value)
    said.file_meta = FileMetaDataset()
    said.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return said


def dicom_bytes(said: Dataset, syntax: str = ExplicitVRLittleEndian, *, preamble: bool = True) -> bytes:
    """A data set as the bytes of a file; without preamble it is the data set alone."""
    said.file_meta.TransferSyntaxUID = syntax
    said.file_meta.MediaStorageSOPClassUID = said.SOPClassUID
    said.file_meta.MediaStorageSOPInstanceUID = said.SOPInstanceUID
    buffer = io.BytesIO()
    if preamble:
        said.save_as(buffer, enforce_file_format=True)
    else:
        said = Dataset(said)
        said.save_as(buffer, implicit_vr=syntax == "1.2.840.10008.1.2", little_endian=True)
    return buffer.getvalue()


def element(tag: int, vr: bytes, value: bytes, *, claims: int | None = None) -> bytes:
    """One explicit little-endian element; `claims`: the length it states instead of its own."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    length = len(value) if claims is None else claims
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD"):
        return head + struct.pack("<HI", 0, length) + value
    return head + struct.pack("<H", length & 0xFFFF) + value


def item(value: bytes, *, claims: int | None = None) -> bytes:
    """One item of a sequence or of encapsulated pixels."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if claims is None else claims) + value


def raw_dicom(*elements: bytes, syntax: bytes = b"1.2.840.10008.1.2.1") -> bytes:
    """A file of hand-written elements behind a preamble and its file meta information."""
    uid = syntax + b"\0" * (len(syntax) % 2)
    meta = element(0x00020010, b"UI", uid)
    length = element(0x00020000, b"UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + b"".join(elements)


def pixel_module(
    rows: int, columns: int, *, frames: int = 1, bits: int = 8, samples: int = 1, photometric: bytes = b"MONOCHROME2 "
) -> bytes:
    """The Image Pixel elements of raw_dicom, in tag order."""
    return b"".join(
        (
            element(0x00280002, b"US", struct.pack("<H", samples)),
            element(0x00280004, b"CS", photometric),
            element(0x00280006, b"US", struct.pack("<H", 0)),
            element(0x00280008, b"IS", str(frames).encode().ljust(12)),
            element(0x00280010, b"US", struct.pack("<H", rows)),
            element(0x00280011, b"US", struct.pack("<H", columns)),
            element(0x00280100, b"US", struct.pack("<H", bits)),
            element(0x00280101, b"US", struct.pack("<H", bits)),
            element(0x00280102, b"US", struct.pack("<H", max(bits - 1, 0))),
            element(0x00280103, b"US", struct.pack("<H", 0)),
        )
    )


def encapsulated(*frames: bytes) -> bytes:
    """A pixel element of compressed frames, one fragment each, with an empty offset table."""
    padded = (frame + b"\0" * (len(frame) % 2) for frame in frames)
    body = item(b"") + b"".join(map(item, padded)) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return element(0x7FE00010, b"OB", body, claims=UNDEFINED)
