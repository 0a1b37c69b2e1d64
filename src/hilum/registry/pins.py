"""References and folders -> which packages are known and trusted, without a database.

The release pins the shipped packages in release.json beside this file; what is trained or pinned here is appended to
HILUM_HOME/pins.jsonl. Nothing is ever taken out of that log; a later line never overrules the hash of a package.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from hilum.durable import sync_folder
from hilum.errors import HilumError, PackageDamaged, UnknownModel
from hilum.model.package import MANIFEST, NAME, TASK, Trust, digest_of
from hilum.settings import Settings
from hilum.task import read_task

RELEASE = Path(__file__).parent / "release.json"
log = logging.getLogger("hilum.registry")


@dataclass(frozen=True, slots=True)
class Known:
    """One package that can be named: where it lies and where it came from ("shipped" or "trained")."""

    name: str
    version: str
    digest: str
    task: str
    folder: Path
    origin: str

    @property
    def reference(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"


def release_pins() -> dict[str, str]:
    """Package name -> digest, as this release of Hilum was made with."""
    return dict(json.loads(RELEASE.read_text(encoding="utf-8"))) if RELEASE.is_file() else {}


def trust(settings: Settings) -> Trust:
    """Whom this installation believes; a line of its log that a crash left half written pins nothing."""
    lines = _log(settings).read_bytes().splitlines() if _log(settings).is_file() else []
    pinned = {digest for number, line in enumerate(lines, 1) if (digest := _digest_in(line, number, settings))}
    return Trust(pinned=frozenset(pinned | set(release_pins().values())), key=settings.signing_key)


def pin(settings: Settings, folder: Path, why: str, place: Path | None = None) -> str:
    """Append a package to the pins of this installation, durably; returns its digest.

    place: where it will lie, if it does not lie there yet.

    Raises:
        PackageDamaged: the folder holds no package.
    """
    digest = digest_of(folder)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"digest": digest, "folder": str(place or folder), "why": why, "at": at}
    settings.home.mkdir(parents=True, exist_ok=True)
    with _log(settings).open("a+b") as pins:
        pins.write((b"" if _whole(pins) else b"\n") + json.dumps(line).encode() + b"\n")
        pins.flush()
        os.fsync(pins.fileno())
    sync_folder(settings.home)
    return digest


def known_packages(settings: Settings) -> tuple[Known, ...]:
    """Every package that can be named: the shipped ones first, then the trained ones, newest version first.

    A package whose manifest cannot be read is logged and left out, so that the others go on answering.
    """
    known, damaged = looked_at(settings)
    for error in damaged:
        _tell_once(str(error))
    return known


def looked_at(settings: Settings) -> tuple[tuple[Known, ...], tuple[PackageDamaged, ...]]:
    """What `known_packages` gives, and what keeps the packages that are left out from being named."""
    shipped, unread = _described(settings.models.glob(f"*/{MANIFEST}"), "shipped")
    trained, others = _described(trained_folder(settings).glob(f"*/*/{MANIFEST}"), "trained")
    trained.sort(key=lambda known: (_order(known.version), known.name), reverse=True)
    return (*shipped, *trained), (*unread.values(), *others.values())


def silenced(settings: Settings) -> dict[str, PackageDamaged]:
    """Tasks that nobody answers unless a package was promoted for them: what is wrong with their shipped one.

    Left out, it would pass its task to a trained package that nobody promoted.
    """
    _, unread = _described(settings.models.glob(f"*/{MANIFEST}"), "shipped")
    return {_task_in(folder): error for folder, error in unread.items()}


def trained_folder(settings: Settings) -> Path:
    """Where `hilum train` puts its packages."""
    return settings.home / "models"


def find_package(reference: str, settings: Settings, chosen: Mapping[str, str] | None = None) -> Path:
    """The folder of a package: by path, or by any name that `named_package` knows.

    Raises:
        UnknownModel: nothing answers to the reference.
    """
    if (Path(reference) / MANIFEST).is_file():
        return Path(reference)
    try:
        return named_package(reference, settings, chosen)
    except UnknownModel as error:
        raise UnknownModel(f"{error}; or give the path of a package") from None


def named_package(reference: str, settings: Settings, chosen: Mapping[str, str] | None = None) -> Path:
    """The folder of a package: by name, name@version, name@champion, name@latest or the start of its digest.

    No other folder is looked into, so a stranger may say the reference. A bare name is its champion: the package
    promoted, else the shipped one, else the newest trained one.

    chosen: task -> digest of the package that was promoted last; without it none was.

    Raises:
        UnknownModel: nothing answers to the reference.
        PackageDamaged: the shipped package that answers to it cannot be read.
    """
    known, promoted = known_packages(settings), chosen or {}
    name, _, version = reference.partition("@")
    found = [k for k in known if k.name == name and version in ("", "champion", "latest", k.version)]
    if version == "latest":
        found = [k for k in found if k.origin == "trained"] or found
    else:
        found.sort(key=lambda k: promoted.get(k.task) != k.digest)
    if not found and len(reference) >= 6:
        found = [k for k in known if k.digest.startswith(reference)]
    if not found or (version in ("", "champion") and not _speaks(found[0], promoted)):
        _check_unsilenced(name, settings)
    if not found:
        names = ", ".join(sorted({k.reference for k in known})) or "none yet"
        raise UnknownModel(f"no model '{reference[:100]}'; there are: {names}")
    return found[0].folder


def champion_for(task: str, settings: Settings) -> Path:
    """The folder of the package that answers a task.

    Raises:
        UnknownModel: no package answers this task.
        PackageDamaged: the shipped package that does cannot be read.
    """
    found = [k for k in known_packages(settings) if k.task == task]
    if not found or not _speaks(found[0], {}):
        _check_unsilenced(task, settings)
    if not found:
        raise UnknownModel(
            f"no model for the task '{task}' is installed: train one with `hilum train SOURCE --task {task}` (one of "
            "your own by its .toml file), or name the package, such as one written with --out: --model DIR"
        )
    return found[0].folder


def _speaks(known: Known, promoted: Mapping[str, str]) -> bool:
    """Whether a package answers by its name alone: a shipped one, or one that was promoted."""
    return known.origin == "shipped" or promoted.get(known.task) == known.digest


def _check_unsilenced(name: str, settings: Settings) -> None:
    """Raises PackageDamaged where the shipped package of this task, or name, cannot be read."""
    if name in (found := silenced(settings)):
        raise found[name]


def _described(manifests: Iterable[Path], origin: str) -> tuple[list[Known], dict[Path, PackageDamaged]]:
    """Those that can be read; of the others the folder, and what is wrong."""
    known, damaged = list[Known](), dict[Path, PackageDamaged]()
    for path in sorted(manifests):
        try:
            known.append(_describe(path.parent, origin))
        except PackageDamaged as error:
            damaged[path.parent] = error
    return known, damaged


def _task_in(folder: Path) -> str:
    """What a package without a readable manifest answered: by its task file, else by the name of its folder."""
    try:
        return read_task(folder / TASK).name
    except HilumError:
        return folder.name


def _describe(folder: Path, origin: str) -> Known:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        name, version, task = (manifest[key] for key in ("name", "version", "task"))
        if not all(NAME.fullmatch(one) for one in (name, version, task)):  # it could not be opened: no list holds it
            raise ValueError("name, version and task must be 1 to 64 lower-case letters, digits and . _ -")
        return Known(name, version, digest_of(folder), task, folder, origin)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackageDamaged(f"{folder}: {MANIFEST} is damaged: {error}") from error


def _order(version: str) -> list[tuple[int, str]]:
    """By its numbers: 1.10.0 comes after 1.9.0, and 1.10.0-rc1 before 1.10.0."""
    pieces = re.findall(r"[0-9]+|[a-z]+", version)
    return [*((2, piece.zfill(64)) if piece[0].isdigit() else (0, piece) for piece in pieces), (1, "")]


def _digest_in(line: bytes, number: int, settings: Settings) -> str | None:
    """What a line of the log pins, None for an empty line and one that cannot be read."""
    if not line.strip():
        return None
    try:
        return str(json.loads(line)["digest"])
    except (ValueError, KeyError, TypeError):
        _tell_once(f"line {number} of {_log(settings)} cannot be read, so that it pins nothing")
        return None


def _whole(log: BinaryIO) -> bool:
    """Whether a log ends with a whole line, so that the next one stands by itself."""
    if log.seek(0, os.SEEK_END) == 0:
        return True
    log.seek(-1, os.SEEK_END)
    return log.read(1) == b"\n"


@lru_cache(maxsize=256)
def _tell_once(words: str) -> None:
    log.warning("left out: %s", words)


def _log(settings: Settings) -> Path:
    return settings.home / "pins.jsonl"
