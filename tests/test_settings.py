"""Settings: read once, typed, every one with a help line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.settings import SETTINGS, read_settings


def test_the_environment_is_read_and_typed() -> None:
    settings = read_settings({"HILUM_HOME": "/srv/h", "HILUM_WORKERS": "3"})
    assert (settings.home, settings.workers) == (Path("/srv/h"), 3)
    assert settings.max_pixels > 0


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_value_that_does_not_fit_names_its_variable(value: str) -> None:
    with pytest.raises(UsageError, match="HILUM_MAX_BYTES"):
        read_settings({"HILUM_MAX_BYTES": value})


def test_every_setting_says_what_it_is_for() -> None:
    assert all(len(setting.help) > 20 for setting in SETTINGS)
