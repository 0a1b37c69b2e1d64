"""Settings -> what is read at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.bootstrap import limits
from hilum.errors import ImageTooLarge
from tests.flows.recorded import settings_for


def test_a_frame_may_have_as_many_pixels_as_the_operator_says(tmp_path: Path) -> None:
    """Beyond 67 million the setting changed nothing: a file may hold no more in all its frames."""
    bounds = limits(settings_for(tmp_path, MAX_PIXELS="100000000"))
    bounds.check_size("slide", 10_000, 10_000)
    for size in ((10_001, 10_000), (10_000, 10_000, 2)):
        with pytest.raises(ImageTooLarge):
            bounds.check_size("slide", *size)
    assert limits(settings_for(tmp_path, MAX_PIXELS="100")).max_total_pixels == 64 * 1024**2
