"""An erasure reaches what is no prediction yet: batches that wait, uploads; and says where it did not look."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import uuid
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hilum.flows.erase import ORPHAN_SECONDS, Wanted
from hilum.interfaces.cli.main import main
from hilum.jobs.erasing import elsewhere
from hilum.jobs.inbox import Inbox, Order
from hilum.jobs.works import STATE, Work
from hilum.secret import read_secret
from hilum.storage.images import Images, open_images
from tests.flows.recorded import FILMS, ask, settings_for
from tests.interfaces.http.hostile import torn_zip
from tests.interfaces.http.running import running


def inbox_of(home: Path) -> Inbox:
    return Inbox(home / "inbox", read_secret(home / "secret.key"))


def images_of(home: Path) -> Images:
    return open_images(str(home / "images"), read_secret(home / "secret.key"))


def waiting(home: Path, *films: Path, caller: str = "local") -> Order:
    """A batch as a server that was killed leaves it."""
    order = Order(str(uuid.uuid4()), caller, "pneumonia-cxr", None, "balanced", None, keep=True)
    return inbox_of(home).take(order, [(f"name of {film.name}", film.read_bytes()) for film in films])


def upload(home: Path, *films: Path, state: str = "done", caller: str = "local") -> Work:
    """A zip that was sent for an audit, and the work it was sent for."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for film in films:
            archive.writestr(f"normal/{film.name}", film.read_bytes())
    work = Work(str(uuid.uuid4()), "audit", "set.zip", ("source.zip",), caller, time.time(), state)
    folder = home / "works" / work.id
    folder.mkdir(parents=True)
    (folder / "source.zip").write_bytes(out.getvalue())
    (folder / STATE).write_text(json.dumps(asdict(work)))
    return work


