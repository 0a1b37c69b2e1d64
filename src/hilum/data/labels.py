"""A data set's own words and a task -> the task's classes, and patients by the task's rules; decodes no image."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace

from hilum.data.dataset import Case, Dataset
from hilum.errors import DataError
from hilum.task import Task


def with_task(dataset: Dataset, task: Task) -> Dataset:
    """The same cases with `label` a class of the task, `classes` the task's own, and patients from file names.

    A word is looked up among the task's labels and synonyms; where a folder's name is unknown, the folders above and
    below it are asked. Whole numbers in arrays that are no synonyms count the task's classes in their order, from 0.
    Classes the data set does not hold are no error.

    Raises:
        DataError: no case has a label, or some words are unknown; the message lists each with its count.
    """
    if all(case.raw_label is None for case in dataset.cases):
        why = f" ({'; '.join(dataset.notes)})" if dataset.notes else ""
        raise DataError(
            f"{dataset.name}: no labels; sort the images into folders named {_listed(task)}, or add a table{why}"
        )
    meaning, notes = _meanings(dataset, task)
    patterns = tuple(re.compile(pattern) for pattern in task.patient_patterns)
    in_folders = dataset.layout == "class folders"
    above = _above_all(dataset) if meaning else 0  # a folder above Healthy and Brain Tumor says nothing of a third
    cases, unknown = [], Counter[str]()
    for case in dataset.cases:
        word, label = case.raw_label, meaning.get(case.raw_label)
        if label is None and in_folders:
            word, label = _from_path(case, task, above)
        if label is None:
            unknown[case.raw_label if case.raw_label is not None else "(none)"] += 1
            continue
        cases.append(replace(case, label=label, raw_label=word, patient=case.patient or _patient(case, patterns)))
    if unknown:
        raise DataError(_unknown(dataset, task, unknown))
    return replace(dataset, cases=tuple(cases), classes=task.classes, notes=dataset.notes + notes)


def _meanings(dataset: Dataset, task: Task) -> tuple[dict[str | None, str], tuple[str, ...]]:
    words = {case.raw_label for case in dataset.cases if case.raw_label is not None}
    known: dict[str | None, str] = {word: label for word in words if (label := task.label_for(word)) is not None}
    if known or dataset.layout != "arrays" or not all(word.isdecimal() for word in words):
        return known, ()
    numbers = {word: int(word) for word in words}
    if max(numbers.values()) >= len(task.classes):
        return {}, ()
    order = ", ".join(f"{i} = {name}" for i, name in enumerate(task.classes))
    return {word: task.classes[i] for word, i in numbers.items()}, (f"labels are numbers, read as {order}",)


def _above_all(dataset: Dataset) -> int:
    """How many folders all cases lie in."""
    folders = [case.path.split("/")[:-1] for case in dataset.cases]
    low, high = min(folders), max(folders)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False)))


def _from_path(case: Case, task: Task, above: int) -> tuple[str | None, str | None]:
    """The deepest folder that names a class, and the class; its own word and none where no folder does."""
    folders = case.path.split("/")[above:-1]
    found = ((folder, label) for folder in reversed(folders) if (label := task.label_for(folder)))
    return next(found, (case.raw_label, None))


def _patient(case: Case, patterns: tuple[re.Pattern[str], ...]) -> str | None:
    return next((match["patient"] for pattern in patterns if (match := pattern.search(case.name))), None)


def _unknown(dataset: Dataset, task: Task, unknown: Counter[str]) -> str:
    words = ", ".join(f"'{word}' ({count})" for word, count in unknown.most_common(20))
    more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
    read = f" ({'; '.join(dataset.notes)})" if dataset.notes else ""  # a table may lie there that knows the words
    return (
        f"{dataset.name}: the task {task.name} does not know these labels: {words}{more}. It knows {_listed(task)}; "
        f"add a word to `synonyms` of its label in a copy of the task file and give that with --task FILE.toml{read}"
    )


def _listed(task: Task) -> str:
    return ", ".join(task.classes)
