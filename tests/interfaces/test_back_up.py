"""`hilum backup` of an installation that is being written to, and `hilum restore`: it verifies and goes on."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hilum.durable import DRAFT
from hilum.flows import backup as backup_flow
from hilum.interfaces.cli.main import main
from hilum.records.entry import Entry
from hilum.records.store import open_records
from hilum.registry.pins import champion_for
from hilum.secret import read_secret
from hilum.settings import read_settings
from hilum.storage.images import open_images
from hilum.storage.local import LARGE
from tests.flows.recorded import FILMS, ask, settings_for
from tests.records.made import prediction


def test_a_backup_of_a_server_that_goes_on_answering_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, copy = settings_for(tmp_path / "home"), tmp_path / "copy"
    secret = read_secret(home.secret_file)
    records, images = open_records(home.database_url, secret, home.heads), open_images(home.images_url, secret)
    begun, stop = threading.Event(), threading.Event()

    def go_on() -> None:
        for number in itertools.count():
            picture = number.to_bytes(4) * (LARGE // 4 if number % 10 == 0 else 500)
            records.append([prediction(number, image=images.put(picture))]).result(120)
            if number > 20:
                begun.set()
            if stop.is_set():
                return

    monkeypatch.setenv("HILUM_HOME", str(home.home))
    writing = threading.Thread(target=go_on)
    writing.start()
    try:
        assert begun.wait(120)
        assert main(["backup", str(copy)]) == 0
    finally:
        stop.set()
        writing.join()
        images.close()
        records.close()
    assert {path.stat().st_mode & 0o077 for path in copy.rglob("*")} == {0}
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    capsys.readouterr()
    assert main(["restore", str(copy)]) == 0
    assert "restored 0 records" not in capsys.readouterr().out
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "again").rglob("*")} == {0}
    assert main(["verify"]) == 0
    assert main(["promote", "pneumonia-cxr", "--why", "the restored one goes on"]) == 0
    assert main(["verify"]) == 0
    assert ", 0 kept images" not in capsys.readouterr().out
    monkeypatch.setenv("HILUM_HOME", str(copy))
    assert main(["verify"]) == 0


@pytest.mark.parametrize(
    ("left", "said"),
    [(None, "the records are gone"), (b"", "the records are gone"), (b"no database" * 100, "cannot be read")],
)
def test_no_backup_is_made_of_records_that_are_gone_or_cannot_be_read(
    left: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = settings_for(tmp_path / "home")
    records = open_records(home.database_url, read_secret(home.secret_file), home.heads)
    records.append([prediction(1)]).result(120)
    records.close()
    (home.home / "hilum.db").unlink()
    if left is not None:
        (home.home / "hilum.db").write_bytes(left)
    monkeypatch.setenv("HILUM_HOME", str(home.home))
    assert main(["backup", str(tmp_path / "copy")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert ("are gone" in told) == ("are gone" in said)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("times", [1, backup_flow.TRIES])
def test_what_is_erased_while_it_is_copied_is_not_in_the_backup(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, copy = settings_for(tmp_path / "home"), tmp_path / "copy"
    secret = read_secret(home.secret_file)
    with (
        closing(open_records(home.database_url, secret, home.heads)) as records,
        closing(open_images(home.images_url, secret)) as images,
    ):
        rows = [prediction(n, image=images.put(bytes([n]) * (LARGE if n % 2 else 500))) for n in range(12)]
        records.append(rows).result(120)
    going = iter([row.id for row in rows[:times]])
    whole = backup_flow.copy_database

    def erased_meanwhile(source: Path, to: Path) -> None:
        whole(source, to)
        if to.name == backup_flow.RECORDS and (identity := next(going, None)):
            assert main(["erase", identity]) == 0

    monkeypatch.setattr(backup_flow, "copy_database", erased_meanwhile)
    monkeypatch.setenv("HILUM_HOME", str(home.home))
    if times == backup_flow.TRIES:
        assert main(["backup", str(copy)]) == 1
        assert "back up when that is over" in capsys.readouterr().err
        assert not (copy / "backup.json").exists()
        return
    assert main(["backup", str(copy)]) == 0
    monkeypatch.setenv("HILUM_HOME", str(copy))
    capsys.readouterr()
    assert main(["verify"]) == 0
    assert "11 kept images" in capsys.readouterr().out
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(copy)]) == 0


def test_an_image_whose_erasure_is_on_record_and_one_that_no_record_names_are_in_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, copy = settings_for(tmp_path / "home"), tmp_path / "copy"
    secret = read_secret(home.secret_file)
    pictures = [f"picture {n} ".encode() * (LARGE // 8 if n % 2 else 50) for n in range(6)]
    with (
        closing(open_records(home.database_url, secret, home.heads)) as records,
        closing(open_images(home.images_url, secret)) as images,
    ):
        keys = [images.put(picture) for picture in pictures]
        rows = [prediction(n, image=keys[n]) for n in range(4)]
        records.append(rows).result(120)
        again = prediction(9, image=keys[3])  # of the same picture, and not erased
        records.append([Entry("erasure", b"{}", "local", rows[n].id) for n in (0, 1, 3)] + [again]).result(120)
    for n in range(4):  # training copies, which the erasure has not reached yet
        place = home.home / "training" / "set" / f"{keys[n]}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pictures[n])
    monkeypatch.setenv("HILUM_HOME", str(home.home))
    assert main(["backup", str(copy)]) == 0
    assert {path.stem for path in (copy / "training").rglob("*.png")} == {keys[2], keys[3]}
    whole = b"".join(path.read_bytes() for path in copy.rglob("*") if path.is_file())
    assert [picture[:100] in whole for picture in pictures] == [False, False, True, True, False, False]
    assert not [*copy.rglob("*-journal"), *copy.rglob("*-wal")]
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(copy)]) == 0
    assert main(["verify"]) == 0
    assert "2 kept images" in capsys.readouterr().out


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of one answer, with the environment naming a new home."""
    ask(settings_for(tmp_path / "home"), FILMS[0])
    (tmp_path / "home" / "models" / "x" / ".half").mkdir(parents=True)
    (tmp_path / "home" / "models" / "x" / ".half" / "manifest.json").touch()
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["backup", str(tmp_path / "copy")]) == 0
    assert not (tmp_path / "copy" / "models").exists()
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    return tmp_path / "copy"


