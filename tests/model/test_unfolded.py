"""Unfolded graphs on the shelf: the same bits, made once, and none that somebody else could have written."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import PackageDamaged
from hilum.model import unfolded
from hilum.model.engine import Engine
from hilum.model.unfolded import MOST, Shelf
from tests.conftest import ROOT

GRAPH = (ROOT / "models" / "pneumonia-cxr" / "model.onnx").read_bytes()
SIZE = 192


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "graphs")


@pytest.fixture
def unfoldings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each graph that was unfolded."""
    counted: list[int] = []
    made = unfolded._made
    monkeypatch.setattr(unfolded, "_made", lambda graph, options: (counted.append(1), made(graph, options))[1])
    return counted


def files(shelf: Shelf) -> list[Path]:
    return sorted(shelf.folder.iterdir())


def answer(engine: Engine) -> bytes:
    pixels = np.random.default_rng(7).integers(0, 256, (2, 1, SIZE, SIZE), dtype=np.uint8)
    said = engine.run(pixels)
    return said.logits.tobytes() + said.features.tobytes() + said.maps.tobytes()


def engine(shelf: Shelf | None) -> Engine:
    return Engine(GRAPH, size=SIZE, shelf=shelf)


def test_it_is_made_once_and_answers_with_the_same_bits(shelf: Shelf, unfoldings: list[int]) -> None:
    expected = answer(engine(None))
    assert [answer(engine(shelf)) for _ in range(3)] == [expected] * 3
    assert len(unfoldings) == 1
    (file,) = files(shelf)
    assert (file.stat().st_mode & 0o777, shelf.folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_changed_file_is_not_used_but_made_anew(shelf: Shelf, unfoldings: list[int]) -> None:
    expected = answer(engine(shelf))
    (file,) = files(shelf)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert answer(engine(shelf)) == expected
    assert len(unfoldings) == 2
    assert len(files(shelf)) == 1


@pytest.mark.parametrize("content", [b"", b"ORTM no graph"])
def test_a_file_of_the_right_name_that_is_no_graph_is_replaced(shelf: Shelf, content: bytes) -> None:
    expected = answer(engine(shelf))
    (file,) = files(shelf)
    name = file.stem.rpartition("-")[0]
    file.write_bytes(content)
    if content:
        file.rename(shelf.folder / f"{name}-{unfolded._hash(file)}.ort")
    assert answer(engine(shelf)) == expected
    (anew,) = files(shelf)
    assert anew.stat().st_size > 1_000_000


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_others_may_write_is_not_used(shelf: Shelf, unfoldings: list[int], which: str) -> None:
    expected = answer(engine(shelf))
    (file,) = files(shelf)
    path = file if which == "file" else shelf.folder
    path.chmod(path.stat().st_mode | 0o022)
    kept = {one: one.stat().st_mtime_ns for one in files(shelf)}
    assert answer(engine(shelf)) == expected
    assert len(unfoldings) == 2
    if which == "folder":
        assert {one: one.stat().st_mtime_ns for one in files(shelf)} == kept  # nothing is written there either


def test_another_processor_or_version_has_a_file_of_its_own(
    shelf: Shelf, unfoldings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(shelf)
    monkeypatch.setattr(unfolded, "_machine", lambda: "0123456789abcdef")
    engine(shelf)
    assert (len(files(shelf)), len(unfoldings)) == (2, 2)
    monkeypatch.setattr(unfolded, "_machine", lambda: None)  # it does not say what it is: nothing is kept
    engine(shelf)
    assert (len(files(shelf)), len(unfoldings)) == (2, 3)


def test_one_that_answers_otherwise_is_not_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    other = (ROOT / "models" / "brain-tumor-presence-mri" / "model.onnx").read_bytes()
    session = Engine(other, size=SIZE)._session
    monkeypatch.setattr(unfolded, "_mapped", lambda *_: session)
    assert answer(engine(shelf)) == answer(engine(None))
    assert files(shelf) == []


def test_without_a_place_for_it_the_graph_is_opened_as_ever(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    assert answer(engine(Shelf(tmp_path / "taken" / "graphs"))) == answer(engine(None))


def test_a_graph_that_is_none_is_refused(shelf: Shelf) -> None:
    with pytest.raises(PackageDamaged, match="refuses"):
        Engine(b"no graph", size=SIZE, shelf=shelf)
    assert files(shelf) == []


def test_what_is_old_and_drafts_of_the_dead_go(shelf: Shelf) -> None:
    shelf.folder.mkdir(mode=0o700)
    for i in range(MOST + 3):
        (shelf.folder / f"old-{i}.ort").write_bytes(b"x")
        os.utime(shelf.folder / f"old-{i}.ort", (i, i))
    dead, alive = shelf.folder / ".a-1.tmp", shelf.folder / ".b-2.tmp"
    for draft in (dead, alive):
        draft.write_bytes(b"x")
    os.utime(dead, (0, 0))
    engine(shelf)
    names = [file.name for file in files(shelf)]
    assert len([name for name in names if name.endswith(".ort")]) == MOST
    assert "old-3.ort" not in names
    assert (dead.exists(), alive.exists()) == (False, True)


def _ask(shelf: Shelf, pipe: multiprocessing.SimpleQueue[bytes]) -> None:
    pipe.put(answer(engine(shelf)))


def test_processes_that_begin_together_do_not_disturb_one_another(shelf: Shelf) -> None:
    context = multiprocessing.get_context("spawn")
    pipe = context.SimpleQueue()
    asked = [context.Process(target=_ask, args=(shelf, pipe)) for _ in range(3)]
    for process in asked:
        process.start()
    said = {pipe.get() for _ in asked}
    for process in asked:
        process.join()
        assert process.exitcode == 0
    assert said == {answer(engine(None))}
    assert all(file.suffix == ".ort" for file in files(shelf))
