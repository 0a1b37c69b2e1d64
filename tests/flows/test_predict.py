"""The predict flow end to end on a real package: answers, refusals, broken files, many files."""

from __future__ import annotations

import functools
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from hilum.errors import InputError, PackageDamaged, PackageNotTrusted, UnreadableImage, UsageError
from hilum.flows import speaker as speakers
from hilum.flows.bulk import IN_PROCESS, Unread, predict_paths
from hilum.flows.predict import TOGETHER, Desk, File, Options, ask_all, check_options, predict, predict_all
from hilum.flows.prediction import Prediction
from hilum.image.decode import decode
from hilum.model.engine import Engine, Outputs
from hilum.model.package import Trust, open_package
from tests.flows.made import write_spots
from tests.flows.spawned import dying_desk, open_desk

PUBLIC = {
    "id", "file", "task", "model", "prediction", "probabilities", "operating_point", "conformal_set", "gate",
    "explanation", "timings",
}  # fmt: skip


@pytest.fixture(scope="module")
def desk(package: tuple[Path, str]) -> Desk:
    return open_desk(*package)


def test_an_answer_is_the_public_object(desk: Desk, tmp_path: Path) -> None:
    path = write_spots(tmp_path, 2)[1]
    (answer,) = predict(path.read_bytes(), "a.png", desk, Options())
    told = json.loads(json.dumps(answer.prediction.to_json()))
    assert set(told) == PUBLIC
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    assert told["prediction"]["class"] in told["conformal_set"]
    assert told["gate"]["admitted"] is True
    assert set(told["timings"]) >= {"decode", "gate", "prepare", "compute"}


def test_a_blank_image_is_refused_with_its_reason_and_no_score(desk: Desk) -> None:
    _, blank = cv2.imencode(".png", np.full((80, 80), 7, np.uint8))
    (answer,) = predict(blank.tobytes(), "blank.png", desk, Options())
    told = answer.prediction.to_json()
    assert told["prediction"] is None
    assert told["probabilities"] == {}
    assert told["conformal_set"] == []
    assert told["gate"]["reasons"] == ["blank"]


def test_the_class_does_not_depend_on_the_prevalence_but_the_probability_does(desk: Desk, tmp_path: Path) -> None:
    data = write_spots(tmp_path, 2)[1].read_bytes()
    (usual,), (rare,) = (predict(data, "a", desk, Options(prevalence=p)) for p in (None, 0.01))
    assert usual.prediction.label == rare.prediction.label
    assert usual.prediction.probabilities["spot"] > rare.prediction.probabilities["spot"]


def test_an_unknown_operating_point_lists_those_there_are(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="balanced"):
        predict(write_spots(tmp_path, 1)[0].read_bytes(), "a", desk, Options(operating_point="lucky"))


def test_broken_bytes_name_the_file(desk: Desk) -> None:
    with pytest.raises(UnreadableImage, match=r"broken\.png"):
        predict(b"\x89PNG\r\n\x1a\n nothing", "broken.png", desk, Options())


def test_no_task_admits_a_blank_image_when_the_task_is_found_out(desk: Desk) -> None:
    _, blank = cv2.imencode(".png", np.zeros((80, 80), np.uint8))
    (answer,) = predict(blank.tobytes(), "b", Desk(desk.speakers, automatic=True), Options())
    assert [reason.code for reason in answer.prediction.reasons] == ["no_task"]
    assert answer.prediction.task is None


def test_who_lacks_the_operating_point_is_passed_over_when_the_task_is_found_out(
    desk: Desk, package: tuple[Path, str], tmp_path: Path
) -> None:
    """Else a task of one's own with one point would turn everybody away who asks for another."""
    (able,), (without,) = desk.speakers, open_desk(*package).speakers
    known = without.package.calibration
    without.package = replace(without.package, calibration=replace(known, points={"balanced": known.point("balanced")}))
    both, screening = Desk((without, able), automatic=True), Options("screening")
    check_options(screening, both)
    data = write_spots(tmp_path, 1)[0].read_bytes()
    assert predict(data, "a", both, screening)[0].speaker is able
    assert predict(data, "a", both, Options())[0].speaker is without
    with pytest.raises(UsageError, match="no operating point 'lucky'"):
        check_options(Options("lucky"), both)
    with pytest.raises(UsageError, match="one share"):
        check_options(Options(prevalence=(0.2, 0.3, 0.5)), both)


