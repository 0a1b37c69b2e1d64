"""The task files and what installed packages bring -> a list or one task whole, as text or JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json

from hilum.errors import UnknownTask
from hilum.registry.questions import known_task, known_tasks
from hilum.settings import Settings
from hilum.task import Task, find_task

DESCRIPTION = """The clinical questions Hilum knows: the shipped ones, and those of your own that an installed package
answers. A file of your own (my-task.toml) works wherever a name does."""
EXAMPLES = """examples:
  hilum tasks                          all of them
  hilum tasks pneumonia-cxr            one whole
  hilum tasks ./my-task.toml --json    check a file of your own"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("task", nargs="?", help="a name or a .toml file; none: list them")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the tasks or show one."""
    chosen = (_named(arguments.task, settings),) if arguments.task else known_tasks(settings)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(task) for task in chosen], indent=2))
    elif arguments.task:
        print(_whole(chosen[0]))
    else:
        for task in chosen:
            print(f"{task.name:<26} {task.title}: {', '.join(task.classes)}")
    return 0


def _named(reference: str, settings: Settings) -> Task:
    """A task by its file or name.

    Raises:
        UnknownTask: there is neither; the message lists the names there are.
    """
    if reference.endswith(".toml"):
        return find_task(reference)
    try:
        return known_task(reference, settings)
    except UnknownTask as error:
        raise UnknownTask(f"{error}; or give the path of a .toml file") from None


def _whole(task: Task) -> str:
    labels = "\n".join(
        f"  {label.name:<14} {label.title}{' (absence of disease)' if label.negative else ''}"
        f"\n{'':17}also written: {', '.join(label.synonyms) or '–'}"
        for label in task.labels
    )
    points = ", ".join(
        rule.name
        + (f" (sensitivity >= {rule.sensitivity})" if rule.sensitivity else "")
        + (f" (specificity >= {rule.specificity})" if rule.specificity else "")
        for rule in task.operating_points
    )
    return f"""{task.name}: {task.title}

{task.intended_use}

labels
{labels}

accepts           {task.image_words}; {_kind(task)}; short side {task.smallest_side} pixels or more
operating points  {points}
optimised for     {task.select_by}
flips allowed     {"left-right" if task.flip_horizontal else "none"}{", up-down" if task.flip_vertical else ""}"""


def _kind(task: Task) -> str:
    return f"modality {', '.join(task.modalities) or 'any'}; body part {', '.join(task.body_parts) or 'any'}"
