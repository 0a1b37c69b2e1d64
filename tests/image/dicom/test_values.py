"""The value path: what DICOM means to be seen is what the same picture shows as a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.sequence import Sequence

from hilum.image.decode import decode, read_image_file
from hilum.image.image import Image
from hilum.image.prepare import Preparation, prepare
from tests.image.made import dicom_bytes, dicom_set, encoded, picture

# What a network sees of the same picture as PNG and as DICOM may differ by this many of 255 levels.
MEAN_LEVELS, WORST_LEVELS = 0.25, 2
PREPARATIONS = (
    Preparation(size=64),
    Preparation(size=128, geometry="central", keep=0.9),
    Preparation(size=128, geometry="foreground"),
)


def wrapped(plane: np.ndarray, bits: int, *, inverted: bool, signed: bool, rescaled: bool, window: bool) -> bytes:
    """A uint8 picture as a DICOM file of `bits` stored bits that means the same picture."""
    full = 2**bits - 1
    values = np.round(plane * (full / 255.0))
    values = full - values if inverted else values
    offset = 2 ** (bits - 1) if signed else 0
    kind = f"{'int' if signed else 'uint'}{8 if bits == 8 else 16}"
    elements: dict[str, object] = {"BitsStored": bits, "HighBit": bits - 1}
    if inverted:
        elements["PhotometricInterpretation"] = "MONOCHROME1"
    slope, intercept = (2.5, -1000.0) if rescaled else (1.0, 0.0)
    if rescaled:
        elements |= {"RescaleSlope": slope, "RescaleIntercept": intercept}
    if window:
        low, high = (edge * slope + intercept for edge in (-offset, full - offset))
        elements |= {"WindowCenter": (low + high) / 2, "WindowWidth": high - low, "VOILUTFunction": "LINEAR_EXACT"}
    return dicom_bytes(dicom_set((values - offset).astype(kind), **elements))


def pixels(said: Dataset) -> np.ndarray:
    (image,) = decode(dicom_bytes(said), name="made")
    return image.pixels


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("window", [False, True])
def test_a_wrapped_picture_is_the_same_picture(
    bits: int, *, inverted: bool, signed: bool, rescaled: bool, window: bool
) -> None:
    plane = picture(seed=bits)
    data = wrapped(plane, bits, inverted=inverted, signed=signed, rescaled=rescaled, window=window)
    (image,) = decode(data, name="wrapped")
    (original,) = decode(encoded(plane, "PNG"), name="png")
    if window:
        np.testing.assert_allclose(image.pixels, original.pixels, atol=0.51 / 255)
    assert_seen_alike(image, original)


def assert_seen_alike(image: Image, original: Image) -> None:
    for preparation in PREPARATIONS:
        difference = np.abs(prepare(image, preparation).astype(int) - prepare(original, preparation))
        assert difference.mean() <= MEAN_LEVELS
        assert difference.max() <= WORST_LEVELS


@pytest.mark.parametrize("folder", ["brain-mri-4class", "brain-mri-binary", "chest-xray"])
def test_real_images_wrapped_are_seen_alike(real_images: Path, folder: str) -> None:
    files = sorted(
        path for path in (real_images / folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    for path in files[:: len(files) // 12]:
        (original,) = read_image_file(path)
        plane = np.round(original.pixels * 255).astype(np.uint8)
        data = wrapped(plane, 12, inverted=True, signed=True, rescaled=True, window=False)
        (image,) = decode(data, name=path.name)
        assert_seen_alike(image, original)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), bits=st.sampled_from([8, 10, 16]))
def test_monochrome1_and_its_inverse_decode_to_the_same_image(seed: int, bits: int) -> None:
    generator = np.random.default_rng(seed)
    plane = generator.integers(0, 2**bits, (17, 23)).astype(np.uint8 if bits == 8 else np.uint16)
    about = {"BitsStored": bits, "HighBit": bits - 1}
    one = dicom_set((2**bits - 1 - plane).astype(plane.dtype), PhotometricInterpretation="MONOCHROME1", **about)
    np.testing.assert_allclose(pixels(one), pixels(dicom_set(plane, **about)), atol=1e-6)


def test_the_linear_window_is_the_formula_of_the_standard() -> None:
    """PS3.3 C.11.2.1.2.1, its note on centre 2048 and width 4096."""
    values = np.array([[0, 1023, 2047, 2048, 3071, 4095, 5000]], np.uint16)
    said = dicom_set(values, WindowCenter=2048, WindowWidth=4096)
    expected = np.clip((values - 2047.5) / 4095 + 0.5, 0, 1)
    np.testing.assert_allclose(pixels(said), expected, atol=1e-6)


def test_a_sigmoid_window_is_half_at_its_centre() -> None:
    values = np.array([[0, 500, 1000, 1500, 60000]], np.uint16)
    said = dicom_set(values, WindowCenter=1000, WindowWidth=400, VOILUTFunction="SIGMOID")
    shown = pixels(said)[0]
    assert shown[2] == pytest.approx(0.5)
    assert shown[1] == pytest.approx(1 / (1 + np.exp(5)), abs=1e-6)
    assert (np.diff(shown) >= 0).all()


def test_the_first_of_several_windows_counts() -> None:
    plane = np.round(picture() * (4095 / 255)).astype(np.uint16)
    several = dicom_set(plane, WindowCenter=[2048, 40], WindowWidth=[4096, 80])
    np.testing.assert_array_equal(pixels(several), pixels(dicom_set(plane, WindowCenter=2048, WindowWidth=4096)))


@pytest.mark.parametrize("broken", [{"WindowWidth": 0}, {"WindowWidth": -5}, {"WindowCenter": 60000}])
def test_a_window_that_shows_nothing_is_ignored(broken: dict[str, int]) -> None:
    plane = np.round(picture() * (4095 / 255)).astype(np.uint16)
    said = dicom_set(plane, **({"WindowCenter": 2048, "WindowWidth": 10} | broken))
    np.testing.assert_array_equal(pixels(said), pixels(dicom_set(plane)))


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_look_up_table_maps_and_holds_its_ends(keyword: str) -> None:
    item = Dataset()
    item.LUTDescriptor = [3, 10, 16]
    item.LUTData = [0, 30000, 65535]
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    if keyword == "ModalityLUTSequence":
        item.ModalityLUTType = "US"
    values = np.array([[0, 10, 11, 12, 200]], np.uint16)
    said = dicom_set(values, **{keyword: Sequence([item])})
    np.testing.assert_allclose(pixels(said)[0], np.array([0, 0, 30000, 65535, 65535]) / 65535, atol=0.02)


def test_padding_is_black_and_does_not_count() -> None:
    plane = np.round(picture() * (1000 / 255)).astype(np.int16)
    plane[:, :30] = -2000
    said = dicom_set(plane, PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1")
    said["PixelPaddingValue"].VR = "SS"
    shown = pixels(said)
    assert (shown[:, :30] == 0).all()
    np.testing.assert_allclose(shown[:, 30:], pixels(dicom_set(1000 - plane[:, 30:])), atol=1e-6)


def test_the_functional_groups_of_a_frame_come_first() -> None:
    frames = np.stack([np.round(picture() * (4095 / 255)).astype(np.uint16)] * 2)
    said = dicom_set(frames, WindowCenter=1, WindowWidth=2)
    groups = []
    for centre in (2048, 1024):
        window, measures, group = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 4096
        measures.PixelSpacing = [centre / 1024, 1]
        group.FrameVOILUTSequence, group.PixelMeasuresSequence = Sequence([window]), Sequence([measures])
        groups.append(group)
    said.PerFrameFunctionalGroupsSequence = Sequence(groups)
    first, second = decode(dicom_bytes(said), name="enhanced")
    assert (first.spacing_mm, second.spacing_mm) == ((2.0, 1.0), (1.0, 1.0))
    assert (first.frame, second.frame) == (0, 1)
    assert second.pixels.mean() > first.pixels.mean() + 0.1


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("sequence", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"])
def test_a_look_up_table_of_a_functional_group_is_the_frame_s(sequence: str, syntax: str) -> None:
    """As enhanced angiograms have it (C.7.6.16.2.10b), where it comes before the data set's own window."""
    table, view, group = Dataset(), Dataset(), Dataset()
    table.add_new("LUTDescriptor", "US", [3, 10, 16])
    table.add_new("LUTData", "US", [65535, 30000, 0])
    view.VOILUTSequence = Sequence([table])
    group.FrameVOILUTSequence = Sequence([view])
    values = np.array([[0, 10, 11, 12, 200]], np.uint16)
    said = dicom_set(values, WindowCenter=1, WindowWidth=2, **{sequence: Sequence([group])})
    (image,) = decode(dicom_bytes(said, syntax), name="angiogram")
    np.testing.assert_allclose(image.pixels[0], np.array([65535, 65535, 30000, 0, 0]) / 65535, atol=1e-6)


