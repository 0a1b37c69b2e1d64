"""A task of one's own, which only a package brings, is asked, told, promoted and spoken to like any other."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.errors import PackageDamaged, UnknownTask
from hilum.interfaces.cli.main import main
from hilum.interfaces.http.recorded import Filters, wanted
from hilum.interfaces.web.ordered import ordered
from hilum.jobs.works import LOCK
from hilum.model.package import open_package
from hilum.registry.pins import pin, trust
from hilum.registry.questions import known_tasks, reference_of, task_answered
from hilum.settings import read_settings
from hilum.task import read_task, shipped_tasks
from tests.conftest import ROOT
from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import Running, running
from tests.interfaces.versions import package_of_own_task, package_that_cannot_answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("own") / "home"
    package_of_own_task(home)
    with running(home) as server:
        yield server


def asked(server: Running, query: str) -> dict:
    data = sample("pneumonia-cxr").read_bytes()
    answer = server.ask("POST", f"/predict?{query}", data, {"Content-Type": "image/png"})
    assert answer.status == 200, answer.body
    return answer.json()


def test_it_answers_by_its_name_and_is_listed(server: Running) -> None:
    assert asked(server, "task=my-films&model=my-films")["model"]["name"] == "my-films"
    listed = [one["name"] for one in server.ask("GET", "/tasks").json()["tasks"]]
    assert listed[-1] == "my-films"
    assert server.ask("GET", "/tasks/my-films").json()["title"] == "What our films show"


def test_a_class_of_it_can_be_said_to_be_the_right_one(server: Running) -> None:
    said = asked(server, "model=my-films")
    other = next(name for name in said["probabilities"] if name != said["prediction"]["class"])
    answer = server.ask("POST", "/feedback", {"id": said["id"], "label": other})
    assert (answer.status, answer.json().get("agrees")) == (201, False)
    assert server.ask("POST", "/feedback", {"id": said["id"], "label": "glioma"}).status == 422


def test_nobody_is_said_to_speak_for_it_before_one_was_promoted(server: Running) -> None:
    """Else Read offers a question that is refused, and the page of the package no button to promote it."""
    film, png = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    assert server.ask("POST", "/predict?task=my-films", film, png).status == 404
    assert {one["name"]: one["model"] for one in server.ask("GET", "/tasks").json()["tasks"]}["my-films"] is None
    assert {one["name"]: one["champion"] for one in server.ask("GET", "/models").json()["models"]} == {
        "brain-tumor-mri": True, "brain-tumor-presence-mri": True, "pneumonia-cxr": True, "my-films": False
    }  # fmt: skip
    html = {"Accept": "text/html"}
    assert "my-films" not in server.ask("GET", "/app/read", headers=html).body.decode()
    model = server.ask("GET", "/app/models/my-films@1.0.0", headers=html).body.decode()
    assert ("Installed, does not answer" in model, ">Promote<" in model) == (True, True)
    assert "nobody yet" in server.ask("GET", "/app/settings", headers=html).body.decode()


def test_it_is_promoted_and_rolled_back(server: Running) -> None:
    film, png = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    assert "promote a package" in server.ask("POST", "/predict?task=my-films", film, png).json()["detail"]
    assert server.ask("POST", "/models/my-films/promote", {"why": "ours"}).status == 201
    assert asked(server, "task=my-films")["model"]["name"] == "my-films"
    listed = {one["name"]: one["model"] for one in server.ask("GET", "/tasks").json()["tasks"]}
    assert listed["my-films"] == "my-films@1.0.0"
    page = server.ask("GET", "/app/models/my-films@1.0.0", headers={"Accept": "text/html"}).body.decode()
    assert ("Answers now" in page, ">Promote<" in page) == (True, False)
    back = server.ask("POST", "/tasks/my-films/rollback", {"why": "not yet"})
    assert (back.status, back.json()["task"]) == (201, "my-films")
    assert (back.json()["digest"], back.json()["reference"]) == (None, "nobody")
    assert server.ask("POST", "/predict?task=my-films", film, png).status == 404
    assert server.ask("POST", "/tasks/my-films/rollback", {"why": "again"}).status == 422


@pytest.mark.parametrize("door", ["http", "command"])
def test_its_promotion_is_taken_back_though_its_package_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    package_of_own_task(tmp_path)
    assert main(["promote", "my-films", "--why", "ours"]) == 0
    shutil.rmtree(tmp_path / "models" / "my-films")
    if door == "command":
        assert main(["rollback", "my-films", "--why", "it is gone"]) == 0
        assert main(["rollback", "my-films", "--why", "again"]) == 2
        return
    with running(tmp_path) as server:
        back = server.ask("POST", "/tasks/my-films/rollback", {"why": "it is gone"})
        assert (back.status, back.json()["reference"]) == (201, "nobody")
        assert [server.ask("POST", f"/tasks/{name}/rollback").status for name in ("my-films", "other")] == [422, 404]


def test_before_it_is_promoted_nothing_says_that_it_answers(tmp_path: Path) -> None:
    package_of_own_task(tmp_path)
    with running(tmp_path) as server:
        assert {one["name"]: one["model"] for one in server.ask("GET", "/tasks").json()["tasks"]}["my-films"] is None
        models = server.ask("GET", "/models").json()["models"]
        assert [one["name"] for one in models if not one["champion"]] == ["my-films"]
        pages = {page: server.ask("GET", f"/app/{page}").body.decode() for page in ("read", "models", "speaking")}
        assert "my-films" not in pages["speaking"]
        assert "What our films show" not in pages["read"]  # no choice that is then refused
        assert pages["models"].count("Answers now") == 3
        assert server.ask("POST", "/models/my-films/promote", {"why": "ours"}).status == 201
        assert "What our films show" in server.ask("GET", "/app/read").body.decode()
        assert "my-films" in server.ask("GET", "/app/speaking").body.decode()


@pytest.mark.parametrize(("priority", "answers"), [(30, "my-films"), (0, "pneumonia-cxr")])
def test_once_promoted_it_is_asked_in_its_turn(tmp_path: Path, priority: int, answers: str) -> None:
    package_of_own_task(tmp_path, priority=priority)
    with running(tmp_path) as server:
        assert asked(server, "task=auto")["task"] == "pneumonia-cxr"
        assert server.ask("POST", "/models/my-films/promote", {"why": "ours"}).status == 201
        assert asked(server, "task=auto")["task"] == answers
        assert server.ask("POST", "/tasks/my-films/rollback", {"why": "not yet"}).status == 201
        assert asked(server, "task=auto")["task"] == "pneumonia-cxr"


def test_without_its_package_the_others_are_asked(tmp_path: Path) -> None:
    """Several servers of one database may not have the same packages."""
    package_of_own_task(tmp_path, priority=30)
    with running(tmp_path) as server:
        assert server.ask("POST", "/models/my-films/promote", {"why": "ours"}).status == 201
    shutil.rmtree(tmp_path / "models" / "my-films")
    with running(tmp_path) as server:
        assert asked(server, "task=auto")["task"] == "pneumonia-cxr"


def _another_size() -> bytes:
    said = json.loads((ROOT / "models" / "pneumonia-cxr" / "preparation.json").read_bytes())
    return json.dumps(said | {"size": said["size"] + 1}).encode()


def _other_classes() -> bytes:
    return (ROOT / "models" / "brain-tumor-mri" / "model.onnx").read_bytes()


@pytest.mark.parametrize(("file", "content"), [("preparation.json", _another_size), ("model.onnx", _other_classes)])
def test_what_cannot_answer_is_not_promoted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: Callable[[], bytes],
) -> None:
    """Asked in its turn, it would end the questions to all the others."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    package_that_cannot_answer(tmp_path, file, content())
    assert main(["promote", "pneumonia-cxr@6.6.6", "--why", "ours"]) == 1
    assert "cannot answer" in capsys.readouterr().err


