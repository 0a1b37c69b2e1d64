"""No canary survives anywhere, UIDs stay consistent, and not one pixel changes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from hilum.errors import HilumError, UnreadableImage
from hilum.image.decode import decode
from hilum.image.deidentify import METHOD, actions, deidentify
from tests.image.made import (
    UNDEFINED,
    dicom_bytes,
    dicom_set,
    element,
    encapsulated,
    encoded,
    item,
    picture,
    pixel_module,
    raw_dicom,
)

FILES = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
SECRET = b"s" * 32
CANARY = "CANARY"
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)  # of a sequence of undefined length
TEXT = ("AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
BYTES = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
KEPT = (0x00080005, 0x00080016, 0x00080018)
PIXEL_GROUPS = (0x0028, 0x7FE0)


def told(tag: int, vr: str, number: int):
    """A value of this kind that can be found again; None where there is none."""
    if vr in TEXT:
        return f"{CANARY}{number}"
    if vr in ("DS", "IS"):
        return "31337"
    if vr in BYTES:
        return f"{CANARY}{number:06d}".encode()
    if vr == "UI":
        return f"1.2.3.{number}.999"
    if vr in ("DA", "DT", "TM"):
        return {"DA": "20240229", "DT": "20240229123456", "TM": "123456.789"}[vr]
    return None


def put(said: Dataset, tag: int, number: int) -> bool:
    vr = dictionary_VR(tag).split(" ")[0]
    value = told(tag, vr, number)
    if value is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said.add_new(tag, vr, value)
    return True


def written(said: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dicom_bytes(said, syntax)


def everything(nested: Dataset | None = None) -> tuple[bytes, int]:
    """A file with a telling value in every attribute of the table, of group 0010, and of every free text."""
    said = dicom_set(picture(8, 8))
    place, many = said if nested is None else nested, 0
    for number, tag in enumerate(sorted(DicomDictionary)):
        told_kind = dictionary_VR(tag).split(" ")[0] in ("PN", "DA", "DT", "TM", "LT", "ST", "UT", "UC", "AE")
        wanted = tag in actions() or told_kind or tag >> 16 == 0x0010
        if wanted and tag >> 16 >= 8 and tag >> 16 not in PIXEL_GROUPS and tag not in KEPT:
            many += put(place, tag, number)
    if nested is not None:
        outer = Dataset()
        outer.AnatomicRegionSequence = [nested]
        said.SharedFunctionalGroupsSequence = [outer]
    return written(said), many


@pytest.mark.parametrize("nested", [False, True], ids=["top", "three deep"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"], ids=["explicit", "implicit"])
def test_no_telling_value_of_any_attribute_survives(nested, syntax):
    data, many = everything(Dataset() if nested else None)
    assert many > 600
    if syntax == ImplicitVRLittleEndian:
        data = written(dcmread(io.BytesIO(data)), syntax)
    done = deidentify(data, SECRET)
    assert data.count(CANARY.encode()) > 400
    for trace in (b"CANARY", b"20240229", b"123456.789", b".999"):
        assert trace in data
        assert trace not in done
    np.testing.assert_array_equal(decode(done, name="done")[0].pixels, decode(data, name="data")[0].pixels)


def test_every_attribute_of_the_table_is_acted_on():
    """The table itself, row by row: removed, emptied, replaced or another UID."""
    data, _ = everything()
    before, after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(deidentify(data, SECRET)))
    ours = {0x00120062, 0x00120063, 0x00120064, 0x00280303}
    for tag, action in actions().items():
        if tag not in before or tag in ours:
            continue
        if action == "X":
            assert tag not in after, hex(tag)
        elif dictionary_VR(tag) != "SQ":
            assert after[tag].value != before[tag].value, hex(tag)
            assert (action != "Z") or not after[tag].value or tag == 0x00100020, hex(tag)


def test_private_unknown_overlay_and_trailing_elements_go():
    said = dicom_set(picture(8, 8))
    block = said.private_block(0x0029, "ACME CANARY", create=True)
    block.add_new(1, "LO", "CANARY")
    inner = Dataset()
    inner.private_block(0x0031, "ACME", create=True).add_new(2, "UN", b"CANARY")
    inner.CodeMeaning = "stays"
    for place in (said, inner):  # of a DICOMDIR: the names of files are those of patients
        place.add_new(0x00041130, "CS", "CANARY")
        place.add_new(0x00041500, "CS", ["CANARY", "IMG1"])
    said.AnatomicRegionSequence = [inner]
    said.add_new(0x60003000, "OW", b"CANARY!!")
    said.add_new(0x60020022, "LO", "CANARY")
    said.add_new(0x50000010, "US", 3)
    said.add_new(0x50003000, "OB", b"CANARY!!")
    said.add_new(0x00091001, "OB", b"CANARY!!")
    said.add_new(0x0018FFF1, "LO", "CANARY")
    said.add_new(0xFFFCFFFC, "OB", b"CANARY!!")
    done = deidentify(written(said) + b"CANARY!!", SECRET)
    assert b"CANARY" not in done
    left = dcmread(io.BytesIO(done))
    assert left.AnatomicRegionSequence[0].CodeMeaning == "stays"
    assert all(not tag.is_private and tag.group >> 8 not in (0x50, 0x60) for tag in left.keys())  # noqa: SIM118


def test_preamble_and_file_meta_say_nothing():
    said = dicom_set(picture(8, 8), SOPInstanceUID="1.2.3.4")
    said.file_meta.SourceApplicationEntityTitle = "CANARY"
    said.file_meta.PrivateInformationCreatorUID = "1.2.3.999"
    said.file_meta.PrivateInformation = b"CANARY"
    data = b"MZ" + b"CANARY" * 21 + written(said)[128:]
    done = deidentify(data, SECRET)
    assert done[:132] == bytes(128) + b"DICM"
    assert b"CANARY" not in done
    left = dcmread(io.BytesIO(done))
    assert left.file_meta.MediaStorageSOPInstanceUID == left.SOPInstanceUID != "1.2.3.4"
    assert set(left.file_meta.keys()) <= {0x00020000 + n for n in (0, 1, 2, 3, 0x10, 0x12, 0x13)}


def test_uids_are_consistent_within_and_between_files_and_registered_ones_stay():
    def file(number):
        said = dicom_set(picture(8, 8), SOPInstanceUID=f"1.2.3.{number}", StudyInstanceUID="1.2.3.100",
                         SeriesInstanceUID="1.2.3.200", FrameOfReferenceUID="1.2.3.300")  # fmt: skip
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = said.SOPClassUID, "1.2.3.1"
        said.ReferencedImageSequence = [reference]
        said.PatientID = "Patient 7"
        return written(said)

    one, two = (dcmread(io.BytesIO(deidentify(file(n), SECRET))) for n in (1, 2))
    assert one.StudyInstanceUID == two.StudyInstanceUID != "1.2.3.100"
    assert one.SeriesInstanceUID == two.SeriesInstanceUID != one.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert one.ReferencedImageSequence[0].ReferencedSOPClassUID == one.SOPClassUID
    assert one.PatientID == two.PatientID != "Patient 7"
    assert len(one.StudyInstanceUID) <= 64
    other = dcmread(io.BytesIO(deidentify(file(1), b"t" * 32)))
    assert other.StudyInstanceUID != one.StudyInstanceUID
    assert other.PatientID != one.PatientID


def test_only_what_the_standard_registers_is_well_known():
    """A careless writer draws instances below the standard's own root."""
    drawn = "1.2.840.10008.1.19700313.4711"
    said = dicom_set(picture(8, 8), StudyInstanceUID=drawn, FrameOfReferenceUID="1.2.840.10008.1.4.1.1")
    left = deidentify(written(said), SECRET)
    assert drawn.encode() not in left
    assert dcmread(io.BytesIO(left)).StudyInstanceUID.startswith("2.25.")
    assert dcmread(io.BytesIO(left)).FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"  # the Talairach atlas


