"""An evaluation -> the result in plain words, what must be known before it is believed, and the parts it has."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hilum.data.audit_words import CUES
from hilum.data.shortcuts import WARN_ABOVE
from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation, Part
from hilum.metrics.calibration import LEAST
from hilum.task import Task

FEW_GROUPS = 30


def sentences(evaluation: Evaluation, task: Task) -> list[str]:
    """The result in plain words, the baseline in the same breath."""
    whole = evaluation.whole
    accuracy = words.with_interval("accuracy", whole.metrics["accuracy"])
    counted = f"{_plural(whole.n, 'image')} of {_plural(whole.groups, 'group')} (a patient, or copies of one image)"
    said = [f"{counted}: {accuracy} answered right."]
    simple = [
        f"{name.replace('_', ' ')} {words.value('accuracy', found['accuracy'].value)}"
        for name, found in whole.baseline.items()
        if "accuracy" in found
    ]
    said.append(f"For comparison, trivial answers reach: {', '.join(simple)}.")
    if task.negative is not None:
        sens, spec = (words.with_interval(name, whole.metrics[name]) for name in ("sensitivity", "specificity"))
        said.append(f"Disease found: {sens}. Images without it answered so: {spec}.")
    if whole.refused:
        said.append(f"{_plural(whole.refused, 'image')} refused, each counted as a wrong answer and listed below.")
    return said


def warnings(evaluation: Evaluation) -> list[str]:
    """What a reader must know before believing a figure."""
    setting, found = evaluation.setting, list(evaluation.setting.marks)
    if evaluation.copied:
        n, clean = evaluation.copied.n, evaluation.clean
        beside = (
            f" Without them accuracy is {words.with_interval('accuracy', clean.metrics['accuracy'])} on {clean.n}."
            if clean
            else " Nothing else is left: these figures measure memory."
        )
        found.append(f"{_plural(n, 'image')} of {evaluation.whole.n} copy an image the model was trained on.{beside}")
    found += [
        f"By the {CUES.get(cue, cue)} alone the classes are told apart with AUROC {auroc:.2f}: "
        "a model may have learned that instead."
        for cue, auroc in setting.cues.items()
        if auroc > WARN_ABOVE
    ]
    if evaluation.whole.groups < FEW_GROUPS:
        found.append(f"Only {_plural(evaluation.whole.groups, 'group')}: the intervals are rough.")
    if "ece" in evaluation.metrics and math.isnan(evaluation.metrics["ece"].value):
        found.append(f"Fewer than {LEAST} answered images are too few to say how large the calibration error is.")
    if setting.unreadable:
        found.append(f"{_plural(len(setting.unreadable), 'file')} could not be read: listed below, in no figure.")
    return found


def against(evaluation: Evaluation) -> str:
    """What the comparison with a second model tests, in words; "" where there is none."""
    found = evaluation.versus
    if not found:
        return ""
    test, delong = found["mcnemar"], found.get("delong")
    areas = f" DeLong's test of the two areas: {words.chance(delong['p'])}." if delong else ""
    met = found["other_copied"]
    beware = f" Beware: the other was trained on copies of {met:,} of them." if met else ""
    return (
        f"Of {_plural(found['n'], 'image')} this model alone is right on {test['only_this_right']:,}, the other alone "
        f"on {test['only_other_right']:,} (McNemar's test, mid-p: {words.chance(test['p_mid'])}).{areas} "
        f"An interval that holds 0 may be chance.{beware}"
    )


def parts(evaluation: Evaluation) -> list[tuple[str, Part]]:
    """The columns of the figures table."""
    named = [
        ("All", evaluation.whole),
        ("No copies", evaluation.clean),
        ("Copies of training images", evaluation.copied),
    ]
    return [(name, part) for name, part in named if part]


def figures(evaluation: Evaluation, names: Sequence[str]) -> list[list[str]]:
    """The figures table, its head first: a row a figure, a column a part, and one for each trivial answer."""
    columns = [(title, part.metrics) for title, part in parts(evaluation)]
    columns += [(f"Trivial: {name.replace('_', ' ')}", found) for name, found in evaluation.whole.baseline.items()]
    rows = [["Figure", *(title for title, _ in columns)]]
    for name in names:
        if name in evaluation.metrics:
            cells = [words.with_interval(name, found[name]) if name in found else words.DASH for _, found in columns]
            rows.append([words.meaning(name).title, *cells])
    return rows


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"
