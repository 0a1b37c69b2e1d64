"""The environment, read once -> deployment knobs as one value; name, default and help stand in one row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from hilum.errors import UsageError


@dataclass(frozen=True, slots=True)
class Setting:
    """One knob: HILUM_<NAME>."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("HOME", "", "Folder for state: trained packages, pins, runs. Empty: the platform's data folder."),
    Setting("MODELS", "", "Folder of the shipped packages. Empty: the ones that came with the install."),
    Setting("DATA", "../shared/data", "Folder with real images, used by tests and benchmarks only."),
    Setting("THREADS", "0", "Threads for the network on one image. 0: one for each core, at most four."),
    Setting("WORKERS", "0", "Worker processes for folders of images. 0: one for each core."),
    Setting("MAX_PIXELS", "33554432", "Largest number of pixels of one image that is decoded."),
    Setting("MAX_BYTES", "268435456", "Largest file in bytes that is read."),
    Setting("MAX_FRAMES", "512", "Largest number of frames of one file that are read."),
    Setting("SIGNING_KEY", "", "Public key (PEM) that signatures of packages are checked against."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All knobs, typed."""

    home: Path
    models: Path
    data: Path
    threads: int
    workers: int
    max_pixels: int
    max_bytes: int
    max_frames: int
    signing_key: Path | None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings once, at the door.

    Raises:
        UsageError: a value does not fit its kind; the message names the variable.
    """
    found = os.environ if environment is None else environment
    raw = {s.name: found.get(f"HILUM_{s.name}", s.default) or s.default for s in SETTINGS}
    cores = os.cpu_count() or 1
    return Settings(
        home=Path(raw["HOME"] or platformdirs.user_data_dir("hilum", appauthor=False)),
        models=Path(raw["MODELS"]) if raw["MODELS"] else shipped_models(),
        data=Path(raw["DATA"]),
        threads=_number("THREADS", raw) or min(cores, 4),
        workers=_number("WORKERS", raw) or cores,
        max_pixels=_number("MAX_PIXELS", raw),
        max_bytes=_number("MAX_BYTES", raw),
        max_frames=_number("MAX_FRAMES", raw),
        signing_key=Path(raw["SIGNING_KEY"]) if raw["SIGNING_KEY"] else None,
    )


def shipped_models() -> Path:
    """The folder of the shipped packages: inside the wheel, or at the root of a checkout."""
    inside = Path(__file__).parent / "_models"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "models"


def _number(name: str, raw: Mapping[str, str]) -> int:
    try:
        value = int(raw[name])
    except ValueError as error:
        raise UsageError(f"HILUM_{name}={raw[name]!r}: a whole number is needed") from error
    if value < 0:
        raise UsageError(f"HILUM_{name}={value}: must not be negative")
    return value
