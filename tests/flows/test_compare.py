"""The compare flow on made images: the work of a network is taken up by the same plan on the same parts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hilum.data.audit import audit
from hilum.data.dataset import Dataset
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.errors import UsageError
from hilum.flows import compare as flow
from hilum.flows.compare import compare_networks
from hilum.flows.progress import Silent
from hilum.learn.compare import plans_of
from hilum.learn.facts import facts_of
from hilum.learn.plan import Plan
from hilum.learn.planning import make_plan
from tests.flows.made import write_spots
from tests.learn.made import TASK

Places = dict[str, Path]  # network -> where its checkpoints lie


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("spots") / "images"
    write_spots(folder, 120)
    return with_task(open_source(str(folder)), TASK)


@pytest.fixture
def compared(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compares without training; gives where each network would have been trained."""
    found, places = audit(dataset), Places()

    def told(plans: Mapping[str, Plan], _: Any, __: Any, folder: Path, **___: Any) -> tuple[()]:
        places.update({name: folder / name for name in plans})
        return ()

    def run(
        *lines: str, task: Any = TASK, networks: Sequence[str] = ("residual", "cnn-3block"), seed: int = 0
    ) -> Places:
        places.clear()
        compare_networks(dataset, task, networks, (lines, seed), (tmp_path, Silent()))
        return dict(places)

    monkeypatch.setattr(flow, "audit", lambda *_, **__: found)
    monkeypatch.setattr(flow, "compare", told)
    return run


def test_the_same_comparison_goes_on_where_it_was(compared: Any) -> None:
    first = compared("epochs=1")
    assert compared("epochs=1") == first
    assert compared("epochs=1", networks=["cnn-3block"]) == {"cnn-3block": first["cnn-3block"]}
    assert len(set(first.values())) == 2


def test_other_lines_another_task_or_another_seed_begin_anew(compared: Any) -> None:
    first = compared("epochs=1")
    for other in (
        compared("epochs=1", "width=16"),
        compared("epochs=1", "learning_rate=0.001"),
        compared("epochs=1", task=replace(TASK, flip_horizontal=False)),
        compared("epochs=1", seed=1),
    ):
        assert other.keys() == first.keys()
        assert not set(other.values()) & set(first.values())


def test_an_unknown_network_keeps_nothing(compared: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vgg"):
        compared(networks=["residual", "vgg"])
    assert not list(tmp_path.iterdir())


def test_a_line_of_ones_own_wins_over_the_design(dataset: Dataset) -> None:
    found = audit(dataset)
    plan = make_plan(facts_of(found.statistics, found.shortcuts), TASK)
    published = plans_of(["cnn-3block"], plan)["cnn-3block"]
    own = plans_of(["cnn-3block"], plan, ["batch=8", "learning_rate=0.0001"])["cnn-3block"]
    assert (published.batch, own.batch, own.learning_rate, own.size) == (32, 8, 0.0001, published.size)