def test_an_answer_is_the_same_whenever_it_is_asked_for(desk: Desk, package: tuple[Path, str], tmp_path: Path) -> None:
    data = write_spots(tmp_path, 2)[1].read_bytes()
    first = predict(data, "a", desk, Options())[0].prediction
    second = predict(data, "a", open_desk(*package), Options())[0].prediction
    assert first.probabilities == second.probabilities


def test_many_files_are_answered_in_order_on_all_cores(package: tuple[Path, str], tmp_path: Path) -> None:
    paths = [str(path) for path in write_spots(tmp_path, IN_PROCESS + 20)]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image at all")
    paths.insert(7, str(broken))
    lines = list(predict_paths(paths, functools.partial(open_desk, *package), Options(), workers=2))
    assert [line.file for line in lines] == paths
    assert isinstance(lines[7], Unread)
    assert sum(isinstance(line, Prediction) for line in lines) == len(paths) - 1


def test_a_package_that_must_not_be_used_is_said_once(package: tuple[Path, str], tmp_path: Path) -> None:
    paths = [str(path) for path in write_spots(tmp_path, IN_PROCESS + 4)]
    with pytest.raises(PackageNotTrusted):
        list(predict_paths(paths, functools.partial(open_desk, package[0], "another digest"), Options(), workers=2))


def test_a_file_that_kills_its_worker_costs_no_other_file_its_answer(package: tuple[Path, str], tmp_path: Path) -> None:
    paths = [str(path) for path in write_spots(tmp_path, IN_PROCESS + 4)]
    deadly = tmp_path / "deadly.png"
    deadly.write_bytes(Path(paths[0]).read_bytes())
    paths.insert(20, str(deadly))
    lines = list(predict_paths(paths, functools.partial(dying_desk, *package), Options(), workers=2))
    assert [line.file for line in lines] == paths
    assert [line.file for line in lines if isinstance(line, Unread)] == [str(deadly)]


def test_a_worker_that_dies_while_files_are_still_listed_costs_no_other_file_its_answer(
    package: tuple[Path, str], tmp_path: Path
) -> None:
    paths = [str(path) for path in write_spots(tmp_path, IN_PROCESS + 30)]
    deadly = tmp_path / "deadly.png"
    deadly.write_bytes(Path(paths[0]).read_bytes())
    paths.insert(20, str(deadly))

    def listed() -> Iterator[str]:
        yield from paths[:IN_PROCESS]
        until = time.monotonic() + 120
        while multiprocessing.active_children() and time.monotonic() < until:  # until its death was noticed
            time.sleep(0.02)
        yield from paths[IN_PROCESS:]

    lines = list(predict_paths(listed(), functools.partial(dying_desk, *package), Options(), workers=2))
    assert [line.file for line in lines] == paths
    assert [line.file for line in lines if isinstance(line, Unread)] == [str(deadly)]


def test_an_unpinned_package_is_refused(package: tuple[Path, str]) -> None:
    with pytest.raises(PackageNotTrusted, match="hilum models --pin"):
        open_package(package[0], Trust())


@pytest.mark.parametrize("file", ["model.onnx", "calibration.json", "README.md"])
def test_a_changed_file_is_refused(package: tuple[Path, str], tmp_path: Path, file: str) -> None:
    folder, digest = package
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / file).write_bytes((copy / file).read_bytes() + b" ")
    with pytest.raises(PackageDamaged, match=file):
        open_package(copy, Trust({digest}))


def test_a_pickle_laid_beside_the_files_is_refused(package: tuple[Path, str], tmp_path: Path) -> None:
    folder, digest = package
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(PackageDamaged, match=r"model\.pkl"):
        open_package(copy, Trust({digest}))


