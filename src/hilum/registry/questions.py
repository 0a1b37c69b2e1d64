"""The installed packages -> the clinical questions known here: the shipped ones, and those that packages bring.

A task file of one's own is sealed into the package that learned from it; a server knows it by the task's name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from hilum.errors import PackageError, UnknownTask, UsageError
from hilum.model.package import TASK, Trust, open_package
from hilum.registry.pins import Known, known_packages, silenced, trust
from hilum.settings import Settings
from hilum.task import Task, is_shipped, read_task, shipped_tasks


def known_tasks(settings: Settings) -> tuple[Task, ...]:
    """The shipped tasks, highest `auto_priority` first, then the others by name, as the newest package says each."""
    shipped = shipped_tasks()
    names, own = {task.name for task in shipped}, dict[str, Task]()
    for known in known_packages(settings):
        if known.task not in names:
            for task in _said_by(known, settings):
                own.setdefault(task.name, task)
    return (*shipped, *(own[name] for name in sorted(own)))


def known_task(name: str, settings: Settings) -> Task:
    """A task by its name; no file is looked for, so a stranger may say it.

    Raises:
        UnknownTask: there is none; the message lists the names there are.
    """
    found = known_tasks(settings)
    for task in found:
        if task.name == name:
            return task
    raise UnknownTask(f"no task '{name[:100]}'; there are: {', '.join(task.name for task in found)}")


def task_answered(name: str, digest: str | None, settings: Settings) -> Task:
    """The task of an answer as the package that gave it says it; where that is gone, as it is known here.

    Raises:
        UnknownTask: nothing here knows it any more.
    """
    known = next((one for one in known_packages(settings) if one.digest == digest), None)
    said = _said_by(known, settings) if known else ()
    return said[0] if said else known_task(name, settings)


def reference_of(name: str, settings: Settings, digest: str = "") -> str:
    """What a command takes for a task: its name, or the file of one that only packages bring.

    digest: the package whose file it is, where it brings the task; any other may call the classes otherwise.

    Raises:
        UnknownTask: there is none.
    """
    task = known_task(name, settings)
    if is_shipped(task.name):
        return task.name
    bring = [one for one in known_packages(settings) if one.task == name and _said_by(one, settings)]
    return str(next((one for one in bring if one.digest == digest), bring[0]).folder / TASK)


def name_of(reference: str) -> str:
    """The name behind what `reference_of` said once; the newest package, and so the file, may be another one since."""
    if Path(reference).name == TASK:
        with suppress(UsageError):  # its package is gone
            return read_task(Path(reference)).name
    return reference


def speaking_for(chosen: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Task -> digest of the package that answers it on a server; a task of one's own has none before a promotion.

    chosen: task -> digest of the package that was promoted last.
    """
    by_default, silent = dict[str, str](), silenced(settings)
    for known in known_packages(settings):
        if known.task not in by_default and is_shipped(known.task) and known.task not in silent:
            by_default[known.task] = known.digest
    return by_default | dict(chosen)


def _said_by(known: Known, settings: Settings) -> tuple[Task, ...]:
    """The task of a package; none where it must not be used."""
    try:
        return (_sealed(known.folder, trust(settings), known.digest),)
    except PackageError:
        return ()


@lru_cache(maxsize=64)
def _sealed(folder: Path, whom: Trust, _digest: str) -> Task:
    return open_package(folder, whom).task
