"""Bytes that were made to hurt: bombs, polyglots, pickles; small on disk, large or harmful where they are believed."""

from __future__ import annotations

import functools
import gzip
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"


def picture(side: int = 96) -> bytes:
    """A harmless PNG: a soft disc."""
    y, x = np.mgrid[:side, :side] - side / 2
    grey = np.clip(220 - 3 * np.hypot(x, y), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


def png(width: int, height: int, bits: int = 1, colour: int = 0, extra: bytes = b"", rows: int | None = None) -> bytes:
    """A PNG whose pixels are zeros, as small as zlib makes them; `extra` chunks stand before the pixels."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    block = b"".join(packer.compress(row) for _ in range(min(height, rows or height))) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", block) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(size: int) -> bytes:
    """So many zeros, packed by zlib without ever being held."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF of one directory; `following` points to the next one."""
    raw = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + raw + struct.pack("<I", following)


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose frame header claims another size."""
    out = io.BytesIO()
    Image.new("L", (16, 16), 99).save(out, "JPEG")
    data = bytearray(out.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def dicom(change: Callable[[Dataset], None] = lambda _: None, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A 64 x 64 CT image, changed before it is written."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = CT, generate_uid(), "CT"
    made.PatientName, made.PatientID = "Test^Nobody", "0"
    made.Rows = made.Columns = 64
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 15, 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = (np.arange(64 * 64, dtype="<u2") % 4096).tobytes()
    made["PixelData"].VR = "OW"
    change(made)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = CT, made.SOPInstanceUID
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _frames(made: Dataset) -> None:
    made.NumberOfFrames = 2_000_000_000


def _rows(made: Dataset) -> None:
    made.Rows = made.Columns = 65535


def _lie(made: Dataset) -> None:
    made.NumberOfFrames = 500  # of which one is there


def _no_pixels(made: Dataset) -> None:
    del made["PixelData"]


def deep(levels: int) -> bytes:
    """Sequences in sequences, undefined lengths all the way down."""
    opened = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    whole = dicom()
    place = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:place] + opened * levels


def deflated_bomb(size: int) -> bytes:
    """A deflated data set that unpacks to `size` bytes."""
    whole = dicom(syntax=DeflatedExplicitVRLittleEndian)
    meta = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"\xe1\x7f\x10\x00OB\x00\x00" + struct.pack("<I", size)
    body = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    return whole[:meta] + body


def claimed(length: int) -> bytes:
    """A data element that says it is so long, in a short file."""
    whole = dicom()
    place = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:place] + b"\xe0\x7f\x10\x00OW\x00\x00" + struct.pack("<I", length) + bytes(64)


def j2k_bomb() -> bytes:
    """A JPEG 2000 frame that claims 2 gigapixels in tiles of one pixel."""
    siz = struct.pack(">HIIIIIIIIHBBB", 0, 46000, 46000, 0, 0, 1, 1, 0, 0, 1, 7, 1, 1)
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz + b"\xff\xd9"
    if len(stream) % 2:
        stream += b"\x00"
    frame = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0" + struct.pack("<I", len(stream)) + stream
    whole = dicom(_no_pixels, JPEG2000Lossless)
    return whole + b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff" + frame + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


def nested_zip(levels: int) -> bytes:
    data = bytes(1 << 20)
    for level in range(levels):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for copy in range(10):
                archive.writestr(f"{level}-{copy}.zip", data)
        data = out.getvalue()
    return data


def zip_of(**members: bytes) -> bytes:
    """An archive; names with __ for /."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def torn_zip(behind: bytes, name: str = "a member of some length.png") -> bytes:
    """A zip whose first member, packed by LZMA, cannot be unpacked; the second is as given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(name, bytes(range(256)) * 100)
        archive.writestr("behind.png", behind)
    data = bytearray(out.getvalue())
    start = data.index(name.encode()) + len(name) + 9  # bytes of the packing's own properties (APPNOTE.TXT 5.8.8)
    data[start : start + 40] = bytes(255 - byte for byte in data[start : start + 40])
    return bytes(data)


def zip_bomb(size: int) -> bytes:
    """One member of so many zeros."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.png", "w", force_zip64=True) as member,
    ):
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return out.getvalue()


def zip_that_lies(size: int) -> bytes:
    """As zip_bomb, but every header says the member has ten bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(body), 10, 5, 0) + b"a.png"
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(body), 10, 5, 0, 0, 0, 0, 0, 0)
    start = len(local) + len(body)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(entry) + 5, start, 0)
    return local + body + entry + b"a.png" + end


def zip_of_many(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(str(number), b"")
    return out.getvalue()


class Harm:
    """Unpickled, it leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (open, (str(self.canary), "w"))


