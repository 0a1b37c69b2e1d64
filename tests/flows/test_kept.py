"""What is kept of a received file: names never, and nothing at all where they cannot be taken out."""

from __future__ import annotations

import functools
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from hilum import bootstrap
from hilum.flows.answer import Ask
from hilum.image.decode import decode
from hilum.parts import _clean
from tests.flows.recorded import FILMS, clerk, settings_for
from tests.image.made import dicom_bytes, dicom_set

# Behind the pixels, where nobody looks who only wants them.
DEEP = (struct.pack("<HH2sHI", 0x7FE1, 0x1010, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000


@pytest.fixture
def asked(tmp_path):
    """Answers one file; gives the answer and what is kept of it."""
    settings = settings_for(tmp_path)
    desk = bootstrap.desk(settings, task="pneumonia-cxr")

    def ask(data):
        with clerk(settings) as who:
            object.__setattr__(who._places, "clean", functools.partial(_clean, secret=b"s" * 32))
            (future,) = who.answer([Ask(data, "CANARY.dcm", desk, "pneumonia-cxr")])
            said = json.loads(future.result().bodies[0])
            record = who._places.records.get(said["id"])
            key = record.entry.columns.image
            return said, key and who._places.images.get(key)

    return ask


def film(**elements):
    samples = np.rint(decode(FILMS[0].read_bytes(), name="film")[0].pixels * 255).astype(np.uint8)
    return dicom_bytes(dicom_set(samples, Modality="DX", PatientName="CANARY", BodyPartExamined="CHEST", **elements))


def test_a_dicom_is_kept_without_names(asked):
    said, kept = asked(film())
    assert said["prediction"]
    assert b"CANARY" not in kept
    np.testing.assert_array_equal(decode(kept, name="a")[0].pixels, decode(film(), name="b")[0].pixels)


def deep(levels: int) -> bytes:
    """Sequences in sequences, where nobody looks who only wants the pixels."""
    inside = b""
    for _ in range(levels):
        inside = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
        inside = struct.pack("<HH2sHI", 0x0054, 0x0220, b"SQ", 0, len(inside)) + inside
    return inside


def test_a_dicom_that_cannot_be_freed_of_names_is_answered_and_not_kept(asked):
    data = film()
    at = data.index(b"\xe0\x7f\x10\x00")
    said, kept = asked(data[:at] + deep(500) + data[at:])
    assert said["prediction"]
    assert kept is None


def test_what_stands_behind_the_pixels_of_a_dicom_goes(asked):
    said, kept = asked(film() + DEEP)
    assert said["prediction"]
    assert DEEP[:12] not in kept


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_what_is_written_beside_a_picture_is_not_kept_and_the_kept_one_answers_alike(asked, form):
    out, words = io.BytesIO(), PngInfo()
    words.add_text("Patient", "CANARY")
    options = {
        "PNG": {"pnginfo": words},
        "TIFF": {"tiffinfo": {270: "CANARY", 315: "CANARY"}},
        "JPEG": {"comment": b"CANARY"},
    }
    with Picture.open(FILMS[0]) as picture:
        picture.save(out, form, **options[form])
    said, kept = asked(out.getvalue())
    assert b"CANARY" in out.getvalue()
    assert b"CANARY" not in kept
    again, _ = asked(kept)
    assert said["prediction"]
    assert (again["probabilities"], again["gate"]) == (said["probabilities"], said["gate"])


@pytest.mark.parametrize(("said", "expected"), [("YES", ["burned_in_text"]), ("NO", None), ("", None)])
def test_a_file_that_says_it_has_names_in_its_pixels_is_answered_with_a_warning(asked, said, expected):
    answer, kept = asked(film(BurnedInAnnotation=said))
    assert answer.get("warnings") == expected
    assert answer["prediction"]
    assert kept