def test_colour_is_its_luma_and_its_share() -> None:
    plane = picture()
    coloured = np.stack([plane] * 3, axis=-1)
    coloured[:48, :, 0] = 255
    (image,) = decode(dicom_bytes(dicom_set(coloured)), name="colour")
    (original,) = decode(encoded(coloured, "PNG"), name="png")
    np.testing.assert_array_equal(image.pixels, original.pixels)
    assert image.colour_share == original.colour_share == pytest.approx(0.5, abs=0.02)


def test_metadata_is_what_the_header_says_and_no_name() -> None:
    about = {
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientName": "Doe^Jane",
        "PatientID": "P-7",
        "BurnedInAnnotation": "NO",
        "ImagerPixelSpacing": [0.2, 0.1],
    }
    (image,) = decode(dicom_bytes(dicom_set(picture(), **about)), name="made")
    said = image.metadata
    assert (said.modality, said.body_part, said.view, said.patient, said.burned_in) == (
        "DX",
        "CHEST",
        "PA",
        "P-7",
        False,
    )
    assert image.spacing_mm == (0.2, 0.1)
    assert "P-7" not in repr(image)
    assert "Doe" not in repr(said)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_a_file_without_preamble_is_read(syntax: str) -> None:
    said = dicom_set(picture())
    whole = decode(dicom_bytes(said, syntax), name="whole")[0]
    (bare,) = decode(dicom_bytes(said, syntax, preamble=False), name="bare")
    np.testing.assert_array_equal(bare.pixels, whole.pixels)


