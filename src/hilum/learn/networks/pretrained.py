"""The name of published weights -> their tensors, where this machine reaches them; knows no network and no image.

Only safetensors files are read, never a pickle: a local file, or the timm collection on the Hugging Face hub (through
its own client and cache).
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hilum.errors import UsageError

log = logging.getLogger(__name__)
SECONDS = 5.0  # to wait for the hub before starting at random


def find_weights(source: str, repository: str) -> tuple[dict[str, Tensor], str] | None:
    """Tensors and a word on where they came from; None where they are not to be had.

    source: "none", "auto" (the hub, if it answers), or the path of a .safetensors file.
    repository: on the hub, for example "timm/resnet50.tv_in1k".

    Raises:
        UsageError: a path was given and no weights can be read there.
    """
    if source == "none":
        return None
    if source == "auto":
        path = _from_hub(repository)
        return None if path is None else (load_file(path), f"pretrained: {repository}")
    try:
        return load_file(source), f"pretrained: {Path(source).name}"
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{source}: no .safetensors weights can be read there: {error}") from error


def _from_hub(repository: str) -> Path | None:
    try:
        hub = importlib.import_module("huggingface_hub")
        errors = importlib.import_module("huggingface_hub.errors")
        transport = importlib.import_module("httpx")
    except ModuleNotFoundError:
        log.warning("pretrained weights need the extra 'backbones': starting at random")
        return None
    known = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, transport.HTTPError, OSError)
    try:
        return Path(hub.hf_hub_download(repository, "model.safetensors", etag_timeout=SECONDS))
    except known as error:
        log.warning("pretrained weights %s are out of reach (%s): starting at random", repository, type(error).__name__)
        return None
