"""Desks by what was asked for: packages are opened once, whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hilum import bootstrap
from hilum.errors import UnknownTask, UsageError
from hilum.flows.desks import Desks
from hilum.flows.predict import Desk
from tests.flows.recorded import settings_for


@pytest.fixture
def crew(tmp_path: Path) -> bootstrap.Crew:
    return bootstrap.Crew(settings_for(tmp_path))


def test_another_name_of_an_open_package_opens_nothing(crew: bootstrap.Crew) -> None:
    opened: list[int] = []

    def ready(desks: Sequence[Desk]) -> None:
        opened.append(len(desks))

    desks = Desks(lambda task, model: bootstrap.desk(crew._settings, task=task, model=model, crew=crew), ready)
    assert desks.opened() is None
    everyone = desks.desk()
    assert desks.opened() is everyone
    for model in ("pneumonia-cxr", everyone.speakers[0].package.digest[:12]):
        assert desks.desk("auto", model).speakers[0] in everyone.speakers
    assert opened == [1]


def test_a_model_is_not_asked_about_another_task(crew: bootstrap.Crew) -> None:
    def open_desk(task: str) -> Desk:
        return bootstrap.desk(crew._settings, task=task, model="pneumonia-cxr", crew=crew)

    assert open_desk("pneumonia-cxr").speakers == open_desk("auto").speakers
    with pytest.raises(UsageError, match="answers pneumonia-cxr, not brain-tumor-mri"):
        open_desk("brain-tumor-mri")
    with pytest.raises(UnknownTask, match="nonsense"):
        open_desk("nonsense")