def test_nothing_is_written_over_what_is_there(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restore", str(backup)]) == 0
    assert main(["restore", str(backup)]) == 2
    assert main(["backup", str(backup)]) == 2
    assert main(["backup", str(tmp_path / "again" / "copy")]) == 2
    assert main(["restore", str(tmp_path)]) == 2
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "third"))
    monkeypatch.setenv("HILUM_DATABASE_URL", "postgresql://hilum@db.example.org/hilum")
    assert main(["restore", str(backup)]) == 2
    said = capsys.readouterr().err
    assert "again: is not empty" in said
    assert "HILUM_DATABASE_URL names a place" in said
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("setting", "name"), [("HILUM_DATABASE_URL", "hilum.db"), ("HILUM_IMAGES_URL", "images.sqlite")]
)
def test_nothing_is_restored_beside_what_a_killed_server_had_yet_to_write_into_another_database(
    setting: str, name: str, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """SQLite takes it for the newer part of whatever lies there, and writes it over what was restored and verified."""
    elsewhere, file = tmp_path / "elsewhere", tmp_path / "elsewhere" / name
    monkeypatch.setenv(setting, f"sqlite:///{file}" if name == "hilum.db" else str(elsewhere))
    elsewhere.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL").fetchall()
        other.execute("CREATE TABLE other (one)")
        ahead = file.with_name(f"{name}-wal")
        shutil.copy(ahead, tmp_path / "ahead")
    file.unlink()
    shutil.copy(tmp_path / "ahead", ahead)
    assert main(["restore", str(backup)]) == 2
    assert f"{ahead}: belongs to another database" in capsys.readouterr().err
    assert not file.exists()
    ahead.unlink()
    assert main(["restore", str(backup)]) == 0
    assert main(["verify"]) == 0


def test_how_far_it_is_stands_in_the_progress_file_and_on_no_stderr_that_nobody_looks_at(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    monkeypatch.setenv("HILUM_PROGRESS_FILE", str(tmp_path / "told"))
    assert main(["restore", str(backup)]) == 0
    assert main(["backup", str(tmp_path / "second")]) == 0
    assert capsys.readouterr().err == ""
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert list(dict.fromkeys(line["stage"] for line in told)) == [
        "looking at the files of the backup",
        "looking at the records",
        "looking at the kept images",
        "copying it back",
        "copying records and images",
        "copying training copies, works and packages",
    ]
    whole = [line for line in told if line["stage"] == "copying it back" and line["done"]][-1]
    assert whole["done"] == whole["total"] > 0


STOPPED = """
import os, signal, sys
from hilum.flows import backup
from hilum.interfaces.cli.main import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs behind a shell ignores it
whole, left = backup.copy_file, int(sys.argv[1])

def copied(source, to):
    global left
    left -= 1
    if not left:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(b"half")
        os.kill(os.getpid(), int(sys.argv[2]))
    return whole(source, to)

backup.copy_file = copied
raise SystemExit(main(sys.argv[3:]))
"""


def stopped(number: int, how: signal.Signals, *arguments: str) -> int:
    """A command that is sent a signal while it writes its file of this number -> its exit code."""
    said = subprocess.run([sys.executable, "-c", STOPPED, str(number), str(int(how)), *arguments], check=False)
    return said.returncode


@pytest.mark.parametrize("number", [1, 3, 4])
def test_after_a_restore_that_was_killed_nothing_opens_its_half_and_the_next_one_is_whole(
    number: int, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stopped(number, signal.SIGKILL, "restore", str(backup)) == -signal.SIGKILL
    for command in (["verify"], ["history"], ["users", "list"], ["backup", str(tmp_path / "b")], ["serve", "--port=0"]):
        assert main(command) == 2
        assert "a restore has not come to its end" in capsys.readouterr().err
    assert main(["restore", str(backup)]) == 0
    assert main(["verify"]) == 0
    assert "sound: 1 records" in capsys.readouterr().out
    assert not (tmp_path / "again" / "restoring.json").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_restore_that_is_stopped_leaves_nothing(how: signal.Signals, backup: Path, tmp_path: Path) -> None:
    assert stopped(3, how, "restore", str(backup)) == 130
    assert not [path for path in (tmp_path / "again").rglob("*") if path.is_file()]


def test_of_two_restores_into_one_home_the_second_leaves_the_first_ones_files(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, codes = backup_flow.copy_file, []

    def copied(source: Path, to: Path) -> str | None:
        if not codes:
            codes.append(0)
            codes[0] = main(["restore", str(backup)])
        return whole(source, to)

    monkeypatch.setattr(backup_flow, "copy_file", copied)
    assert main(["restore", str(backup)]) == 0
    assert codes == [2]
    assert "under way" in capsys.readouterr().err
    assert main(["verify"]) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_backup_that_is_stopped_leaves_nothing_and_can_be_made_there_again(
    how: signal.Signals, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert stopped(2, how, "backup", str(tmp_path / "b")) == 130
    assert not [*(tmp_path / "b").rglob("*")]
    assert main(["backup", str(tmp_path / "b")]) == 0


@pytest.mark.parametrize("there", [False, True])
def test_a_backup_that_was_killed_is_no_backup_and_is_made_there_again(
    there: bool, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command was refused ever after, because its folder was not empty; a folder may be a disk of its own."""
    place = tmp_path / "kept" / "monday"
    if there:
        place.mkdir(parents=True)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert stopped(2, signal.SIGKILL, "backup", str(place)) == -signal.SIGKILL
    assert main(["restore", str(place)]) == 2
    assert "no finished backup" in capsys.readouterr().err
    assert main(["backup", str(place)]) == 0
    assert not [*(tmp_path / "kept").rglob(f"{DRAFT}*")]
    assert main(["backup", str(place)]) == 2
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(place)]) == 0
    assert main(["verify"]) == 0


def test_what_a_killed_backup_left_goes_with_the_next_one_beside_it(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a folder of its own: nobody would give that command again, and the half holds images."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert stopped(2, signal.SIGKILL, "backup", str(tmp_path / "kept" / "monday")) == -signal.SIGKILL
    assert main(["backup", str(tmp_path / "kept" / "tuesday")]) == 0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["tuesday"]


def test_of_two_backups_into_one_folder_the_later_leaves_the_first_ones_files(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, codes = backup_flow._written, list[int]()

    def written(*given: Any) -> dict[str, str]:
        if not codes:
            codes.append(0)
            codes[0] = main(["backup", str(tmp_path / "kept")])
        return whole(*given)

    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(backup_flow, "_written", written)
    assert main(["backup", str(tmp_path / "kept")]) == 2
    assert codes == [0]
    assert "is not empty" in capsys.readouterr().err
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(tmp_path / "kept")]) == 0


@pytest.mark.parametrize("there", ["", "b", "b/2026"])
def test_a_backup_onto_a_full_disk_leaves_of_its_folder_what_was_there(
    there: str, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(backup_flow, "write_whole", full)
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = {*tmp_path.iterdir(), *(tmp_path / "b").rglob("*")}
    assert main(["backup", str(tmp_path / "b" / "2026")]) == 1
    assert "no space is left" in capsys.readouterr().err
    assert {*tmp_path.iterdir(), *(tmp_path / "b").rglob("*")} == before


@pytest.mark.parametrize(
    ("images", "asked"), [("", []), ("file://{backup}/images", []), ("memory://", ["--no-images"])]
)
def test_a_backup_that_was_verified_is_restored_all_the_same(
    images: str,
    asked: list[str],
    backup: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(backup)
    monkeypatch.setenv("HILUM_HOME", str(backup))
    if images:
        monkeypatch.setenv("HILUM_IMAGES_URL", images.format(backup=backup))
    assert main(["verify", *asked]) == 0
    assert "sound: 1 records" in capsys.readouterr().out
    assert contents(backup) == before
    monkeypatch.delenv("HILUM_IMAGES_URL", raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(backup)]) == 0


@pytest.mark.parametrize("without_records", [False, True])
def test_no_other_command_opens_a_backup_which_could_not_be_restored_any_more(
    without_records: bool,
    backup: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if without_records:  # as of an installation whose records are in PostgreSQL
        listed = json.loads((backup / "backup.json").read_bytes())
        del listed["files"]["hilum.db"], listed["files"]["journal.heads"]
        (backup / "backup.json").write_text(json.dumps(listed))
        (backup / "hilum.db").unlink()
        (backup / "journal.heads").unlink()
    before = contents(backup)
    monkeypatch.setenv("HILUM_HOME", str(backup))
    pinned = ["models", "--pin", str(champion_for("pneumonia-cxr", read_settings({})))]
    trained = ["train", str(FILMS[0].parent), "--task", "pneumonia-cxr"]
    opening = (["history"], ["users", "list"], ["replay", "x"], ["erase", "--left-over"], ["serve", "--port=0"])
    for command in (*opening, pinned, trained):
        assert main(command) == 2
        assert "is a backup" in capsys.readouterr().err
    assert contents(backup) == before
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(backup)]) == 0


def contents(folder: Path) -> dict[Path, bytes]:
    """What every file below a folder holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_without_an_image_is_verified_and_lacks_those_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = settings_for(tmp_path / "home")
    monkeypatch.setenv("HILUM_HOME", str(home.home))
    with closing(open_records(home.database_url, read_secret(home.secret_file), home.heads)) as records:
        for number, image in enumerate((None, "5a" * 32)):
            records.append([prediction(number, image=image)]).result(120)
            monkeypatch.setenv("HILUM_HOME", str(home.home))
            assert main(["backup", str(tmp_path / f"copy-{number}")]) == 0
            monkeypatch.setenv("HILUM_HOME", str(tmp_path / f"copy-{number}"))
            assert main(["verify"]) == number
    said = capsys.readouterr()
    assert "sound: 1 records" in said.out
    assert "never kept" in said.err
    assert not list(tmp_path.glob("copy-*/images"))


def test_a_backup_that_was_copied_and_served_is_verified_with_what_was_recorded_since(
    backup: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = settings_for(backup)
    with closing(open_records(home.database_url, read_secret(home.secret_file), home.heads)) as records:
        records.append([prediction(1)]).result(120)
        monkeypatch.setenv("HILUM_HOME", str(backup))
        assert main(["verify", "--no-images"]) == 0
    assert "sound: 2 records" in capsys.readouterr().out


def test_a_damaged_backup_and_a_lost_secret_restore_nothing(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (backup / "hilum.db").read_bytes()
    (backup / "hilum.db").write_bytes(whole[:-1] + b"x")
    assert main(["restore", str(backup)]) == 1
    (backup / "hilum.db").write_bytes(whole)
    (backup / "secret.key").unlink()
    assert main(["restore", str(backup)]) == 1
    assert capsys.readouterr().err.count("nothing was restored") == 2
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["../stray", "works/../../stray"])
def test_a_list_that_names_a_file_outside_of_the_backup_puts_nothing_there(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Whoever hands over a backup could write anywhere that its reader may."""
    (backup / "works").mkdir(exist_ok=True)
    stray = backup.parent / "stray"
    stray.write_bytes(b"anything")
    said = json.loads((backup / "backup.json").read_bytes())
    said["files"][name] = hashlib.sha256(b"anything").hexdigest()
    (backup / "backup.json").write_text(json.dumps(said))
    home = tmp_path / "deep" / "down" / "home"
    monkeypatch.setenv("HILUM_HOME", str(home))
    assert main(["restore", str(backup)]) == 2
    assert "lies outside the backup" in capsys.readouterr().err
    assert not home.exists()
    assert [path for path in tmp_path.rglob("stray") if path != stray] == []


@pytest.mark.parametrize(("fault", "code"), [(errno.ENOENT, 0), (errno.EACCES, 1)])
def test_a_work_that_goes_while_it_is_listed_stops_no_backup_and_one_that_cannot_be_read_does(
    fault: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An erasure takes a work's folder away; a folder of somebody else would be missing without a word."""
    home, copy, there = settings_for(tmp_path / "home").home, tmp_path / "copy", os.scandir
    for name in ("one", "other"):
        (home / "works" / name).mkdir(parents=True)
        (home / "works" / name / "work.json").write_text("{}")

    def scandir(place: Any = ".") -> Any:
        if str(place) == str(home / "works" / "one"):
            raise OSError(fault, os.strerror(fault), str(place))
        return there(place)

    monkeypatch.setenv("HILUM_HOME", str(home))
    monkeypatch.setattr(os, "scandir", scandir)
    assert main(["backup", str(copy)]) == code
    if code:
        assert f"{home / 'works' / 'one'}: it may not be read" in capsys.readouterr().err
        assert not copy.exists()
    else:
        assert [path.parent.name for path in copy.glob("works/*/work.json")] == ["other"]


def test_a_package_behind_a_link_is_told_as_not_in_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is served like the others, and would be missed after a restore."""
    place = tmp_path / "home" / "models"
    place.mkdir(parents=True)
    (place / "elsewhere").symlink_to(tmp_path)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["backup", str(tmp_path / "copy")]) == 0
    assert f"NOT IN IT  the package behind {place / 'elsewhere'}, which is a link" in capsys.readouterr().out


def test_records_that_do_not_verify_are_restored_only_when_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(settings_for(tmp_path / "home"), FILMS[0])
    with closing(sqlite3.connect(tmp_path / "home" / "images" / "images.sqlite")) as raw, raw:
        raw.execute("DELETE FROM images")
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HILUM_SECRET_FILE", str(shutil.copy(tmp_path / "home" / "secret.key", tmp_path / "apart.key")))
    assert main(["backup", str(tmp_path / "copy")]) == 0
    assert "NOT IN IT  the secret" in capsys.readouterr().out
    assert not (tmp_path / "copy" / "secret.key").exists()
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "again"))
    assert main(["restore", str(tmp_path / "copy")]) == 1
    assert not (tmp_path / "again").exists()
    assert main(["restore", str(tmp_path / "copy"), "--with-faults"]) == 0
    assert main(["verify"]) == 1
