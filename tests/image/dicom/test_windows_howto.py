"""The lines of docs/how-to/choose-a-dicom-window.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hilum.image.decode import read_image_file
from tests.conftest import ROOT
from tests.image.made import dicom_bytes, dicom_set, picture

PAGE = ROOT / "docs" / "how-to" / "choose-a-dicom-window.md"


def test_the_mended_file_is_seen_through_the_wanted_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = picture().astype(np.uint16) * 16
    several = dicom_set(samples, WindowCenter=[2000, 1000], WindowWidth=[4000, 500])
    alone = dicom_set(samples, WindowCenter=1000, WindowWidth=500)
    (tmp_path / "film.dcm").write_bytes(dicom_bytes(several))
    (tmp_path / "alone.dcm").write_bytes(dicom_bytes(alone))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, PAGE.name, "exec"), {})
    first, mended, wanted = (
        read_image_file(tmp_path / name)[0].pixels for name in ("film.dcm", "film-second-window.dcm", "alone.dcm")
    )
    np.testing.assert_array_equal(mended, wanted)
    assert not np.array_equal(first, mended)
