"""A trained network and all that was fitted to it -> a package folder that `model.package` opens from itself alone.

Written beside its place and moved there whole. The same inputs give the same bytes and so the same digest.
Knows no data set, no registry and no trust.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as save_tensors
from torch import nn

from hilum.data.fingerprint import Fingerprints
from hilum.durable import draft_beside, sync_files, sync_folder
from hilum.errors import UsageError
from hilum.image.prepare import Preparation
from hilum.learn.graph import Agreement, check_agreement, export_graph
from hilum.learn.halve import packed
from hilum.learn.networks import full_config
from hilum.model.calibration import Calibration
from hilum.model.package import ADMISSION, CARD, FINGERPRINTS, FORMAT, GRAPH, MANIFEST, NOVELTY, Trust, open_package
from hilum.task import parse_task

LIBRARIES = ("hilum", "torch", "onnx", "onnxruntime", "numpy", "opencv-python-headless", "monai", "lightning")


@dataclass(frozen=True, eq=False, slots=True)
class Trained:
    """A network and how to build it again: name and configuration as `networks.build` takes them."""

    network: nn.Module
    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class References:
    """What the gate and the audit need of the training images; each part may be absent.

    novelty: arrays of gate.novelty. admission: bytes of its ONNX graph. fingerprints: of the training images.
    """

    novelty: Mapping[str, NDArray[Any]] | None = None
    admission: bytes | None = None
    fingerprints: Fingerprints | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Sealing:
    """Everything a package holds.

    name, version: lower-case letters, digits, dots, hyphens. task_text: the task file as it was used.
    check: (N, 1, S, S) uint8 prepared images of the calibration part, on which graph and network must agree; the test
        part stays locked until the package is sealed, and is checked with `check_agreement` then.
    data: digest and counts of the data set; created: a date, or "" for a package that is the same whenever it is made.
    keep_weights: False leaves out weights.safetensors (warm starts and some exports need them, serving never does).
    graph: what `export_graph` gave for this network, where it is at hand; None exports it now.
    """

    name: str
    version: str
    trained: Trained
    task_text: str
    preparation: Preparation
    calibration: Calibration
    plan: Mapping[str, Any]
    check: NDArray[np.uint8]
    references: References = field(default_factory=References)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    keep_weights: bool = True
    graph: bytes | None = None


def seal(sealing: Sealing, folder: Path) -> str:
    """Write the package to `folder`, which must not exist; returns its digest.

    Raises:
        TrainingError: graph and network disagree.
        UsageError: `folder` exists, or a name does not fit.
        PackageDamaged: the parts do not fit together.
    """
    if folder.exists():
        raise UsageError(f"{folder}: exists already; a sealed package is never written over")
    graph = sealing.graph or export_graph(sealing.trained.network, sealing.preparation.size)
    agreement = check_agreement(sealing.trained.network, graph, sealing.check)
    about = {
        "name": sealing.name,
        "version": sealing.version,
        "runtime": runtime_versions(),
        "data": dict(sealing.data),
        "agreement": asdict(agreement),
        **({"created": sealing.created} if sealing.created else {}),
    }
    return write_package({GRAPH: graph, **_files(sealing)}, about, folder)


def with_figures(folder: Path, metrics: Mapping[str, Any], card: str, agreement: Agreement | None = None) -> str:
    """Put measured figures and the card into a package that was sealed without; returns the new digest.

    Evaluation needs the sealed package, and the package holds its evaluation: this closes the circle.

    agreement: of graph and network over the test part, which could only be read after sealing.
    """
    manifest = json.loads((folder / MANIFEST).read_bytes())
    files = {name: (folder / name).read_bytes() for name in manifest["files"]}
    files |= {"metrics.json": json_bytes(metrics), CARD: card.encode()}
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    if agreement is not None:
        about["agreement"] = asdict(agreement)
    with draft_beside(folder) as draft:
        digest = write_package(files, about, draft / "new")
        _take_the_place(draft / "new", folder)
    return digest


def _take_the_place(made: Path, folder: Path) -> None:
    """What was there is moved to where nothing is swept: a kill in between would take a package that took hours."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        folder.rename(aside / "old")
        made.rename(folder)
    finally:
        if not folder.exists():  # the disk said no, or Ctrl+C came in between
            (aside / "old").rename(folder)
        shutil.rmtree(aside)


def write_package(files: Mapping[str, bytes], about: Mapping[str, Any], folder: Path) -> str:
    """Write `files` and their manifest beside `folder`, open the result once, then move it into place.

    Raises:
        PackageDamaged: what was written does not open.
    """
    with draft_beside(folder) as draft:
        made = draft / "new"
        made.mkdir()
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
        manifest = json_bytes({"format": FORMAT, **about, "task": _task_name(files), "files": hashes})
        for name, data in files.items():
            (made / name).write_bytes(data)
        (made / MANIFEST).write_bytes(manifest)
        digest = hashlib.sha256(manifest).hexdigest()
        open_package(made, Trust(pinned=(digest,)))
        made.chmod(0o755)
        made.rename(folder)
    return digest


def put_in_place(folder: Path, out: Path) -> None:
    """Move a sealed package to `out`, where at most an empty folder is; from another disk too, whole or not at all.

    A loss of power after this takes nothing of it: it may be promoted in the next moment, and that is durable.

    Raises:
        UsageError: `out` exists by now.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists already; a sealed package is never written over")
    with draft_beside(out) as draft:
        made = Path(shutil.move(folder, draft / "new"))
        sync_files(made)
        made.rename(out)
        sync_folder(out.parent)


def runtime_versions() -> dict[str, str]:
    """What the package was made with."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def json_bytes(value: Any) -> bytes:
    """JSON as it is stored: indented, in the order given, UTF-8, NaN refused."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as they are stored."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})
    return buffer.getvalue()


def _files(sealing: Sealing) -> dict[str, bytes]:
    trained, references = sealing.trained, sealing.references
    files = {
        "task.toml": sealing.task_text.encode(),
        "preparation.json": json_bytes(asdict(sealing.preparation)),
        "plan.json": json_bytes(dict(sealing.plan)),
        "calibration.json": json_bytes(sealing.calibration.to_json()),
        "metrics.json": json_bytes(dict(sealing.metrics)),
        CARD: sealing.card.encode(),
        "network.json": json_bytes({"name": trained.name, "config": _rebuild(trained)}),
    }
    if sealing.keep_weights:
        files["weights.safetensors"] = save_tensors(packed(trained.network))
    if references.novelty is not None:
        files[NOVELTY] = npz_bytes(references.novelty)
    if references.fingerprints is not None:
        files[FINGERPRINTS] = _fingerprints(references.fingerprints)
    if references.admission is not None:
        files[ADMISSION] = references.admission
    return files


def _rebuild(trained: Trained) -> dict[str, Any]:
    """The configuration without any default left to the day of opening; weights come from the package itself."""
    rebuilt: dict[str, Any] = _own_weights(full_config(trained.name, trained.config))
    return rebuilt


def _own_weights(config: Any) -> Any:
    """The same, members of members too, looking for no published weights."""
    if isinstance(config, Mapping):
        return {key: "none" if key == "weights" else _own_weights(value) for key, value in config.items()}
    return [_own_weights(value) for value in config] if isinstance(config, list | tuple) else config


def _fingerprints(fingerprints: Fingerprints) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FINGERPRINTS
        fingerprints.save(path)
        return path.read_bytes()


def _task_name(files: Mapping[str, bytes]) -> str:
    return parse_task(files["task.toml"].decode()).name
