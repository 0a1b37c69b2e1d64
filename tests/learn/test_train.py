"""Training: the order of an epoch, losses of partial labels, the same result from the same seed and after a kill."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from hilum.errors import Diverged, TrainingError
from hilum.learn.batches import Head, TrainingData, order
from hilum.learn.checkpoint import WholeCheckpoint
from hilum.learn.learner import Learner, chance
from hilum.learn.losses import head_loss, heads_loss
from hilum.learn.networks.residual import Residual
from hilum.learn.policy import NONE
from hilum.learn.selection import selector
from hilum.learn.train import (
    Attempt,
    Progress,
    TrainedNetwork,
    TrainSettings,
    balanced_accuracy_of,
    logits,
    train,
)
from hilum.learn.watch import Ears
from tests.learn.made import TASK

QUICK = TrainSettings(epochs=3, batch=16, precision="32", ema=0.8, keep="last")


class Killed(Exception):
    """Stands for a power cut."""


def squares(count: int = 120, seed: int = 0) -> TrainingData:
    """Noise, with a brighter square in the images of class b; groups of two."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) // 2 % 2
    pixels = random.integers(0, 120, (count, 1, 32, 32)).astype(np.uint8)
    pixels[labels == 1, :, 8:20, 8:20] += 100
    places = np.arange(count)
    parts = (places[: count * 3 // 4], places[count * 3 // 4 :])
    return TrainingData.simple(pixels, labels, places // 2, parts, ("a", "b"))


def run(folder: Path, settings: TrainSettings = QUICK, *, seed: int = 3, kill_at: int | None = None) -> TrainedNetwork:
    torch.manual_seed(seed)
    network = Residual(2, 8, (1, 1, 1, 1), dropout=0.2)

    def progress(now: Progress) -> None:
        if now.step == kill_at:
            raise Killed

    return train(network, squares(), settings, Attempt(folder, seed), ears=Ears(progress))


def weights(result: TrainedNetwork) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in result.network.state_dict().values()])


def test_it_learns_what_can_be_learnt_and_says_how_it_went(tmp_path: Path) -> None:
    result = run(tmp_path, replace(QUICK, epochs=6, learning_rate=0.01, sampling="image", policy=NONE, keep="best"))
    assert result.best_score == 1.0
    assert [row["epoch"] for row in result.history] == [0, 1, 2, 3, 4, 5]
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    assert 0.0 < result.computing <= 1.0
    assert not result.network.training


@pytest.mark.parametrize("lines", [{"patience": 2}, {"schedule": "plateau"}])
def test_so_few_images_that_none_is_left_to_tune_on_are_learned_from_to_the_end(
    tmp_path: Path, lines: dict[str, Any]
) -> None:
    """As of nine groups of each class, with a design that was published with an early stop."""
    data = squares()
    few = replace(data, train=data.train[:36], tune=data.tune[:0])
    result = train(Residual(2, 8, (1, 1, 1, 1)), few, replace(QUICK, keep="best", **lines), Attempt(tmp_path))
    assert [row["epoch"] for row in result.history] == [0, 1, 2]


def test_a_killed_run_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", kill_at=4)
    resumed = run(tmp_path / "cut")
    assert torch.equal(weights(whole), weights(resumed))
    assert [row["train_loss"] for row in whole.history] == [row["train_loss"] for row in resumed.history]


def test_every_epoch_is_told_with_its_own_score_those_from_before_a_kill_once_more(tmp_path: Path) -> None:
    """A page showed no epoch from before the last kill, and beside each epoch the score of the one before it."""
    scores = iter([0.5, 0.25, 0.75])

    def told(kill_at: int | None) -> tuple[list[Progress], list[Progress]]:
        over, before = list[Progress](), list[Progress]()

        def progress(now: Progress) -> None:
            if now.step == kill_at:
                raise Killed

        ears = Ears(progress, None, over.append, before.extend)
        try:
            train(Residual(2, 8), squares(), QUICK, Attempt(tmp_path), score=lambda *_: next(scores), ears=ears)
        except Killed:
            assert kill_at is not None
        return over, before

    over, before = told(kill_at=4)
    assert [(now.epoch, now.step, now.score) for now in over] == [(0, 2, 0.5)]
    assert before == []
    again, known = told(kill_at=None)
    assert known == over
    assert [(now.epoch, now.step, now.score) for now in again] == [(1, 4, 0.25), (2, 6, 0.75)]
    assert (again[-1].steps, again[-1].seconds_left) == (6, 0.0)
    assert told(kill_at=None) == ([], [*over, *again])  # taken up again it has ended


def test_the_seed_decides(tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=1)
    first, again, other = (run(tmp_path / str(i), settings, seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_without_resume_a_run_starts_afresh(tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=1)
    first = run(tmp_path, settings)
    torch.manual_seed(3)
    again = train(Residual(2, 8), squares(), settings, Attempt(tmp_path, 3, resume=False))
    assert len(first.history) == len(again.history) == 1


def test_patience_ends_a_run_that_no_longer_improves(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = replace(QUICK, epochs=30, patience=2, schedule="plateau")
    result = train(Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: 0.5)
    assert len(result.history) == 3
    assert result.best_epoch == 2
    again = train(Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: 0.9)
    assert len(again.history) == 3  # taken up again it has stopped
    assert torch.equal(weights(again), weights(result))


def test_the_best_epoch_is_the_latest_that_chance_cannot_tell_from_the_highest_score(tmp_path: Path) -> None:
    scores = iter([0.9, 1.0, 0.99, 0.5])
    settings, seen = replace(QUICK, epochs=4), []
    first = train(
        Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: seen.append(0) or next(scores)
    )
    assert (first.best_epoch, first.best_score, len(seen)) == (2, 0.99, 4)
    assert chance(0.99, 100) == pytest.approx(0.0139, abs=1e-4)
    assert chance(1.0, 100) == pytest.approx(0.0099, abs=1e-4)
    assert chance(1.0, 0) > 0


def test_a_loss_that_is_no_number_is_said(tmp_path: Path) -> None:
    data = squares()
    broken = replace(data, targets=np.full_like(data.targets, np.nan))
    with pytest.raises(TrainingError, match="learning rate"):
        train(Residual(2, 8), broken, replace(QUICK, epochs=1), Attempt(tmp_path))


def test_weights_that_are_no_numbers_are_said_before_a_figure_is_asked_of_them(tmp_path: Path) -> None:
    """The tune part is scored before the epoch's loss is looked at, and no figure takes such answers."""
    data = squares()
    targets = data.targets.copy()
    targets[data.train] = np.nan
    with pytest.raises(Diverged, match="lower the learning rate"):
        train(
            Residual(2, 8), replace(data, targets=targets), replace(QUICK, epochs=1), Attempt(tmp_path),
            score=selector(TASK),
        )  # fmt: skip


@pytest.mark.parametrize("change", [{"optimiser": "lion"}, {"precision": "8"}, {"epochs": 0}])
def test_settings_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be one of|one epoch"):
        replace(QUICK, **change)  # type: ignore[arg-type]


def test_a_group_in_two_parts_is_refused() -> None:
    data = squares()
    with pytest.raises(ValueError, match="both train and tune"):
        replace(data, tune=np.array([0]))


def test_an_epoch_draws_one_member_of_each_group_and_balances_the_classes() -> None:
    random = np.random.default_rng(0)
    labels = np.r_[np.zeros(90, np.int64), np.ones(10, np.int64)]
    groups = np.r_[np.arange(90) // 3, 30 + np.arange(10)]
    pixels = random.integers(0, 255, (100, 1, 8, 8)).astype(np.uint8)
    data = TrainingData.simple(pixels, labels, groups, (np.arange(100), np.array([], np.int64)), ("a", "b"))
    drawn = order(data, sampling="group", balance=False, draws=None, seed=1)
    assert len(drawn) == 40
    assert len(set(groups[drawn])) == 40
    even = order(data, sampling="group", balance=True, draws=60, seed=1)
    assert np.bincount(labels[even]).tolist() == [30, 30]
    assert set(groups[even]) == set(range(40))
    assert not np.array_equal(drawn, order(data, sampling="group", balance=False, draws=None, seed=2))


def test_losses_of_hard_soft_set_and_unknown_labels() -> None:
    values = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    p = values.softmax(1)
    hard = head_loss(values[:1], torch.tensor([[1.0, 0.0, 0.0]]))
    assert hard.item() == pytest.approx(-p[0, 0].log().item(), abs=1e-6)
    either = head_loss(values[1:2], torch.tensor([[1.0, 1.0, 0.0]]))
    assert either.item() == pytest.approx(-(p[1, 0] + p[1, 1]).log().item(), abs=1e-6)
    soft = head_loss(values[:1], torch.tensor([[0.8, 0.2, 0.0]]))
    assert soft.item() == pytest.approx(-(0.8 * p[0, 0].log() + 0.2 * p[0, 1].log()).item(), abs=1e-6)
    targets = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert head_loss(values[:2], targets).item() == pytest.approx(hard.item(), abs=1e-6)
    nothing = heads_loss(values, torch.zeros(3, 3), (Head("x", ("a", "b", "c")),))
    assert nothing.item() == 0.0


def test_logits_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Residual(2, 8)
    pixels = squares().pixels[:10]
    assert np.allclose(logits(network, pixels, batch=3), logits(network, pixels), atol=1e-5)


def test_a_checkpoint_that_was_cut_short_is_said_and_the_run_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", kill_at=4)
    (last,) = (tmp_path / "cut").glob("last*.ckpt")
    last.write_bytes(last.read_bytes()[:-2000])
    again = run(tmp_path / "cut")
    assert "is damaged" in caplog.text
    assert torch.equal(weights(again), weights(whole))


def test_a_disk_that_is_full_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = tmp_path / "last.ckpt"
    WholeCheckpoint().save_checkpoint({"epoch": 1}, last)
    before = last.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(last))

    monkeypatch.setattr("hilum.durable.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        WholeCheckpoint().save_checkpoint({"epoch": 2}, last)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert last.read_bytes() == before


def test_the_loss_with_smoothing_or_class_weights_is_pytorchs_own() -> None:
    torch.manual_seed(0)
    values, labels = torch.randn(40, 3), torch.arange(40) % 3
    hard, weights = functional.one_hot(labels, 3).float(), torch.tensor([0.5, 2.0, 1.0])
    smooth = functional.cross_entropy(values, labels, label_smoothing=0.1)
    assert head_loss(values, hard, 0.1).item() == pytest.approx(smooth.item(), rel=1e-5)
    weighted = functional.cross_entropy(values, labels, weight=weights)
    assert head_loss(values, hard, weights=weights).item() == pytest.approx(weighted.item(), rel=1e-5)
    heads = (Head("x", ("a", "b"), weight=3.0), Head("y", ("c", "d", "e")))
    both, targets = torch.cat([values[:, :2], values], dim=1), torch.cat([hard[:, :2], hard], dim=1)
    first = head_loss(both[:, :2], targets[:, :2], 0.1)
    assert heads_loss(both, targets, heads, 0.1).item() == pytest.approx((3 * first + smooth).item(), rel=1e-5)


def test_balanced_class_weights_are_scikit_learns() -> None:
    data = squares()
    few = replace(data, train=data.train[(data.targets[data.train, 1] == 0) | (data.train % 8 == 2)])
    labels = few.targets[few.train].argmax(axis=1)
    learner = Learner(
        Residual(2, 8), few, replace(QUICK, class_weights="balanced"), seed=0, steps=1, score=lambda *_: 0.0
    )
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
    assert expected[1] > 2 * expected[0]
    assert learner.class_weights is not None
    assert learner.class_weights.numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("lines", "shares"),
    [
        ({"warmup": 0.0}, (0.905463, 0.352037, 0.01)),  # a half cosine over the five steps after the first
        ({"warmup": 0.9}, (0.555556, 0.925926, 0.352037)),  # up until step 5.4
        ({"warmup": 0.0, "schedule": "constant"}, (1.0, 1.0, 1.0)),
    ],
)
def test_the_learning_rate_after_each_epoch_of_two_steps(
    tmp_path: Path, lines: dict[str, Any], shares: tuple[float, ...]
) -> None:
    found = run(tmp_path, replace(QUICK, learning_rate=0.01, **lines)).history
    assert [row["learning_rate"] / 0.01 for row in found] == pytest.approx(shares, abs=1e-5)


@pytest.mark.parametrize(("scores", "falls"), [((0.2, 0.4, 0.6, 0.8), False), ((0.8, 0.6, 0.4, 0.2), True)])
def test_on_a_plateau_the_rate_falls_where_the_score_no_longer_rises(
    tmp_path: Path, scores: tuple[float, ...], falls: bool
) -> None:
    settings = replace(QUICK, epochs=4, schedule="plateau", plateau_patience=0, plateau_factor=0.2)
    given = iter(scores)
    found = train(Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: next(given)).history
    assert (found[-1]["learning_rate"] < 0.3 * found[0]["learning_rate"]) == falls
    assert falls or len({row["learning_rate"] for row in found}) == 1


def test_the_weights_that_are_kept_are_the_running_average_of_those_after_each_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Residual(2, 8, (1, 1, 1, 1))
    after = [[value.detach().cpu().clone() for value in network.parameters()]]
    heard = Ears(lambda _: after.append([value.detach().cpu().clone() for value in network.parameters()]))
    train(network, squares(), QUICK, Attempt(tmp_path), ears=heard)
    assert len(after) == 7
    mean = after[0]
    for step, now in enumerate(after[1:], 1):
        kept = min(0.8, (1 + step) / (10 + step))
        mean = [kept * old + (1 - kept) * new for old, new in zip(mean, now, strict=True)]
    for found, expected in zip(network.parameters(), mean, strict=True):
        assert torch.allclose(found.cpu(), expected, atol=1e-5)


def test_chance_goes_by_the_groups_that_are_scored_and_not_by_their_images(tmp_path: Path) -> None:
    """Fifteen groups of two: of fifteen, 0.95 cannot be told from 1, of thirty it could."""
    scores = iter([0.9, 1.0, 0.95, 0.5])
    found = train(Residual(2, 8), squares(), replace(QUICK, epochs=4), Attempt(tmp_path), score=lambda *_: next(scores))
    assert (found.best_epoch, found.best_score) == (2, 0.95)


def test_a_run_that_was_killed_after_its_best_epoch_still_knows_it(tmp_path: Path) -> None:
    scores = iter([0.9, 1.0, 0.5])
    settings = replace(QUICK, keep="best")

    def stopped(now: Progress) -> None:
        if now.step == 5:
            raise Killed

    with pytest.raises(Killed):
        train(Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: next(scores), ears=Ears(stopped))
    found = train(Residual(2, 8), squares(), settings, Attempt(tmp_path), score=lambda *_: next(scores))
    assert (found.best_epoch, found.best_score, len(found.history)) == (1, 1.0, 3)


def test_the_network_of_the_best_epoch_is_the_one_that_is_given_back(tmp_path: Path) -> None:
    calm = replace(QUICK, mixup=0.0, schedule="constant", warmup=0.0, policy=NONE)
    kept = {}
    for name, epochs, keep in (("best", 3, "best"), ("last", 3, "last"), ("first", 1, "last")):
        scores = iter([1.0, 0.0, 0.0])
        torch.manual_seed(1)
        found = train(
            Residual(2, 8, (1, 1, 1, 1)), squares(), replace(calm, epochs=epochs, keep=keep),
            Attempt(tmp_path / name), score=lambda *_, scores=scores: next(scores),
        )  # fmt: skip
        kept[name] = weights(found)
    assert torch.equal(kept["best"], kept["first"])
    assert not torch.equal(kept["best"], kept["last"])


def test_the_usual_score_is_scikit_learns_balanced_accuracy_meant_over_the_heads() -> None:
    """Rows that name a set of classes, or none, are in no mean."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60) * (random.random(60) < 0.4), random.integers(0, 3, 60)
    targets = np.concatenate([np.eye(2)[labels[0]], np.eye(3)[labels[1]]], axis=1).astype(np.float32)
    values = (targets + random.normal(0, 0.8, targets.shape)).astype(np.float32)
    targets[:5, :2], targets[5:9, 2:] = 0.0, 1.0
    found = balanced_accuracy_of((Head("x", ("a", "b")), Head("y", ("c", "d", "e"))))(values, targets)
    first = sk.balanced_accuracy_score(labels[0][5:], values[5:, :2].argmax(axis=1))
    known = np.r_[0:5, 9:60]
    second = sk.balanced_accuracy_score(labels[1][known], values[known, 2:].argmax(axis=1))
    assert found == pytest.approx((first + second) / 2)
