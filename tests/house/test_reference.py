"""The generated reference pages are what the code says."""

from __future__ import annotations

import re
import subprocess
import sys

from hilum.interfaces.http.documented import BODY
from hilum.interfaces.http.predict import FIELDS
from hilum.settings import CLIENT
from tests.conftest import ROOT


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_body_is_told_with_its_fields() -> None:
    page = (ROOT / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
    assert re.findall(r"^- body `application/(?:json|x-www-form-urlencoded)`$", page, re.MULTILINE) == []
    assert "- body `application/json`: `why`" in page


def test_every_field_that_predict_reads_stands_in_the_schema_of_each_of_its_bodies() -> None:
    kinds = BODY["requestBody"]["content"]
    for kind in ("multipart/form-data", "application/json"):
        assert set(FIELDS) <= set(kinds[kind]["schema"]["properties"]), kind


def test_the_settings_of_the_client_are_told_beside_those_of_the_server() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in CLIENT if f"`{name}`" not in page] == []
