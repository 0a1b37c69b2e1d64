"""A data set, its audit, split and plan -> the facts that a model card needs besides the evaluation."""

from __future__ import annotations

from collections import Counter

from hilum.data.dataset import Dataset
from hilum.data.findings import Audit
from hilum.data.split import Split
from hilum.evaluate.card import CardFacts, Source
from hilum.learn.plan import Plan
from hilum.model.package import GRAPH, Package


def facts_for_card(dataset: Dataset, found: Audit, split: Split, plan: Plan, sealed: tuple[Package, int]) -> CardFacts:
    """What the evaluation does not know of the model; sealed = (the package, weights of its network)."""
    package, weights = sealed
    size = package.preparation.size
    counts = {name: Counter(found.labels[i] for i in part) for name, part in split.parts.items()}
    return CardFacts(
        name=package.name,
        version=package.version,
        network=plan.network,
        parameters=weights,
        size_bytes=len(package.read(GRAPH)),
        input_words=f"one grey image, {size} x {size} pixels, 8 bit",
        sources=(Source(dataset.name, len(dataset)),),
        parts={name: {c: counted[c] for c in dataset.classes} for name, counted in counts.items()},
        training={name: value for name, value, _ in plan.lines()},
        copies=_copies(found, kept=bool(split.marks)),
        leaks=bool(split.marks),
        limits=tuple(split.notes),
        calibration=package.calibration,
    )


def _copies(found: Audit, *, kept: bool) -> str:
    inside = sum(len(group) for group in found.copy_groups)
    told = f"The audit found {len(found.pairs)} pairs of copies ({inside} images in {len(found.copy_groups)} groups). "
    if kept:  # the user's own split, leaks and all
        return told + "The supplied split was kept: copies and images of one patient stand in several parts."
    return told + "Copies and images of one patient stayed in one part and weighed as one."
