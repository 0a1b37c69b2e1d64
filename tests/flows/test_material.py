"""Prepared images on disk: made once, taken again for the same images only."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from hilum.data.source import open_source
from hilum.data.survey import survey
from hilum.errors import DataError, UnreadableImage
from hilum.flows import evaluate
from hilum.flows.evaluate import Known
from hilum.flows.material import Material
from hilum.flows.predict import Options
from hilum.flows.progress import Silent
from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation

PREPARATION = Preparation(size=16)


class Grey:
    """A data set of which every image is noise drawn by its case number; counts what is read."""

    def __init__(self) -> None:
        self.cases, self.read = range(9), list[int]()

    def images(self, case: int) -> tuple[Image, ...]:
        self.read.append(case)
        pixels = np.random.default_rng(case).random((32, 32), np.float32)
        return (Image(pixels, Metadata("ARRAY", "L", 8, 32, 32)),)


def material(dataset: Any, numbers: list[int], folder: Path) -> Material:
    places = np.array(numbers)
    digests = tuple(f"digest of {number}" for number in numbers)
    return Material(dataset, places, digests, {"train": places * 0}, places * 0, places, folder, Silent())


def test_images_are_prepared_once(tmp_path: Path) -> None:
    dataset = Grey()
    first = np.array(material(dataset, [0, 1, 2], tmp_path).pixels(PREPARATION))
    again = material(dataset, [0, 1, 2], tmp_path).pixels(PREPARATION)
    assert np.array_equal(first, again)
    assert sorted(dataset.read) == [0, 1, 2]


def test_other_images_in_the_same_folder_are_prepared_anew(tmp_path: Path) -> None:
    first = material(Grey(), [0, 1, 2], tmp_path).pixels(PREPARATION)
    other = material(Grey(), [0, 3, 2], tmp_path).pixels(PREPARATION)
    turned = material(Grey(), [2, 1, 0], tmp_path).pixels(PREPARATION)
    assert np.array_equal(first[[0, 2]], other[[0, 2]])
    assert not np.array_equal(first[1], other[1])
    assert np.array_equal(first[::-1], turned)


def test_of_several_frames_the_one_that_was_audited_is_learned_from_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in/a").mkdir(parents=True)
    pages = [Picture.fromarray(np.full((32, 32), grey, np.uint8)) for grey in (0, 100, 200)]
    pages[0].save(tmp_path / "in/a/1.tiff", save_all=True, append_images=pages[1:])
    dataset = open_source(str(tmp_path / "in"))
    audited = survey(dataset).found[0].brightness
    learned = material(dataset, [0], tmp_path).these(np.array([0]), lambda image: float(image.pixels.mean()), "")
    measured = []

    def ask(image: Image, *_: object) -> None:
        measured.append(float(image.pixels.mean()))
        raise UnreadableImage("it", "was looked at")

    monkeypatch.setattr(evaluate, "ask", ask)
    speaker: Any = SimpleNamespace(package=SimpleNamespace(task=SimpleNamespace(name="made")))
    with pytest.raises(DataError, match="no readable case"):
        evaluate.evaluate_cases(dataset, speaker, Options(), Known(np.zeros(1, np.int64)))
    assert [audited, *learned, *measured] == pytest.approx([100 / 255] * 3)
