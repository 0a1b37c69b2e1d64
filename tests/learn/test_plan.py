"""Plans: what the facts decide, the reasons, line by line overrides, and a round trip through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.data.statistics import statistics
from hilum.data.survey import measure
from hilum.errors import UsageError
from hilum.image.decode import from_array
from hilum.learn.facts import Facts, facts_of
from hilum.learn.means import Means
from hilum.learn.networks import NETWORKS, full_config
from hilum.learn.plan import BY_YOU, LARGEST_SEED, LINES, Plan, check_taken, for_task, override
from hilum.learn.planning import make_plan
from hilum.task import shipped_tasks
from tests.learn.made import TASK

FACTS = Facts(
    images=5000,
    groups={"a": 1200, "b": 900, "c": 1100},
    total=3200,
    side=(200, 400, 512),
    aspect=1.0,
    sizes=30,
    modes={"L": 5000},
    dark=0.4,
    contrast=0.2,
)


def test_every_decision_carries_its_reason() -> None:
    plan = make_plan(FACTS, TASK)
    for name in (
        "network",
        "size",
        "augmentation",
        "batch",
        "epochs",
        "dropout",
        "weight_decay",
        "balance",
        "geometry",
    ):
        assert plan.reasons[name], name
    assert {name for name, _, _ in plan.lines()} == set(LINES)
    assert plan.facts["images"] == 5000


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1])
def test_a_seed_that_no_plan_can_have_is_told(seed: int) -> None:
    with pytest.raises(UsageError, match=f"--seed {seed}: must be 0 to"):
        make_plan(FACTS, TASK, seed=seed)


@pytest.mark.parametrize(
    ("facts", "gpu", "network"),
    [
        (replace(FACTS, groups={"a": 100, "b": 100}, total=200), False, "residual-s"),
        (FACTS, False, "residual-m"),
        (replace(FACTS, groups={"a": 20000, "b": 9000}, total=29000), False, "residual-m"),
        (replace(FACTS, groups={"a": 20000, "b": 9000}, total=29000), True, "residual-l"),
    ],
)
def test_capacity_follows_the_number_of_groups(facts: Facts, gpu: bool, network: str) -> None:
    assert make_plan(facts, TASK, means=Means(gpu)).network == network


def test_a_patient_with_images_of_two_classes_is_one_group_of_the_whole() -> None:
    readings = [measure(from_array(np.full((10, 20), grey, np.uint8), "made"), b"1") for grey in (50, 60, 70, 80)]
    found = statistics(readings, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), ("a", "b"))
    assert found is not None
    facts = facts_of(found, {})
    assert (facts.groups, facts.total) == ({"a": 2, "b": 2}, 2)


@pytest.mark.parametrize(
    ("side", "gpu", "size"), [(28, False, 64), (100, False, 128), (90, True, 96), (2000, True, 192)]
)
def test_the_input_is_no_larger_than_the_images_or_the_machine(side: int, gpu: bool, size: int) -> None:
    assert make_plan(replace(FACTS, side=(side, side, side)), TASK, means=Means(gpu)).size == size


def test_installed_weights_are_tuned_in_a_fraction_of_the_epochs() -> None:
    scratch, tuned = make_plan(FACTS, TASK), make_plan(FACTS, TASK, means=Means(weights=True))
    assert tuned.network == "efficientnet-lite0"
    assert "ImageNet" in tuned.reasons["network"]
    assert tuned.epochs < scratch.epochs / 2
    assert (tuned.learning_rate, tuned.size) == (6e-4, 192)


def test_whoever_asks_for_the_weights_that_are_there_gets_them() -> None:
    plan = make_plan(FACTS, TASK, means=Means(weights=True), changes=["weights = auto"])
    assert (plan.network, plan.weights) == ("efficientnet-lite0", "auto")


@pytest.mark.parametrize("line", ["network=residual-m", "weights=none", " network = residual-m"])
def test_whoever_names_a_network_or_refuses_weights_gets_a_plan_from_scratch(line: str) -> None:
    plan = make_plan(FACTS, TASK, means=Means(weights=True), changes=[line])
    assert (plan.network, plan.epochs, plan.learning_rate) == ("residual-m", make_plan(FACTS, TASK).epochs, 3e-3)


def test_small_sets_get_small_batches_more_epochs_and_more_restraint() -> None:
    small = make_plan(replace(FACTS, groups={"a": 60, "b": 60}, total=120), TASK)
    large = make_plan(FACTS, TASK)
    assert small.batch < large.batch
    assert small.epochs > large.epochs
    assert small.learning_rate < large.learning_rate
    assert (small.dropout or 0) > (large.dropout or 0)


def test_a_shortcut_asks_for_strong_augmentation_and_is_named() -> None:
    many = replace(FACTS, groups={"a": 30000, "b": 30000}, total=60000)
    assert make_plan(many, TASK).augmentation == "medium"
    plan = make_plan(replace(many, shortcut=0.95, cue="file_size"), TASK)
    assert plan.augmentation == "strong"
    assert "size of the file alone tells" in plan.reasons["augmentation"]


@pytest.mark.parametrize("task", shipped_tasks(), ids=lambda task: task.name)
def test_every_shipped_task_makes_a_plan_that_the_rest_accepts(task) -> None:  # type: ignore[no-untyped-def]
    plan = make_plan(FACTS, task)
    assert plan.preparation().geometry == task.geometry
    assert plan.settings().policy.flip == 0.5 * task.flip_horizontal
    assert full_config(plan.network, plan.network_config(len(task.classes)))["classes"] == len(task.classes)


def test_overrides_change_their_line_only() -> None:
    plan = make_plan(FACTS, TASK)
    changed = override(
        plan, ["epochs=3", "learning-rate=1e-4", "patience=none", "balance=no", "betas=0.8,0.9", "hidden=32"]
    )
    assert (changed.epochs, changed.learning_rate, changed.patience, changed.balance) == (3, 1e-4, None, False)
    assert (changed.betas, changed.hidden) == ((0.8, 0.9), 32)
    assert changed.reasons["epochs"] == BY_YOU
    kept = [name for name in LINES if name not in ("epochs", "learning_rate", "patience", "balance", "betas", "hidden")]
    assert all(getattr(plan, name) == getattr(changed, name) for name in kept)


def test_a_network_brings_its_published_settings_and_explicit_lines_win() -> None:
    changed = override(make_plan(FACTS, TASK), ["epochs=7", "size=160", "network=cnn-4block"])
    assert (changed.network, changed.size, changed.betas, changed.epochs) == ("cnn-4block", 160, (0.85, 0.9925), 7)
    assert changed.network_config(3) == {"classes": 3, "size": 160}
    assert override(make_plan(FACTS, TASK), ["network=cnn-2block"]).size == 150


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_planned(name: str) -> None:
    plan = override(make_plan(FACTS, TASK), [f"network={name}"])
    assert plan.settings().epochs == plan.epochs
    assert "classes" in full_config(name, plan.network_config(2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("epochs", "write name=value"),
        ("epoch=3", "there are: network"),
        ("epochs=many", "no whole number"),
        ("epochs=0", "must be 1 to"),
        ("network=vgg", "there are: residual-s"),
        ("network=average", "no network 'average'; there are: .*xception-transfer$"),
        ("augmentation=wild", "none, light, medium, strong"),
        ("balance=perhaps", "yes or no"),
        ("size=4000", "16 to 1024"),
        ("folds=1", "2 and more"),
        ("distill=yes", "needs folds"),
        ("betas=0.9", "is no number"),
        ("betas=0.9,2", "less than 1, not 0.9,2"),
    ],
)
def test_what_does_not_fit_is_said_clearly(change: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        override(Plan(), [change])


@pytest.mark.parametrize(
    ("line", "network"),
    [("weights=mine.safetensors", "residual-m"), ("hidden=64", "residual-s"), ("width=48", "efficientnet-lite0")],
)
def test_a_line_that_the_network_has_no_use_for_is_said(line: str, network: str) -> None:
    name, _ = line.split("=")
    with pytest.raises(UsageError, match=f"{network} takes no {name}"):
        check_taken(override(Plan(), [line, f"network={network}"]))
    check_taken(override(Plan(), [f"{name}=none", f"network={network}"]))
    check_taken(override(Plan(hidden=64), [f"network={network}"]))


def test_a_plan_survives_json() -> None:
    plan = override(make_plan(FACTS, TASK), ["patience=4"])
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    with pytest.raises(UsageError, match="not a plan"):
        Plan.from_json({"betas": [0.9, 0.9], "epoch": 3})


def test_the_task_decides_the_field_of_view() -> None:
    assert for_task(Plan(), replace(TASK, geometry="central")).preparation().keep == 0.86
    assert for_task(Plan(), replace(TASK, geometry="foreground")).standardise == "foreground"


def of_groups(total: int) -> Facts:
    return replace(FACTS, groups={"a": total - total // 2, "b": total // 2}, total=total)


@pytest.mark.parametrize(
    ("total", "batch", "rate", "epochs"),
    [
        (120, 8, 0.00106, 100),  # 90 groups are seen
        (255, 8, 0.00106, 100),
        (256, 16, 0.0015, 100),  # 12 steps of 16
        (1023, 32, 0.00212, 100),
        (1024, 64, 0.003, 100),
        (3200, 64, 0.003, 67),
        (29_000, 64, 0.003, 15),
    ],
)
def test_a_run_draws_about_160000_images_in_batches_that_leave_twelve_steps_an_epoch(
    total: int, batch: int, rate: float, epochs: int
) -> None:
    """As docs/explanation/plan.md has it; a rate by the square root of the batch."""
    plan = make_plan(of_groups(total), TASK)
    assert (plan.batch, plan.learning_rate, plan.epochs) == (batch, rate, epochs)


@pytest.mark.parametrize(
    ("total", "batch", "rate", "epochs"), [(200, 8, 0.0003, 40), (3200, 32, 0.0006, 19), (29_000, 32, 0.0006, 8)]
)
def test_published_weights_are_tuned_on_45000_draws_in_smaller_batches(
    total: int, batch: int, rate: float, epochs: int
) -> None:
    plan = make_plan(of_groups(total), TASK, means=Means(weights=True))
    assert (plan.batch, plan.learning_rate, plan.epochs) == (batch, rate, epochs)


@pytest.mark.parametrize(
    ("total", "weights", "network", "held_back"),
    [
        (599, False, "residual-s", (0.3, 0.1, 0.1)),
        (600, False, "residual-m", (0.1, 0.05, 0.05)),
        (599, True, "efficientnet-lite0", (0.3, 0.1, 0.05)),
        (600, True, "efficientnet-lite0", (0.2, 0.05, 0.02)),
    ],
)
def test_below_600_groups_the_network_is_small_and_more_is_held_back(
    total: int, weights: bool, network: str, held_back: tuple[float, float, float]
) -> None:
    plan = make_plan(of_groups(total), TASK, means=Means(weights=weights))
    assert (plan.network, (plan.dropout, plan.label_smoothing, plan.weight_decay)) == (network, held_back)


@pytest.mark.parametrize(
    ("total", "shortcut", "augmentation"),
    [(19_999, 0.5, "strong"), (20_000, 0.5, "medium"), (20_000, 0.8, "medium"), (20_000, 0.81, "strong")],
)
def test_below_20000_groups_or_with_a_shortcut_images_are_varied_strongly(
    total: int, shortcut: float, augmentation: str
) -> None:
    facts = replace(of_groups(total), shortcut=shortcut, cue="file_size")
    assert make_plan(facts, TASK).augmentation == augmentation


def test_the_size_goes_by_the_median_of_what_is_kept_of_the_frame() -> None:
    facts = replace(FACTS, side=(20, 110, 500))
    assert make_plan(facts, TASK).size == 128
    assert make_plan(facts, replace(TASK, geometry="central")).size == 96  # 86% of 110


def test_flips_and_smoothing_reach_the_loop_as_the_plan_has_them() -> None:
    plan = for_task(Plan(), replace(TASK, flip_horizontal=False, flip_vertical=True))
    policy = plan.policy()
    assert (policy.flip, policy.flip_vertical) == (0.0, 0.5)
    changed = replace(plan, label_smoothing=0.2, mixup=0.4, ema=0.9, class_weights="balanced", final="last")
    told = changed.settings()
    assert (told.label_smoothing, told.mixup, told.ema, told.class_weights, told.keep) == (
        0.2,
        0.4,
        0.9,
        "balanced",
        "last",
    )


def test_facts_are_of_the_shorter_side_and_of_the_strongest_cue() -> None:
    """Twenty images of 10 to 29 rows and 100 columns, a quarter of their pixels black."""
    readings = []
    for rows in range(10, 30):
        pixels = np.full((rows, 100), 128, np.uint8)
        pixels[:, :25] = 0
        readings.append(measure(from_array(pixels, "made"), str(rows).encode()))
    found = statistics(readings, np.arange(20) % 2, np.arange(20), ("a", "b"))
    assert found is not None
    facts = facts_of(found, {"format": 0.6, "file_size": 0.9, "mode": 0.7})
    assert facts.side == pytest.approx(tuple(np.percentile(np.arange(10, 30), (5, 50, 95))))
    assert (facts.cue, facts.shortcut, facts.images) == ("file_size", 0.9, 20)
    assert facts.dark == pytest.approx(0.25, abs=1e-5)
    assert facts.aspect == pytest.approx(100 / 19.5)
