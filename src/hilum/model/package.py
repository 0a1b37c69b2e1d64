"""A package folder -> a sealed model whose every byte was checked; knows no network, no registry and no torch.

The folder (format 1; docs/reference/package-format.md) is opened from itself alone, never from today's defaults.
Its identity is the sha256 of manifest.json, which lists the sha256 of every other file.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.errors import PackageDamaged, PackageNotTrusted
from hilum.image.prepare import Preparation
from hilum.model.calibration import Calibration
from hilum.model.signature import SIGNATURE, is_signed
from hilum.task import Task, parse_task

FORMAT = 1
MANIFEST = "manifest.json"
GRAPH = "model.onnx"
ADMISSION = "admission.onnx"
NOVELTY = "novelty.npz"
FINGERPRINTS = "fingerprints.npz"
CARD = "README.md"
TASK = "task.toml"
REQUIRED = (GRAPH, TASK, "preparation.json", "plan.json", "calibration.json", "metrics.json", CARD)
OPTIONAL = (ADMISSION, NOVELTY, FINGERPRINTS, "weights.safetensors", "network.json")
WEIGHTS = "weights.safetensors"  # the answer never needs it: checked when it is read
ANSWERING = (GRAPH, ADMISSION, NOVELTY)  # read right after the package was opened
_BROKEN_ARRAYS = (  # RuntimeError: what is packed in a way that is not read here, or encrypted
    ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_NO_SUCH_SHAPE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # of JSON that a stranger wrote
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # of a package, and of its version


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we believe: digests pinned by the release or the registry, and a public key for signatures."""

    pinned: Collection[str] = ()
    key: Path | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Package:
    """One sealed model.

    name, version: what people call it. digest: sha256 of the manifest, hexadecimal.
    plan, metrics: as they were when it was sealed, for cards and comparisons.
    """

    folder: Path
    name: str
    version: str
    digest: str
    task: Task
    preparation: Preparation
    calibration: Calibration
    manifest: dict[str, Any] = field(repr=False)
    plan: dict[str, Any] = field(repr=False)
    metrics: dict[str, Any] = field(repr=False)
    fresh: dict[str, bytes] = field(repr=False, default_factory=dict)  # checked just now, handed out once by read

    def has(self, file: str) -> bool:
        """Whether the package holds this file."""
        return file in self.manifest["files"]

    def read(self, file: str) -> bytes:
        """The bytes of one of its files, checked against the manifest: by open_package, and from the second time anew.

        Raises:
            PackageDamaged: the file is not in the manifest or its hash does not fit.
        """
        kept = self.fresh.pop(file, None)
        return _checked(self.folder, file, self.manifest["files"]) if kept is None else kept

    def let_go(self) -> None:
        """Keep no bytes for `read`: who answers has opened the package elsewhere."""
        self.fresh.clear()

    @property
    def reference(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"


def as_read(card: bytes) -> str:
    """A card as people read it: without its front matter, which is for catalogues."""
    text = card.decode()
    return text.split("\n---\n", 1)[-1].strip() if text.startswith("---\n") else text


def open_package(folder: Path, trust: Trust) -> Package:
    """Open a package and check every file of it but the warm-start weights, which are checked when they are read.

    Raises:
        PackageDamaged: no package, another format or task than it says, a file missing, changed, or not listed, or a
            calibration of other classes, or of another order of them, than the task's.
        PackageNotTrusted: its digest is not pinned and it carries no signature of the key.
    """
    raw = _manifest_bytes(folder)
    digest = hashlib.sha256(raw).hexdigest()
    manifest = _manifest(folder, raw)
    if digest not in trust.pinned and not is_signed(folder, trust.key):
        raise PackageNotTrusted(
            f"{folder}: neither pinned nor signed (digest {digest[:12]}); "
            f"if you trust where it came from: hilum models --pin {folder}"
        )
    _check_listing(folder, manifest["files"])
    contents = {name: _checked(folder, name, manifest["files"]) for name in manifest["files"] if name != WEIGHTS}
    try:
        opened = Package(
            folder=folder,
            name=manifest["name"],
            version=manifest["version"],
            digest=digest,
            task=parse_task(contents[TASK].decode()),
            preparation=Preparation(**json.loads(contents["preparation.json"])),
            calibration=Calibration.from_json(json.loads(contents["calibration.json"])),
            manifest=manifest,
            plan=json.loads(contents["plan.json"]),
            metrics=json.loads(contents["metrics.json"]),
            fresh={name: contents[name] for name in ANSWERING if name in contents},
        )
    except _NO_SUCH_SHAPE as error:
        raise PackageDamaged(f"{folder}: a file of the package does not fit its format: {error}") from error
    if opened.task.name != manifest.get("task"):  # by which it is found: it would speak for another task
        raise PackageDamaged(f"{folder}: holds the task '{opened.task.name}', not '{manifest.get('task')}'")
    _check_classes(opened)
    return opened


def _check_classes(package: Package) -> None:
    """The network's outputs have no names: the task's order gives them theirs, the calibration's what was learned."""
    task, calibration = package.task, package.calibration
    if (task.classes, task.negative) != (calibration.classes, calibration.negative):
        said, fitted = ", ".join(task.classes), ", ".join(calibration.classes)
        raise PackageDamaged(f"{package.folder}: its task names the classes {said}, its calibration {fitted}")


def read_arrays(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; object arrays (pickles) are refused.

    Raises:
        PackageDamaged: no .npz, one that is damaged, or one that holds a pickle.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except _BROKEN_ARRAYS as error:
        raise PackageDamaged(f"{name}: cannot be read: {error}") from error


def digest_of(folder: Path) -> str:
    """The identity of a package folder, without opening it.

    Raises:
        PackageDamaged: there is no manifest.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise PackageDamaged(f"{folder}: not a model package: no readable {MANIFEST}") from error


def _manifest(folder: Path, raw: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(raw)
        if manifest["format"] != FORMAT:
            raise PackageDamaged(f"{folder}: package format {manifest['format']!r}; this Hilum reads format {FORMAT}")
        files = manifest["files"]
        missing = [name for name in REQUIRED if name not in files]
        if not isinstance(files, dict):
            raise TypeError("its files are no table of names and hashes")
        unknown = [name for name in files if name not in (*REQUIRED, *OPTIONAL)]
        named = NAME.fullmatch(manifest["name"]) and NAME.fullmatch(manifest["version"])
    except _NO_SUCH_SHAPE as error:
        raise PackageDamaged(f"{folder}: {MANIFEST} is damaged: {error}") from error
    if missing or unknown or not named:
        raise PackageDamaged(f"{folder}: {MANIFEST} is damaged: missing {missing}, unknown {unknown}")
    return dict(manifest)


def _check_listing(folder: Path, files: dict[str, str]) -> None:
    there = {path.name for path in folder.iterdir()}
    strangers = sorted(there - set(files) - {MANIFEST, SIGNATURE})
    if strangers:
        raise PackageDamaged(f"{folder}: holds files that its manifest does not list: {', '.join(strangers)}")


def _checked(folder: Path, file: str, files: dict[str, str]) -> bytes:
    if file not in files:
        raise PackageDamaged(f"{folder}: holds no {file}")
    path = folder / file
    if path.is_symlink():
        raise PackageDamaged(f"{path}: is a link; a package holds plain files")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PackageDamaged(f"{path}: cannot be read") from error
    if hashlib.sha256(data).hexdigest() != files[file]:
        raise PackageDamaged(f"{path}: was changed after the package was sealed (sha256 does not fit)")
    return data
