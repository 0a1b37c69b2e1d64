"""Small files for the tests of this room, made and never stored."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

SHARED = Path(os.environ.get("HILUM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared images are not here (HILUM_DATA)")


def png(value: int = 0, side: int = 8) -> bytes:
    """A small grey PNG whose bytes depend on `value`."""
    pixels = (np.arange(side * side).reshape(side, side) * 3 + value).astype(np.uint8)
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def lay(root: Path, files: dict[str, bytes | str]) -> Path:
    """Write files below a folder; returns the folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def dicom(patient: str = "P1", instance: str = "1.2.3", value: int = 0, *, deflated: bool = False) -> bytes:
    """A small MONOCHROME2 DICOM file."""
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.7"), UID(instance)
    header.StudyInstanceUID, header.PatientID, header.Modality = UID(f"{instance}.9"), patient, "MR"
    header.Rows = header.Columns = 8
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = (np.arange(64) * 3 + value).astype(np.uint8).tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def npz(path: Path, *, packed: bool = True, **arrays: object) -> Path:
    """Write an .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (np.savez_compressed if packed else np.savez)(path, **{k: np.asarray(v) for k, v in arrays.items()})
    return path


def pictures(*paths: str) -> dict[str, bytes | str]:
    """A different small PNG for every path."""
    return {path: png(i) for i, path in enumerate(paths)}


def zip_without_the_mark_of_utf8(path: Path, files: dict[str, bytes], system: int = 3) -> Path:
    """As the Finder of macOS packs (system 3), which does not say that its names are UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = system
            archive.writestr(info, data)
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(mark, place + 1)) >= 0:
            data[place + flags + 1] &= ~0x08
    path.write_bytes(data)
    return path
