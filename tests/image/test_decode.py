"""decode: any allowed file -> grey Images in [0, 1]; anything else a named error."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import features

from hilum.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from hilum.image.decode import decode, from_array
from hilum.image.limits import Limits


def encoded(array: np.ndarray, form: str, mode: str | None = None, **options: object) -> bytes:
    """An array as the bytes of an image file."""
    picture = Pillow.fromarray(array)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def ramp() -> np.ndarray:
    """(24, 32) uint8, every row a ramp from 0 to 248."""
    return np.tile(np.arange(0, 256, 8, dtype=np.uint8), (24, 1))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_every_lossless_format_and_mode_gives_the_same_grey(ramp: np.ndarray, form: str, mode: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    (image,) = decode(encoded(ramp, form, mode, **options), name="ramp")
    expected = ramp / 255 if mode != "1" else np.asarray(Pillow.fromarray(ramp).convert("1"), float)
    np.testing.assert_allclose(image.pixels, expected, atol=1e-6)
    assert image.metadata.format == form
    assert (image.metadata.width, image.metadata.height) == (32, 24)
    assert image.colour_share == 0.0


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"\x80\x04\x95" + bytes(64)])
def test_what_is_no_image_is_named_and_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImage, match=r"notes\.txt: ") as caught:
        decode(data, name="notes.txt")
    assert isinstance(caught.value, UnsupportedFormat) == bool(data)


@pytest.mark.skipif(not features.check("libtiff"), reason="Pillow was built without libtiff")
def test_a_broken_tiff_is_told_in_our_words_alone(ramp: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    """libtiff printed "ZIPDecode: Decoding error" on stderr, without the name of the file."""
    whole = encoded(ramp, "TIFF", compression="tiff_adobe_deflate")
    packed = whole.index(b"\x78", 8)  # where the compressed rows begin
    with pytest.raises(UnreadableImage, match=r"film\.tif: the TIFF data is broken"):
        decode(whole[: packed + 2] + b"\xff" * 8 + whole[packed + 10 :], name="film.tif")
    assert capfd.readouterr().err == ""


def test_an_array_decodes_as_its_png_does(ramp: np.ndarray) -> None:
    (image,) = decode(encoded(ramp, "PNG"), name="ramp.png")
    np.testing.assert_array_equal(from_array(ramp, "ramp").pixels, image.pixels)


@pytest.mark.parametrize("shape", [(70, 70), (70, 70, 3)])
def test_an_array_without_a_single_number_is_no_black_image(shape: tuple[int, ...]) -> None:
    array = np.full(shape, np.nan, np.float32)
    with pytest.raises(UnreadableImage, match="all its pixels are NaN or infinite"):
        from_array(array, "row 0")
    array[0], array[1] = 0.0, 1.0  # some numbers: the others are black, as in a map that was masked
    assert from_array(array, "row 0").pixels.max() == 1.0


@pytest.mark.parametrize(("form", "mode"), [("WEBP", "RGB"), ("JPEG", "CMYK"), ("TIFF", "F"), ("TIFF", "RGB")])
def test_what_takes_more_memory_a_pixel_may_have_fewer_of_them(form: str, mode: str) -> None:
    file = io.BytesIO()
    Pillow.new(mode, (100, 100)).save(file, form)
    with pytest.raises(ImageTooLarge, match="100 x 100 pixels"):
        decode(file.getvalue(), name="large", limits=Limits(max_pixels=10_500))
    (found,) = decode(file.getvalue(), name="large", limits=Limits(max_pixels=26_000))
    assert found.pixels.shape == (100, 100)


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("TIFF", "RGBA"), ("WEBP", "RGBA"), ("PNG", "LA")])
def test_what_is_transparent_is_as_black_as_it_is_transparent(ramp: np.ndarray, form: str, mode: str) -> None:
    alpha = np.repeat(np.array([[0], [128], [255]], np.uint8), 8, axis=0) + np.zeros_like(ramp)
    layers = [ramp, alpha] if mode == "LA" else [ramp, ramp, ramp, alpha]
    options = {"lossless": True} if form == "WEBP" else {}
    (image,) = decode(encoded(np.stack(layers, axis=-1), form, **options), name="ramp")
    assert image.metadata.mode == mode
    np.testing.assert_allclose(image.pixels, ramp / 255 * (alpha / 255), atol=1e-6)


@pytest.mark.parametrize(("mode", "clear"), [("L", 64), ("P", 64), ("RGB", (64, 64, 64))])
def test_a_grey_that_a_png_calls_transparent_is_black(
    ramp: np.ndarray, mode: str, clear: int | tuple[int, int, int]
) -> None:
    (image,) = decode(encoded(ramp, "PNG", mode, transparency=clear), name="ramp")
    np.testing.assert_allclose(image.pixels, np.where(ramp == 64, 0, ramp / 255), atol=1e-6)
