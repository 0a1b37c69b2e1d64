"""A run's state -> one whole file that the next start can go on from; knows no network and no data.

Lightning writes below /tmp and copies from there where the run lies on another disk: who runs out of space in between,
or is killed, has half a file in the place of the last one.
"""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from hilum.durable import write_whole

log = logging.getLogger(__name__)


class WholeCheckpoint(TorchCheckpointIO):
    """Checkpoints that take the place of the one before whole, or not at all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002 - Lightning gives it
        """Write one.

        Raises:
            OSError: the disk does not take it; what was there before still is.
        """
        packed = io.BytesIO()
        torch.save(checkpoint, packed)  # in memory first: into a full disk PyTorch raises an error that names no disk
        write_whole(Path(path), packed.getvalue())


def begun(last: Path) -> str | None:
    """The checkpoint to go on from, None where there is none; one that was cut short is said and taken away."""
    if not last.is_file():
        return None
    if zipfile.is_zipfile(last):  # its directory stands at the end
        return str(last)
    log.warning("%s is damaged (a full disk, a loss of power?): this training begins anew", last)
    last.unlink()
    return None