def test_pages_and_filters_know_its_words(server: Running) -> None:
    asked(server, "model=my-films")
    for page in ("history", "monitoring", "settings"):
        assert "What our films show" in server.ask("GET", f"/app/{page}").body.decode(), page
    filters = wanted(Filters(text="no pneumonia"), server.parts)
    assert filters.negatives.count("normal") == 2


def test_a_command_is_given_the_file_that_the_package_brings(server: Running) -> None:
    settings = server.parts.settings
    assert read_task(Path(reference_of("my-films", settings))).title == "What our films show"
    assert reference_of("pneumonia-cxr", settings) == "pneumonia-cxr"


def test_a_package_holds_the_task_that_its_manifest_names(tmp_path: Path) -> None:
    """Else what is trusted for a question of somebody's own would tell its words for those of a shipped one."""
    package_of_own_task(tmp_path)
    settings, folder = read_settings({"HILUM_HOME": str(tmp_path)}), tmp_path / "models" / "my-films" / "1.0.0"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "task": "your-films"}))
    pin(settings, folder, "test")
    with pytest.raises(PackageDamaged, match="holds the task 'my-films', not 'your-films'"):
        open_package(folder, trust(settings))
    assert known_tasks(settings) == shipped_tasks()


def test_a_package_that_was_mended_brings_its_task_again(tmp_path: Path) -> None:
    package_of_own_task(tmp_path)
    settings, file = read_settings({"HILUM_HOME": str(tmp_path)}), tmp_path / "models/my-films/1.0.0/plan.json"
    file.rename(tmp_path / "aside")
    assert known_tasks(settings) == shipped_tasks()
    (tmp_path / "aside").rename(file)
    assert [task.name for task in known_tasks(settings)][-1] == "my-films"


