"""What a person has at hand becomes files to be sent, with the values that it has."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hilum.client.sources import png_of, sources_of


def sent(array: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(png_of(array)))).astype(np.int64)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)], ids=["grey", "colours"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_every_width_become_the_same_picture(kind: type[np.floating], shape: tuple[int, ...]) -> None:
    """In half precision 65535 is infinite: all that was not black, and the black too, went out as zero."""
    array = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    most = 65535 if len(shape) == 2 else 255
    assert np.abs(sent(array.astype(kind)) - array * most).max() <= most / 1024 + 0.5


def test_folders_that_links_lead_to_are_sent_too_and_each_once_on_its_way(tmp_path: Path) -> None:
    """As a folder of studies is put together; they were left out without a word."""
    for name in ("kept/1/a.png", "set/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "set" / "study").symlink_to(tmp_path / "kept")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set")
    (tmp_path / "kept" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [source.name for source in sources_of(tmp_path / "set")] == ["b.png", "study/1/a.png"]


def test_files_of_a_folder_that_are_called_by_a_uid_are_sent_too(tmp_path: Path) -> None:
    """As a PACS exports them: they were left out without a word, and so were .jfif and .jpe."""
    names = ["1.2.840.10008.1", "IM0001.12", "a.jfif", "b.JPE", "c"]
    for name in (*names, "notes.txt", "table.csv"):
        (tmp_path / name).write_bytes(b"x")
    assert [source.name for source in sources_of(tmp_path)] == names