def test_several_files_get_their_own_answers_from_one_pass(desk: Desk, tmp_path: Path) -> None:
    paths = write_spots(tmp_path, 5)
    files = [File(path.read_bytes(), path.name) for path in paths]
    files.insert(2, File(b"nonsense", "broken.png"))
    found = predict_all(files, desk)
    assert isinstance(found[2], InputError)
    for file, answers in zip(files, found, strict=True):
        if isinstance(answers, InputError):
            continue
        (alone,) = predict(file.data, file.name, desk, Options())
        assert answers[0].prediction.file == file.name
        assert answers[0].prediction.label == alone.prediction.label
        assert answers[0].prediction.probabilities == pytest.approx(alone.prediction.probabilities, abs=1e-6)


def test_a_pass_takes_few_images_however_many_frames_come(desk: Desk, tmp_path: Path) -> None:
    """What a pass takes of memory grows with them: a film of hundreds of frames must not take all there is."""
    (path,) = write_spots(tmp_path, 1)
    (image,) = decode(path.read_bytes(), name=path.name)
    (speaker,) = desk.speakers
    asked: list[int] = []

    class Counting:
        def run(self, pixels: NDArray[np.uint8]) -> Outputs:
            asked.append(len(pixels))
            return engine.run(pixels)

    engine = speaker.engine
    speaker.__dict__["engine"] = Counting()
    try:
        answers = ask_all([(image, Options())] * (2 * TOGETHER + 3), speaker)
    finally:
        speaker.__dict__["engine"] = engine
    assert asked == [TOGETHER, TOGETHER, 3]
    assert len({answer.prediction.label for answer in answers}) == 1


@pytest.mark.parametrize("how", ["fails", "says what is no number"])
def test_a_network_that_cannot_answer_some_picture_is_a_damaged_package(desk: Desk, tmp_path: Path, how: str) -> None:
    (speaker,) = desk.speakers
    engine = speaker.engine

    class Failing:
        def run(self, pixels: NDArray[np.uint8]) -> Outputs:
            if how == "fails":
                raise InvalidArgument("indices element out of data bounds")
            said = engine.run(pixels)
            return replace(said, logits=said.logits * np.float32(np.nan))

    speaker.__dict__["engine"] = Failing()
    try:
        with pytest.raises(PackageDamaged, match="cannot answer this image"):
            predict(write_spots(tmp_path, 1)[0].read_bytes(), "a.png", desk, Options())
    finally:
        speaker.__dict__["engine"] = engine


def test_few_files_are_answered_by_whoever_is_alone_here(package: tuple[Path, str], tmp_path: Path) -> None:
    def not_here() -> Desk:
        raise AssertionError("a worker's desk was opened")

    paths = [str(path) for path in write_spots(tmp_path, 3)]
    here = functools.partial(open_desk, *package)
    assert len(list(predict_paths(paths, not_here, Options(), workers=2, here=here))) == 3


def test_the_network_is_opened_once_and_beside_the_reading_of_the_image(
    package: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def noted(*given: Any, **more: Any) -> Engine:
        opened.append(threading.current_thread().name)
        return Engine(*given, **more)

    monkeypatch.setattr(speakers, "Engine", noted)
    paths = [str(path) for path in write_spots(tmp_path, 3)]
    lines = list(predict_paths(paths, functools.partial(open_desk, *package), Options(), workers=2))
    assert opened == ["network"]
    assert all(isinstance(line, Prediction) for line in lines)


def test_a_network_that_cannot_be_opened_is_said_to_who_asks(
    package: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Engine:
        raise PackageDamaged("graph: ONNX Runtime refuses it")

    monkeypatch.setattr(speakers, "Engine", broken)
    paths = [str(path) for path in write_spots(tmp_path, 1)]
    with pytest.raises(PackageDamaged, match="refuses it"):
        list(predict_paths(paths, functools.partial(open_desk, *package), Options(), workers=2))
