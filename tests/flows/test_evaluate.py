"""The evaluate flow: what is kept of a case while the next ones are answered."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.data.dataset import Case, Reader
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.flows.evaluate import Known, evaluate_cases
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
        def stage(self, title: str, total: int | None = None) -> None:
            if title == "measuring":
                gc.collect()
                kept.append(sum(pixels() is not None for pixels in given))

    watched = replace(dataset, reader=Watched(dataset.reader, given))
    measured = evaluate_cases(watched, speaker, Options(), Known(np.arange(12)), Looking())
    assert len(measured.cases) == len(given) == 12
    assert kept == [0]
    assert measured.rows.subgroups["format"] == ("PNG",) * 12