@pytest.mark.parametrize("bounds", [(5000, 10), (-5000, 10)], ids=["all black", "all white"])
def test_a_window_that_shows_nothing_is_ignored_with_padding_too(bounds: tuple[int, int]) -> None:
    samples = np.full((32, 32), 3000, np.uint16)
    samples[8:24, 8:24] = np.arange(256).reshape(16, 16)
    centre, width = bounds
    plain = dicom_set(samples, PixelPaddingValue=3000)
    wrong = dicom_set(samples, PixelPaddingValue=3000, WindowCenter=centre, WindowWidth=width)
    seen, wanted = (decode(dicom_bytes(each), name="x")[0].pixels for each in (wrong, plain))
    assert np.ptp(wanted) > 0.9
    np.testing.assert_array_equal(seen, wanted)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"], ids=["implicit", "explicit"])
def test_a_voi_table_of_negative_values_begins_where_it_says(syntax: str) -> None:
    """Hounsfield units of unsigned samples: the first value mapped is signed, and implicit files cannot say so."""
    samples = np.arange(0, 2048, 2, dtype=np.uint16).reshape(32, 32)
    table = Dataset()
    table.add_new(0x00283002, "SS", [2048, -1024, 16])
    table.add_new(0x00283006, "OW", (np.arange(2048, dtype=np.uint16) * 32).tobytes())
    said = dicom_set(samples, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=[table])
    seen = decode(dicom_bytes(said, syntax), name="x")[0].pixels
    np.testing.assert_allclose(seen, samples * np.float32(32 / 65535), atol=1e-6)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 500, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}])
def test_a_slope_below_nought_turns_the_picture(window: dict[str, object]) -> None:
    """What rises in the file falls in its units."""
    samples = np.linspace(0, 1000, 1024).astype(np.uint16).reshape(32, 32)
    said = dicom_set(samples, RescaleSlope=-1, RescaleIntercept=1000, **window)
    np.testing.assert_allclose(pixels(said), 1 - samples / 1000, atol=1e-5)


