"""A reference or a task -> a package opened, warmed and put on record as the one that speaks; knows no door.

A package that cannot be opened, or is neither pinned nor signed, never gets as far as the record.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.errors import PackageDamaged, UnknownModel
from hilum.flows.speaker import Speaker
from hilum.gate.admission import SIZE
from hilum.model.package import open_package
from hilum.model.unfolded import ORT_ERRORS
from hilum.records.store import Records
from hilum.registry import history
from hilum.registry.history import Event
from hilum.registry.pins import Known, champion_for, find_package, known_packages, trust
from hilum.registry.questions import known_task
from hilum.settings import Settings
from hilum.task import is_shipped


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided, and why: both stand on record."""

    caller: str
    why: str


def promote(reference: str, records: Records, settings: Settings, decision: Decision) -> Event:
    """Let a package speak for its task from now on.

    Raises:
        UnknownModel: nothing of this installation answers to the reference.
        PackageError: it must not be used.
        UsageError: it was promoted already, and still speaks.
        DuplicateRecord: somebody else decided in the same moment.
    """
    known = _ready(find_package(reference, settings, history.chosen(records)), settings)
    return history.promote(records, known, caller=decision.caller, why=decision.why)


def roll_back(task: str, records: Records, settings: Settings, decision: Decision) -> Event:
    """Let the package that spoke before the last promotion speak for a task again; nobody, where none did.

    Raises:
        UsageError: nothing was promoted that could be taken back.
        UnknownTask: it is neither on record nor known here.
        UnknownModel: that package is not installed any more.
        PackageError: it must not be used any more.
        DuplicateRecord: somebody else decided meanwhile.
    """
    if not history.history(records, task, most=1):  # one on record may have lost its packages since
        known_task(task, settings)
    digest = history.previous(records, task)
    if digest is None and not is_shipped(task):  # before the first promotion nobody spoke for it
        known = None
    else:
        known = _ready(find_package(digest, settings) if digest else champion_for(task, settings), settings)
    return history.roll_back(records, task, known, digest, caller=decision.caller, why=decision.why)


def _ready(folder: Path, settings: Settings) -> Known:
    """The package in a folder, tried out: it opens, is trusted, and answers."""
    known = next((one for one in known_packages(settings) if one.folder.resolve() == folder.resolve()), None)
    if known is None:
        where = settings.home / "models" / "NAME" / "VERSION"
        raise UnknownModel(f"{folder}: a server finds only packages of its own: copy this to {where}, then pin it")
    speaker = Speaker(functools.partial(open_package, known.folder, trust(settings)))
    _try_out(speaker)
    return known


def _try_out(speaker: Speaker) -> None:
    """One grey image through every network: what would fail with the first question fails before it is on record.

    Raises:
        PackageError: it must not be used. PackageDamaged: its files do not fit each other.
    """
    package, admission, novelty = speaker.package, speaker.admission, speaker.novelty
    size = package.preparation.size
    try:
        said = speaker.engine.run(np.full((1, 1, size, size), 128, np.uint8))
        if said.logits.shape != (1, len(package.task.classes)):
            raise ValueError(f"scores {said.logits.shape} for {len(package.task.classes)} classes")
        package.calibration.probabilities(said.logits)
        if novelty is not None:
            novelty.surprise(said.features)
        if admission is not None:
            admission.logits(np.full((1, 1, SIZE, SIZE), 128, np.uint8))
    except (ValueError, IndexError, *ORT_ERRORS) as error:
        raise PackageDamaged(f"{package.folder}: cannot answer: its files do not fit each other ({error})") from error
