"""The name of a run's folder: the same where the same would be done again, another where anything is other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.data.audit import audit
from hilum.data.dataset import Dataset
from hilum.data.labels import with_task
from hilum.data.locked import OpenParts
from hilum.data.source import open_source
from hilum.data.split import make_split
from hilum.flows import naming
from hilum.flows.naming import mark_of, run_name
from hilum.learn.plan import Plan
from tests.flows.made import write_spots
from tests.learn.made import TASK


def opened(folder: Path) -> Dataset:
    return with_task(open_source(str(folder)), TASK)


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """A data set, its audit, its split."""
    folder = tmp_path_factory.mktemp("spots") / "images"
    write_spots(folder, 60)
    dataset = opened(folder)
    found = audit(dataset)
    return dataset, found, make_split(dataset, found)


def name(grounds: tuple[Any, ...], plan: Plan | None = None, task: Any = TASK) -> str:
    dataset, found, split = grounds
    return run_name(dataset, task, found, split, plan or Plan())


def test_the_same_images_elsewhere_go_on_under_the_same_name(grounds: tuple[Any, ...], tmp_path: Path) -> None:
    first = Path(grounds[0].cases[0].id).parents[1]
    shutil.copytree(first, tmp_path / "moved")
    (tmp_path / "moved" / "plain" / "000-broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    dataset = opened(tmp_path / "moved")
    found = audit(dataset)
    assert name((dataset, found, make_split(dataset, found))) == name(grounds)
    assert name(grounds).startswith("spot-")


def test_other_groups_parts_or_labels_are_another_run(grounds: tuple[Any, ...]) -> None:
    dataset, found, split = grounds
    bound = split.groups.copy()
    bound[bound == bound[split.parts["train"][1]]] = bound[split.parts["train"][0]]
    train, *rest = (split.parts[part] for part in ("train", "tune", "calibrate"))
    moved = OpenParts(dict(zip(("train", "tune", "calibrate", "test"), (train[1:], *rest, ()), strict=True)))
    other = dataset.labels.copy()
    other[train[0]] = 1 - other[train[0]]
    relabelled = replace(dataset)
    relabelled.__dict__["labels"] = other
    names = {
        name(grounds),
        name((dataset, found, replace(split, groups=bound))),
        name((dataset, found, replace(split, parts=moved))),
        name((relabelled, found, split)),
        name((dataset, found, make_split(dataset, found, seed=1))),
    }
    assert len(names) == 5


def test_other_folds_are_another_run(grounds: tuple[Any, ...]) -> None:
    dataset, found, split = grounds
    items = tuple(item and replace(item, key=item.key[::-1]) for item in split.items)
    drawn = replace(split, items=items)
    assert name((dataset, found, drawn)) == name(grounds)
    assert name((dataset, found, drawn), Plan(folds=3)) != name(grounds, Plan(folds=3))


def test_another_plan_or_task_is_another_run_and_its_reasons_are_not(grounds: tuple[Any, ...]) -> None:
    plan = Plan()
    assert name(grounds, replace(plan, reasons={"epochs": "set by you"}, facts={"images": 60})) == name(grounds)
    assert name(grounds, replace(plan, learning_rate=plan.learning_rate + 1e-9)) != name(grounds)
    assert name(grounds, replace(plan, seed=1)) != name(grounds)
    assert name(grounds, task=replace(TASK, select_by="auroc")) != name(grounds)


def test_weights_at_hand_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [Plan(network="efficientnet-lite0"), Plan(network="residual-m")]
    marks = []
    for here in (True, False):
        monkeypatch.setattr(naming, "at_hand", lambda _, here=here: here)
        marks.append([mark_of(plan) for plan in plans])
    assert marks[0][0] != marks[1][0]
    assert marks[0][1] == marks[1][1]  # learns from a random start anyway
    file = tmp_path / "own.safetensors"
    own = replace(plans[0], weights=str(file))
    file.write_bytes(b"first")
    first = mark_of(own)
    file.write_bytes(b"second")
    assert mark_of(own) != first
    assert mark_of(own) == mark_of(own)


def test_the_order_of_the_images_counts(grounds: tuple[Any, ...]) -> None:
    dataset, found, split = grounds
    one, two = split.parts["train"][0], split.parts["train"][2]
    assert dataset.labels[one] == dataset.labels[two]
    digests = list(found.digests)
    digests[one], digests[two] = digests[two], digests[one]
    assert name((dataset, replace(found, digests=tuple(digests)), split)) != name(grounds)
    assert np.unique(digests).size == 60
