"""A source -> a cleaned copy of it: no copies, no conflicts, no broken files; as a folder or one .npz."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from hilum import bootstrap
from hilum.data.audit import audit
from hilum.data.dataset import Dataset
from hilum.data.export import Exported, Wanted, export
from hilum.data.findings import Audit
from hilum.data.labels import with_task
from hilum.data.patients import pseudonym
from hilum.data.places.cache import Cache
from hilum.errors import UsageError
from hilum.image.prepare import Preparation
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.cli.source import add_source_arguments, open_labelled
from hilum.settings import Settings

DESCRIPTION = "Write a cleaned copy: one of each group of copies, no conflicting labels, no unreadable or stray files."
EXAMPLES = """examples:
  hilum prepare images/ --out clean.npz --size 128 --task brain-tumor-mri
  hilum prepare images/ --out clean/                    the files as they are, in class folders
  hilum prepare s3://bucket/films/ --out local/ --keep-copies

exit code: 0 written, 2 wrong use, 3 the source cannot be read (files in it that cannot be are left out and counted)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="a folder, or a file ending in .npz")
    parser.add_argument("--task", help="read labels by this task's words")
    parser.add_argument(
        "--size", type=int, metavar="S", help="the whole frame at S x S pixels, its grey values stretched"
    )
    parser.add_argument("--keep-copies", action="store_true", help="keep every copy")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the cleaned copy and say what was left out."""
    if arguments.out.is_file() or (arguments.out.is_dir() and any(arguments.out.iterdir())):
        raise UsageError(f"{arguments.out}: exists already; name a new file, or a folder that is empty")
    preparation = _preparation(arguments.size)  # training cuts out what it looks at
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    task = bootstrap.task_named(arguments.task, settings) if arguments.task else None
    with Bars(file=settings.progress_file) as bars:
        opened = open_labelled(arguments, settings, bars)
        dataset = with_task(opened, task) if task else opened
        bars.stage("looking at every image", len(dataset))
        found = audit(dataset, progress=bars.done)
        keep = sound_cases(found, keep_copies=arguments.keep_copies)
        bars.stage("writing", len(keep))
        patients = patients_of(opened, found, Cache(settings.home / "cache"))
        made = export(dataset, arguments.out, Wanted(keep, preparation, patients), progress=bars.done)
    print(f"{made.path}: {made.images} images, {_left(found, made, len(dataset) - len(keep))}\ndigest {made.digest}")
    return 0


def _preparation(size: int | None) -> Preparation | None:
    """What --size asks for; None: the files as they are.

    Raises:
        UsageError: no network takes such a size.
    """
    try:
        return None if size is None else Preparation(size=size)
    except ValueError as error:
        raise UsageError(f"--size {size}: {error}") from error


def _left(found: Audit, made: Exported, unfit: int) -> str:
    """How many of the cases were left out, and why; a case with several reasons counts under the first of them.

    unfit: how many were not to be written; of the others those that could not be are told by `made`.
    """
    left = unfit + len(made.left_out)
    conflicting = {i for group in found.conflicts for i in group}
    unlabelled = {i for i, label in enumerate(found.labels) if label is None} - conflicting
    why = {
        "under conflicting labels": len(conflicting),
        "without a label": len(unlabelled),
        "unreadable": len(found.unreadable.keys() - conflicting - unlabelled),
        "not to be written": len(made.left_out),
    }
    why["copies"] = left - sum(why.values())
    told = ", ".join(f"{count} {reason}" for reason, count in why.items() if count)
    return f"{left} left out" + (f": {told}" if told else "")


def patients_of(opened: Dataset, found: Audit, cache: Cache) -> tuple[str | None, ...]:
    """(n,) whom each case shows, as keyed hashes: those of the opened source, else of what the audit has found.

    That may come from file names, by a task's rules, or from headers under other file names than those of DICOM. Where
    nobody is known and a study is, that stands for the patient: a picture without its header no longer tells it.
    """
    tied = _tied(found)
    if not (any(found.patients) or any(tied)):
        return found.patients
    key = cache.key()
    known = [
        case.patient or (pseudonym(patient, key) if patient else None)
        for case, patient in zip(opened.cases, found.patients, strict=True)
    ]
    bound = found.grouping.bound.tolist()
    owners = {group: patient for group, patient in zip(bound, known, strict=True) if patient}
    return tuple(
        patient or owners.get(group) or (pseudonym(name, key) if name else None)
        for patient, group, name in zip(known, bound, tied, strict=True)
    )


def _tied(found: Audit) -> tuple[str | None, ...]:
    """(n,) a name for what ties a case to other pictures than its own copies: a study of nobody known; else None."""
    bound, copies = found.grouping.bound.tolist(), found.grouping.copies.tolist()
    pictures = Counter(group for group, _ in set(zip(bound, copies, strict=True)))
    first = dict(zip(reversed(bound), reversed(found.paths), strict=True))
    return tuple(first[group] if pictures[group] > 1 else None for group in bound)


def sound_cases(found: Audit, *, keep_copies: bool) -> tuple[int, ...]:
    """Case numbers that are readable and labelled, bear no conflicting label, and (unless asked) are no second copy."""
    left = set(found.unreadable) | {i for group in found.conflicts for i in group}
    left |= {i for i, label in enumerate(found.labels) if label is None}
    kept, seen = [], set()
    for case, group in enumerate(found.grouping.copies.tolist()):
        if case in left or (group in seen and not keep_copies):
            continue
        seen.add(group)
        kept.append(case)
    return tuple(kept)
