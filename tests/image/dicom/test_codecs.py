"""decode_apart: a decoder that refuses, dies or stalls costs one file, and the next file is decoded again."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import UnreadableImage
from hilum.image.decode import decode
from hilum.image.dicom import codecs
from tests.image.made import encapsulated, encoded, picture, pixel_module, raw_dicom

BASELINE = b"1.2.840.10008.1.2.4.50"


def jpeg_file(frame: bytes, frames: int = 1) -> bytes:
    pixels = encapsulated(*[frame] * frames)
    return raw_dicom(pixel_module(96, 112, frames=frames), pixels, syntax=BASELINE)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No child of an earlier test."""
    monkeypatch.setattr(codecs, "_CHILDREN", threading.local())
    return monkeypatch


def test_frames_come_in_order_from_one_child() -> None:
    whole = encoded(picture(), "JPEG")
    images = decode(jpeg_file(whole, frames=3), name="three")
    child = codecs._CHILDREN.child
    assert [image.frame for image in images] == [0, 1, 2]
    np.testing.assert_allclose(images[2].pixels.mean(), decode(whole, name="jpeg")[0].pixels.mean(), atol=0.1)
    decode(jpeg_file(whole), name="again")
    assert codecs._CHILDREN.child is child


def test_a_refused_frame_leaves_the_child_alive() -> None:
    whole = encoded(picture(), "JPEG")
    decode(jpeg_file(whole), name="good")
    child = codecs._CHILDREN.child
    with pytest.raises(UnreadableImage, match="cut: its compressed pixels are broken"):
        decode(jpeg_file(whole[: len(whole) // 2]), name="cut")
    assert codecs._CHILDREN.child is child


def test_a_forked_process_has_a_child_of_its_own() -> None:
    data = jpeg_file(encoded(picture(), "JPEG"))
    decode(data, name="parent")
    child = os.fork()
    if child == 0:
        owner = codecs._CHILDREN.child.owner
        os._exit(0 if len(decode(data, name="forked")) == 1 and codecs._CHILDREN.child.owner != owner else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(decode(data, name="parent again")) == 1


@pytest.mark.parametrize(
    ("program", "seconds"),
    [("import os; os.abort()", 60.0), ("import time; time.sleep(60)", 0.5), ("print('{')", 60.0)],
    ids=["dies", "stalls", "raves"],
)
def test_a_dead_or_stalled_decoder_costs_one_file(fresh: pytest.MonkeyPatch, program: str, seconds: float) -> None:
    data = jpeg_file(encoded(picture(), "JPEG"))
    with fresh.context() as broken:
        broken.setattr(codecs, "_COMMAND", (sys.executable, "-S", "-c", program))
        broken.setattr(codecs, "MOST_SECONDS", seconds)
        with pytest.raises(UnreadableImage, match="deadly: its compressed pixels kill or stall the decoder"):
            decode(data, name="deadly")
    assert len(decode(data, name="next")) == 1


def test_the_decoder_imports_nothing_from_the_folder_that_the_user_stands_in(
    fresh: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    fresh.chdir(tmp_path)
    assert len(decode(jpeg_file(encoded(picture(), "JPEG")), name="film")) == 1


def test_a_decoder_that_was_killed_while_nothing_was_asked_costs_no_file(fresh: pytest.MonkeyPatch) -> None:
    data = jpeg_file(encoded(picture(), "JPEG"))
    decode(data, name="before")
    gone = codecs._CHILDREN.child
    gone.process.kill()
    gone.process.wait()
    assert len(decode(data, name="after")) == 1
    assert codecs._CHILDREN.child is not gone
