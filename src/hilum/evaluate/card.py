"""An evaluation and the facts of a training -> the model card: README.md with Hugging Face front matter.

Deterministic: the same numbers give the same bytes. Every figure is the evaluation's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hilum.data.audit_words import CUES
from hilum.errors import printable
from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation
from hilum.evaluate.sentences import figures, sentences, warnings
from hilum.model.calibration import Calibration, OperatingPoint
from hilum.task import Task

# our name -> the name in the Hugging Face list of metrics
HUB_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "auroc": "roc_auc", "f1": "f1",
               "precision": "precision", "recall": "recall", "brier": "brier_score"}  # fmt: skip
CARD_FIGURES = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1", "auroc", "auprc",
    "specificity_at_sensitivity_0.95", "sensitivity_at_specificity_0.95", "ece", "ece_if_calibrated",
    "brier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One data set that was trained on."""

    name: str
    images: int
    licence: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the evaluation does not know of the model."""

    name: str
    version: str
    network: str
    parameters: int
    size_bytes: int
    input_words: str  # "one grey image, 128 x 128 pixels, 8 bit"
    sources: tuple[Source, ...]
    parts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # part -> class -> images
    training: Mapping[str, str] = field(default_factory=dict)  # setting -> value, as the plan names them
    copies: str = ""  # what the audit found and what was done about it
    leaks: bool = False  # a supplied split that parts groups was kept
    limits: tuple[str, ...] = ()
    calibration: Calibration | None = None
    licence: str = "unknown"  # of the model, as the hub spells it; whoever trained it decides


def card(evaluation: Evaluation, facts: CardFacts, task: Task, others: Sequence[Evaluation] = ()) -> str:
    """The text of README.md; `others` are further evaluations, such as each source on its own."""
    shown = (evaluation, *others)
    sections = [
        _front_matter(shown, facts, task),
        f"# {facts.name} {facts.version}: {task.title}",
        "> Research software, not a medical device. Not for diagnosis.",
        _intended(task),
        *(_figures(one, task) for one in shown),
        _classes(evaluation, task),
        operating_points(facts.calibration) if facts.calibration else "",
        _data(facts),
        _network(facts, evaluation),
        _limits(facts, evaluation, task),
        _use(facts, task),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(shown: Iterable[Evaluation], facts: CardFacts, task: Task) -> str:
    """YAML whose strings are written as JSON, which YAML reads."""
    tags = [
        "medical-imaging",
        "radiology",
        "image-classification",
        "onnx",
        "hilum",
        *(m.lower() for m in task.modalities),
    ]
    lines = [
        "---", f"license: {facts.licence}", "library_name: hilum", "pipeline_tag: image-classification",
        f"tags: {json.dumps(tags)}", f"metrics: {json.dumps(list(HUB_METRICS.values()))}",
        "model-index:", f"- name: {json.dumps(facts.name)}", "  results:",
    ]  # fmt: skip
    for one in shown:
        source = json.dumps(one.setting.source)
        lines += [
            "  - task:", "      type: image-classification", f"      name: {json.dumps(task.title)}",
            "    dataset:", f"      type: {source}", f"      name: {source}", "      split: test", "    metrics:",
        ]  # fmt: skip
        for ours, theirs in HUB_METRICS.items():
            found = one.metrics.get(ours)
            if found is not None and found.value == found.value:
                title = json.dumps(words.meaning(ours).title)
                lines += [f"    - type: {theirs}", f"      value: {found.value:.4f}", f"      name: {title}"]
    return "\n".join([*lines, "---"])


def _intended(task: Task) -> str:
    answers = ", ".join(f"{label.title} (`{label.name}`)" for label in task.labels)
    return f"## What it is for\n\n{task.intended_use}\n\nIt looks at {task.image_words} and answers: {answers}."


def _figures(evaluation: Evaluation, task: Task) -> str:
    setting = evaluation.setting
    rows = figures(evaluation, CARD_FIGURES)
    said = [*sentences(evaluation, task), *(f"**Beware:** {warning}" for warning in warnings(evaluation))]
    listed = "\n".join(f"- {line}" for line in said)
    counted = (
        f"95% intervals by bootstrap of whole groups, {setting.draws:,} draws; a refused image counts as wrong; "
        f"operating point `{setting.operating_point}`."
    )
    return f"## How good it is: {printable(setting.source)}\n\n{listed}\n\n{_table(rows)}\n\n{counted}"


def _classes(evaluation: Evaluation, task: Task) -> str:
    names = ("sensitivity", "specificity", "precision", "auroc")
    rows = [["Class", "Images", *(words.meaning(name).title for name in names)]]
    for label in task.labels:
        part = evaluation.per_class[label.name]
        cells = [words.with_interval(name, part.metrics[name]) if name in part.metrics else "–" for name in names]
        rows.append([label.title, str(part.n), *cells])
    return f"### By class\n\n{_table(rows)}"


def operating_points(calibration: Calibration) -> str:
    """How each threshold was chosen, on what, and what it did there."""
    rows = [["Operating point", "Threshold", "Chosen as", "Sensitivity there", "Specificity there"]]
    rows += [_point(point) for point in calibration.points.values()]
    groups = ", ".join(f"{name} {n}" for name, n in zip(calibration.classes, calibration.counts, strict=True))
    negative = "" if calibration.negative is None else calibration.classes[calibration.negative]
    score = f"The threshold stands on the probability of everything but `{negative}`. " if negative else ""
    place = _ORIGINS.get(calibration.origin, f"the {calibration.origin}")
    fitted = f"Temperature, thresholds and 95% sets were fitted on {place}, never on the test"
    counted = f"{sum(calibration.counts)} groups of images ({groups})"
    return f"## How its operating points were chosen\n\n{score}{fitted}: {counted}.\n\n{_table(rows)}"


_ORIGINS = {"out of fold": "scores of images that the network of their fold had not seen"}


def _point(point: OperatingPoint) -> list[str]:
    rates = [words.DASH if rate is None else f"{rate:.3f}" for rate in (point.sensitivity, point.specificity)]
    counted = [
        f"{rate} ({n} groups)" if n else rate for rate, n in zip(rates, (point.positives, point.negatives), strict=True)
    ]
    threshold = "most probable class" if point.threshold is None else f"{point.threshold:.3f}"
    said = "; ".join(filter(None, (point.rule or "not stated in this package", point.note)))
    return [f"`{point.name}`", threshold, said, *counted]


def _data(facts: CardFacts) -> str:
    said = ["## What it was trained on"]
    rows = [["Source", "Images", "Licence", "Note"]]
    rows += [[printable(one.name), f"{one.images:,}", one.licence or "not stated", one.note] for one in facts.sources]
    said.append(_table(rows))
    if facts.parts:
        classes = list(dict.fromkeys(name for counts in facts.parts.values() for name in counts))
        split = [["Part", *classes]]
        split += [[part, *(str(counts.get(name, 0)) for name in classes)] for part, counts in facts.parts.items()]
        parted = "stand in several parts, as supplied" if facts.leaks else "are never parted"
        said.append(f"Groups (a patient, copies of one image) {parted}:\n\n" + _table(split))
    if facts.copies:
        said.append(facts.copies)
    return "\n\n".join(said)


def _network(facts: CardFacts, evaluation: Evaluation) -> str:
    rows = [
        ["Network", facts.network], ["Parameters", f"{facts.parameters:,}"],
        ["Size", f"{facts.size_bytes / 1e6:.1f} MB"], ["Input", facts.input_words],
        *([name, value] for name, value in facts.training.items()),
    ]  # fmt: skip
    table = _table([["Setting", "Value"], *rows])
    if evaluation.coverage:
        sets = evaluation.coverage
        table += (
            f"\n\nThe 95% sets held the truth in {words.with_interval('accuracy', sets.overall)} of the answered test "
            f"images, with {sets.mean_size:.2f} classes on average."
        )
    return f"## How it was made\n\n{table}"


def _limits(facts: CardFacts, evaluation: Evaluation, task: Task) -> str:
    said = [
        f"It answers for {task.image_words} only; the gate refuses what looks otherwise, and can be wrong about that.",
        "Its figures hold for images like those above. At another site, scanner or age they must be measured again.",
        *facts.limits,
        *(
            f"By the {CUES.get(cue, cue)} alone the classes of the test images are told apart with AUROC {auroc:.2f}."
            for cue, auroc in evaluation.setting.cues.items()
        ),
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in said)


def _use(facts: CardFacts, task: Task) -> str:
    return (
        f"## Use\n\n```\nhilum predict image.png --task {task.name}\n"
        f"hilum evaluate FOLDER --task {task.name} --model {facts.name} --report report\n```"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