def test_it_says_what_was_done():
    left = dcmread(io.BytesIO(deidentify(written(dicom_set(picture(8, 8), BurnedInAnnotation="YES")), SECRET)))
    assert left.PatientIdentityRemoved == "YES"
    assert left.DeidentificationMethod == METHOD
    assert left.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert left.BurnedInAnnotation == "YES"


@pytest.mark.parametrize(("said", "expected"), [("YES", True), ("NO", False), (None, None), ("", None)])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_burned_in_names_are_known(said, expected, syntax):
    file = dicom_set(picture(8, 8))
    if said is not None:
        file.BurnedInAnnotation = said
    (image,) = decode(written(file, syntax), name="made")
    assert image.metadata.burned_in is expected


def test_twice_is_once():
    once = deidentify(everything()[0], SECRET)
    twice = deidentify(once, SECRET)
    np.testing.assert_array_equal(decode(twice, name="twice")[0].pixels, decode(once, name="once")[0].pixels)


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": "60", "WindowWidth": "40"},
        {"WindowCenter": ["60", "90"], "WindowWidth": ["40", "20"], "VOILUTFunction": "SIGMOID"},
        {"RescaleSlope": "2", "RescaleIntercept": "-1024", "PhotometricInterpretation": "MONOCHROME1"},
        {"PixelPaddingValue": 0, "PresentationLUTShape": "INVERSE"},
    ],
    ids=["window", "sigmoid", "rescaled", "padded"],
)
def test_what_pixels_need_stays(elements):
    data = written(dicom_set(picture(32, 40), **elements))
    (before,), (after,) = decode(data, name="a"), decode(deidentify(data, SECRET), name="b")
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert (after.metadata.mode, after.metadata.bits) == (before.metadata.mode, before.metadata.bits)


