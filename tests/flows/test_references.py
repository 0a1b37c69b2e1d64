"""What the gate and later audits compare with: made of images that taught the network, judged on images that did not.

Restyled copies of the calibration part: of large films and large parts as many, and as large, as fit the memory.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hilum.data.fingerprint import Fingerprints
from hilum.flows import references
from hilum.flows.references import FOLDS_TAKE_ALL, Looked, Restyled, restyled
from hilum.image.image import Image, Metadata
from hilum.learn import batches
from hilum.learn.plan import Plan
from hilum.learn.stress import KINDS
from tests.learn.made import TASK

COUNT = 6


class Made:
    """Noise of the size of a real film, read one at a time as from files."""

    def __init__(self) -> None:
        self.parts = {"calibrate": np.arange(2, 2 + COUNT)}
        self.labels = np.arange(2 + COUNT) % 2
        self.sides: list[tuple[int, int]] = []

    def these(self, rows: Any, make: Any, _: str) -> list[Any]:
        found = []
        for row in rows:
            pixels = np.random.default_rng(row).random((1500, 1100), np.float32)
            found.append(make(Image(pixels, Metadata("ARRAY", "L", 8, 1, 1))))
            self.sides.append(found[-1].shape)
        return found


def looked(made: Any, auroc: float = 0.95) -> Looked:
    found: Any = SimpleNamespace(shortcuts={"bytes": auroc})
    task: Any = SimpleNamespace(negative=0)
    return Looked(made, found, task, Plan(size=64, geometry="central", keep=0.86, epochs=1))


def test_large_films_are_restyled_at_the_scale_of_the_network() -> None:
    made = Made()
    found = restyled(looked(made))
    assert found is not None
    assert found.rows.tolist() == list(range(2, 2 + COUNT))
    assert set(found.copies) == set(KINDS)
    assert all(copies.shape == (COUNT, 1, 64, 64) and copies.std() > 0 for copies in found.copies.values())
    assert made.sides == [(256, 188)] * COUNT


def test_of_a_large_part_some_are_drawn_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MOST_RESTYLED", 4)
    first, again = restyled(looked(Made())), restyled(looked(Made()))
    assert first is not None
    assert again is not None
    assert len(first.rows) == 4
    assert first.rows.tolist() == again.rows.tolist() == sorted(first.rows)
    assert all(np.array_equal(first.copies[kind], again.copies[kind]) for kind in KINDS)


def test_without_a_shortcut_none_are_made() -> None:
    assert restyled(looked(Made(), auroc=0.6)) is None


class Known:
    """A material of noise: the first images teach, the others calibrate; says what it is told."""

    def __init__(self, train: int, held: int) -> None:
        count = train + held
        self.parts = {"train": np.arange(train), "tune": np.arange(0), "calibrate": np.arange(train, count)}
        self.numbers = 2 * np.arange(count)
        self.labels, self.groups = np.arange(count) % 2, np.arange(count)
        self.listener, self.said = self, list[str]()

    def pixels(self, _: Any) -> Any:
        return np.random.default_rng(0).integers(0, 256, (len(self.labels), 1, 4, 4), np.uint8)

    def say(self, text: str) -> None:
        self.said.append(text)


def novelty(made: Any, monkeypatch: pytest.MonkeyPatch, styles: int = 0, **lines: Any) -> Any:
    """The reference of a network whose features are the pixels; `styles` restyled copies of each held-out image."""
    rows, pixels = made.parts["calibrate"], made.pixels(None)
    copies = Restyled(rows, {str(style): pixels[rows] for style in range(styles)}) if styles else None
    monkeypatch.setattr(references, "restyled", lambda _: copies)
    monkeypatch.setattr(references, "features_of", lambda _, images: images.reshape(-1, 16).astype(np.float32))
    return references._novelty(None, (16,), Looked(made, None, None, Plan(**lines)))  # type: ignore[arg-type]


def test_an_average_of_folds_has_no_novelty_reference_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Known(200, 60)
    assert novelty(made, monkeypatch, folds=2) is None
    assert made.said == [f"no novelty reference: {FOLDS_TAKE_ALL}"]
    assert novelty(made, monkeypatch) is not None
    assert novelty(made, monkeypatch, folds=2, distill=True) is not None  # the student saw none of the calibration part
    assert len(made.said) == 1


def test_copies_of_few_images_in_many_styles_are_still_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Known(200, 13)
    assert novelty(made, monkeypatch, styles=9) is None
    assert "13 groups of held-out images are too few" in made.said[0]
    assert novelty(Known(200, 60), monkeypatch, styles=9) is not None


def test_images_of_one_patient_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Known(200, 60)
    made.groups = np.concatenate([np.arange(200), 200 + np.arange(60) // 2])
    assert novelty(made, monkeypatch) is None
    assert "30 groups of held-out images are too few" in made.said[0]


def test_every_image_that_taught_is_fingerprinted() -> None:
    made: Any = Known(4, 2)
    thumbs = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 64, 64), np.uint8)
    prints = Fingerprints(thumbs, np.zeros((6, 16, 16), np.uint8), np.zeros((6, 8), np.float32))
    digests = [None if case % 2 else "digest" for case in range(12)]  # every second case cannot be read
    found: Any = SimpleNamespace(digests=digests, fingerprints=prints)

    def kept(**lines: Any) -> list[int]:
        looked = Looked(made, found, None, Plan(**lines))  # type: ignore[arg-type]
        return [int(thumb[0, 0]) for thumb in references._fingerprints(looked).thumbs]

    assert kept() == [0, 1, 2, 3]
    assert kept(folds=2) == kept(folds=2, distill=True) == [0, 1, 2, 3, 4, 5]


class OnDisk:
    """Prepared images that lie on the disk; remembers how many are taken into memory at a time."""

    def __init__(self, images: Any) -> None:
        self.images, self.taken = images, list[int]()

    def __getitem__(self, rows: Any) -> Any:
        self.taken.append(len(rows))
        return self.images[rows]


def test_not_all_training_images_are_taken_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand of them are gigabytes; the reference is the same."""
    made: Any = Known(200, 60)
    whole = novelty(made, monkeypatch)
    on_disk = OnDisk(made.pixels(None))
    made.pixels = lambda _: on_disk
    monkeypatch.setattr(batches, "AT_ONCE", 64)
    monkeypatch.setattr(references, "restyled", lambda _: None)
    again = references._novelty(None, (16,), Looked(made, None, None, Plan()))  # type: ignore[arg-type]
    assert again is not None
    assert max(on_disk.taken) <= 64
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_of_very_many_training_images_some_are_shown_to_the_admission_network(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Any = Known(200, 60)
    made.groups = made.groups + 1000
    shown = []

    def these(rows: Any, make: Any, _: str) -> list[Any]:
        shown.append(rows.tolist())
        return [make(Image(np.full((64, 64), row / 255, np.float32), Metadata("ARRAY", "L", 8, 1, 1))) for row in rows]

    made.these, made.stage, made.done = these, lambda *_: None, lambda *_: None
    materials: list[Any] = []

    def train(material: Any, *_: Any) -> bytes:
        materials.append(material)
        return b"a network"

    monkeypatch.setattr(references, "train_admission", train)
    monkeypatch.setattr(references, "MOST_FRAMES", 50)
    for _ in range(2):
        assert references._admission(Looked(made, None, TASK, Plan())) == b"a network"  # type: ignore[arg-type]
    assert shown[0] == shown[1] == sorted(set(shown[0]) & set(range(200)))
    assert len(shown[0]) == 50
    assert materials[0].groups.tolist() == [1000 + row for row in shown[0]]
    assert [int(one[0, 0]) for one in materials[0].good] == shown[0]
