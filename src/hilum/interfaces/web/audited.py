"""The audit object -> its verdict in words, figures and tables; needs nothing of what made it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.interfaces.web.words import DASH, percent

WARN_ABOVE = 0.8  # AUROC of a cue that alone tells the class
LISTED = 50
CUES = {
    "file_size": "Size of the file",
    "format": "File format",
    "mode": "Colour mode of the file",
    "dimensions": "Width and height",
    "aspect": "Shape of the frame",
    "brightness": "Mean brightness",
    "contrast": "Contrast",
    "border_brightness": "Brightness of the border",
    "border_variation": "Variation along the border",
    "border_pixels": "Pixels of the border",
}
HEADLINES = {
    "leaks": "The split leaks: figures measured on it would reward memory.",
    "conflicts": "Copies of one picture bear different labels: somebody has to decide which is right.",
    "leaks+conflicts": "The split leaks and copies bear different labels: figures measured on it cannot be believed.",
    "copies": "There are copies. A split by image would leak; Hilum's own split keeps them together.",
    "clean": "No copies, no leaks and no conflicting labels were found.",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit found, in words. tone: "good", "warn" or "bad". told: the length of each list cut at LISTED."""

    tone: str
    headline: str
    sentences: tuple[str, ...]
    figures: tuple[tuple[str, str, str], ...]
    pairs: int
    conflicts: tuple[tuple[tuple[str, str], ...], ...]
    patients: tuple[tuple[str, str], ...]
    cues: tuple[tuple[str, float], ...]
    baseline: tuple[tuple[str, float], ...]
    classes: tuple[tuple[str, int], ...]
    unreadable: tuple[tuple[str, str], ...]
    told: Mapping[str, int]


def findings(said: Mapping[str, Any]) -> Findings:
    """What the page says of an audit object."""
    cues = tuple((CUES.get(name, name), area) for name, area in said["shortcuts"].items())
    base, short = said["baseline"], shortening(said)
    return Findings(
        tone=_tone(said),
        headline=HEADLINES.get(said["verdict"], said["verdict"]),
        sentences=tuple(_sentences(said)),
        figures=_figures(said),
        pairs=len(said["pairs"]),
        conflicts=tuple(
            tuple(zip(map(short, one["paths"]), one["labels"], strict=True)) for one in said["conflicts"][:LISTED]
        ),
        patients=tuple(
            (one["patient"], ", ".join(f"{part} {len(paths)}" for part, paths in one["splits"].items()))
            for one in said["patients_across_splits"][:LISTED]
        ),
        cues=cues,
        baseline=tuple(
            (name, base[key])
            for name, key in (("With the copies", "nearest_neighbour"), ("Without them", "without_copies"))
            if base[key] is not None
        ),
        classes=tuple(said["classes"].items()),
        unreadable=tuple((short(one["path"]), one["reason"]) for one in said["unreadable"][:LISTED]),
        told={name: len(said[name]) for name in ("conflicts", "patients_across_splits", "unreadable")},
    )


def shortening(said: Mapping[str, Any]) -> Callable[[str], str]:
    """How the paths of an audit are written: what all have in common need not stand in every line."""
    paths = [path for pair in said["pairs"] for path in (pair["a"], pair["b"])]
    paths += [path for one in said["conflicts"] for path in one["paths"]]
    paths += [one["path"] for one in said["unreadable"]]
    archives = {path.partition("#")[0] for path in paths if "#" in path}
    packed = len(archives) == 1 and all("#" in path for path in paths)  # every file of one zip
    shared = f"{archives.pop()}#" if packed else _folder(paths)
    return lambda path: path.removeprefix(shared).lstrip("/") if shared else path


def _folder(paths: list[str]) -> str:
    try:
        return os.path.commonpath([str(Path(path).parent) for path in paths]) if paths else ""
    except ValueError:  # some begin at the root, some do not
        return ""


def _tone(said: Mapping[str, Any]) -> str:
    if said["verdict"] not in ("clean", "copies"):
        return "bad"
    strong = any(area > WARN_ABOVE for area in said["shortcuts"].values())
    return "warn" if said["pairs"] or said["unreadable"] or strong else "good"


def _sentences(said: Mapping[str, Any]) -> list[str]:
    across = sum(pair["across_splits"] for pair in said["pairs"])
    strong = [CUES.get(name, name).lower() for name, area in said["shortcuts"].items() if area > WARN_ABOVE]
    patients = len(said["patients_across_splits"])
    told = [
        (across, f"{_many(across, 'pair')} of copies across parts of the split."),
        (patients, f"{_many(patients, 'patient')} in more than one part."),
        (said["conflicts"], f"{_many(len(said['conflicts']), 'picture')} under more than one label."),
        (strong, f"The class can be guessed without looking at the anatomy, from: {', '.join(strong)}."),
        (said["unreadable"], f"{_many(len(said['unreadable']), 'file')} could not be read and would be left out."),
        (said["stray"], f"Beside the images lie {_many(len(said['stray']), 'stray file')}."),
    ]  # fmt: skip
    return [sentence for found, sentence in told if found]


def _figures(said: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    copied = sum(len(group) for group in said["groups"])
    base = said["baseline"]["nearest_neighbour"]
    worst = max(said["shortcuts"].values(), default=None)
    share = percent(copied / said["images"]) if said["images"] else DASH
    return (
        ("Images", f"{said['images']:,}", f"in {_many(len(said['classes']), 'class', 'classes')}"),
        ("Have a copy", share, f"{copied:,} in {_many(len(said['groups']), 'group')}"),
        ("Conflicting labels", f"{len(said['conflicts']):,}", "pictures under several labels"),
        ("Strongest shortcut", DASH if worst is None else f"{worst:.2f}", "AUROC of something that is no anatomy"),
        ("Nearest neighbour", percent(base), "right on 32 × 32 pixels"),
    )


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"
