"""Processes that answer: the same words as in one process, and neither a death nor a silence takes anybody along."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from hilum.errors import InputError, PackageDamaged, Stopping, UnreadableImage, UsageError
from hilum.flows.evidence import Drawing
from hilum.flows.here import Here
from hilum.flows.predict import Desk, File, Options
from hilum.flows.speaker import Speaker
from hilum.flows.told import Found
from hilum.flows.workers import Workers
from hilum.model.package import Trust, digest_of, open_package
from hilum.model.unfolded import Shelf
from tests.conftest import ROOT

BEYOND = 1024  # what select(2) cannot look at
ENOUGH = BEYOND + 64  # descriptors that a process must be let have for one of them to be beyond
FILMS = sorted((ROOT / "samples" / "pneumonia-cxr").glob("*.png"))[:3]


@pytest.fixture(scope="module")
def desk() -> Desk:
    folder = ROOT / "models" / "pneumonia-cxr"
    return Desk((Speaker(open_package(folder, Trust({digest_of(folder)}))),))


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2)
    yield made
    made.close()


def films() -> list[File]:
    return [File(path.read_bytes(), path.name) for path in FILMS]


def nobody(_: Sequence[int]) -> None:
    """Whoever does not ask which files can be read."""


def said(found: Sequence[Found | InputError]) -> list[list[str] | str]:
    return [str(one) if isinstance(one, InputError) else [told.middle for told in one.told] for one in found]


class Acts:
    """An option that does something when it arrives in the worker."""

    def __init__(self, what: object, *given: object) -> None:
        self.what, self.given = what, given

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.what, self.given


def test_they_say_what_is_said_in_one_process(workers: Workers, desk: Desk) -> None:
    files = [*films(), File(b"no image", "broken.png")]
    places: list[int] = []
    found = workers.find(files, desk, places.extend)
    assert said(found) == said(Here().find(files, desk, nobody))
    assert places == [0, 1, 2]
    assert isinstance(found[3], UnreadableImage)
    assert found[3].name == "broken.png"
    assert all(isinstance(one, Found) and one.timings[0]["compute"] > 0 for one in found[:3])


def test_several_are_asked_at_once_and_each_gets_its_own(workers: Workers, desk: Desk) -> None:
    expected = [said(Here().find([file], desk, nobody))[0] for file in films()]
    turns = [i % 3 for i in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: workers.find([films()[i]], desk, nobody), turns))
    assert [said(one)[0] for one in found] == [expected[i] for i in turns]


def test_one_that_died_while_idle_is_replaced(workers: Workers, desk: Desk) -> None:
    workers.open([desk])
    for worker in workers.numbers:
        os.kill(worker, signal.SIGKILL)
    assert len([one for one in workers.find(films(), desk, nobody) if isinstance(one, Found)]) == 3


def test_a_file_that_kills_its_process_is_the_only_one_without_an_answer(workers: Workers, desk: Desk) -> None:
    first, _, last = films()
    deadly = File(first.data, "deadly.png", Acts(os._exit, 1))  # type: ignore[arg-type]
    found = workers.find([first, deadly, last], desk, nobody)
    assert isinstance(found[0], Found)
    assert isinstance(found[2], Found)
    assert str(found[1]) == "deadly.png: a decoder crashed on this file"
    assert isinstance(workers.find([first], desk, nobody)[0], Found)


def test_one_that_says_nothing_is_given_up(desk: Desk) -> None:
    workers = Workers(1)
    workers.open([desk])
    workers._all[0]._seconds = 3  # from now on: to open the models may take longer
    silent = File(films()[0].data, "silent.png", Acts(time.sleep, 3600))  # type: ignore[arg-type]
    started = time.monotonic()
    (found,) = workers.find([silent], desk, nobody)
    assert isinstance(found, UnreadableImage)
    assert time.monotonic() - started < 600
    workers.close()


def test_what_is_wrong_with_a_question_or_a_package_is_said_as_in_one_process(workers: Workers, desk: Desk) -> None:
    file = films()[0]
    with pytest.raises(UsageError, match="operating point"):
        workers.find([File(file.data, file.name, Options("nonsense"))], desk, nobody)
    assert isinstance(workers.find([file], desk, nobody)[0], Found)


def test_a_fault_is_logged_by_its_lines_and_without_its_words(
    workers: Workers, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    strange = File(films()[0].data, "Mr Smith.png", 7)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="AttributeError in a worker"):
        workers.find([strange], desk, nobody)
    assert "in find" in caplog.text
    assert "'int' object" not in caplog.text


def test_who_cannot_keep_a_file_hears_of_it_and_the_next_question_is_answered(workers: Workers, desk: Desk) -> None:
    def full(_: Sequence[int]) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        workers.find(films(), desk, full)
    assert said(workers.find(films(), desk, nobody)) == said(Here().find(films(), desk, nobody))


def test_a_package_that_was_changed_meanwhile_is_not_opened(workers: Workers, tmp_path: Path) -> None:
    folder = tmp_path / "pneumonia-cxr"
    shutil.copytree(ROOT / "models" / "pneumonia-cxr", folder)
    desk = Desk((Speaker(open_package(folder, Trust({digest_of(folder)}))),))
    _ = desk.speakers[0].package
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    with pytest.raises(PackageDamaged):
        workers.open([desk])


def test_they_share_the_memory_of_what_is_open(workers: Workers, desk: Desk) -> None:
    workers.open([desk])
    first, second = workers.numbers
    assert psutil.Process(second).ppid() == first
    unique = psutil.Process(second).memory_full_info().uss
    assert unique < 0.5 * psutil.Process(second).memory_info().rss


def test_one_forked_from_another_that_has_died_since_goes_on(workers: Workers, desk: Desk) -> None:
    workers.open([desk])
    first, second = workers.numbers
    os.kill(first, signal.SIGKILL)
    expected = said(Here().find(films()[:1], desk, nobody))
    for _ in range(4):
        assert said(workers.find(films()[:1], desk, nobody)) == expected
    assert second in workers.numbers
    workers.open([desk])
    assert psutil.Process(workers.numbers[1]).ppid() == workers.numbers[0]


@pytest.mark.parametrize("method", ["cam", "occlusion"])
def test_they_draw_what_is_drawn_in_one_process(workers: Workers, desk: Desk, method: str) -> None:
    data, wanted = films()[0].data, Drawing(1, method)
    assert workers.draw(data, desk, wanted) == Here().draw(data, desk, wanted)
    (number,) = workers.numbers
    wait = time.monotonic() + 120
    while [one for one in psutil.Process(number).children() if one.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < wait


def test_long_drawings_keep_nobody_from_an_answer(desk: Desk) -> None:
    workers = Workers(1)
    workers.open([desk])
    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(workers.draw, films()[0].data, desk, Drawing(1, "occlusion"))
        while not (beside := workers.numbers[1:]):
            time.sleep(0.01)
        assert isinstance(workers.find(films()[:1], desk, nobody)[0], Found)
        os.kill(beside[0], signal.SIGKILL)
        with pytest.raises(UnreadableImage, match="has died"):
            drawn.result()
    with pytest.raises(UnreadableImage):
        workers.draw(b"no image", desk, Drawing(1, "cam"))
    assert isinstance(workers.find(films()[:1], desk, nobody)[0], Found)
    workers.close()


def test_closed_ones_leave_no_process_and_take_nothing(desk: Desk) -> None:
    workers = Workers(2)
    workers.open([desk])
    living = [psutil.Process(number) for number in workers.numbers]
    assert len(living) == 2
    workers.close()
    assert psutil.wait_procs(living, timeout=120)[1] == []
    with pytest.raises(Stopping):
        workers.find(films(), desk, nobody)


@pytest.mark.parametrize("drawn", [False, True])
def test_who_is_asked_while_they_are_closed_blames_no_file_and_starts_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    """A good image would pass for one that cannot be read, and a server that is to end would start processes."""
    workers = Workers(1)
    workers.open([desk])
    (one,) = workers._all
    heard = one._heard

    def closed(pipe: Connection) -> tuple[str, object]:
        workers.close()
        return heard(pipe)

    monkeypatch.setattr(one, "_heard", closed)
    with pytest.raises(Stopping):
        workers.draw(films()[0].data, desk, Drawing(1, "cam")) if drawn else workers.find(films(), desk, nobody)
    assert workers.numbers == []


def test_one_forked_while_a_thousand_files_are_open_is_ended_like_any_other(desk: Desk, monkeypatch) -> None:
    """As many connections are open as that: the descriptor by which it is held has a number beyond them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < ENOUGH:
        pytest.skip("this system lets no process open so many files")
    opened = os.pidfd_open

    def beyond(number: int) -> int:
        low = opened(number)
        try:
            return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, BEYOND)
        finally:
            os.close(low)

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ENOUGH), hard))
    workers = Workers(2)
    try:
        with monkeypatch.context() as crowded:
            crowded.setattr(os, "pidfd_open", beyond)
            workers.open([desk])
            forked = psutil.Process(workers.numbers[1])
            assert workers.draw(films()[0].data, desk, Drawing(1, "occlusion"))
            workers.open([desk])
        assert psutil.wait_procs([forked], timeout=120)[1] == []
        assert isinstance(workers.find(films()[:1], desk, nobody)[0], Found)
    finally:
        workers.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_they_map_the_network_that_is_kept(tmp_path: Path, desk: Desk) -> None:
    (speaker,) = desk.speakers
    kept = Desk((Speaker(speaker.package, shelf=Shelf(tmp_path / "graphs")),))
    workers = Workers(1)
    try:
        assert said(workers.find(films(), kept, nobody)) == said(Here().find(films(), desk, nobody))
        assert len(list((tmp_path / "graphs").glob("*.ort"))) == 1
    finally:
        workers.close()
