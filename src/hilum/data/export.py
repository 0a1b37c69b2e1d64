"""A data set and the cases to keep -> a folder or an .npz that opens as the same data set, with its manifest.

Images are written one at a time. Knows no audit: the caller says what to keep.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from hilum.data.dataset import Case, Dataset, Progress
from hilum.data.layouts.arrays import canonical
from hilum.data.layouts.found import without_suffix
from hilum.data.layouts.manifest import NAME
from hilum.data.manifest import Entry, digest_of, sha256
from hilum.durable import draft_beside
from hilum.errors import DataError, InputError, UsageError
from hilum.image.image import Image
from hilum.image.prepare import Preparation, prepare

SAFE = frozenset("-_.() ,+=@")
LONGEST = 120  # bytes of a name: what is put behind it must fit a file system too


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. left_out: reason by case id; digest: of the data set that was written."""

    path: Path
    images: int
    left_out: dict[str, str]
    digest: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write: which cases, and prepared how; None keeps files as they are (an .npz: pixels as decoded).

    patients: (n,) keyed hash of whom each case of the data set shows; None: what its cases say.
    """

    keep: tuple[int, ...]
    preparation: Preparation | None = None
    patients: tuple[str | None, ...] | None = None


@dataclass(slots=True)
class _Log:
    """What happens while writing: manifest lines, and what could not be read."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, case: Case, path: str, digest: str) -> None:
        line = {"path": path, "sha256": digest, "label": case.label or case.raw_label, "split": case.split}
        self.lines.append(line | {"patient": case.patient, "from": case.path or case.id})

    def save(self, file: Path) -> None:
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        file.write_text(text, encoding="utf-8")

    @property
    def digest(self) -> str:
        return digest_of(Entry(line["path"], line["sha256"], line["label"], line["split"]) for line in self.lines)


def export(dataset: Dataset, out: Path, wanted: Wanted | None = None, *, progress: Progress | None = None) -> Exported:
    """Write the kept cases to `out`: an .npz where it ends so, else a folder.

    A folder holds [split/]label/file, and `manifest.jsonl`, which keeps labels, splits and patients and is read first
    when the folder is opened again. An .npz holds [split_]images, labels, groups and the names of the classes, not
    compressed, so that it can be mapped into memory; its manifest lies beside it. A file of several frames becomes
    several images, except where files are kept as they are. Files that cannot be read are left out and listed.

    Raises:
        UsageError: `out` is there already.
        DataError: nothing could be written; or an .npz of images of several sizes was asked for unprepared.
    """
    wanted = wanted or Wanted(tuple(range(len(dataset))))
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise UsageError(f"{out}: is there already; name a new file or an empty folder")
    log = _Log()
    with draft_beside(out) as draft:
        made = draft / "made"
        if out.suffix.lower() == ".npz":
            _write_arrays(dataset, wanted, (made, log), progress)
        else:
            _write_folder(dataset, wanted, (made, log), progress)
        if not log.lines:
            raise DataError(f"{dataset.name}: nothing to write: none of the {len(wanted.keep)} images can be read")
        log.save(made / NAME if made.is_dir() else draft / NAME)
        if made.is_file():
            (draft / NAME).replace(out.with_name(f"{out.name}.{NAME}"))
        if out.is_dir():
            out.rmdir()
        made.replace(out)
    return Exported(out, len(log.lines), log.left_out, log.digest)


def _write_folder(dataset: Dataset, wanted: Wanted, to: tuple[Path, _Log], progress: Progress | None) -> None:
    root, log = to
    taken: dict[str, int] = {}
    for case in _cases(dataset, wanted, progress):
        try:
            files = list(_files(dataset, case, wanted.preparation))
        except InputError as error:
            log.left_out[case.id] = error.reason
            continue
        owned = _together(case, len(files), log)
        for name, data in files:
            path = _free("/".join(p for p in (case.split, _safe(case.label or case.raw_label or ""), name) if p), taken)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            log.add(owned, path, sha256(data))


