"""The shared image folders -> films, groups of copies and patients, and the four parts; the ground of every recipe.

Copies are joined here by plain thumbnails, looser than `hilum audit` does: whatever might be the same slice or a
neighbour of it in a volume stays in one part. The parts are written to a file, so that training, calibration, the gate
and evaluation speak of the same images.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation, prepare
from hilum.task import find_task

SOURCES = {
    "brain-mri-4class": "brain-tumor-mri",
    "brain-mri-binary": "brain-tumor-presence-mri",
    "brain-mri-csv": "brain-tumor-presence-mri",
    "chest-xray": "pneumonia-cxr",
}
PARTS = ("train", "tune", "calibrate", "test")
SHARES = {"brain": (0.84, 0.02, 0.08, 0.06), "chest": (0.80, 0.02, 0.10, 0.08)}
ALIKE, ALIKE_IN_VOLUME = 0.985, 0.95  # correlation of thumbnails; the second between slices of the CSV folder
LARGE_GROUP = 30  # images; larger groups go to training, where they weigh as one
SEED = 20


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """All images of all folders, in one order.

    films: (H, W) uint8 each; source, label, path, part: one word an image, path relative to the data folder;
    group: one number for copies, neighbours and patients; part "out": a group whose labels conflict.
    """

    films: list[NDArray[np.uint8]]
    source: NDArray[np.str_]
    label: NDArray[np.str_]
    path: list[str]
    group: NDArray[np.int64]
    part: NDArray[np.str_]

    def rows(self, *sources: str) -> NDArray[np.int64]:
        """Places of the images of some sources."""
        return np.flatnonzero(np.isin(self.source, sources))


def read_ground(data: Path) -> Ground:
    """Read every labelled image under the data folder, group them and draw the parts. Half a minute."""
    films, source, label, path, patients = [], [], [], [], []
    for name, task in SOURCES.items():
        dataset = with_task(open_source(str(data / name)), find_task(task))
        for case in dataset.cases:
            films.append(np.rint(dataset.images(case)[0].pixels * 255.0).astype(np.uint8))
            source.append(name)
            label.append(case.label or "")
            path.append(str(Path(name) / case.path))
            patients.append(case.patient)
    sources, labels = np.array(source), np.array(label)
    brain = sources != "chest-xray"
    group = np.zeros(len(films), np.int64)
    group[brain] = group_by_thumbnail([films[i] for i in np.flatnonzero(brain)], sources[brain] == "brain-mri-csv")
    numbers: dict[str | None, int] = {}
    for i in np.flatnonzero(~brain):
        group[i] = group[brain].max() + 1 + numbers.setdefault(patients[i], len(numbers))
    part = draw_parts(sources, labels, group)
    return Ground(films, sources, labels, path, group, part)


def group_by_thumbnail(films: list[NDArray[np.uint8]], volume: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected components of images whose 32x32 thumbnails of the head's box are alike, also in the mirror."""
    small = [cv2.resize(_box(film).astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA) for film in films]
    thumbs = np.stack(small)
    plain, mirrored = _unit(thumbs), _unit(thumbs[:, :, ::-1])
    firsts, seconds = [], []
    for start in range(0, len(plain), 1500):
        rows = slice(start, start + 1500)
        likeness = np.maximum(plain[rows] @ plain.T, plain[rows] @ mirrored.T)
        least = np.where(volume[rows, None] & volume[None, :], ALIKE_IN_VOLUME, ALIKE)
        one, other = np.nonzero(likeness > least)
        firsts.append(one + start)
        seconds.append(other)
    one, other = np.concatenate(firsts), np.concatenate(seconds)
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(films), len(films)))
    return connected_components(links, directed=False)[1].astype(np.int64)


def draw_parts(source: NDArray[np.str_], label: NDArray[np.str_], group: NDArray[np.int64]) -> NDArray[np.str_]:
    """Whole groups to parts, each kind of group (by its sources and labels) in the same shares."""
    random = np.random.default_rng(SEED)
    order = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    members = dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))
    kinds = defaultdict(list)
    for name, rows in members.items():
        kinds["|".join(sorted({f"{source[i]}:{label[i]}" for i in rows}))].append(name)
    part = np.empty(len(group), object)
    for kind, found in sorted(kinds.items()):
        drawn = sorted(random.permutation(found).tolist(), key=lambda name: len(members[name]) <= LARGE_GROUP)
        cuts = np.cumsum(SHARES["chest" if "chest" in kind else "brain"]) * len(drawn)
        chance = random.random()  # kinds of few groups fall into any part
        for rank, name in enumerate(drawn):
            place = rank + (chance if len(drawn) < 20 else 0.5)
            part[members[name]] = PARTS[min(3, int(np.searchsorted(cuts, place, side="right")))]
    for rows in members.values():
        if _conflicts(source[rows], label[rows]):
            part[rows] = "out"
    return part.astype(str)


def prepared(films: list[NDArray[np.uint8]] | list[NDArray[np.float32]], how: Preparation) -> NDArray[np.uint8]:
    """(N, 1, S, S) uint8, each film exactly as it is prepared when served."""
    made = np.empty((len(films), 1, how.size, how.size), np.uint8)
    nothing = Metadata("ARRAY", "L", 8, 1, 1)
    for i, film in enumerate(films):
        made[i] = prepare(Image(film if film.dtype == np.float32 else film.astype(np.float32) / 255.0, nothing), how)
    return made


def write_parts(ground: Ground, rows: NDArray[np.int64], file: Path) -> None:
    """source, path, label, group, part: one line an image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["source", "path", "label", "group", "part"])
        for i in rows:
            table.writerow([ground.source[i], ground.path[i], ground.label[i], ground.group[i], ground.part[i]])


def _box(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mask = film > max(10.0, 0.08 * film.max())
    rows, columns = np.flatnonzero(mask.mean(axis=1) > 0.02), np.flatnonzero(mask.mean(axis=0) > 0.02)
    return film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size and columns.size else film


def _unit(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = thumbs.reshape(len(thumbs), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)


def _conflicts(source: NDArray[np.str_], label: NDArray[np.str_]) -> bool:
    """Copies that are called tumour and healthy, or two kinds of tumour; volume neighbours may differ."""
    own = source != "brain-mri-csv"
    presence = {word not in ("healthy", "notumor") for word in label[own]}
    kinds = set(label[source == "brain-mri-4class"])
    return source[0] != "chest-xray" and (len(presence) > 1 or len(kinds) > 1)
