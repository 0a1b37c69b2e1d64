"""Cases and what their headers say -> whom and which study each one comes of; decodes nothing, shows no identifier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hilum.data.dataset import Case, Dataset
from hilum.data.survey import Reading
from hilum.task import Task, shipped_tasks

NAMED = re.compile(r"(patient|pat|pt|subject|subj|sub|person|case|p|s)[ _.-]*\d+", re.IGNORECASE)
WORDED = re.compile(r"(patient|pat|pt|subject|subj|sub|person|case)[ _.-]*\d+", re.IGNORECASE)
LARGEST = 0.2  # of a class's images, in one folder of it, for folders named like patients to be patients
LARGEST_UNNAMED = 0.02  # for others with a digit, which may be years, sites or scanners
FEW = 3  # images that a patient may have in any case


def patients_of(dataset: Dataset, readings: Sequence[Reading | None]) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """The patient of each case, and notes on how they were told apart.

    In this order: what the data set says (`with_task` has read the file names by the task's rules), the DICOM header,
    and, where no case has a patient yet, the file-name rules of the shipped tasks that know all labels of the set, or
    folders that part the images of a class as patients do.
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
    found = _by_folder(dataset.cases)
    if any(found):
        return found, ("each folder below a class counts as a patient",)
    return known, ("no patient is known: neither folders, nor file names, nor headers tell them apart",)


def studies_of(readings: Sequence[Reading | None]) -> tuple[str | None, ...]:
    """The study of each case as its header names it: slices of one study stay together."""
    return tuple(reading.study if reading else None for reading in readings)


def _knows(task: Task, dataset: Dataset) -> bool:
    words = {case.raw_label for case in dataset.cases if case.raw_label is not None}
    return bool(words) and all(task.label_for(word) for word in words)


def _by_folder(cases: Sequence[Case]) -> tuple[str | None, ...]:
    """The folder with a digit in its name that an image lies in below its class (`NORMAL/patient 7/1.png`).

    Of several the one that is called a patient, else the innermost: `patient 7/series 1` is patient 7.

    None for all where one of them holds too much of a class: then folders are years, sites or batches. One name below
    two classes is one patient.
    """
    found = tuple(_below_class(case) for case in cases)
    sizes = Counter(case.raw_label for case in cases)
    shares = Counter((case.raw_label, folder) for case, folder in zip(cases, found, strict=True) if folder)
    most = LARGEST if all(NAMED.fullmatch(folder) for folder in found if folder) else LARGEST_UNNAMED
    too_large = any(count > max(sizes[label] * most, FEW) for (label, _), count in shares.items())
    return (None,) * len(found) if too_large else found


def _below_class(case: Case) -> str | None:
    folders = case.path.split("/")[:-1]
    if case.raw_label not in folders:
        return None
    below = folders[len(folders) - folders[::-1].index(case.raw_label) :]
    numbered = [folder for folder in reversed(below) if any(letter.isdigit() for letter in folder)]
    return next(filter(WORDED.fullmatch, numbered), numbered[0] if numbered else None)


def _by_name(task: Task, name: str) -> str | None:
    found = (re.search(pattern, name) for pattern in task.patient_patterns)
    return next((match["patient"] for match in found if match), None)
