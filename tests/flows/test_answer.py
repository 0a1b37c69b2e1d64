"""Several files at once: what goes wrong with one is told to who sent it, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hilum import bootstrap
from hilum.errors import InputError, UsageError
from hilum.flows.answer import Ask
from hilum.flows.here import Here
from hilum.flows.predict import Desk, File, Readable
from hilum.flows.told import Found
from hilum.records.query import Query
from tests.flows.recorded import FILMS, clerk, settings_for


class Stumbling(Here):
    """Falls over whatever is called "bad", and takes along what it is asked together with it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find(self, files: Sequence[File], desk: Desk, readable: Readable) -> list[Found | InputError]:
        found = super().find(files, desk, readable)
        if any(file.name == "bad" for file in files):
            raise self._error
        return found


@pytest.mark.parametrize("error", [ZeroDivisionError("bad"), UsageError("no operating point 'bad' any more")])
def test_what_one_asked_fails_alone_and_nothing_is_recorded_twice(tmp_path: Path, error: Exception) -> None:
    settings = settings_for(tmp_path)
    desk = bootstrap.desk(settings, task="pneumonia-cxr")
    names = ["a", "bad", "b"]
    with clerk(settings) as who:
        who._finder = Stumbling(error)
        data = [path.read_bytes() for path in (FILMS * 3)[:3]]
        asks = [
            Ask(one + bytes([i]), name, desk, "pneumonia-cxr")
            for i, (one, name) in enumerate(zip(data, names, strict=True))
        ]
        a, bad, b = who.answer(asks)
        assert [json.loads(one.result(120).bodies[0])["file"] for one in (a, b)] == ["a", "b"]
        with pytest.raises(type(error)):
            bad.result(120)
        assert len(who._places.records.find(Query()).records) == 2
