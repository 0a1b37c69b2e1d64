"""Cases and what their headers say -> whom and which study each one comes of; decodes nothing, shows no identifier."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hilum.data.dataset import Dataset
from hilum.data.survey import Reading
from hilum.task import Task, shipped_tasks


def patients_of(dataset: Dataset, readings: Sequence[Reading | None]) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """The patient of each case, and notes on how they were told apart.

    In this order: what the data set says (`with_task` has read the file names by the task's rules), the DICOM header,
    and, where no case has a patient yet, the file-name rules of the shipped tasks that know all labels of the set.
    """
    known = tuple(
        case.patient or (reading.patient if reading else None)
        for case, reading in zip(dataset.cases, readings, strict=True)
    )
    if any(known):
        return known, ()
    for task in shipped_tasks():
        if not task.patient_patterns or not _knows(task, dataset):
            continue
        found = tuple(_by_name(task, case.name) for case in dataset.cases)
        if any(found):
            return found, (f"patients are read from the file names by the rules of the task {task.name}",)
    return known, ("no patient is known: neither the file names nor the headers tell them apart",)


def studies_of(readings: Sequence[Reading | None]) -> tuple[str | None, ...]:
    """The study of each case as its header names it: slices of one study stay together."""
    return tuple(reading.study if reading else None for reading in readings)


def _knows(task: Task, dataset: Dataset) -> bool:
    words = {case.raw_label for case in dataset.cases if case.raw_label is not None}
    return bool(words) and all(task.label_for(word) for word in words)


def _by_name(task: Task, name: str) -> str | None:
    found = (re.search(pattern, name) for pattern in task.patient_patterns)
    return next((match["patient"] for match in found if match), None)
