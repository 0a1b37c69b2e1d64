"""read_frames gives the very samples of pydicom's own decoders, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, RLELossless

from hilum.image.dicom.frames import COMPRESSED, DEFLATED_FRAME, read_frames
from hilum.image.dicom.header import read_header
from hilum.image.faults import named_faults
from hilum.image.limits import DEFAULT_LIMITS
from tests.image.made import dicom_bytes, dicom_set, encapsulated, picture, pixel_module, raw_dicom

# Another decoder than ours wherever there are two
OTHERS = {RLELossless: "pydicom", JPEG2000Lossless: "gdcm"}
NOT_BY_PYDICOM = {
    "JLSL_16_15_1_1F.dcm": "its sign correction writes into read-only memory",
    "liver_rle.dcm": "no run lengths of single bits",
    "liver_nonbyte_aligned_rle.dcm": "no run lengths of single bits",
}


def stored(data: bytes, name: str) -> list[np.ndarray]:
    with named_faults(name, "test"):
        header = read_header(data, name, DEFAULT_LIMITS)
        return [samples for samples, _ in read_frames(header, name, DEFAULT_LIMITS)]


@pytest.mark.filterwarnings("ignore")
def test_every_shared_file_has_the_samples_of_the_reference(real_images: Path) -> None:
    compared = 0
    for path in sorted((real_images / "dicom").glob("*.dcm")):
        reference = dcmread(path, force=True)
        syntax = reference.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2")
        if path.name in NOT_BY_PYDICOM or syntax == DEFLATED_FRAME:
            continue
        reference.file_meta.TransferSyntaxUID = syntax
        frames = get_decoder(syntax).iter_array(reference, raw=True, decoding_plugin=OTHERS.get(syntax, ""))
        for ours, (theirs, _) in zip(stored(path.read_bytes(), path.name), frames, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=path.name)
            compared += 1
    assert compared > 80


@pytest.mark.parametrize("packing", ["_deflate", "_rle"])
@pytest.mark.parametrize("kind", ["liver", "liver_nonbyte_aligned"])
def test_packed_single_bits_are_those_of_the_plain_file(real_images: Path, kind: str, packing: str) -> None:
    folder = real_images / "dicom"
    plain, packed = (stored((folder / f"{kind}{tail}.dcm").read_bytes(), kind) for tail in ("", packing))
    np.testing.assert_array_equal(plain, packed)


def test_signed_jpeg_ls_keeps_its_sign(real_images: Path) -> None:
    (frame,) = stored((real_images / "dicom" / "JLSL_16_15_1_1F.dcm").read_bytes(), "signed")
    assert frame.dtype == np.int16
    assert -(2**14) <= frame.min() < 0 < frame.max() < 2**14


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_a_lossless_file_gives_back_its_samples(syntax: str, bits: int, *, signed: bool) -> None:
    plane = np.round(picture() * ((2**bits - 1) / 255)).astype(np.int32) - (2 ** (bits - 1) if signed else 0)
    width = 8 if bits == 8 else 16
    samples = plane.astype(f"{'int' if signed else 'uint'}{width}")
    said = dicom_set(samples, BitsStored=bits, HighBit=bits - 1)
    said.compress(syntax, encoding_plugin="pydicom" if syntax == RLELossless else "")
    (frame,) = stored(dicom_bytes(said, syntax), "lossless")
    np.testing.assert_array_equal(frame, samples)


def test_an_overlay_in_the_high_bits_is_left_out() -> None:
    plane = np.round(picture() * (4095 / 255)).astype(np.uint16)
    plane |= np.uint16(1 << 14) * (np.arange(plane.size).reshape(plane.shape) % 3 == 0).astype(np.uint16)
    said = dicom_set(plane, BitsStored=12, HighBit=11)
    (frame,) = stored(dicom_bytes(said), "overlay")
    np.testing.assert_array_equal(frame, plane & 0x0FFF)


def test_samples_in_the_high_bits_are_shifted_down() -> None:
    plane = np.round(picture() * (4095 / 255)).astype(np.uint16)
    said = dicom_set(plane << 4, BitsStored=12, HighBit=15)
    (frame,) = stored(dicom_bytes(said), "high")
    np.testing.assert_array_equal(frame, plane)


def test_every_compressed_syntax_has_its_decoder_installed() -> None:
    assert HTJ2KLossless in COMPRESSED
    for syntax, plugin in COMPRESSED.items():
        assert plugin in get_decoder(syntax).available_plugins, syntax


def test_frames_beyond_the_declared_number_are_not_decoded() -> None:
    frame = b"".join([bytes([1, 0, 0, 0, 64]), bytes(59), b"\x81\0" * 84])
    data = raw_dicom(pixel_module(96, 112), encapsulated(frame, frame), syntax=RLELossless.encode())
    assert len(stored(data, "more")) == 1
