"""The evaluate flow: what is kept of a case while the next ones are answered."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hilum.data.dataset import Case, Reader
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.flows.evaluate import Known, evaluate_cases
from hilum.flows.gallery import LONGEST, gallery
from hilum.flows.predict import Options
from hilum.flows.progress import Silent
from hilum.flows.speaker import Speaker
from hilum.image.image import Image
from hilum.image.limits import Limits
from hilum.model.package import Trust, open_package
from tests.flows.made import write_spots


@dataclass(frozen=True)
class Watched:
    """Reads as another reader, and keeps no more than a look at the pixels that it gave away."""

    reader: Reader
    given: list[weakref.ref[Any]]

    def data(self, case: Case, limits: Limits) -> bytes:
        return self.reader.data(case, limits)

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        found = self.reader.images(case, limits, data)
        self.given.extend(weakref.ref(image.pixels) for image in found)
        return found


def test_no_picture_is_kept_once_it_is_answered(tmp_path: Path, package: tuple[Path, str]) -> None:
    """Films of 12 MB each: a test of a few thousand would not fit in memory."""
    folder, digest = package
    speaker = Speaker(open_package(folder, Trust({digest})), threads=1)
    write_spots(tmp_path / "set", 12)
    dataset = with_task(open_source(str(tmp_path / "set")), speaker.package.task)
    given: list[weakref.ref[Any]] = []
    kept = []

    class Looking(Silent):
        def stage(self, title: str, total: int | None = None, done: int = 0) -> None:
            if title == "measuring":
                gc.collect()
                kept.append(sum(pixels() is not None for pixels in given))

    watched = replace(dataset, reader=Watched(dataset.reader, given))
    measured = evaluate_cases(watched, speaker, Options(), Known(np.arange(12)), Looking())
    assert len(measured.cases) == len(given) == 12
    assert kept == [0]
    assert measured.rows.subgroups["format"] == ("PNG",) * 12


def test_pictures_of_large_films_are_made_smaller_for_the_report(tmp_path: Path, package: tuple[Path, str]) -> None:
    """Sixteen films of 3000 pixels with their heatmaps made a page of some hundred megabytes."""
    folder, digest = package
    speaker = Speaker(open_package(folder, Trust({digest})), threads=1)
    film = cv2.resize(cv2.imread(str(write_spots(tmp_path / "small", 2)[1]), 0), (1200, 1600))
    for label in ("plain", "spot"):  # one of the two is answered wrongly
        (tmp_path / "set" / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / label / "film.png"), film)
    dataset = with_task(open_source(str(tmp_path / "set")), speaker.package.task)
    measured = evaluate_cases(dataset, speaker, Options(), Known(np.arange(2)))
    (shown,) = gallery(measured, dataset, speaker).gallery
    assert shown.heatmap is not None
    film_shown, heat_shown = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
        for data in (shown.picture, shown.heatmap)
    )
    assert film_shown == (LONGEST, LONGEST * 3 // 4)
    assert max(heat_shown) == LONGEST