def test_lookup_tables_and_functional_groups_stay():
    table, group, voi = Dataset(), Dataset(), Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 16], bytes(range(256)) * 2
    table.LUTExplanation = "x"
    said = dicom_set(np.stack([picture(16, 16, seed) for seed in (1, 2)]))
    voi.WindowCenter, voi.WindowWidth = "80", "30"
    group.FrameVOILUTSequence = [voi]
    said.PerFrameFunctionalGroupsSequence = [group, group]
    for data in (written(said), written(dicom_set(picture(16, 16), VOILUTSequence=[table]))):
        before, after = decode(data, name="a"), decode(deidentify(data, SECRET), name="b")
        assert all(np.array_equal(x.pixels, y.pixels) for x, y in zip(before, after, strict=True))


def is_read(path):
    try:
        return decode(path.read_bytes(), name="a")[0].metadata.format == "DICOM"
    except HilumError:
        return False


READ = [path for path in FILES if is_read(path)]


def test_most_files_of_others_are_read():
    assert len(READ) >= 58  # of the 78 that came with pydicom 3.0.2; the others hold no image


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_files_of_others_keep_their_pixels(path):
    """Every transfer syntax that pydicom ships a file of."""
    data = path.read_bytes()
    before = decode(data, name="before")
    after = decode(deidentify(data, SECRET), name="after")
    assert len(before) == len(after)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)


def test_remarks_inside_compressed_frames_go():
    frame = encoded(picture(), "JPEG", comment=b"CANARY", exif=b"Exif\0\0CANARY")
    data = raw_dicom(pixel_module(96, 112), encapsulated(frame), syntax=b"1.2.840.10008.1.2.4.50")
    done = deidentify(data, SECRET)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(data, name="a")[0].pixels)


@pytest.mark.parametrize("at", [20, 22, 30, 40])
def test_remarks_of_a_frame_in_several_fragments_go(at: int) -> None:
    whole = encoded(picture(), "JPEG")
    frame = whole[:20] + b"\xff\xfe\x00\x20" + b"CANARY" * 5 + whole[20:] + b"CANARY"
    data = raw_dicom(pixel_module(96, 112), encapsulated(frame[:at], frame[at:]), syntax=b"1.2.840.10008.1.2.4.50")
    done = deidentify(data, SECRET)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(data, name="a")[0].pixels)


def _tile_part_remark(stream: bytes) -> bytes:
    part, at = stream.index(b"\xff\x90"), stream.index(b"\xff\x93")
    said = bytearray(stream[:at] + b"\xff\x64\x00\x0a\x00\x01CANARY" + stream[at:])
    struct.pack_into(">I", said, part + 6, struct.unpack_from(">I", said, part + 6)[0] + 12)
    return bytes(said)


def _box_before(file: bytes) -> bytes:
    at = file.index(b"jp2h") - 4
    return file[:at] + b"\0\0\0\x0exml CANARY" + file[at:]


def _with_profile(file: bytes, profile: bytes) -> bytes:
    """With a profile instead of the colour space that the header names (T.800 I.5.3.3)."""
    at, header = file.index(b"colr") - 4, file.index(b"jp2h") - 4
    colour = struct.pack(">I4s3B", 11 + len(profile), b"colr", 2, 0, 0) + profile
    said = bytearray(file[:at] + colour + file[at + struct.unpack_from(">I", file, at)[0] :])
    struct.pack_into(">I", said, header, struct.unpack_from(">I", said, header)[0] - (len(file) - len(said)))
    return bytes(said)


