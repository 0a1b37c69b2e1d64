"""Ready means that an answer could be put on record; what is wrong is told to nobody who is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.running import running


@pytest.mark.parametrize("auth", ["off", "on"])
def test_a_server_that_cannot_record_is_not_ready(tmp_path: Path, auth: str) -> None:
    with running(tmp_path, AUTH=auth) as server:
        assert server.ask("GET", "/readyz").body == b"ready"
        server.parts.records._journal.close()  # as after an error in the thread that writes
        told = server.ask("GET", "/readyz")
        assert told.status == 503
        assert (b"record" in told.body) == (auth == "off")
        assert server.ask("GET", "/livez").status == 200
        if auth == "off":
            body = form([("a.png", sample("pneumonia-cxr").read_bytes())])
            assert server.ask("POST", "/predict", body, TYPE).status == 503
