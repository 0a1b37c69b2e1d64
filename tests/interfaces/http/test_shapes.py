"""Real answers of every route that answers JSON are what /openapi.json says, member for member."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hilum.interfaces.http.app import create_app
from hilum.parts import assemble
from hilum.settings import read_settings
from tests.interfaces.http.forms import SAMPLES, TYPE, form, sample
from tests.interfaces.http.running import WORD, Answer, Running, listening, running
from tests.interfaces.versions import another_version

pytest.importorskip("faiss")
validators = pytest.importorskip("jsonschema_rs")
JSON = "application/json"
NAME = "pneumonia-cxr"
PNG = {"Content-Type": "image/png"}


def closed(schema: Any) -> Any:
    """The same, but without members that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(one) for name, one in schema.items()}
    return {"additionalProperties": False, **made} if "properties" in made and "title" in made else made


@dataclass
class Held:
    """A server whose answers are held to what it says of them."""

    server: Running
    told: Any
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def ask(self, method: str, path: str, *sent: Any, at: str = "", role: str = "") -> Any:
        """The JSON of an answer; `at`: the path in the document, where there are parameters in it."""
        got: Answer = self.server.ask(method, path, *sent, role=role)
        place = at or path.partition("?")[0]
        told = self.told["paths"][place][method.lower()]["responses"]
        assert str(got.status) in told, (method, path, got.status, got.body[:300])
        schema = told[str(got.status)]["content"][JSON]["schema"]
        whole = {**schema, "components": closed(self.told["components"])}
        faults = [
            f"{one.instance_path}: {one.message[:300]}"
            for one in validators.Draft202012Validator(whole).iter_errors(got.json())
        ]
        assert faults == [], (method, path)
        self.seen.add((method, place, str(got.status)))
        return got.json()

    def over(self, path: str, at: str) -> Any:
        """The last answer of something that takes a while."""
        until = time.monotonic() + 600  # works come one after another, at a low priority
        while (said := self.ask("GET", path, at=at))["state"] in ("waiting", "running", "queued"):
            assert time.monotonic() < until, said
            time.sleep(0.1)
        return said


def held(server: Running) -> Held:
    return Held(server, server.ask("GET", "/openapi.json", role="admin" if server.sessions else "").json())


