"""Sealed packages and the shared data -> how many good images the gate refuses, and how many far-off ones, by kind.

Usage: python benchmarks/gate.py [--models DIR] [--data ../shared/data] [--parts models-build] [--each 400] [--json F]
Good images are those of the parts "calibrate" and "test" where models-build/<task>/parts.csv says so, else all.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from far_off import as_images, dicom, made, pages, photographs

from hilum.flows.speaker import Speaker
from hilum.gate import gate
from hilum.image.decode import read_image_file
from hilum.image.image import Image
from hilum.image.prepare import prepare
from hilum.model.package import Trust, digest_of, open_package

SOURCES = {
    "brain-tumor-mri": ("brain-mri-4class",),
    "brain-tumor-presence-mri": ("brain-mri-binary", "brain-mri-csv"),
    "pneumonia-cxr": ("chest-xray",),
}
BRAIN = ("brain-mri-4class", "brain-mri-binary", "brain-mri-csv")
HELD_OUT = ("calibrate", "test")


def main() -> None:
    """Measure every package there is."""
    options = _options()
    cv2.setNumThreads(1)
    fixed = {"photographs": as_images(photographs()), "pages and plots": as_images(pages()), "made": as_images(made())}
    fixed["DICOM, tags read"] = list(dicom(options.data / "dicom"))
    fixed["DICOM, tags ignored"] = [_without_tags(image) for image in fixed["DICOM, tags read"]]
    found = {}
    for task, sources in SOURCES.items():
        folder = options.models / task
        if folder.is_dir():
            speaker = Speaker(open_package(folder, Trust(pinned={digest_of(folder)})))
            found[task] = _measure(speaker, sources, fixed, options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _measure(
    speaker: Speaker, sources: tuple[str, ...], fixed: dict[str, list[Image]], options: argparse.Namespace
) -> dict[str, Any]:
    good = {source: _images(options, source, speaker.package.name) for source in sources}
    brain = sources[0] in BRAIN
    foreign = {f"foreign: {source}": _images(options, source, None) for source in BRAIN if brain and source not in good}
    crossed = ("chest-xray",) if brain else BRAIN
    far = dict(fixed) | {f"crossed: {source}": _images(options, source, None) for source in crossed}
    for source, images in good.items():
        far |= {f"inverted: {source}": [replace(image, pixels=1 - image.pixels) for image in images]}
        far |= {f"turned {90 * k}: {source}": [_turned(image, k) for image in images] for k in (1, 2, 3)}
    print(f"\n{speaker.package.task.title}")
    return {kind: _row(kind, speaker, images) for kind, images in (good | foreign | far).items()}


def _row(kind: str, speaker: Speaker, images: list[Image]) -> dict[str, float]:
    """Shares refused before the network, after it, and by both."""
    codes = [_refused(speaker, image) for image in images]
    before, after = np.mean([code[0] for code in codes]), np.mean([code[1] for code in codes])
    total = float(np.mean([any(code) for code in codes]))
    print(f"  {kind:32} n={len(images):4}  before {before:.3f}  after {after:.3f}  refused {total:.3f}", flush=True)
    return {"n": len(images), "before": float(before), "after": float(after), "refused": total}


def _refused(speaker: Speaker, image: Image) -> tuple[bool, bool]:
    """Both gates are asked, whatever the first one says, so that each can be judged."""
    package = speaker.package
    before = bool(gate.before(image, package.task, speaker.admission))
    if speaker.novelty is None:
        return before, False
    features = speaker.engine.run(prepare(image, package.preparation)[None]).features[0]
    return before, bool(gate.after(features[None], speaker.novelty, package.task)[0][1])


def _images(options: argparse.Namespace, source: str, task: str | None) -> list[Image]:
    """Up to `each` images of a source, drawn at random; of the held-out parts where the task is given."""
    parts = options.parts / (task or "") / "parts.csv"
    if task and parts.is_file():
        with parts.open(encoding="utf-8") as table:
            rows = [r["path"] for r in csv.DictReader(table) if r["source"] == source and r["part"] in HELD_OUT]
        paths = [options.data / row for row in rows]
    else:
        kinds = {".jpg", ".jpeg", ".png", ".tif"}
        paths = sorted(p for p in (options.data / source).rglob("*") if p.suffix.lower() in kinds)
    drawn = np.random.default_rng(0).permutation(len(paths))[: options.each]
    return [read_image_file(paths[i])[0] for i in drawn]


def _without_tags(image: Image) -> Image:
    return replace(image, metadata=replace(image.metadata, modality=None, body_part=None))


def _turned(image: Image, quarters: int) -> Image:
    return replace(image, pixels=np.ascontiguousarray(np.rot90(image.pixels, quarters)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_DATA", "../shared/data")))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--parts", type=Path, default=Path("models-build"))
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