def _box_inside(file: bytes) -> bytes:
    at, header = file.index(b"colr") - 4, file.index(b"jp2h") - 4
    said = bytearray(file[:at] + b"\0\0\0\x0exml CANARY" + file[at:])
    struct.pack_into(">I", said, header, struct.unpack_from(">I", said, header)[0] + 14)
    return bytes(said)


JPEG_2000 = {
    "profile": lambda: _with_profile(encoded(picture(), "JPEG2000"), b"CANARY" * 30),
    "short profile": lambda: _with_profile(encoded(picture(), "JPEG2000"), b"CANARY"),
    "box within": lambda: _box_inside(encoded(picture(), "JPEG2000")),
    "tile-part": lambda: _tile_part_remark(encoded(picture(), "JPEG2000", no_jp2=True)),
    "behind the end": lambda: encoded(picture(), "JPEG2000", no_jp2=True) + b"CANARY",
    "box behind": lambda: encoded(picture(), "JPEG2000") + b"\0\0\0\x0exml CANARY",
    "box before": lambda: _box_before(encoded(picture(), "JPEG2000")),
}


@pytest.mark.parametrize("where", JPEG_2000)
def test_remarks_anywhere_in_a_jpeg_2000_frame_go(where: str) -> None:
    data = raw_dicom(pixel_module(96, 112), encapsulated(JPEG_2000[where]()), syntax=b"1.2.840.10008.1.2.4.90")
    done = deidentify(data, SECRET)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(data, name="a")[0].pixels)


def test_a_colour_frame_keeps_its_colours_without_its_profile() -> None:
    colours = np.stack([picture(), picture(seed=1), picture(seed=2)], axis=-1)
    module = pixel_module(96, 112, samples=3, photometric=b"RGB ")
    frame = _with_profile(encoded(colours, "JPEG2000"), b"CANARY" * 500)
    data = raw_dicom(module, encapsulated(frame), syntax=b"1.2.840.10008.1.2.4.90")
    done = deidentify(data, SECRET)
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(data, name="a")[0].pixels)


def _deflated(samples: np.ndarray, behind: bytes = b"") -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(samples.tobytes()) + engine.flush() + behind


def _of_deflated_frames(*fragments: bytes, frames: int) -> bytes:
    module = pixel_module(96, 112, frames=frames)
    return raw_dicom(module, encapsulated(*fragments), syntax=b"1.2.840.10008.1.2.8.1")


def test_frames_deflated_each_for_itself_are_kept_without_what_hangs_behind_them() -> None:
    first, second = picture(), picture()[::-1].copy()
    data = _of_deflated_frames(_deflated(first, b"CANARY"), _deflated(second, b"CANARY"), frames=2)
    done = deidentify(data, SECRET)
    assert data.count(b"CANARY") == 2
    assert b"CANARY" not in done
    for before, after in zip(decode(data, name="a"), decode(done, name="b"), strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)


def test_deflated_frames_cut_anywhere_are_kept_where_it_is_one_and_refused_where_nothing_tells_them_apart() -> None:
    frame = _deflated(picture())
    pieces = frame[:40], frame[40:]
    one = _of_deflated_frames(*pieces, frames=1)
    np.testing.assert_array_equal(decode(deidentify(one, SECRET), name="b")[0].pixels, decode(one, name="a")[0].pixels)
    with pytest.raises(UnreadableImage):
        deidentify(_of_deflated_frames(*pieces, *pieces, frames=2), SECRET)