def erased(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["erase", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def lying(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_picture_that_also_waits_in_a_batch_goes_and_the_batch_goes_on(home: Path, capsys) -> None:
    pytest.importorskip("dbos")
    (answer,) = ask(settings_for(home), FILMS[0])
    order = waiting(home, FILMS[0], FILMS[1], FILMS[0])
    assert FILMS[0].read_bytes() in lying(home)
    assert erased(capsys, answer["id"])["files"] == 2
    left = lying(home)
    assert FILMS[0].read_bytes() not in left
    assert f"name of {FILMS[0].name}".encode() not in left
    assert f"name of {FILMS[1].name}".encode() in left
    with running(home) as server:
        late = time.monotonic() + 120
        while (state := server.ask("GET", f"/jobs/{order.id}").json())["state"] in ("queued", "running"):
            assert time.monotonic() < late
            server.parts.closing.wait(0.1)
        found = server.ask("GET", f"/jobs/{order.id}/results").json()["predictions"]
    assert state["state"] == "done"
    assert [one.get("code") for one in found] == ["image_gone", None, "image_gone"]
    assert found[1]["prediction"]["class"]


def test_what_one_caller_or_time_sent_goes_whole(home: Path, capsys) -> None:
    (answer,) = ask(settings_for(home), FILMS[0], caller="key-7")
    mine, other = waiting(home, FILMS[0], FILMS[1], caller="key-7"), waiting(home, FILMS[0])
    sent, running_on = upload(home, FILMS[1], caller="key-7"), upload(home, FILMS[1], caller="key-7", state="running")
    upload(home, FILMS[1])
    found = erased(capsys, "--caller", "key-7")
    assert (found["predictions"], found["files"]) == (1, 3)
    assert [running_on.id in said for said in found["still"]] == [True]
    assert not (home / "works" / sent.id).exists()
    assert inbox_of(home).order(mine.id).state == "cancelled"
    assert inbox_of(home).order(mine.id).names == (None, None)
    assert inbox_of(home).order(other.id) == other
    assert inbox_of(home).file(other, 0) == FILMS[0].read_bytes()
    assert erased(capsys, "--older-than", "1")["files"] == 0
    wanted = Wanted(before=int((time.time() + 1) * 1e6))
    places = elsewhere(home, read_secret(home / "secret.key"), images_of(home))
    assert sum(place.erase(wanted).files for place in places) == 2  # the other batch, the other upload
    assert inbox_of(home).all() == (inbox_of(home).order(other.id),)  # mine was over: its outline went
    assert answer["id"]


def test_an_upload_that_holds_the_picture_is_named_and_can_be_removed(home: Path, capsys) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    holding, without = upload(home, FILMS[1], FILMS[0]), upload(home, FILMS[1])
    (home / "works" / without.id / "broken.zip").write_bytes(b"PK no zip")
    unsent = upload(home, FILMS[0])
    (home / "works" / unsent.id / "source.zip").unlink()
    (home / "works" / unsent.id / "report").mkdir()
    found = erased(capsys, answer["id"])
    assert [holding.id in said for said in found["still"]] == [True]
    assert [unsent.id in said for said in found["unsearched"]] == [True]
    assert main(["erase", answer["id"]]) == 0
    assert f"hilum erase --work {holding.id}" in capsys.readouterr().out
    torn = upload(home, FILMS[1])
    (home / "works" / torn.id / "source.zip").write_bytes(torn_zip(FILMS[0].read_bytes()))
    assert sum(torn.id in said for said in erased(capsys, answer["id"])["still"]) == 1
    assert erased(capsys, "--work", holding.id) == {"files": 1}
    assert erased(capsys, "--work", unsent.id) == {"files": 0}
    assert not (home / "works" / holding.id).exists()
    assert (home / "works" / without.id).exists()
    assert main(["erase", "--work", holding.id]) == 2
    assert main(["erase", "--work", upload(home, FILMS[0], state="running").id]) == 2


def test_what_is_taken_away_while_it_is_looked_for_stops_no_erasure(home: Path, capsys, monkeypatch) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    sent, there = upload(home, FILMS[1]), zipfile.is_zipfile

    def is_zip(path: Path) -> bool:
        if Path(path).parent.name == sent.id:
            Path(path).unlink(missing_ok=True)
        return there(path)

    monkeypatch.setattr(zipfile, "is_zipfile", is_zip)
    assert erased(capsys, answer["id"])["still"] == []
    assert not (home / "works" / sent.id / "source.zip").exists()


def test_what_is_damaged_is_searched_for_the_picture_and_told_where_only_its_caller_is_known(
    home: Path, capsys
) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    ask(settings_for(home), FILMS[2], caller="key-7")
    batch, work = waiting(home, FILMS[0], FILMS[1]), upload(home, FILMS[1])
    (home / "inbox" / batch.id / "order.json").write_text("{")
    (home / "works" / work.id / STATE).write_text("{")
    found = erased(capsys, "--caller", "key-7")
    assert [name in said for name, said in zip((batch.id, work.id), found["unsearched"], strict=True)] == [True, True]
    assert erased(capsys, answer["id"])["files"] == 1
    assert not (home / "inbox" / batch.id / batch.keys[0]).exists()
    assert (home / "inbox" / batch.id / batch.keys[1]).exists()
    assert erased(capsys, "--work", work.id) == {"files": 1}


def test_what_a_crash_left_of_a_batch_is_swept_and_what_is_taken_stays(home: Path, capsys) -> None:
    ask(settings_for(home), FILMS[0])
    taken, old, young = waiting(home, FILMS[0]), home / "inbox" / str(uuid.uuid4()), home / "inbox" / str(uuid.uuid4())
    for folder in (old, young):
        folder.mkdir()
        (folder / "a key").write_bytes(FILMS[1].read_bytes())
    long_ago = time.time() - 2 * ORPHAN_SECONDS
    for folder in (old, home / "inbox" / taken.id):
        os.utime(folder, (long_ago, long_ago))
    erased(capsys, "--left-over")
    assert (old.exists(), young.exists(), inbox_of(home).order(taken.id)) == (False, True, taken)


def test_an_upload_of_a_work_that_was_never_taken_on_is_swept(home: Path, capsys) -> None:
    """A server that is killed between the upload and its state, or finds the disk full, leaves it where none looks."""
    ask(settings_for(home), FILMS[0])
    taken, old, young = upload(home, FILMS[0]), upload(home, FILMS[1]), upload(home, FILMS[1])
    long_ago = time.time() - 2 * ORPHAN_SECONDS
    for work in (old, young):
        (home / "works" / work.id / STATE).unlink()
    for work in (taken, old):
        os.utime(home / "works" / work.id, (long_ago, long_ago))
    erased(capsys, "--left-over")
    assert sorted(path.name for path in (home / "works").iterdir()) == sorted((taken.id, young.id))


def test_a_batch_that_has_been_over_for_a_month_is_forgotten_while_the_server_goes_on(home: Path, capsys) -> None:
    """With it go the names of the files that could not be read."""
    ask(settings_for(home), FILMS[0])
    inbox, day = inbox_of(home), 86_400_000_000
    open_still, old, young = (waiting(home, FILMS[0]) for _ in range(3))
    for order, days in ((open_still, 31), (old, 31), (young, 29)):
        inbox.write(replace(order, made=order.made - days * day))
    for order in (old, young):
        inbox.end(order, "done", unread=[0])
    erased(capsys, "--left-over")
    assert {order.id for order in inbox.all()} == {open_still.id, young.id}
    assert not (home / "inbox" / old.id).exists()


def test_two_who_change_an_order_at_once_do_not_undo_one_another(home: Path) -> None:
    ask(settings_for(home), FILMS[0])
    order, inbox = waiting(home, *FILMS[:2]), inbox_of(home)
    gone = FILMS[0].read_bytes()

    def change(i: int) -> None:
        inbox_of(home).rewrite(order.id, lambda found: replace(found, fault=found.fault + "x", state="running"))
        if i == 5:
            inbox_of(home).erase(order.id, lambda data: data == gone)

    threads = [threading.Thread(target=change, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = inbox.order(order.id)
    assert (found.fault, found.names[0], found.keys[0]) == ("x" * 10, None, "")
    assert found.names[1] == order.names[1]
