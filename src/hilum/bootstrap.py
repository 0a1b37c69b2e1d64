"""Settings -> the packages that answer, opened and wired; what a server needs beside them is wired in parts.py."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from hilum.errors import PackageDamaged, PackageError, UnknownModel, UnknownTask, UsageError
from hilum.flows.predict import Desk
from hilum.flows.speaker import Speaker
from hilum.image.limits import DEFAULT_LIMITS, Limits
from hilum.model.package import digest_of, open_package
from hilum.model.unfolded import Shelf
from hilum.registry.pins import champion_for, find_package, known_packages, named_package, silenced, trust
from hilum.registry.questions import known_task
from hilum.settings import Settings
from hilum.task import Task, find_task, is_shipped, shipped_tasks

log = logging.getLogger("hilum.bootstrap")


def limits(settings: Settings) -> Limits:
    """What is read at most: of a file of one frame as many pixels as a frame may have."""
    whole = max(settings.max_pixels, DEFAULT_LIMITS.max_total_pixels)
    return Limits(settings.max_bytes, DEFAULT_LIMITS.max_inflated, settings.max_pixels, settings.max_frames, whole)


def shelf(settings: Settings) -> Shelf:
    """Where networks are kept as they are unfolded for this processor."""
    return Shelf(settings.home / "graphs")


def desk(
    settings: Settings, *, task: str = "auto", model: str | None = None, crew: Crew | None = None, threads: int = 1
) -> Desk:
    """Who answers: the model named, else the champion of the task, else of every task in turn.

    A task of a user's own has its turn on a server, once a package of it was promoted.

    crew: where open packages and the choice of champions come from, as on a server; task and model are then names and
    never paths. None: opened afresh, with `threads` threads a pass, chosen as without a database.

    Raises:
        UnknownTask, UnknownModel: nothing answers to the name.
        UsageError: the model named answers another task.
        PackageError: the package must not be used.
    """
    name_of: Callable[[str], str]
    if crew is None:
        crew, package_of, name_of = Crew(settings, threads=threads), find_package, functools.partial(_name_of, settings)
    else:
        package_of, name_of = named_package, crew.task_named
    if model is not None:
        named = crew.speaker(package_of(model, settings, crew.chosen))
        answers = named.package.task.name if task != "auto" else task
        if task != answers and name_of(task) != answers:
            raise UsageError(f"{named.package.reference} answers {answers}, not {task}")
        return Desk((named,), limits=limits(settings))
    if task != "auto":
        return Desk((crew.champion(name_of(task)),), limits=limits(settings))
    asked = _in_turn(crew, settings)
    if not asked:
        raise UnknownModel(f"no model is installed in {settings.models}: train one with `hilum train`")
    return Desk(asked, automatic=True, limits=limits(settings))


def _in_turn(crew: Crew, settings: Settings) -> tuple[Speaker, ...]:
    """Every champion, highest `auto_priority` of its task's file first; a shipped task before one that ranks alike.

    Raises:
        PackageDamaged: that of a shipped task cannot be read; passed over, its images would be another task's.
    """
    known = {one.task for one in known_packages(settings)} | set(silenced(settings))
    shipped = [(task.auto_priority, crew.champion(task.name)) for task in shipped_tasks() if task.name in known]
    own = [(speaker.package.task.auto_priority, speaker) for speaker in crew.promoted_own()]
    return tuple(speaker for _, speaker in sorted((*shipped, *own), key=lambda ranked: -ranked[0]))


def task_named(reference: str, settings: Settings) -> Task:
    """A task by its file, or by the name of a shipped one or of one that an installed package answers.

    Raises:
        UnknownTask: there is none of them. PackageError: the package must not be used.
    """
    try:
        return find_task(reference)
    except UnknownTask:
        if reference not in {known.task for known in known_packages(settings)}:
            raise
    return speaker(settings, str(champion_for(reference, settings))).package.task


def _name_of(settings: Settings, reference: str) -> str:
    return task_named(reference, settings).name


class Crew:
    """Open packages, each once, and who speaks for a task."""

    def __init__(self, settings: Settings, *, threads: int = 1, chosen: Mapping[str, str] | None = None) -> None:
        """`chosen`: task -> digest of the package that was promoted; other tasks are answered by their shipped one."""
        self._settings = settings
        self._threads = threads
        self._speakers: dict[Path, tuple[str, Speaker]] = {}  # with the digest of the package
        self._spoke: dict[str, tuple[str | None, Speaker]] = {}  # for a task: what was chosen, and who that was
        self.chosen = dict(chosen or {})

    def speaker(self, folder: Path) -> Speaker:
        """The package in a folder, opened when it is first asked; another one may lie there by now.

        Raises:
            PackageDamaged: there is no package (any more).
        """
        digest = digest_of(folder)
        if self._speakers.get(folder, ("", None))[0] != digest:
            opening = functools.partial(open_package, folder, trust(self._settings))
            self._speakers[folder] = digest, Speaker(opening, threads=self._threads, shelf=shelf(self._settings))
        return self._speakers[folder][1]

    def task_named(self, name: str) -> str:
        """The name, where it is a shipped task's or one that a package was promoted for: a user's own.

        Raises:
            UnknownTask: it is neither; a trained package answers nobody before it is promoted.
        """
        task = known_task(name, self._settings)
        if task.name not in self.chosen and not is_shipped(task.name):
            raise UnknownTask(
                f"nobody speaks for the task '{task.name}' yet: promote a package of it, or name one (model=NAME)"
            )
        return task.name

    def promoted_own(self) -> list[Speaker]:
        """Who was promoted for a user's own tasks, by their names; one that cannot be opened stops no other."""
        found = []
        for task in sorted(task for task in self.chosen if not is_shipped(task)):
            try:
                speaker = self.champion(task)
                _ = speaker.package  # what is wrong with it is raised here
                found.append(speaker)
            except (UnknownModel, PackageError) as error:
                log.warning("the task %s is not asked with task=auto: %s", task, error)
        return found

    def champion(self, task: str) -> Speaker:
        """Who speaks for a task; one that is open goes on though its folder is gone by now: others may be switched.

        Raises:
            UnknownModel: no package answers this task. PackageDamaged: the one that does is gone, or cannot be read.
        """
        chosen = self.chosen.get(task)
        try:
            folder = _promoted(task, chosen, self._settings) if chosen else champion_for(task, self._settings)
            self._spoke[task] = chosen, self.speaker(folder)
        except (UnknownModel, PackageDamaged):
            if task not in self._spoke or self._spoke[task][0] != chosen:
                raise
        return self._spoke[task][1]


def _promoted(task: str, digest: str, settings: Settings) -> Path:
    try:
        return named_package(digest, settings)
    except UnknownModel:
        raise PackageDamaged(
            f"the package {digest[:12]} that was promoted for {task} is not installed any more: put it back, promote "
            f"another one, or `hilum rollback {task}`"
        ) from None


def speaker(settings: Settings, reference: str, *, threads: int = 1) -> Speaker:
    """One package that is opened, and checked, when it is first asked."""
    folder, whom = find_package(reference, settings), trust(settings)
    return Speaker(functools.partial(open_package, folder, whom), threads=threads, shelf=shelf(settings))
