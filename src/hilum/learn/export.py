"""A package -> the same model in the forms other tools read: plain ONNX, a MONAI bundle, an MLflow model.

Nothing here is ever read back: we serve our own package only. The MONAI bundle holds `models/model.pt`, a pickle,
because its specification requires one; we write it and never open one.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import load as load_tensors

from hilum.durable import draft_beside
from hilum.errors import MissingExtra, UsageError
from hilum.learn.halve import unpacked
from hilum.learn.networks import build
from hilum.learn.tracking import hush
from hilum.model.package import CARD, GRAPH, Package

APACHE = "apache-2.0"  # as the cards of the shipped packages say
UNSTATED = "not stated"
WEIGHTS, NETWORK = "weights.safetensors", "network.json"


def export(package: Package, kind: str, out: Path) -> Path:
    """Write `package` as `kind` to `out`, a file for "onnx" and a folder for the others; returns what was written.

    Raises:
        UsageError: an unknown kind, `out` exists, or the package was sealed without its weights.
        MissingExtra: the library that defines the format is not installed.
    """
    if kind not in KINDS:
        raise UsageError(f"no export '{kind}'; there are: {', '.join(KINDS)}")
    _check_free(out)
    with draft_beside(out) as draft:
        KINDS[kind](package, draft / "new")
        _put(draft / "new", out)
    return out


def _check_free(out: Path) -> None:
    if out.exists():
        raise UsageError(f"{out}: exists already; name a new place")


def _put(made: Path, out: Path) -> None:
    """Where still nothing lies: another export may have written it since ours began."""
    _check_free(out)
    made.rename(out)


def _onnx(package: Package, out: Path) -> None:
    """The served graph with what a reader needs in its metadata: classes, preparation, calibration."""
    model = onnx.load_from_string(package.read(GRAPH))
    calibration = package.calibration
    facts = {
        "hilum.package": f"{package.reference} {package.digest}",
        "hilum.task": package.task.name,
        "hilum.classes": json.dumps(list(package.task.classes)),
        "hilum.preparation": package.read("preparation.json").decode(),
        "hilum.probabilities": "softmax(logits / temperature + bias)",
        "hilum.temperature": repr(calibration.temperature),
        "hilum.bias": json.dumps(list(calibration.bias)),
        "hilum.intended_use": package.task.intended_use,
    }
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, str(out))


def _monai_bundle(package: Package, out: Path) -> None:
    """A bundle as docs.monai.io/en/latest/mb_specification.html describes it."""
    network, described = rebuild(package)
    for folder in ("configs", "models", "docs"):
        (out / folder).mkdir(parents=True)
    _write_json(out / "configs" / "metadata.json", bundle_metadata(package))
    _write_json(out / "configs" / "inference.json", _bundle_inference(described))
    packed = io.BytesIO()
    torch.save(network.state_dict(), packed)  # in memory: into a full disk PyTorch raises an error that names no disk
    (out / "models" / "model.pt").write_bytes(packed.getvalue())
    (out / "models" / "model.onnx").write_bytes(package.read(GRAPH))
    (out / "docs" / "README.md").write_bytes(package.read(CARD))
    (out / "docs" / "license.txt").write_text(_licence(package))


def _ours(package: Package) -> bool:
    """Whether its card gives it our licence: a model that somebody trained on images of their own is not ours."""
    return f"\nlicense: {APACHE}\n" in package.read(CARD).decode()


def _licence(package: Package) -> str:
    if _ours(package):
        return "Apache-2.0\nhttps://www.apache.org/licenses/LICENSE-2.0\n"
    return "The licence of this model is not stated: ask whoever trained it.\n"


def bundle_metadata(package: Package) -> dict[str, Any]:
    """What `configs/metadata.json` says; keys as the specification lists them."""
    task, runtime = package.task, package.manifest["runtime"]
    size, classes = package.preparation.size, dict(enumerate(task.classes))
    modality = task.modalities[0] if task.modalities else "n/a"
    image = {"type": "image", "format": "magnitude", "modality": modality, "num_channels": 1}
    answer = {"type": "tuples", "format": "classes", "num_channels": len(classes), "spatial_shape": []}
    return {
        "schema": "https://project-monai.github.io/schema/meta_schema_20240725.json",
        "version": package.version,
        "changelog": {package.version: f"exported from the Hilum package {package.digest}"},
        "monai_version": metadata.version("monai"),
        "pytorch_version": runtime["torch"],
        "numpy_version": runtime["numpy"],
        "required_packages_version": {"hilum": runtime["hilum"], "onnxruntime": runtime["onnxruntime"]},
        "name": package.name,
        "task": task.title,
        "description": f"{task.title}. Gives logits; probabilities = softmax(logits / temperature + bias).",
        "authors": "Hilum contributors" if _ours(package) else UNSTATED,
        "copyright": "Copyright (c) Hilum contributors, Apache-2.0" if _ours(package) else UNSTATED,
        "intended_use": task.intended_use,
        "preparation": json.loads(package.read("preparation.json")),
        "calibration": package.calibration.to_json(),
        "eval_metrics": package.metrics.get("metrics", {}),
        "network_data_format": {
            "inputs": {
                "image": {
                    **image,
                    "spatial_shape": [size, size],
                    "dtype": "float32",
                    "value_range": [0, 255],
                    "is_patch_data": False,
                    "channel_def": {"0": "prepared grey image"},
                }
            },
            "outputs": {
                "pred": {
                    **answer,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {str(index): name for index, name in classes.items()},
                }
            },
        },
    }


def _bundle_inference(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "network_def": {"_target_": "hilum.learn.networks.build", **described},
        "weights": "$torch.load(@bundle_root + '/models/model.pt', weights_only=True)",
        "network": "$[@network_def.load_state_dict(@weights), @network_def.eval()][1]",
    }


def _mlflow(package: Package, out: Path) -> None:
    """The ONNX flavour, which MLflow loads, serves and registers; `pyfunc` gives logits, features and maps."""
    hush()
    try:
        flavour = import_module("mlflow.onnx")
        models, types = import_module("mlflow.models"), import_module("mlflow.types")
    except ModuleNotFoundError as error:
        raise MissingExtra("an MLflow model", "learn") from error
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # it asks for pip requirements that we have named
    size = package.preparation.size
    model = onnx.load_from_string(package.read(GRAPH))
    signature = models.ModelSignature(
        inputs=types.Schema([types.TensorSpec(np.dtype("uint8"), (-1, 1, size, size), "pixels")]),
        outputs=types.Schema([types.TensorSpec(np.dtype("float32"), shape, name) for name, shape in _answers(model)]),
    )
    versions = [f"{name}=={package.manifest['runtime'][name]}" for name in ("onnxruntime", "numpy", "onnx")]
    flavour.save_model(
        model,
        str(out),
        pip_requirements=versions,
        signature=signature,
        save_as_external_data=False,
        metadata={
            "package": package.reference,
            "digest": package.digest,
            "task": package.task.name,
            "classes": list(package.task.classes),
            "preparation": json.loads(package.read("preparation.json")),
            "calibration": package.calibration.to_json(),
            "intended_use": package.task.intended_use,
        },
    )
    (out / CARD).write_bytes(package.read(CARD))


def _answers(model: onnx.ModelProto) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of all that the graph gives; -1 where the length is free."""
    return [
        (out.name, tuple(length.dim_value or -1 for length in out.type.tensor_type.shape.dim))
        for out in model.graph.output
    ]


KINDS: dict[str, Callable[[Package, Path], None]] = {
    "onnx": _onnx,
    "monai-bundle": _monai_bundle,
    "mlflow": _mlflow,
}


def rebuild(package: Package) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The network of a package with its weights, and its name and configuration: for warm starts and exports.

    Raises:
        UsageError: the package was sealed without its weights.
    """
    if not (package.has(WEIGHTS) and package.has(NETWORK)):
        raise UsageError(f"{package.reference}: was sealed without its weights; only 'onnx' and 'mlflow' are possible")
    described = json.loads(package.read(NETWORK))
    network = build(described["name"], described["config"])
    return unpacked(network, load_tensors(package.read(WEIGHTS))), {
        "name": described["name"],
        "config": described["config"],
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