def test_what_nobody_trusts_brings_no_task(tmp_path: Path) -> None:
    digest = package_of_own_task(tmp_path)
    (tmp_path / "pins.jsonl").unlink()
    settings = read_settings({"HILUM_HOME": str(tmp_path)})
    assert known_tasks(settings) == shipped_tasks()
    with pytest.raises(UnknownTask, match=r"no task '\.\./my-films'; there are: brain-tumor-mri"):
        reference_of("../my-films", settings)
    with pytest.raises(UnknownTask):
        task_answered("my-films", digest, settings)


@pytest.mark.parametrize("path", ["/audits", "/trainings", "/evaluate"])
def test_a_key_means_the_same_work_after_another_package_brings_the_task(tmp_path: Path, path: str) -> None:
    """A training's own package is the newest by then, so that the command is given another file for the same task."""
    pytest.importorskip("lightning" if path == "/trainings" else "faiss")
    home, films, key = tmp_path / "home", tmp_path / "roots" / "films", {"Idempotency-Key": "films"}
    films.mkdir(parents=True)
    package_of_own_task(home)
    package_of_own_task(home, "your-films")
    (home / "works").mkdir()
    with (home / "works" / LOCK).open("a") as turn, running(home, DATA_ROOTS=str(films.parent)) as server:
        fcntl.flock(turn, fcntl.LOCK_EX)  # nothing needs to be begun
        for name in ("my-films", "your-films"):
            assert server.ask("POST", f"/models/{name}/promote", {"why": "ours"}).status == 201
        one = server.ask("POST", path, {"source": "films", "task": "my-films"}, key)
        assert one.status == 202, one.body
        package_of_own_task(home, version="2.0.0")
        assert server.ask("POST", "/models/my-films@2.0.0/promote", {"why": "better"}).status == 201
        again = server.ask("POST", path, {"source": "films", "task": "my-films"}, key)
        assert (again.status, again.json()["id"]) == (202, one.json()["id"]), again.body
        other = server.ask("POST", path, {"source": "films", "task": "your-films"}, key)
        assert (other.status, other.json()["code"]) == (422, "key_reused")


def test_a_training_again_is_on_its_question_after_another_package_brings_the_task(tmp_path: Path) -> None:
    package_of_own_task(tmp_path)
    settings = read_settings({"HILUM_HOME": str(tmp_path)})
    arguments = (str(tmp_path), f"--task={reference_of('my-films', settings)}", "--seed=0")
    package_of_own_task(tmp_path, version="2.0.0")
    assert reference_of("my-films", settings) not in arguments[1]
    assert ordered(arguments, (), ("pneumonia-cxr", "my-films"), settings).task == "my-films"
    shutil.rmtree(tmp_path / "models" / "my-films" / "1.0.0")
    assert ordered(arguments, (), ("pneumonia-cxr", "my-films"), settings).task == ""