def zipped(task: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in SAMPLES:
            if path.parent.name == task:
                archive.write(path, f"{path.stem.split('-')[0]}/{path.name}")
    return out.getvalue()


def answers(house: Held) -> None:
    film = sample(NAME).read_bytes()
    one = house.ask("POST", "/predict", film, PNG)
    house.ask("POST", "/predict", form([("a.png", film), ("b.png", b"nothing")]), TYPE)
    house.ask("POST", f"/predict?task={NAME}", sample("brain-tumor-mri").read_bytes(), PNG)  # refused
    house.ask("POST", "/invocations", {"image": base64.b64encode(film).decode()})
    house.ask("POST", "/feedback", {"id": one["id"], "agree": True})
    house.ask("GET", "/predictions")
    house.ask("GET", f"/predictions/{one['id']}", at="/predictions/{name}")
    batch = house.ask(
        "POST", "/predict", form([("a.png", film), ("b.png", b"nothing")]), {**TYPE, "Prefer": "respond-async"}
    )
    place = f"/jobs/{batch['id']}"
    house.over(place, "/jobs/{identity}")
    house.ask("GET", "/jobs")
    house.ask("GET", f"{place}/results", at="/jobs/{identity}/results")
    house.ask("GET", f"{place}?format=json", at="/jobs/{identity}")
    house.ask("DELETE", place, at="/jobs/{identity}")


def catalogue(house: Held) -> None:
    for path in ("/", "/tasks", "/models", "/samples", "/history", "/session"):
        house.ask("GET", path)
    house.ask("GET", f"/tasks/{NAME}", at="/tasks/{name}")
    house.ask("GET", f"/models/{NAME}", at="/models/{reference}")
    house.ask("POST", f"/models/{NAME}@2.0.0/promote", {"why": "a test"}, at="/models/{reference}/promote")
    house.ask("GET", "/history")
    house.ask("POST", f"/tasks/{NAME}/rollback", at="/tasks/{name}/rollback")
    house.ask("GET", "/history")


def protocol(house: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/v2", "/v2/health/live", "/v2/health/ready"):
        house.ask("GET", path)
    with monkeypatch.context() as patched:
        patched.setattr(type(house.server.parts), "lacking", lambda _: ("a model",))
        house.ask("GET", "/v2/health/ready")
    model = "/v2/models/{name}"
    house.ask("GET", f"/v2/models/{NAME}", at=model)
    house.ask("GET", f"/v2/models/{NAME}/ready", at=f"{model}/ready")
    house.ask("POST", "/v2/repository/index")
    house.ask("POST", f"/v2/repository/models/{NAME}/load", at="/v2/repository/models/{name}/load")
    data = [base64.b64encode(one).decode() for one in (sample(NAME).read_bytes(), b"nothing")]
    asked = {"id": "7", "inputs": [{"name": "image", "datatype": "BYTES", "shape": [2], "data": data}]}
    house.ask("POST", f"/v2/models/{NAME}/infer", asked, at=f"{model}/infer")
    best = {"outputs": [{"name": "probabilities", "parameters": {"classification": 1}}]}
    house.ask("POST", f"/v2/models/{NAME}/infer", asked | best, at=f"{model}/infer")


def works(house: Held) -> None:
    audit = house.ask("POST", "/audits", form([("films.zip", zipped(NAME))]), TYPE)
    house.over(f"/works/{audit['id']}", "/works/{identity}")
    training = house.ask("POST", "/trainings", {"source": "films", "task": NAME})
    house.ask("DELETE", f"/works/{training['id']}", at="/works/{identity}")
    measured = house.ask("POST", "/evaluate", form([("films.zip", zipped(NAME))], task=NAME), TYPE)
    said = house.over(f"/evaluations/{measured['id']}", "/evaluations/{identity}")
    assert said["evaluation"] is not None
    house.ask("GET", "/works")


def people(house: Held) -> None:
    for role in ("admin", ""):
        house.ask("GET", "/session", role=role)
    signed = house.ask("POST", "/login", {"name": "reader", "password": WORD})
    assert signed["user"]["name"] == "reader"
    new = house.ask("POST", "/users", {"name": "anna"}, role="admin")
    place = f"/users/{new['id']}"
    token = house.ask("POST", f"{place}/link", at="/users/{identity}/link", role="admin")["link"].partition("#")[2]
    house.ask("POST", "/set-password", {"token": token, "password": "another long word"})
    house.ask("PATCH", place, {"role": "reviewer"}, at="/users/{identity}", role="admin")
    house.ask("GET", "/users", role="admin")
    key = house.ask("POST", "/keys", {"name": "a program"}, role="reader")
    house.ask("GET", "/keys", role="reader")
    house.ask("DELETE", f"/keys/{key['id']}", at="/keys/{identity}", role="reader")
    house.ask("POST", "/password", {"old": WORD, "new": "another long word"}, role="reviewer")


def test_real_answers_of_every_route_are_what_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "roots" / "films").mkdir(parents=True)
    another_version(tmp_path / "home", "2.0.0")
    with running(tmp_path / "home", DATA_ROOTS=str(tmp_path / "roots")) as server:
        house = held(server)
        answers(house)
        catalogue(house)
        protocol(house, monkeypatch)
        works(house)
    with running(tmp_path / "on", AUTH="on") as server:
        guarded = held(server)
        people(guarded)
    parts = assemble(
        read_settings({"HILUM_HOME": str(tmp_path / "first"), "HILUM_AUTH": "on", "HILUM_SERVE_WORKERS": "0"})
    )
    assert parts.access is not None
    with listening(create_app(parts)) as port:
        first = Held(Running(port, parts), guarded.told, guarded.seen)
        token = parts.access.links.first()
        first.ask("POST", "/first-start", {"token": token, "name": "anna", "password": "another long word"})
    every = {
        (how.upper(), path, status)
        for path, ways in house.told["paths"].items()
        for how, one in ways.items()
        for status, answer in one["responses"].items()
        if JSON in answer.get("content", {})
    }
    assert every - house.seen - guarded.seen == set()