def pickles(canary: Path) -> dict[str, bytes]:
    """The same harm in every dress a model or an array comes in."""
    plain = pickle.dumps(Harm(canary))
    array, packed, bundle = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Harm(canary)], dtype=object), allow_pickle=True)
    np.savez(packed, images=np.array([Harm(canary)], dtype=object))
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("archive/data.pkl", plain)
        archive.writestr("archive/version", "3")
    named = {f"protocol {n}": pickle.dumps(Harm(canary), protocol=n) for n in range(6)}
    return named | {
        "npy": array.getvalue(),
        "npz": packed.getvalue(),
        "pt": bundle.getvalue(),
        "joblib": zlib.compress(plain),
        "gzip": gzip.compress(plain),
        "behind a png": picture()[:8] + plain,
        "numpy header": b"\x93NUMPY\x01\x00" + plain,
    }


@functools.cache
def bombs() -> dict[str, bytes]:
    """Small files that claim or become gigabytes."""
    text = chunk(b"zTXt", b"Comment\x00\x00" + zeros(256 << 20))
    profile = chunk(b"iCCP", b"x\x00\x00" + zeros(256 << 20))
    itext = chunk(b"iTXt", b"k\x00\x01\x00\x00\x00" + zeros(256 << 20))
    one = ((256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 64))
    vast = ((256, 4, 1, 0x7FFFFFFF), (257, 4, 1, 0x7FFFFFFF), *one[2:])
    strips = (
        (256, 4, 1, 4096),
        (257, 4, 1, 4096),
        (258, 3, 1, 8),
        (259, 3, 1, 5),
        (262, 3, 1, 1),
        (273, 4, 0x0FFFFFFF, 8),
        (279, 4, 0x0FFFFFFF, 8),
    )
    return {
        "png 30000 x 30000": png(30000, 30000),
        "png 2^31": png(0x7FFFFFFF, 0x7FFFFFFF, rows=1),
        "png 65535 x 65535, 16 bit": png(65535, 65535, 16, 2, rows=4),
        "png within limits, half there": png(5000, 5000, 8, rows=2500),
        "png text": png(64, 64, extra=text),
        "png profile": png(64, 64, extra=profile),
        "png international text": png(64, 64, extra=itext),
        "apng 2^31 frames": png(64, 64, extra=chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0))),
        "gif 65535": b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\x80\x00\x00"
        + bytes(6)
        + b",\x00\x00\x00\x00"
        + struct.pack("<HH", 65535, 65535)
        + b"\x00\x08\x02\x8c\x2d\x00;",
        "jpeg 65500": jpeg_of(65500, 65500),
        "jpeg 0": jpeg_of(0, 0),
        "webp 16383": b"RIFF"
        + struct.pack("<I", 22)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + b"\xfe\x3f\x00\xfe\x3f\x00",
        "bmp 2^31": b"BM"
        + struct.pack("<IHHIIiiHHIIIIII", 60, 0, 0, 54, 40, 0x7FFFFFFF, 0x7FFFFFFF, 1, 8, 1, 0, 0, 0, 0, 0),
        "bmp minus": b"BM" + struct.pack("<IHHIIiiHHIIIIII", 60, 0, 0, 54, 40, -1, -0x80000000, 1, 8, 0, 0, 0, 0, 0, 0),
        "tiff loop": tiff(*one, following=8),
        "tiff 2^31": tiff(*vast),
        "tiff strips": tiff(*strips),
        "tiff far away": b"II*\x00\xf0\xff\xff\xff",
        "bigtiff": b"II+\x00\x08\x00\x00\x00" + b"\xff" * 8,
        "dicom frames": dicom(_frames),
        "dicom rows": dicom(_rows),
        "dicom frames that are not there": dicom(_lie),
        "dicom without pixels": dicom(_no_pixels),
        "dicom deep": deep(10_000),
        "dicom deflated": deflated_bomb(1 << 30),
        "dicom 2 GiB": claimed(0x7FFFFFFE),
        "dicom 4 GiB": claimed(0xFFFFFFFE),
        "dicom open end": claimed(0xFFFFFFFF),
        "dicom jpeg 2000": j2k_bomb(),
        "dicom head alone": dicom()[:140],
        "dicomdir": dicom(lambda made: setattr(made, "DirectoryRecordSequence", Sequence([Dataset()]))),
        "zip in zip": nested_zip(5),
        "zip of 1 GB": zip_bomb(1 << 30),
        "zip that lies": zip_that_lies(256 << 20),
        "zip of 50,000": zip_of_many(50_000),
        "zip cut": zip_bomb(1 << 20)[:-30],
        "zip of nothing": zip_of_many(0),
        "gzip": gzip.compress(bytes(64 << 20)),
    }


POLYGLOTS = {
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "elf": b"\x7fELF" + bytes(200),
    "pe": b"MZ" + bytes(200),
    "pdf": b"%PDF-1.7\n" + bytes(200),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run",
    "php": b"<?php system($_GET['x']); ?>",
    "shell": b"#!/bin/sh\nid\n",
    "xml entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "onnx": b"\x08\x08\x12\x07pytorch" + bytes(100),
}
