"""Kaggle and Hugging Face are reached by their own clients; here the clients are real and the hubs stand on loopback.

What this cannot show: that the real services still answer as they did when these servers were written.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys

import pytest

from hilum.data.places import far
from hilum.data.source import open_source
from hilum.errors import MissingExtra
from tests.data.made import pictures
from tests.data.servers import Hub, Kaggle, serving
from tests.data.test_archive import packed

FILES = pictures("train/ill/1.png", "test/well/2.png")
CHILD = """
import json, sys
from pathlib import Path
from hilum.data.source import open_source
from hilum.errors import HilumError
try:
    dataset = open_source(sys.argv[1], cache=Path(sys.argv[2]))
    shapes = [dataset.images(case)[0].pixels.shape for case in dataset.cases]
    print(json.dumps([[case.id, case.raw_label, case.split] for case in dataset.cases] + shapes))
except HilumError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def read(tmp_path, reference, **env):
    """What another process reads; its standard output must hold one JSON line and nothing else."""
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "KAGGLEHUB_CACHE": str(tmp_path / "kaggle")}
    command = [sys.executable, "-c", CHILD, reference, str(tmp_path / "cache")]
    done = subprocess.run(
        command, env=os.environ | home | env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


EXPECTED = [["test/well/2.png", "well", "test"], ["train/ill/1.png", "ill", "train"], [8, 8], [8, 8]]


def named(reference):
    return [[f"{reference}/{path}", *rest] for path, *rest in EXPECTED[:2]] + EXPECTED[2:]


@pytest.mark.skipif(not importlib.util.find_spec("huggingface_hub"), reason="needs the extra 'sources'")
def test_a_hugging_face_data_set(tmp_path):
    hub = Hub(FILES)
    with serving(hub) as port:
        endpoint = f"http://127.0.0.1:{port}"
        assert read(tmp_path, "hf://owner/scans", HF_ENDPOINT=endpoint) == named("hf://owner/scans")
        assert any("/resolve/" in path for path, _ in hub.asked)
        kind, said = read(tmp_path, "hf://owner/gone", HF_ENDPOINT=endpoint)
        assert kind == "UnreadableSource"
        assert said.startswith("hf://owner/gone: cannot be fetched")


@pytest.mark.skipif(not importlib.util.find_spec("kagglehub"), reason="needs the extra 'sources'")
def test_a_kaggle_data_set(tmp_path):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 7777)) == 0:
            pytest.skip("port 7777, the only one the client's test mode knows, is taken")
    site = Kaggle({"/set.zip": packed(tmp_path, ".zip", FILES).read_bytes()})
    env = {"KAGGLE_API_ENVIRONMENT": "TEST", "KAGGLE_USERNAME": "u", "KAGGLE_KEY": "k"}
    with serving(site, port=7777):
        assert read(tmp_path, "kaggle://owner/scans", **env) == named("kaggle://owner/scans")
    kind, said = read(tmp_path, "kaggle://owner/other", **env)
    assert kind == "UnreadableSource"
    assert said.startswith("kaggle://owner/other: cannot be fetched")


@pytest.mark.parametrize("scheme", ["https", "s3", "gs", "az", "kaggle", "hf"])
def test_a_client_that_is_not_installed_is_named_with_its_extra(scheme, monkeypatch):
    remote = next(remote for remote in far.REMOTES if scheme in remote.schemes)
    monkeypatch.delitem(sys.modules, remote.module, raising=False)
    for client in far.CLIENTS:
        monkeypatch.setitem(sys.modules, client, None)
    with pytest.raises(MissingExtra, match=r"hilum\[sources\]"):
        open_source(f"{scheme}://owner/set.zip")