def _files(dataset: Dataset, case: Case, preparation: Preparation | None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of what a case becomes in a folder."""
    array = dataset.layout == "arrays"
    if preparation is None and not array:
        stem = without_suffix(case.name)
        yield f"{_safe(stem)}{case.name[len(stem) :]}", dataset.data(case)
        return
    name = case.path.replace(".npz#", "-").replace("/", "-") if array else without_suffix(case.name)
    images = dataset.images(case)
    for image in images:
        frame = f"-frame{image.frame:04d}" if len(images) > 1 else ""
        yield f"{_safe(name)}{frame}.png", _png(_pixels(image, preparation))


def _write_arrays(dataset: Dataset, wanted: Wanted, to: tuple[Path, _Log], progress: Progress | None) -> None:
    made, log = to
    parts: dict[str | None, _Rows] = {}
    index = {name: i for i, name in enumerate(dataset.classes)}
    try:
        for case in _cases(dataset, wanted, progress):
            try:
                images = dataset.images(case)
            except InputError as error:
                log.left_out[case.id] = error.reason
                continue
            owned = _together(case, len(images), log)
            if case.split not in parts:
                parts[case.split] = _Rows(made.with_name(f"{case.split}.raw"))
            rows = parts[case.split]
            for image in images:
                prefix = f"{case.split}/" if case.split else ""
                pixels = _pixels(image, wanted.preparation)
                log.add(owned, f"{prefix}{len(rows.labels)}", sha256(canonical(pixels)))
                rows.add(pixels, index.get(case.label or case.raw_label or "", -1), owned)
        if parts:
            _zip(made, parts, dataset.classes)
    finally:
        for rows in parts.values():
            rows.file.close()


class _Rows:
    """The images of one split, spooled to a file, for their number is known only at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[bytes] = path.open("wb")
        self.shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.uint8)
        self.labels: list[int] = []
        self.groups: list[str] = []

    def add(self, pixels: NDArray[Any], label: int, case: Case) -> None:
        if self.labels and (pixels.shape, pixels.dtype) != (self.shape, self.dtype):
            said = f"{case.id} is {pixels.shape} {pixels.dtype}, the one before {self.shape} {self.dtype}"
            raise DataError(f"{said}: give a preparation (a size), or write a folder")
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self.file.write(pixels.tobytes())
        self.labels.append(label)
        self.groups.append(case.patient or "")


def _zip(made: Path, parts: dict[str | None, _Rows], classes: tuple[str, ...]) -> None:
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for split, rows in sorted(parts.items(), key=lambda part: part[0] or ""):
            rows.file.close()
            prefix = f"{split}_" if split else ""
            header = {"descr": np.lib.format.dtype_to_descr(rows.dtype), "fortran_order": False}
            with archive.open(f"{prefix}images.npy", "w", force_zip64=True) as member, rows.path.open("rb") as spool:
                np.lib.format.write_array_header_1_0(member, header | {"shape": (len(rows.labels), *rows.shape)})
                shutil.copyfileobj(spool, member, 1024 * 1024)
            if min(rows.labels) >= 0:
                _member(archive, f"{prefix}labels", np.array(rows.labels, np.int64))
            if any(rows.groups):
                _member(archive, f"{prefix}groups", np.array(rows.groups))
        if classes:
            _member(archive, "classes", np.array(classes))


def _member(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w") as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def _cases(dataset: Dataset, wanted: Wanted, progress: Progress | None) -> Iterator[Case]:
    for done, i in enumerate(wanted.keep):
        if progress:
            progress(done, len(wanted.keep))
        case = dataset.cases[i]
        yield case if wanted.patients is None else replace(case, patient=wanted.patients[i])


def _together(case: Case, images: int, log: _Log) -> Case:
    """The case; the frames of a file of nobody known get a name of their own, so that no split parts them."""
    return case if images < 2 or case.patient else replace(case, patient=f"file {len(log.lines) + 1}")


def _pixels(image: Image, preparation: Preparation | None) -> NDArray[Any]:
    """(H, W) uint8; uint16 where the file had more bits and no preparation says otherwise."""
    if preparation is not None:
        prepared: NDArray[np.uint8] = prepare(image, preparation)[0]
        return prepared
    top, kind = (65535, np.uint16) if image.metadata.bits > 8 else (255, np.uint8)
    quantised: NDArray[Any] = np.rint(image.pixels * top).astype(kind)
    return quantised


def _png(pixels: NDArray[Any]) -> bytes:
    file = BytesIO()
    Picture.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _safe(name: str) -> str:
    """A name that is one part of a path on every system."""
    kept = "".join(c if c.isalnum() or c in SAFE else "_" for c in name).strip(". ")
    return kept.encode()[:LONGEST].decode(errors="ignore") or "unnamed" if name else ""


def _free(path: str, taken: dict[str, int]) -> str:
    """The path, numbered where another file of the export has it already (in any case of letters).

    taken: the last number given behind each path; a set may hold one name as often as it has patients.
    """
    stem, suffix = without_suffix(path), path[len(without_suffix(path)) :]
    numbered, count = path, taken.get(path.lower(), 1)
    while numbered.lower() in taken or numbered == NAME:
        count += 1
        numbered = f"{stem}-{count}{suffix}"
    taken[path.lower()] = count
    taken.setdefault(numbered.lower(), 1)
    return numbered
