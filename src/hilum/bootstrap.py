"""Settings -> the wired parts; the only file that names concrete ones."""

from __future__ import annotations

import functools

from hilum.errors import UnknownModel
from hilum.flows.predict import Desk
from hilum.flows.speaker import Speaker
from hilum.image.limits import Limits
from hilum.model.package import open_package
from hilum.registry.pins import champion_for, find_package, known_packages, trust
from hilum.settings import Settings
from hilum.task import find_task, shipped_tasks


def limits(settings: Settings) -> Limits:
    """What is read at most."""
    return Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, max_frames=settings.max_frames)


def desk(settings: Settings, *, task: str = "auto", model: str | None = None, threads: int = 1) -> Desk:
    """Who answers: the model named, else the champion of the task, else of every shipped task in turn.

    Raises:
        UnknownTask, UnknownModel: nothing answers to the name.
        PackageError: the package must not be used.
    """
    if model is not None:
        return Desk((speaker(settings, model, threads=threads),), limits=limits(settings))
    if task != "auto":
        folder = champion_for(find_task(task).name, settings)
        return Desk((speaker(settings, str(folder), threads=threads),), limits=limits(settings))
    trusted = {known.task for known in known_packages(settings)}
    names = [t.name for t in shipped_tasks() if t.name in trusted]
    if not names:
        raise UnknownModel(f"no model is installed in {settings.models}: train one with `hilum train`")
    folders = [champion_for(name, settings) for name in names]
    speakers = tuple(speaker(settings, str(folder), threads=threads) for folder in folders)
    return Desk(speakers, automatic=True, limits=limits(settings))


def speaker(settings: Settings, reference: str, *, threads: int = 1) -> Speaker:
    """One package that is opened, and checked, when it is first asked."""
    folder, whom = find_package(reference, settings), trust(settings)
    return Speaker(functools.partial(open_package, folder, whom), threads=threads)
