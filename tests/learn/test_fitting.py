"""Training runs by plan: one network, folds, distillation, a comparison and a search, all on made images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hilum.errors import DataError, UsageError
from hilum.learn.calibrate import fit
from hilum.learn.compare import Contest, compare, plans_of
from hilum.learn.distill import distill, soft_targets
from hilum.learn.fitting import fit_network
from hilum.learn.folds import Folded, train_folds
from hilum.learn.networks import build, feature_widths
from hilum.learn.plan import LARGEST_SEED, Plan
from hilum.learn.scores import group_folds
from hilum.learn.selection import selector
from hilum.learn.train import logits
from tests.learn.made import TASK, TINY, cases, spots


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Folded:
    made = cases()
    seen = np.concatenate([made.train, made.tune])
    side = group_folds(made.groups[seen], 2)
    folds = [(seen[side != k], seen[side == k]) for k in (0, 1)]
    return train_folds(replace(TINY, epochs=4), made, TASK, folds, tmp_path_factory.mktemp("folds"))


def test_the_score_is_the_figure_the_task_selects_by() -> None:
    score = selector(replace(TASK, select_by="auroc"))
    targets = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    right = np.array([[2, 0], [1, 0], [0, 1], [0, 2]], dtype=np.float32)
    assert score(right, targets) == 1.0
    assert score(-right, targets) == 0.0
    assert score(right, np.zeros((4, 2), dtype=np.float32)) == 0.0


def test_the_same_plan_gives_the_same_network(tmp_path: Path) -> None:
    first, second = (fit_network(TINY, cases(), TASK, tmp_path / name) for name in "ab")
    pixels = spots(10)[0]
    assert np.array_equal(logits(first.network, pixels), logits(second.network, pixels))
    other = fit_network(replace(TINY, seed=1), cases(), TASK, tmp_path / "c")
    assert not np.array_equal(logits(first.network, pixels), logits(other.network, pixels))


def test_out_of_fold_scores_cover_every_case_once_and_calibrate(folded: Folded) -> None:
    assert sorted(folded.scores.groups.tolist()) == list(range(56))
    assert np.array_equal(folded.scores.labels, cases().labels[folded.scores.groups])
    assert fit(folded.scores, TASK, origin="out of fold").origin == "out of fold"
    first, second = folded.networks
    unseen = folded.scores.groups[0]
    row = logits(first, spots(80)[0][[unseen]])
    assert np.allclose(row[0], folded.scores.logits[0], atol=1e-5)
    assert not np.allclose(logits(second, spots(80)[0][[unseen]]), row)


def test_the_average_answers_with_the_mean_and_is_built_again(folded: Folded) -> None:
    whole, pixels = folded.average(), spots(6)[0]
    mean = np.mean([logits(network, pixels) for network in folded.networks], axis=0)
    assert np.allclose(logits(whole, pixels), mean, atol=1e-5)
    config = {"classes": 2, "member": TINY.network, "config": TINY.network_config(2), "count": 2}
    again = build("average", config)
    again.load_state_dict(whole.state_dict())
    served, features, maps = again.eval().outputs(torch.from_numpy(pixels))  # type: ignore[operator]
    assert np.allclose(served.detach().numpy(), mean, atol=1e-4)
    assert features.shape == (6, sum(feature_widths(whole)))
    assert maps.shape[:2] == (6, 2)


def test_soft_targets_lean_towards_teachers_and_label(folded: Folded) -> None:
    pixels, labels = spots(12)
    soft = soft_targets(folded.networks, pixels, labels, flip=True)
    assert np.allclose(soft.sum(axis=1), 1.0, atol=1e-5)
    assert (soft[np.arange(12), labels] >= 0.3).all()
    mirrored = soft_targets(folded.networks, np.ascontiguousarray(pixels[..., ::-1]), labels, flip=True)
    assert np.allclose(soft, mirrored, atol=1e-4)


def test_a_student_learns_from_its_teachers(folded: Folded, tmp_path: Path) -> None:
    student = distill(TINY, cases(), TASK, folded.networks, tmp_path)
    assert len(student.history) == TINY.epochs
    assert 0.0 <= student.best_score <= 1.0


def test_every_fold_of_the_largest_seed_has_one_that_a_plan_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    class Enough(Exception):
        """Both plans were made."""

    def fitted(plan: Plan, *_: Any, **__: Any) -> Any:
        seeds.append(plan.seed)
        if len(seeds) == 2:
            raise Enough
        return SimpleNamespace(network=None)

    monkeypatch.setattr("hilum.learn.folds.fit_network", fitted)
    monkeypatch.setattr("hilum.learn.folds.logits", lambda *_: np.zeros((24, 2), np.float32))
    folds = [(np.arange(56), np.arange(56, 80)), (np.arange(24, 80), np.arange(24))]
    made = replace(cases(), groups=np.arange(80))
    with pytest.raises(Enough):
        train_folds(replace(TINY, seed=LARGEST_SEED), made, TASK, folds, tmp_path)
    assert seeds == [LARGEST_SEED, 0]


def test_a_group_on_both_sides_of_a_fold_is_refused(tmp_path: Path) -> None:
    made = replace(cases(), groups=np.zeros(80, dtype=np.int64))
    with pytest.raises(DataError, match="both sides"):
        train_folds(TINY, made, TASK, [(np.arange(40), np.arange(40, 56))], tmp_path)


def test_a_comparison_sets_networks_side_by_side(tmp_path: Path) -> None:
    held = np.arange(56, 80)
    plan = replace(TINY, epochs=1)
    rows = compare(plans_of(["residual-s", "cnn-2block"], plan), Contest(cases(), held), TASK, tmp_path)
    assert [row.label for row in rows] == ["residual-s", "cnn-2block"]
    assert rows[1].size == 150
    assert rows[1].parameters > rows[0].parameters
    for row in rows:
        assert row.answers.labels.tolist() == cases().labels[held].tolist()
        interval = row.figures["accuracy"]
        assert interval.low <= interval.value <= interval.high
        assert row.start == "from random start"
        assert min(row.seconds, row.image_seconds) > 0
        assert row.graph_bytes > 4 * row.parameters
        assert replace(row, network="resnet50-transfer").label == "resnet50, from random start"


def test_a_comparison_with_an_unknown_name_or_a_leak_trains_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vgg"):
        plans_of(["residual-s", "vgg"], TINY)
    with pytest.raises(ValueError, match="training sees"):
        compare(plans_of(["residual-s"], TINY), Contest(cases(), np.arange(10, 80)), TASK, tmp_path)
    assert not list(tmp_path.iterdir())
