"""Facts about a data set and a task -> a plan, every line with its reason; knows no image.

The rules and the evidence behind them: docs/explanation/plan.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hilum.data.audit_words import CUES
from hilum.data.shortcuts import WARN_ABOVE
from hilum.errors import UsageError
from hilum.learn.facts import Facts
from hilum.learn.means import NOTHING, Means
from hilum.learn.plan import LARGEST_SEED, Plan, for_task, override
from hilum.task import Task

TRAIN_SHARE = 0.75  # of the groups that training sees, when the split is ours
DRAWS = 160_000  # images drawn in a whole run: about half an hour on two cores at 128 pixels
TUNED = "efficientnet-lite0"  # the network that starts from published weights
TUNED_DRAWS = 45_000  # what such a start needs
STEPS_AN_EPOCH = 12  # at least, else the batch shrinks
FEW, MANY = 600, 20_000  # groups
UNEVEN = 1.5  # largest class to smallest


def make_plan(facts: Facts, task: Task, *, means: Means = NOTHING, changes: Sequence[str] = (), seed: int = 0) -> Plan:
    """Decide everything but the seed from the facts, then apply the user's own lines ("epochs=3").

    Published weights are planned for only where the user names no network and does not refuse them ("weights=none").

    Raises:
        UsageError: one of `changes`, or the seed, does not fit.
    """
    check_seed(seed)
    given = {name.strip(): value.strip() for name, _, value in (change.partition("=") for change in changes)}
    if "network" in given or given.get("weights", "auto") != "auto":
        means = replace(means, weights=False)
    plan = for_task(Plan(facts=facts.to_json(), seed=seed), task)
    for decide in (_network, _size, _augmentation, _batch, _epochs, _regularisation, _balance):
        changed, reasons = decide(facts, plan, means)
        plan = replace(plan, **changed, reasons={**plan.reasons, **reasons})
    return override(plan, changes)


def check_seed(seed: int) -> None:
    """Raises UsageError where nothing can be drawn by such a seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed {seed}: must be 0 to {LARGEST_SEED}")


Decision = tuple[dict[str, Any], dict[str, str]]


def _network(facts: Facts, _: Plan, means: Means) -> Decision:
    if means.weights:
        return {"network": TUNED}, {
            "network": "weights learned on ImageNet are installed: they are tuned to your images"
        }
    if facts.total < FEW:
        return {"network": "residual-s"}, {"network": f"{facts.total} groups are few: 0.2 M weights"}
    if facts.total > MANY and means.gpu:
        return {"network": "residual-l"}, {"network": f"{facts.total} groups feed 2.9 M weights, and there is a GPU"}
    return {"network": "residual-m"}, {"network": f"{facts.total} groups: 1.3 M weights learn from scratch"}


def _size(facts: Facts, plan: Plan, means: Means) -> Decision:
    affordable = 192 if means.gpu or means.weights else 128
    median = facts.side[1] * (plan.keep if plan.geometry == "central" else 1.0)
    size = int(min(max(-(-median // 32) * 32, 64), affordable))
    if size < affordable:
        return {"size": size}, {"size": f"the median shorter side is {facts.side[1]:.0f} pixels: more adds nothing"}
    who = "a GPU" if means.gpu else "a processor"
    return {"size": size}, {"size": f"images of {facts.side[1]:.0f} pixels; {affordable} is what {who} trains in time"}


def _augmentation(facts: Facts, _: Plan, __: Means) -> Decision:
    if facts.shortcut > WARN_ABOVE:
        cue = f"the {CUES[facts.cue]} alone tells the classes apart (AUROC {facts.shortcut:.2f})"
        why = f"{cue}: grey values and borders vary more"
        return {"augmentation": "strong"}, {"augmentation": why}
    if facts.total < MANY:
        return {"augmentation": "strong"}, {"augmentation": f"{facts.total} groups are soon known by heart"}
    return {"augmentation": "medium"}, {"augmentation": f"{facts.total} groups vary by themselves"}


def _batch(facts: Facts, plan: Plan, _: Means) -> Decision:
    seen = max(1.0, facts.total * TRAIN_SHARE)
    most, rate = (32, 6e-4) if plan.network == TUNED else (64, 3e-3)
    batch = next((b for b in (64, 32, 16) if b <= most and seen / b >= STEPS_AN_EPOCH), 8)
    steps = f"{seen / batch:.0f} steps an epoch"
    return {"batch": batch, "learning_rate": round(rate * (batch / most) ** 0.5, 5)}, {
        "batch": steps,
        "learning_rate": f"{rate:g} at a batch of {most}, by the root of the batch: {batch}",
    }


def _epochs(facts: Facts, plan: Plan, _: Means) -> Decision:
    seen = max(1.0, facts.total * TRAIN_SHARE)
    draws, least, most = (TUNED_DRAWS, 8, 40) if plan.network == TUNED else (DRAWS, 15, 100)
    epochs = int(min(max(round(draws / seen), least), most))
    why = f"about {epochs * seen:,.0f} draws from {seen:.0f} groups; the cosine schedule ends with them"
    return {"epochs": epochs, "patience": None}, {"epochs": why}


def _regularisation(facts: Facts, plan: Plan, _: Means) -> Decision:
    tuned = plan.network == TUNED
    if facts.total < FEW:
        changed: dict[str, Any] = {"dropout": 0.3, "label_smoothing": 0.1, "weight_decay": 0.05 if tuned else 0.1}
        return changed, dict.fromkeys(changed, f"{facts.total} groups: hold back more")
    changed = {"dropout": 0.2 if tuned else 0.1, "label_smoothing": 0.05, "weight_decay": 0.02 if tuned else 0.05}
    return changed, dict.fromkeys(changed, "enough groups for the usual amount")


def _balance(facts: Facts, _: Plan, __: Means) -> Decision:
    if facts.imbalance >= UNEVEN:
        why = f"the largest class has {facts.imbalance:.1f} groups for each of the smallest: classes are drawn evenly"
    else:
        why = "classes are drawn evenly; they nearly are"
    return {"balance": True, "class_weights": "none"}, {
        "balance": why,
        "class_weights": "drawing evenly does the same; the package says for which shares its probabilities stand",
        "sampling": "one random member of a group an epoch, so that copies weigh as one",
    }