def table(descriptor: list[int], entries: np.ndarray) -> Dataset:
    """An item of a look-up table whose entries are bytes, as most files have them."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", entries.tobytes())
    return item


def test_a_voi_table_is_asked_for_the_rescaled_value() -> None:
    samples = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    item = table([1024, 100, 16], np.arange(1024, dtype=np.uint16) * 64)
    said = dicom_set(samples, RescaleSlope=2, RescaleIntercept=-300, VOILUTSequence=[item])
    expected = np.clip(samples * 2.0 - 300 - 100, 0, 1023) * 64 / 65535
    np.testing.assert_allclose(pixels(said), expected, atol=1e-6)


def test_a_table_of_all_values_there_are_says_nought_entries() -> None:
    """65,536 is no number of 16 bits (C.11.2.1.1)."""
    samples = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    said = dicom_set(samples, VOILUTSequence=[table([0, 0, 16], np.arange(65536, dtype=np.uint16)[::-1])])
    np.testing.assert_allclose(pixels(said), 1 - samples / 65535, atol=1e-6)


def test_a_table_of_8_bits_has_a_byte_an_entry() -> None:
    samples = np.arange(256, dtype=np.uint8).reshape(16, 16)
    said = dicom_set(samples, VOILUTSequence=[table([256, 0, 8], np.arange(256, dtype=np.uint8)[::-1])])
    np.testing.assert_allclose(pixels(said), 1 - samples / 255, atol=1e-6)


def test_a_table_of_signed_samples_begins_below_nought() -> None:
    samples = np.arange(-512, 512, dtype=np.int16).reshape(32, 32)
    item = table([1024, 65536 - 512, 16], np.arange(1024, dtype=np.uint16)[::-1] * 64)
    item.ModalityLUTType = "US"
    said = dicom_set(samples, ModalityLUTSequence=[item])
    np.testing.assert_allclose(pixels(said), (511 - samples.astype(float)) / 1023, atol=1e-5)


def test_an_inverse_presentation_is_inverted() -> None:
    said = dicom_set(picture(), PresentationLUTShape="INVERSE")
    np.testing.assert_allclose(pixels(said), 1 - pixels(dicom_set(picture())), atol=1e-6)


@pytest.mark.parametrize("ends", [(60000, 61000), (61000, 60000)])
def test_a_range_of_padding_is_black_from_end_to_end(ends: tuple[int, int]) -> None:
    plane = np.round(picture() * (1000 / 255)).astype(np.uint16)
    plane[:4], plane[4:8], plane[8:12] = 60000, 60500, 61000
    shown = pixels(dicom_set(plane, PixelPaddingValue=ends[0], PixelPaddingRangeLimit=ends[1]))
    assert (shown[:12] == 0).all()
    np.testing.assert_allclose(shown[12:], pixels(dicom_set(plane[12:])), atol=1e-6)


def test_padding_of_signed_samples_that_was_written_without_a_sign_is_meant_with_one() -> None:
    plane = np.round(picture() * (1000 / 255)).astype(np.int16)
    plane[:, :30] = -2000
    said = dicom_set(plane, PixelPaddingValue=0)
    said.add_new("PixelPaddingValue", "US", 65536 - 2000)
    np.testing.assert_allclose(pixels(said)[:, 30:], pixels(dicom_set(plane[:, 30:])), atol=1e-6)


def test_colour_of_12_bits_is_the_colour_of_8() -> None:
    coloured = np.stack([picture(), picture() // 2, picture()], axis=-1)
    deep = np.round(coloured * (4095 / 255)).astype(np.uint16)
    (found,) = decode(dicom_bytes(dicom_set(deep, BitsStored=12, HighBit=11)), name="deep")
    (original,) = decode(encoded(coloured, "PNG"), name="png")
    np.testing.assert_array_equal(found.pixels, original.pixels)
    assert found.colour_share == pytest.approx(original.colour_share, abs=0.02)


def test_the_grey_of_luma_and_chroma_is_the_luma_and_its_colour_is_seen() -> None:
    samples = np.full((96, 112, 3), 128, np.uint8)
    samples[..., 0] = picture()
    samples[:48, :, 1:] = 220
    (found,) = decode(dicom_bytes(dicom_set(samples, PhotometricInterpretation="YBR_FULL")), name="ybr")
    np.testing.assert_allclose(found.pixels, picture() / 255, atol=1e-6)
    assert found.colour_share == pytest.approx(0.5, abs=0.02)


CHANNELS = ("Red", "Green", "Blue")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_shows_the_colours_that_pydicom_finds_in_it(bits: int) -> None:
    random, indices = np.random.default_rng(bits), np.arange(256, dtype=np.uint8).reshape(16, 16)
    said = dicom_set(indices, PhotometricInterpretation="PALETTE COLOR")
    for channel in CHANNELS:
        entries = random.integers(0, 2**bits, 200).astype(np.uint8 if bits == 8 else np.uint16)
        said.add_new(f"{channel}PaletteColorLookupTableDescriptor", "US", [200, 10, bits])
        said.add_new(f"{channel}PaletteColorLookupTableData", "OW", entries.tobytes())
    assert_seen_as_pydicom_sees_it(said, indices)


def test_a_palette_of_segments_is_the_one_that_pydicom_makes_of_them() -> None:
    """Values as they are, a rise, a fall, and the first two segments once more."""
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    said = dicom_set(indices, PhotometricInterpretation="PALETTE COLOR")
    for lift, channel in enumerate(CHANNELS):
        segments = [0, 4, lift * 900, 10000, 5000, 65535, 1, 60, 300, 1, 128, 64000 - lift * 9000, 2, 2, 0, 0]
        said.add_new(f"{channel}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        data = np.array(segments, np.uint16).tobytes()
        said.add_new(f"Segmented{channel}PaletteColorLookupTableData", "OW", data)
    assert_seen_as_pydicom_sees_it(said, indices)


def assert_seen_as_pydicom_sees_it(said: Dataset, indices: np.ndarray) -> None:
    colours = apply_color_lut(indices, said)
    if colours.dtype != np.uint8:
        colours = (colours >> 8).astype(np.uint8)
    (found,) = decode(dicom_bytes(said), name="palette")
    (original,) = decode(encoded(colours, "PNG"), name="png")
    np.testing.assert_allclose(found.pixels, original.pixels, atol=1.01 / 255)
    assert found.colour_share == pytest.approx(original.colour_share, abs=0.02)
