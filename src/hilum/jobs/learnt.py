"""What is to be erased -> what trainings keep of it gone: fetched files, prepared images, reports; packages named.

A fetched file is known by its bytes, a picture in a run or a package by its fingerprint, so that copies of it are found
too. What cannot be looked into but can be made again goes; what can be neither is named. Knows no record.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from hilum.data.places.cache import HALF
from hilum.errors import ImageGone, InputError, PackageDamaged
from hilum.flows.erase import Found, Going, Wanted
from hilum.image.decode import decode
from hilum.image.limits import ACCEPTED
from hilum.model.package import FINGERPRINTS, MANIFEST
from hilum.storage.images import Images

CACHE, RUNS, PACKAGES = "cache", "runs", "models"  # below HILUM_HOME
ARRAYS = (b"\x93NUMPY", b"\x89HDF", b"PAR1")  # what files of many images in one begin with
PACKED = (".npy", ".npz", ".h5", ".hdf5", ".parquet")
PAGES = ("audit", "report", "tuned-*/report")  # of a run: reports with pictures; the last are those of searches
LARGEST = 2**30  # bytes; nothing larger was ever received
QUIET_SECONDS = 600.0  # a half prepared array that nobody wrote to for so long was left by a run that was stopped
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


class Fetched:
    """Data sets that were downloaded or unpacked; whoever needs such a file again gets it again."""

    def __init__(self, home: Path, content: Callable[[bytes], str]) -> None:
        """`content`: what a received file is known by in the records."""
        self._files, self._content = home / CACHE / "files", content

    def erase(self, wanted: Wanted) -> Found:
        """Files and archives that hold the very bytes, and arrays of many images, which cannot be told apart.

        What was left of one whose fetching was killed goes, too: what it holds nobody can tell.
        """
        if not wanted.going.any:
            return Found(0)
        holding, arrays = self.sweep(QUIET_SECONDS), 0
        still = tuple(
            f"{half}: half of a file that is on its way; erase again when it is done" for half in self._halves()
        )
        for path in self._all():
            packed = is_arrays(path)
            if packed or any(self._content(data) in wanted.going.received for data in files_in(path)):
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.json").unlink(missing_ok=True)
                arrays, holding = arrays + packed, holding + (not packed)
        words = f"{self._files}: {arrays} fetched array(s) of many images, which are fetched again where needed"
        return Found(holding + arrays, still, removed=(words,) if arrays else ())

    def sweep(self, older_than: float) -> int:
        """Remove halves that nobody wrote to for so many seconds; what is fetched stays until it is deleted."""
        before, gone = time.time() - older_than, 0
        for half in self._halves():
            with suppress(FileNotFoundError):  # it was done in this moment
                if half.stat().st_mtime < before:
                    half.unlink()
                    gone += 1
        return gone

    def _halves(self) -> list[Path]:
        return sorted(self._files.glob(f"*/{HALF}*"))

    def _all(self) -> Iterator[Path]:
        for path in sorted(self._files.glob("*/*")):
            if path.is_file() and path.suffix != ".json" and not path.name.startswith("."):
                yield path


class Trained:
    """Run folders of trainings and comparisons, and the packages that came of them."""

    def __init__(self, home: Path, images: Images) -> None:
        """`images`: where the pictures that are to go are still kept."""
        self._home, self._images = home, images

    def erase(self, wanted: Wanted) -> Found:
        """Prepared images and reports of runs that hold such a picture go; packages that learned from it are named."""
        going = wanted.going
        runs = sorted(path for path in (self._home / RUNS).glob("*") if (path / FINGERPRINTS).is_file() or _has(path))
        packages = sorted(path.parent for path in (self._home / PACKAGES).glob(f"*/*/{MANIFEST}"))
        if not going.any or not (runs or packages):
            return Found(0)
        looked = self._prints(going)
        files, removed, still, blind = 0, [], [], []
        for run in runs:
            holds = _holds(run, looked)
            if holds is False:
                continue
            halves = _halves(run)  # before: one that is done since goes with the others
            files += _unprepare(run, halves)
            still += [f"{half}: images are being prepared; erase again when it is done" for half in halves]
            if holds:
                removed += [f"{page}: the report of a training on the picture" for page in _unwrite(run)]
            elif _pages(run):
                blind.append(f"{run}: reports with pictures; the one that goes could not be looked for")
        found = {package: _holds(package, looked) for package in packages}
        unsure = ", ".join(_named(package) for package, holds in found.items() if holds is None)
        learned = [_named(package) for package, holds in found.items() if holds]
        still += [
            f"the package {name} learned from the picture; only a training without it forgets" for name in learned
        ]
        blind += [f"the packages {unsure}: whether they learned from the picture could not be told"] if unsure else []
        return Found(files + len(removed), tuple(still), tuple(blind), tuple(removed))

    def sweep(self, older_than: float) -> int:
        """Nothing: a run that was stopped can go on."""
        del older_than
        return 0

    def _prints(self, going: Going) -> _Looked | None:
        """What is looked for; None where this installation cannot make fingerprints."""
        try:
            made = import_module("hilum.data.fingerprint")  # faiss stands behind it: only where there was a training
        except ModuleNotFoundError:
            return None
        found, unseen = [], going.unseen
        for key in going.pictures:
            try:
                frames = decode(self._images.get(key), name="kept", limits=ACCEPTED)
                found += [made.fingerprint(frame) for frame in frames]  # any may have been learned from
            except (ImageGone, InputError):
                unseen = True
        return _Looked(made.Fingerprints.of(found), made.Fingerprints.load, unseen)


class _Looked:
    """The fingerprints that are looked for. unseen: whether some picture has none."""

    def __init__(self, prints: Any, load: Callable[[Path], Any], unseen: bool) -> None:
        self._prints, self._load, self._unseen = prints, load, unseen

    def inside(self, file: Path) -> bool | None:
        """Whether one of them is among those of a file; None where nobody can say."""
        try:
            if len(self._prints) and self._load(file).match(self._prints):
                return True
        except PackageDamaged:
            return None
        return None if self._unseen else False


def _holds(folder: Path, looked: _Looked | None) -> bool | None:
    file = folder / FINGERPRINTS
    return looked.inside(file) if looked is not None and file.is_file() else None


def _has(run: Path) -> bool:
    """Whether a run of an older version, without fingerprints, holds pictures."""
    return any(run.glob("prepared-*.npy")) or bool(_pages(run))


def _halves(run: Path) -> list[Path]:
    return [path for path in run.glob("prepared-*.half.npy") if is_busy(path)]


def _unprepare(run: Path, busy: list[Path]) -> int:
    """Remove the prepared images of a run, which makes them again where it goes on; returns how many files."""
    files = [path for path in run.glob("prepared-*.npy") if path not in busy]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _pages(run: Path) -> list[Path]:
    return [path for page in PAGES for path in sorted(run.glob(page)) if path.is_dir()]


def _unwrite(run: Path) -> list[Path]:
    pages = _pages(run)
    for page in pages:
        shutil.rmtree(page, ignore_errors=True)
    return pages


def _named(package: Path) -> str:
    return f"{package.parent.name}@{package.name}"


def is_busy(half: Path) -> bool:
    """Whether a half was written to just now; one that was done, or taken away, since it was found is none."""
    with suppress(FileNotFoundError):
        return time.time() - half.stat().st_mtime < QUIET_SECONDS
    return False


def is_arrays(path: Path) -> bool:
    """Whether a file holds many images in one, by its beginning; one that was taken away meanwhile does not."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        return False
    if head[:4] != b"PK\x03\x04":
        return head.startswith(ARRAYS)
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(PACKED) for name in archive.namelist())
    except BROKEN:
        return False


def files_in(path: Path) -> Iterator[bytes]:
    """The file itself, or of an archive its members; a member that cannot be unpacked was never read here either."""
    if zipfile.is_zipfile(path):
        return _zipped(path)
    if _is_tar(path):
        return _tarred(path)
    return _alone(path)


def _alone(path: Path) -> Iterator[bytes]:
    with suppress(FileNotFoundError):  # whose work it was took it away meanwhile
        if path.stat().st_size <= LARGEST:
            yield path.read_bytes()


def _is_tar(path: Path) -> bool:
    with suppress(*BROKEN):  # one that is packed and cut off is none
        return tarfile.is_tarfile(path)
    return False


def _zipped(path: Path) -> Iterator[bytes]:
    with suppress(*BROKEN), zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            with suppress(*BROKEN):  # this member alone: those behind it are read wherever the archive is
                if not one.is_dir() and one.file_size <= LARGEST:
                    yield archive.read(one)


def _tarred(path: Path) -> Iterator[bytes]:
    with suppress(*BROKEN), tarfile.open(path) as archive:  # compressed, too: as it was fetched
        for one in archive:
            member = archive.extractfile(one) if one.isreg() and one.size <= LARGEST else None
            if member is not None:
                yield member.read()
