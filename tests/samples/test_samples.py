"""The shipped samples: read, admitted, answered right, copies of nobody; and how they are made."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.speaker import Speaker
from hilum.image.decode import read_image_file
from hilum.model.package import FINGERPRINTS, Trust, digest_of, open_package
from hilum.task import find_task

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "samples").glob("*/*.png"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]

sys.path.insert(0, str(ROOT / "samples"))
from blend import SIDE, blend, likeness, members  # noqa: E402  (a script folder, not a package)
from lesion import Lesion, paint  # noqa: E402


@cache
def _speaker(task: str) -> Speaker:
    folder = ROOT / "models" / task
    return Speaker(open_package(folder, Trust(pinned={digest_of(folder)})))


def _shipped(path: Path) -> Speaker:
    return _speaker(path.parent.name)


def test_each_task_has_two_or_more_and_each_class_one() -> None:
    for task in {path.parent.name for path in FILES}:
        classes = {path.stem.rsplit("-", 1)[0] for path in FILES if path.parent.name == task}
        assert classes == set(find_task(task).classes)
    assert {path.parent.name for path in FILES} == {"brain-tumor-mri", "brain-tumor-presence-mri", "pneumonia-cxr"}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_sample_is_admitted_and_answered_right(path: Path) -> None:
    (answer,) = predict(path.read_bytes(), path.name, Desk((_shipped(path),)), Options())
    assert answer.prediction.label == path.stem.rsplit("-", 1)[0], answer.prediction.to_json()


@pytest.mark.parametrize("task", sorted({path.parent.name for path in FILES}))
def test_no_sample_is_a_copy_of_a_training_image(task: str) -> None:
    files = [path for path in FILES if path.parent.name == task]
    package = _shipped(files[0]).package
    assert package.has(FINGERPRINTS)
    training = Fingerprints.load(package.folder / FINGERPRINTS)
    assert Fingerprints.of(fingerprint(read_image_file(path)[0]) for path in files).match(training) == ()


def _people(count: int) -> list[np.ndarray]:
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    found = []
    for seed in range(count):
        generator = np.random.default_rng(seed)
        height, width = generator.uniform(0.6, 0.9, 2)
        hole = generator.uniform(-0.25, 0.25, 2)
        body = 1 / (1 + np.exp(((rows / height) ** 2 + (columns / width) ** 2 - 1) * 25))
        found.append((body * (0.5 + 0.3 * np.hypot(rows - hole[0], columns - hole[1]))).astype(np.float32))
    return found


def test_a_blend_is_nobody_and_the_same_each_time() -> None:
    people = _people(8)
    one, other = (blend(people, np.random.default_rng(3), 0.2) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.shape == (SIDE, SIDE)
    assert min(float(np.abs(one - person).mean()) for person in people) > 0.005


def test_members_are_like_the_anchor_but_apart_from_it_and_one_another() -> None:
    people = _people(30)
    rows = likeness([*people, people[0] * 0.9])
    apart = 0.995
    found = members(rows, 0, 4, apart)
    assert 30 not in found
    assert 0 not in found
    for place, one in enumerate(found):
        assert all(rows[one] @ rows[other] < apart for other in (0, *found[:place]))


@pytest.mark.parametrize("kind", ["ring", "solid"])
def test_a_painted_mass_stays_in_its_place(kind: str) -> None:
    image = np.full((SIDE, SIDE), 0.3, dtype=np.float32)
    painted = paint(image, Lesion(100, 120, 20, kind), np.random.default_rng(0))
    changed = np.abs(painted - image) > 0.02
    assert changed[95:105, 115:125].any()
    assert not changed[:40].any()
    assert painted.max() > 0.4
