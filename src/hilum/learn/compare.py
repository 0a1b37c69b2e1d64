"""Several networks by name, one split -> what each cost and how each answers the same held-out cases.

Every network learns with the settings that were published with it. Draws no page: evaluate/compare_report does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hilum.errors import UsageError
from hilum.learn.fitting import Cases, Ints, fit_network
from hilum.learn.graph import export_graph
from hilum.learn.networks import origin, parameters
from hilum.learn.plan import Plan, override
from hilum.learn.train import logits
from hilum.learn.watch import SILENT, Ears
from hilum.metrics.answers import Answers
from hilum.metrics.figures import figures
from hilum.metrics.intervals import Interval
from hilum.model.engine import Engine
from hilum.task import Task

RANDOM = "from random start"
TIMED = 15  # passes of one image, of which the median counts
FIGURES = ("accuracy", "balanced_accuracy", "auroc")


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """One network of a comparison.

    start: "from random start", or "pretrained: …" where weights were at hand. size: input side in pixels.
    seconds: of training. graph_bytes: of the ONNX graph. image_seconds: one image, one core, the engine alone.
    answers: for the held-out cases, probabilities uncalibrated, the most probable class as the answer.
    figures: with their 95% intervals by group.
    """

    network: str
    parameters: int
    start: str
    size: int
    seconds: float
    epochs: int
    best_epoch: int
    graph_bytes: int
    image_seconds: float
    answers: Answers
    figures: dict[str, Interval]

    @property
    def label(self) -> str:
        """What a table calls it: nothing that started at random is called transfer."""
        if self.network.endswith("-transfer") and self.start == RANDOM:
            return f"{self.network.removesuffix('-transfer')}, from random start"
        return self.network


@dataclass(frozen=True, eq=False, slots=True)
class Contest:
    """The cases that training may see, and the (n,) numbers of those that every network answers and none saw."""

    cases: Cases
    held: Ints

    def __post_init__(self) -> None:
        cases = self.cases
        seen = np.concatenate([cases.groups[cases.train], cases.groups[cases.tune]])
        if np.intersect1d(seen, cases.groups[self.held]).size:
            raise ValueError("a held case belongs to a group that training sees")


def plans_of(names: Sequence[str], plan: Plan, changes: Sequence[str] = ()) -> dict[str, Plan]:
    """The plan of each network: lines of the user's own, then its published size and settings, the rest of the data's.

    Raises:
        UsageError: a name or a line is unknown, or a line means nothing to a comparison.
    """
    for line in changes:
        name = line.partition("=")[0].strip()
        if name in ("network", "folds", "distill"):
            raise UsageError(f"plan line {line}: a comparison trains each network named once, on the same parts")
    return {name: override(plan, [*changes, f"network={name}"]) for name in names}


def compare(
    plans: Mapping[str, Plan],
    contest: Contest,
    task: Task,
    folder: Path,
    *,
    ears: Callable[[str], Ears] = lambda _: SILENT,
) -> tuple[Candidate, ...]:
    """Train the network of each plan on the same parts and let it answer the held cases, which no training saw."""
    return tuple(_contender(plan, contest, task, folder / name, ears(name)) for name, plan in plans.items())


def _contender(plan: Plan, contest: Contest, task: Task, folder: Path, ears: Ears) -> Candidate:
    cases, held = contest.cases, contest.held
    trained = fit_network(plan, cases, task, folder, ears=ears)
    pixels: NDArray[np.uint8] = cases.pixels(plan.preparation())[held]
    rows = softmax(logits(trained.network, pixels).astype(np.float64), axis=1)
    graph = export_graph(trained.network, plan.size)
    answers = Answers(rows, rows.argmax(axis=1), cases.labels[held], cases.groups[held], task.negative)
    return Candidate(
        network=plan.network,
        parameters=parameters(trained.network),
        start=RANDOM if origin(trained.network) == "random start" else origin(trained.network),
        size=plan.size,
        seconds=trained.seconds,
        epochs=len(trained.history),
        best_epoch=trained.best_epoch,
        graph_bytes=len(graph),
        image_seconds=_image_seconds(graph, pixels[:1]),
        answers=answers,
        figures=figures(answers, names=FIGURES),
    )


def _image_seconds(graph: bytes, pixels: NDArray[np.uint8]) -> float:
    engine = Engine(graph, size=pixels.shape[-1])
    engine.run(pixels)
    times = []
    for _ in range(TIMED):
        began = time.perf_counter()
        engine.run(pixels)
        times.append(time.perf_counter() - began)
    return float(np.median(times))