def test_a_deflated_file_comes_out_plain_and_a_bomb_is_refused():
    plain = written(dicom_set(picture(16, 16), PatientName="CANARY"))
    start = 132 + 12 + struct.unpack_from("<I", plain, 140)[0]

    def deflated(body):
        engine = zlib.compressobj(wbits=-15)
        return raw_dicom(syntax=b"1.2.840.10008.1.2.1.99")[:] + engine.compress(body) + engine.flush()

    data = deflated(plain[start:])
    done = deidentify(data, SECRET)
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(plain, name="a")[0].pixels)
    with pytest.raises(HilumError):
        deidentify(deflated(plain[start:] + bytes(2_000_000_000 // 4)), SECRET)


@pytest.mark.parametrize("cut", [10, 131, 200, 400, 600])
def test_what_cannot_be_read_whole_is_refused_in_our_own_words(cut):
    data = everything()[0]
    with pytest.raises(HilumError) as said:
        deidentify(data[:cut], SECRET)
    assert CANARY not in str(said.value)


def test_nesting_without_end_is_refused():
    deep = b"\x08\x00\x18\x22SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 10_000
    with pytest.raises(HilumError):
        deidentify(raw_dicom(pixel_module(8, 8), deep), SECRET)


def test_an_overlay_in_bits_that_no_sample_uses_and_what_hangs_behind_the_frames_go() -> None:
    """PS3.5 8.1.1: the bits above HighBit may hold an overlay (retired), and with it a name written as a picture."""
    values = np.random.default_rng(0).integers(0, 4096, (64, 80)).astype(np.uint16)
    clean = dicom_set(values, BitsStored=12, HighBit=11)
    told_too = dicom_set(values | np.uint16(1 << 15), BitsStored=12, HighBit=11)
    told_too.PixelData += b"MUELLER^ANNA"
    kept = dcmread(io.BytesIO(deidentify(dicom_bytes(told_too), SECRET)))
    assert kept.PixelData == clean.PixelData
    np.testing.assert_array_equal(
        decode(dicom_bytes(kept), name="x")[0].pixels, decode(dicom_bytes(clean), name="x")[0].pixels
    )


def test_signed_samples_keep_their_values() -> None:
    values = np.random.default_rng(0).integers(-2048, 2048, (16, 16)).astype(np.int16)
    film = dicom_set(values.view(np.uint16) & np.uint16(0x0FFF), BitsStored=12, HighBit=11, PixelRepresentation=1)
    before = decode(dicom_bytes(film), name="x")[0].pixels
    np.testing.assert_array_equal(decode(deidentify(dicom_bytes(film), SECRET), name="x")[0].pixels, before)


def unlisted(kind: str) -> int:
    """A tag below the pixels of this kind that PS3.15 does not list."""
    return next(
        tag
        for tag, (found, *_) in sorted(DicomDictionary.items())
        if found == kind and tag not in actions() and 0x0008 <= tag >> 16 < 0x7FE0 and tag >> 16 not in (0x0010, 0x0028)
    )


@pytest.mark.parametrize("kind", ["LO", "SH", "CS", "OB"])
@pytest.mark.parametrize("meant", ["PN", "DA", "LT"])
def test_a_kind_that_a_careless_writer_gives_hides_nothing(meant: str, kind: str) -> None:
    tag = unlisted(meant)
    data = dicom_bytes(dicom_set(np.zeros((8, 8), np.uint16)))
    value = b"19500101"
    said = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind.encode())
    said += struct.pack("<HI", 0, len(value)) if kind == "OB" else struct.pack("<H", len(value))
    at = (
        data.find(struct.pack("<HH", 0x0028, 0x0002))
        if tag >> 16 < 0x28
        else data.find(struct.pack("<HH", 0x7FE0, 0x10))
    )
    assert value not in deidentify(data[:at] + said + value + data[at:], SECRET)


@pytest.mark.parametrize("kind", ["LO", "SH", "CS", "ST", "UT", "OB", "DS"])
def test_a_uid_in_disguise_is_the_same_other_uid(kind: str) -> None:
    """A careless writer's frame of reference, which no other element repeats."""
    film, uid = dicom_set(np.zeros((8, 8), np.uint16)), "1.2.3.4567"
    film.add_new(0x00200052, "UI", uid)
    wanted = dcmread(io.BytesIO(deidentify(dicom_bytes(film), SECRET))).FrameOfReferenceUID
    del film[0x00200052]
    data, value = dicom_bytes(film), uid.encode()
    said = struct.pack("<HH2s", 0x0020, 0x0052, kind.encode())
    said += struct.pack("<HI", 0, len(value)) if kind in ("OB", "UT") else struct.pack("<H", len(value))
    at = data.find(struct.pack("<HH", 0x0028, 0x0002))
    done = deidentify(data[:at] + said + value + data[at:], SECRET)
    assert value not in done
    assert kind == "DS" or dcmread(io.BytesIO(done)).FrameOfReferenceUID == wanted


@pytest.mark.parametrize("kind", ["OB", "OW", "LO"])
def test_a_sequence_in_disguise_goes(kind: str) -> None:
    name = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 12) + b"MUELLER^ANNA"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(name)) + name
    said = struct.pack("<HH2s", 0x0008, 0x1140, kind.encode())
    said += struct.pack("<H", len(item)) if kind == "LO" else struct.pack("<HI", 0, len(item))
    data = dicom_bytes(dicom_set(np.zeros((8, 8), np.uint16)))
    at = data.find(struct.pack("<HH", 0x0028, 0x0002))
    assert b"MUELLER" not in deidentify(data[:at] + said + item + data[at:], SECRET)


