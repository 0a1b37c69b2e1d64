"""What is written whole is there whole, and nothing else beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.durable import sync_folder, write_whole


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "work.json"
    write_whole(file, b"one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["work.json"]
    sync_folder(tmp_path)


def test_what_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "work.json"
    write_whole(file, b"one")
    (tmp_path / "work.json.new").mkdir()  # in the way, even of the superuser
    with pytest.raises(OSError, match="directory"):
        write_whole(file, b"two")
    assert file.read_bytes() == b"one"
