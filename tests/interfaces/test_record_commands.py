"""`hilum verify`, `replay` and `erase` as an auditor meets them, on an installation with real answers."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress

import numpy as np
import pytest

from hilum import bootstrap
from hilum.access.access import open_access
from hilum.access.caller import CONSOLE
from hilum.flows.answer import Ask
from hilum.flows.erase import ORPHAN_SECONDS
from hilum.flows.predict import Options
from hilum.image.decode import decode
from hilum.image.prepare import prepare
from hilum.interfaces.cli.main import main
from hilum.model.overlay import grey_png
from hilum.records.entry import Columns, Entry
from hilum.secret import read_secret
from hilum.settings import read_settings
from hilum.storage.images import open_images
from tests.flows.recorded import FILMS, ask, clerk, settings_for
from tests.image.made import dicom_bytes, dicom_set


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Three answers, one of them a second one of the same film by another caller; gives (home, ids)."""
    home = tmp_path_factory.mktemp("answered") / "home"
    settings = settings_for(home)
    first = ask(settings, FILMS[0], FILMS[1], point="screening", prevalence=0.02)
    second = ask(settings, FILMS[0], caller="key-7")
    return home, [answer["id"] for answer in first + second]


@pytest.fixture
def home(answered, tmp_path, monkeypatch):
    """A copy of one's own, and the environment that names it."""
    shutil.copytree(answered[0], tmp_path / "home")
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    for name in ("HILUM_DATABASE_URL", "HILUM_IMAGES_URL", "HILUM_CACHE_URL", "HILUM_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def ids(answered):
    return answered[1]


def said(capsys, *arguments, code=0):
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def counts(capsys, *arguments):
    """What an erasure reached among the records; other places have a test of their own (jobs/test_erasing.py)."""
    found = said(capsys, "erase", *arguments)
    elsewhere = [found.pop(name) for name in ("files", "still", "unsearched", "removed")]
    assert elsewhere == [0, [], [], []]
    return found


def test_untouched_records_are_sound(home, capsys):
    found = said(capsys, "verify")
    assert (found["rows"], found["images"], found["faults"], found["sound"]) == (3, 2, [], True)
    assert main(["verify"]) == 0
    assert capsys.readouterr().out.startswith("sound: 3 records")


def test_on_a_terminal_a_verification_shows_how_far_it_is(home):
    """A nightly run hears of nothing but faults."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hilum", "verify"]
    surroundings = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=surroundings) as shown:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while more := os.read(ours, 4096):
                said += more
        assert shown.communicate()[0].startswith(b"sound: 3 records")
    os.close(ours)
    assert b"looking at the records" in said
    assert b"looking at the kept images" in said
    quiet = subprocess.run(command, capture_output=True, check=True)
    assert quiet.stderr == b""


def test_a_secret_that_is_missing_is_not_replaced_by_a_fresh_one(home, capsys):
    (home / "secret.key").unlink()
    assert main(["users", "list"]) == 2
    assert capsys.readouterr().err.count("another secret") == 1
    assert not (home / "secret.key").exists()


GONE = [["serve", "--port", "0"], ["verify"], ["users", "list"], ["history"], ["erase", "--left-over"]]


@pytest.mark.parametrize("command", GONE, ids=" ".join)
def test_records_that_are_gone_are_told_and_not_begun_anew(home, capsys, command):
    for path in home.glob("hilum.db*"):
        path.unlink()
    before = sorted(home.iterdir())
    assert main(command) == 1
    assert "the records are gone" in capsys.readouterr().err
    assert sorted(home.iterdir()) == before


def test_records_that_are_gone_with_their_secret_are_not_begun_anew_with_another(home, capsys):
    for path in [*home.glob("hilum.db*"), home / "secret.key"]:
        path.unlink()
    assert main(["serve", "--port", "0"]) == 1
    assert "the records are gone" in capsys.readouterr().err
    assert not (home / "secret.key").exists()


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="nothing can be mounted here",
)
def test_a_copy_on_read_only_media_is_verified_and_its_faults_are_told(home):
    def verified():
        asked = [sys.executable, "-m", "hilum", "verify", "--json"]
        return subprocess.run(["unshare", "-m", "sh", "-c", READ_ONLY, home, *asked], capture_output=True, check=False)

    before = {path.name for path in home.rglob("*")}
    done = verified()
    assert done.returncode == 0, done.stderr
    assert {name: json.loads(done.stdout)[name] for name in ("rows", "images")} == {"rows": 3, "images": 2}
    assert {path.name for path in home.rglob("*")} == before
    with closing(sqlite3.connect(home / "images" / "images.sqlite")) as raw, raw:
        raw.execute("DELETE FROM images WHERE rowid = 1")
    assert verified().returncode == 1
    (home / "hilum.db-wal").write_bytes(b"rows that were not folded in")
    assert b"hilum.db-wal must be folded in first" in verified().stderr


def test_what_cannot_be_written_is_verified_as_it_lies(home, capsys, monkeypatch):
    """The same where nothing can be mounted: nothing is made beside the files, and rows that lie apart are told."""
    monkeypatch.setattr("hilum.interfaces.cli.verify.writable", lambda _: False)
    before = {path.name: path.stat().st_mtime_ns for path in home.rglob("*")}
    found = said(capsys, "verify")
    assert (found["rows"], found["images"], found["sound"]) == (3, 2, True)
    assert {path.name: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    with closing(sqlite3.connect(home / "images" / "images.sqlite")) as raw, raw:
        raw.execute("DELETE FROM images WHERE rowid = 1")
    assert main(["verify"]) == 1
    (home / "hilum.db-wal").write_bytes(b"rows that were not folded in")
    capsys.readouterr()
    assert main(["verify"]) == 1
    assert "hilum.db-wal must be folded in first" in capsys.readouterr().err


def test_a_changed_record_and_a_lost_image_are_named(home, ids, capsys):
    with closing(sqlite3.connect(home / "hilum.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        raw.execute("UPDATE records SET label = 'normal', probability = 0.9 WHERE id = ?", (ids[1],))
    with closing(sqlite3.connect(home / "images" / "images.sqlite")) as raw, raw:
        raw.execute("DELETE FROM images WHERE rowid = 1")
    found = said(capsys, "verify", code=1)
    assert any(ids[1] in fault and "was changed" in fault for fault in found["faults"])
    assert any(ids[0] in fault and "never kept" in fault for fault in found["faults"])
    assert said(capsys, "verify", "--no-images", code=1)["images"] == 0
    assert main(["verify"]) == 1
    assert ids[1] in capsys.readouterr().err


@pytest.mark.parametrize("image", ["'none at all'", "'-aaaaaaaaaaaaaaa'", "x'ff'", "CAST(x'ff' AS TEXT)", "char(0)"])
def test_a_changed_name_of_an_image_is_a_fault_and_no_end_of_the_looking(home, ids, capsys, image):
    """Else whoever changed one row kept everybody from hearing of it, and of all others."""
    with closing(sqlite3.connect(home / "hilum.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        raw.execute(f"UPDATE records SET image = {image} WHERE id = ?", (ids[1],))
    found = said(capsys, "verify", code=1)
    assert found["images"] == 2
    changed, named = found["faults"]
    assert changed.startswith(f"record {ids[1]} (row 2")
    assert named.startswith(f"record {ids[1]} names image")


def test_a_changed_row_hides_nothing_on_a_terminal(home, ids, capsys):
    with closing(sqlite3.connect(home / "hilum.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        raw.execute("UPDATE records SET id = char(13, 27) || '[8m' WHERE id = ?", (ids[1],))
    assert main(["verify", "--no-images"]) == 1
    told = capsys.readouterr()
    assert "record \\r\\x1b[8m (row 2" in told.err
    assert all(line.isprintable() for line in told.err.splitlines())


def test_nothing_recorded_is_wrong_use(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "none"))
    assert main(["verify"]) == 2
    assert "no records yet" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_without_its_secret_nothing_is_said_to_be_sound(home, capsys):
    (home / "secret.key").unlink()
    assert main(["verify"]) == 2
    assert "secret" in capsys.readouterr().err
    (home / "secret.key").write_text("00" * 32)
    assert main(["verify", "--no-images"]) == 2
    assert "another secret" in capsys.readouterr().err


def test_a_replay_gives_the_same_answer(home, ids, capsys):
    for identity in ids:
        found = said(capsys, "replay", identity)
        assert found["same"]
        assert found["difference"] <= 1e-6
        assert not found["why"]
        assert found["then"]["class"] == found["now"]["class"] is not None
    assert main(["replay", ids[0]]) == 0
    assert "the same" in capsys.readouterr().out


def test_a_replay_after_an_upgrade_says_how_and_is_given_the_package_that_answered(home, ids, capsys, monkeypatch):
    shipped, kept = read_settings({}).models / "pneumonia-cxr", home / "models" / "pneumonia-cxr" / "old"
    monkeypatch.setenv("HILUM_MODELS", str(home / "none"))
    assert main(["replay", ids[0]]) == 2
    told = capsys.readouterr().err
    assert "pneumonia-cxr@" in told
    assert "HILUM_HOME/models" in told
    shutil.copytree(shipped, kept)
    assert main(["models", "--pin", str(kept)]) == 0
    capsys.readouterr()
    assert said(capsys, "replay", ids[0])["same"]


def test_a_replay_of_a_refusal_gives_the_same_reasons(home, capsys, tmp_path):
    settings = settings_for(home)
    other = next((FILMS[0].parents[1] / "brain-tumor-mri").glob("*"))
    for task in ("pneumonia-cxr", "auto"):
        blank = tmp_path / "blank.bmp"
        blank.write_bytes(other.read_bytes())
        (answer,) = ask(settings, blank, task=task)
        found = said(capsys, "replay", answer["id"])
        assert found["same"]
    (answer,) = ask(settings, other)
    assert answer["prediction"] is None
    assert said(capsys, "replay", answer["id"])["then"]["reasons"] == answer["gate"]["reasons"]


def test_a_replay_is_about_the_frame_that_was_answered(home, capsys, tmp_path):
    planes = [np.rint(decode(film.read_bytes(), name="x")[0].pixels * 255).astype(np.uint8) for film in FILMS[1:3]]
    height, width = (min(sizes) for sizes in zip(*(plane.shape for plane in planes), strict=True))
    film = tmp_path / "two.dcm"
    film.write_bytes(dicom_bytes(dicom_set(np.stack([plane[:height, :width] for plane in planes]))))
    answers = ask(settings_for(home), film)
    assert len({json.dumps(answer["probabilities"]) for answer in answers}) == 2
    for answer in answers:
        assert said(capsys, "replay", answer["id"])["same"]


def test_a_replay_of_an_answer_about_pixels_asks_about_pixels(home, capsys):
    settings = settings_for(home)
    desk = bootstrap.desk(settings, task="pneumonia-cxr")
    (plane,) = prepare(decode(FILMS[1].read_bytes(), name="x")[0], desk.speakers[0].package.preparation)
    pixels = grey_png(plane.astype(np.float32) / np.float32(255))
    with clerk(settings) as who:
        (future,) = who.answer([Ask(pixels, "pixels 0", desk, "v2 pixels", Options(prepared=True))])
        answer = json.loads(future.result().bodies[0])
    assert answer["input"] == "pixels"
    assert said(capsys, "replay", answer["id"])["same"]


def test_a_replay_says_why_there_is_no_image_and_takes_the_very_same_file_only(home, capsys):
    settings = settings_for(home)
    (answer,) = ask(settings, FILMS[2], keep=False)
    assert main(["replay", answer["id"]]) == 1
    assert "was not kept; give the same file with --image" in capsys.readouterr().err
    assert said(capsys, "replay", answer["id"], "--image", str(FILMS[2]))["same"]
    assert main(["replay", answer["id"], "--image", str(FILMS[1])]) == 2
    assert "not the image of" in capsys.readouterr().err
    assert main(["replay", answer["id"], "--image", "no-such-file"]) == 3
    assert main(["replay", "no-such-id"]) == 2


def test_a_replay_sees_another_answer(home, ids, capsys):
    with closing(sqlite3.connect(home / "hilum.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        (body,) = raw.execute("SELECT body FROM records WHERE id = ?", (ids[0],)).fetchone()
        other = json.loads(body)
        first, second = other["probabilities"]
        other["probabilities"][first] += 0.01
        other["probabilities"][second] -= 0.01
        raw.execute("UPDATE records SET body = ? WHERE id = ?", (json.dumps(other), ids[0]))
    assert said(capsys, "replay", ids[0], code=1)["difference"] == pytest.approx(0.01)
    assert main(["replay", ids[0]]) == 1
    assert "NOT the same" in capsys.readouterr().out


def other_class(body):
    body["prediction"]["class"] = next(one for one in body["probabilities"] if one != body["prediction"]["class"])


def other_reasons(body):
    body["gate"]["reasons"] = ["blank"]


def hardly_other(body):
    body["probabilities"][body["prediction"]["class"]] += 1e-5


@pytest.mark.parametrize("change", [other_class, other_reasons, hardly_other])
def test_a_replay_sees_whatever_of_an_answer_is_another_one(home, ids, capsys, change):
    with closing(sqlite3.connect(home / "hilum.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        body = json.loads(raw.execute("SELECT body FROM records WHERE id = ?", (ids[0],)).fetchone()[0])
        change(body)
        raw.execute("UPDATE records SET body = ? WHERE id = ?", (json.dumps(body), ids[0]))
    assert not said(capsys, "replay", ids[0], code=1)["same"]


def test_a_replay_says_why_a_refusal_that_no_package_gave_may_not_be_the_same(home, capsys):
    """Another gate speaks for a task by now, and admits what none of those of then did."""
    body = {"operating_point": "balanced", "prediction": None, "probabilities": {}, "gate": {"reasons": ["no_task"]}}
    refused = Entry(
        "prediction", json.dumps(body).encode(), columns=Columns(image=key_of(home, FILMS[0]), refused=True)
    )
    with clerk(settings_for(home)) as who:
        who._places.records.append([refused]).result()
    assert "which packages" in said(capsys, "replay", refused.id, code=1)["why"]
    assert main(["replay", refused.id]) == 1
    assert "another gate" in capsys.readouterr().out


def test_an_erasure_reaches_everything_of_the_very_same_picture(home, ids, capsys):
    key = key_of(home, FILMS[0])
    copies = home / "training" / "run-1"
    copies.mkdir(parents=True)
    (copies / f"{key}.png").write_bytes(b"copy")
    (copies / f"{key_of(home, FILMS[1])}.png").write_bytes(b"other")
    assert counts(capsys, ids[0]) == {"predictions": 2, "images": 1, "personal": 2, "copies": 1}
    assert [path.name for path in copies.iterdir()] == [f"{key_of(home, FILMS[1])}.png"]
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert FILMS[0].name.encode() not in everything
    assert FILMS[0].read_bytes()[-500:] not in everything
    assert FILMS[1].name.encode() in everything
    assert said(capsys, "verify")["sound"]
    assert main(["replay", ids[0]]) == 1
    assert "was erased" in capsys.readouterr().err
    assert main(["replay", ids[2]]) == 1
    assert "was erased" in capsys.readouterr().err
    assert said(capsys, "replay", ids[0], "--image", str(FILMS[0]))["same"]
    assert counts(capsys, ids[0]) == {"predictions": 0, "images": 0, "personal": 0, "copies": 0}
    assert (home / "erasures").exists()


def test_who_erased_what_and_why_is_on_record(home, ids, capsys):
    counts(capsys, ids[1])
    counts(capsys, "--caller", "key-7")
    time.sleep(1.1)  # ages are in whole seconds
    counts(capsys, "--older-than", "0")
    with clerk(settings_for(home)) as who:
        found = {identity: who._places.records.about(identity, "erasure") for identity in ids}
    told = {
        identity: [(one.entry.caller, json.loads(one.entry.body)) for one in each] for identity, each in found.items()
    }
    assert told == {
        ids[1]: [("local", {"why": "asked"})],
        ids[2]: [("local", {"why": "caller"})],
        ids[0]: [("local", {"why": "age"})],
    }


def test_an_erasure_that_was_interrupted_is_finished_by_asking_again(home, ids, capsys):
    """The entry is there, the picture too: as after a loss of power between the two."""
    with clerk(settings_for(home)) as who:
        who._places.records.append([Entry("erasure", subject=ids[1])]).result()
    assert counts(capsys, ids[1]) == {"predictions": 0, "images": 1, "personal": 1, "copies": 0}


def test_a_caller_s_pictures_go_and_what_another_sent_too_stays(home, ids, capsys):
    assert counts(capsys, "--caller", "key-7") == {"predictions": 1, "images": 0, "personal": 1, "copies": 0}
    assert said(capsys, "replay", ids[0])["same"]
    assert counts(capsys, "--caller", "local") == {"predictions": 2, "images": 2, "personal": 2, "copies": 0}
    assert said(capsys, "verify")["sound"]


@pytest.fixture
def rita(home):
    """A user with a key who sent one picture; gives (id of the user, id of the key)."""
    settings = settings_for(home)
    access = open_access(settings.database_url, read_secret(settings.secret_file))
    user = access.users.add("Rita", "reader", CONSOLE)
    key, _ = access.keys.add(user.id, "CT room 2", ("predict",), 30, CONSOLE)
    access.close()
    ask(settings, FILMS[2], caller=user.id)
    return user.id, key.id


@pytest.mark.parametrize("word", ["id", "name", "key"])
def test_a_user_is_meant_by_id_name_and_key(home, rita, word, capsys):
    who = {"id": rita[0], "name": "rita", "key": rita[1]}[word]
    assert counts(capsys, "--caller", who) == {"predictions": 1, "images": 1, "personal": 1, "copies": 0}
    assert counts(capsys, "--caller", who)["predictions"] == 0


def test_a_caller_that_nobody_knows_is_wrong_use(home, rita, capsys):
    assert main(["erase", "--caller", "nora"]) == 2
    assert "hilum users list" in capsys.readouterr().err
    assert counts(capsys, "--caller", "local")["predictions"] == 2
    assert counts(capsys, "--caller", "local")["predictions"] == 0


def test_notes_that_came_after_an_erasure_and_addresses_go_by_age(home, ids, capsys):
    counts(capsys, ids[0])
    failed = Entry("act", b'{"act":"sign_in_failed"}', "nobody", personal={"address": "192.0.2.7"})
    with clerk(settings_for(home)) as who:
        note = Entry("feedback", subject=ids[0], personal={"note": "CANARY"})
        who._places.records.append([note, failed]).result()
    assert counts(capsys, "--older-than", "1")["personal"] == 0
    time.sleep(1.1)  # ages are in whole seconds
    assert counts(capsys, "--older-than", "0") == {"predictions": 1, "images": 1, "personal": 3, "copies": 0}
    with clerk(settings_for(home)) as who:
        assert not who._places.records.get(note.id).entry.personal
        assert not who._places.records.get(failed.id).entry.personal
    assert b"CANARY" not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert said(capsys, "verify")["sound"]


def test_what_is_older_goes_and_what_is_younger_stays(home, ids, capsys):
    assert counts(capsys, "--older-than", "1")["predictions"] == 0
    time.sleep(1.1)  # ages are in whole seconds
    assert counts(capsys, "--older-than", "0") == {"predictions": 3, "images": 2, "personal": 3, "copies": 0}
    assert said(capsys, "verify")["sound"]


def test_only_old_pictures_without_a_record_are_swept(home, capsys):
    images = open_images(str(home / "images"), read_secret(home / "secret.key"))
    old, young = images.put(b"an old one"), images.put(b"a young one")
    with closing(sqlite3.connect(home / "images" / "images.sqlite")) as raw, raw:
        raw.execute("UPDATE images SET at = at - ? WHERE key <> ?", (2 * ORPHAN_SECONDS, young))
    assert said(capsys, "erase", "--left-over") == {"images": 1}
    assert not images.holds(old)
    assert images.holds(young)
    images.close()
    assert said(capsys, "verify")["images"] == 2


def test_half_a_picture_is_swept_and_what_is_none_stops_nothing(home, capsys):
    key = key_of(home, FILMS[2])
    folder = home / "images" / "large" / key[:2]
    folder.mkdir(parents=True)
    old, young, stray = folder / f"{key}.7.new", folder / f"{key}.8.new", folder / ".DS_Store"
    for path in (old, young, stray):
        path.write_bytes(b"x")
    for path in (old, stray):
        os.utime(path, (time.time() - 2 * ORPHAN_SECONDS,) * 2)
    assert said(capsys, "erase", "--left-over") == {"images": 1}
    assert [path.exists() for path in (old, young, stray)] == [False, True, True]


@pytest.mark.parametrize("wrong", [[], ["x", "--caller", "y"], ["--older-than", "-1"]])
def test_erasing_wants_exactly_one_choice(home, wrong, capsys):
    assert main(["erase", *wrong]) == 2


def test_the_commands_leave_the_heavy_parts_alone():
    listing = "[m.parser_of(n) for n in ('verify', 'replay', 'erase')]; print(*sys.modules)"
    code = f"import sys, hilum.interfaces.cli.main as m; {listing}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert not {"sqlalchemy", "fastapi", "alembic", "torch"} & set(done.stdout.split())


def key_of(home, film):
    images = open_images(str(home / "images"), read_secret(home / "secret.key"))
    key = images.key(film.read_bytes())
    images.close()
    return key


def test_feedback_stands_beside_the_answer_and_can_be_taken_back(home, ids, capsys):
    agreed = said(capsys, "feedback", ids[1], "--agree")
    assert (agreed["prediction"], agreed["agrees"]) == (ids[1], True)
    other = "normal" if agreed["class"] == "pneumonia" else "pneumonia"
    assert main(["feedback", ids[1], "--label", other.upper(), "--note", "seen twice"]) == 0
    assert capsys.readouterr().out == f"on record: {other}, which is not what was answered\n"
    assert said(capsys, "feedback", ids[1], "--withdraw")["class"] is None
    with closing(sqlite3.connect(home / "hilum.db")) as database:
        rows = database.execute("SELECT caller, subject, label FROM records WHERE kind = 'feedback' ORDER BY number")
        assert list(rows) == [("console", ids[1], label) for label in (agreed["class"], other, None)]
    assert said(capsys, "verify")["rows"] == 6


def test_feedback_that_fits_nothing_is_told_in_words(home, ids, capsys):
    erased = said(capsys, "erase", ids[1])
    assert erased["predictions"] == 1
    for words, arguments in (
        ("no prediction 'elsewhere'", ["elsewhere", "--agree"]),
        ("no class of pneumonia-cxr; there are: normal, pneumonia", [ids[0], "--label", "glioma"]),
        ("nothing that you said to this answer stands", [ids[0], "--withdraw"]),
        ("can hold no note any more", [ids[1], "--agree", "--note", "late"]),
        ("at most 2,000 letters", [ids[0], "--agree", "--note", "x" * 2001]),
        ("one of the arguments --label --agree --withdraw is required", [ids[0]]),
    ):
        assert main(["feedback", *arguments]) == 2
        assert words in capsys.readouterr().err