def test_a_colour_profile_goes() -> None:
    film = dicom_set(np.zeros((8, 8), np.uint16))
    film.add_new(0x00282000, "OB", b"scanner of MUELLER")
    assert b"MUELLER" not in deidentify(dicom_bytes(film), SECRET)


@pytest.mark.parametrize("defined", [True, False])
def test_an_icon_of_compressed_pixels_stops_nothing(defined: bool) -> None:
    """Its fragments are items, and no data sets."""
    icon = item(pixel_module(96, 112) + encapsulated(encoded(picture(), "JPEG"), b"\xff" * 50))
    said = element(0x00880200, b"SQ", icon) if defined else element(0x00880200, b"SQ", icon + END, claims=UNDEFINED)
    film = raw_dicom(pixel_module(8, 8), said, element(0x7FE00010, b"OW", bytes(range(64))))
    done = deidentify(film, SECRET)
    np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(film, name="x")[0].pixels)


def test_sequences_deeper_than_any_are_not_kept() -> None:
    inside = b""
    for _ in range(200):
        inside = element(0x00540220, b"SQ", item(inside))
    with pytest.raises(UnreadableImage):
        deidentify(raw_dicom(pixel_module(8, 8), inside, element(0x7FE00010, b"OW", bytes(64))), SECRET)


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)])
def test_nothing_hangs_behind_pixels_that_are_floats(keyword: str, kind: type[np.floating]) -> None:
    said = dicom_set(picture())
    for needless in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(said, needless)
    said.BitsAllocated = np.dtype(kind).itemsize * 8
    setattr(said, keyword, (picture() / 255).astype(kind).tobytes() + b"DOE^JANE")
    data = dicom_bytes(said)
    kept = deidentify(data, SECRET)
    assert b"DOE^JANE" not in kept
    np.testing.assert_array_equal(decode(kept, name="kept")[0].pixels, decode(data, name="sent")[0].pixels)


def test_nothing_hangs_behind_pixels_of_which_two_share_their_colours() -> None:
    """YBR_FULL_422 (PS3.3 C.7.6.3.1.2): two samples a pixel, whatever SamplesPerPixel says."""
    module, pixels = pixel_module(8, 8, samples=3, photometric=b"YBR_FULL_422"), bytes(range(128))
    data = raw_dicom(module, element(0x7FE00010, b"OB", pixels + b"DOE^JANE"))
    kept = deidentify(data, SECRET)
    assert b"DOE^JANE" not in kept
    assert pixels in kept


@pytest.mark.parametrize("tag", [0x00100020, 0x0020000D], ids=["patient", "study"])
def test_a_value_longer_than_any_of_its_kind_is_not_parsed(tag: int) -> None:
    """Each part between two backslashes would become an object fifty times as large."""
    said = element(tag, b"UN", b"1\\" * 40_000)
    with pytest.raises(UnreadableImage):
        deidentify(raw_dicom(said, pixel_module(8, 8), element(0x7FE00010, b"OW", bytes(64))), SECRET)


def test_an_address_that_no_table_lists_goes() -> None:
    film = dicom_set(picture(8, 8))
    film.add_new(unlisted("UR"), "UR", "https://pacs.example.org/CANARY")
    assert b"CANARY" not in deidentify(dicom_bytes(film), SECRET)


@pytest.mark.parametrize("where", ["thumbnail", "behind the colours", "between scans", "after fill bytes"])
def test_remarks_go_wherever_they_stand_in_a_frame(where: str) -> None:
    frame, word = encoded(picture(), "JPEG", progressive=where == "between scans"), b"\xff\xfe\x00\x08CANARY"
    if where == "thumbnail":  # of JFIF: 1 x 2 pixels of 3 bytes
        frame = frame[:4] + struct.pack(">H", 16 + 6) + frame[6:18] + b"\x01\x02CANARY" + frame[20:]
    elif where == "behind the colours":
        frame = frame[:2] + b"\xff\xee" + struct.pack(">H", 14 + 6) + b"Adobe\0\x64\0\0\0\0\0CANARY" + frame[2:]
    else:
        at = frame.rindex(b"\xff\xda") if where == "between scans" else 20
        frame = frame[:at] + b"\xff" * (where == "after fill bytes") + word + frame[at:]
    data = raw_dicom(pixel_module(96, 112), encapsulated(frame), syntax=b"1.2.840.10008.1.2.4.50")
    done = deidentify(data, SECRET)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="b")[0].pixels, decode(data, name="a")[0].pixels)
