"""An erasure reaches what trainings keep: fetched files, prepared images, reports; packages that learned are named."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.data.places.cache import HALF, Cache
from hilum.flows.erase import ORPHAN_SECONDS
from hilum.image.decode import decode
from hilum.interfaces.cli.main import main
from hilum.jobs.learnt import Fetched, is_arrays
from tests.flows.recorded import FILMS, ask, settings_for
from tests.interfaces.http.hostile import torn_zip
from tests.jobs.test_erasing import erased

AGES = (("old", True), ("young", False))


def run_of(home: Path, name: str, *films: Path) -> Path:
    """A run that was stopped after its reports: prepared images lie there too."""
    run = home / "runs" / name
    for page in ("audit", "report"):
        (run / page).mkdir(parents=True)
        (run / page / "index.html").write_text("pictures")
    (run / "plan.json").write_text("{}")
    np.save(run / "prepared-1.npy", np.zeros((len(films), 1, 8, 8), np.uint8))
    if films:
        prints_of(*films).save(run / "fingerprints.npz")
    return run


def prints_of(*films: Path) -> Fingerprints:
    return Fingerprints.of(fingerprint(decode(film.read_bytes(), name="film")[0]) for film in films)


def left(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


def package_of(home: Path, version: str, *films: Path) -> None:
    folder = home / "models" / "pneumonia-cxr" / version
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    prints_of(*films).save(folder / "fingerprints.npz")


def fetched(home: Path, name: str, data: bytes, suffix: str = "") -> Path:
    return Cache(home / "cache").put(name, lambda file: file.write(data) and None, suffix)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_npy", ".npy"), data)
    return out.getvalue()


def test_a_run_on_the_picture_loses_its_copies_and_the_package_is_named(home: Path, capsys, tmp_path) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    resaved = tmp_path / "resaved.jpg"
    Image.open(FILMS[0]).convert("L").save(resaved, quality=90)
    on, off = run_of(home, "on", FILMS[1], resaved), run_of(home, "off", FILMS[1], FILMS[2])
    old = run_of(home, "of an older version")
    package_of(home, "1", resaved, FILMS[1])
    package_of(home, "2", FILMS[2])
    searched = on / "tuned-1" / "report"  # of what a search chose
    searched.mkdir(parents=True)
    found = erased(capsys, answer["id"])
    assert left(on) == ["fingerprints.npz", "plan.json", "tuned-1"]
    assert not searched.exists()
    assert left(off) == ["audit", "fingerprints.npz", "plan.json", "prepared-1.npy", "report"]
    assert left(old) == ["audit", "plan.json", "report"]  # prepared images are made again; reports are not
    assert sorted(said.split(":")[0] for said in found["removed"]) == [
        str(on / "audit"),
        str(on / "report"),
        str(searched),
    ]
    assert [said.split(" learned")[0] for said in found["still"]] == ["the package pneumonia-cxr@1"]
    assert [said.split(":")[0] for said in found["unsearched"]] == [str(old)]


def test_a_picture_as_large_as_is_accepted_is_found(home: Path, capsys, tmp_path) -> None:
    """A server may accept more pixels than a decoder that knows no settings."""
    large = tmp_path / "large.png"
    Image.open(FILMS[0]).convert("L").resize((5500, 5500)).save(large, compress_level=1)
    (answer,) = ask(settings_for(home, MAX_PIXELS="30250000"), large)
    on, off = run_of(home, "on", FILMS[0]), run_of(home, "off", FILMS[1])
    found = erased(capsys, answer["id"])
    assert left(on) == ["fingerprints.npz", "plan.json"]
    assert left(off) == ["audit", "fingerprints.npz", "plan.json", "prepared-1.npy", "report"]
    assert found["unsearched"] == []


def test_whichever_frame_of_a_series_was_learned_from_is_found(home: Path, capsys, tmp_path) -> None:
    """A training takes the middle frame of a file; one of `hilum prepare`d frames takes any."""
    series, second = tmp_path / "series.tif", tmp_path / "second.png"
    first, *others = (Image.open(film).convert("L").resize((512, 400)) for film in FILMS[:3])
    first.save(series, save_all=True, append_images=others)
    others[0].save(second)
    answers = ask(settings_for(home), series)
    on, off = run_of(home, "on", second), run_of(home, "off", FILMS[3])
    package_of(home, "1", second)
    found = erased(capsys, answers[0]["id"])
    assert left(on) == ["fingerprints.npz", "plan.json"]
    assert [said.split(" learned")[0] for said in found["still"]] == ["the package pneumonia-cxr@1"]
    assert "report" in left(off)


def test_a_picture_that_was_never_kept_takes_all_that_can_be_made_again(home: Path, capsys) -> None:
    (answer,) = ask(settings_for(home), FILMS[0], keep=False)
    run = run_of(home, "on", FILMS[0])
    package_of(home, "1", FILMS[0])
    half = run / "prepared-2.half.npy"
    half.write_bytes(b"")
    found = erased(capsys, answer["id"])
    assert left(run) == ["audit", "fingerprints.npz", "plan.json", "prepared-2.half.npy", "report"]
    assert [said.split(":")[0] for said in found["still"]] == [str(half)]
    assert len(found["unsearched"]) == 2  # the run's reports, the package
    os.utime(half, (time.time() - 3600,) * 2)
    assert main(["erase", answer["id"]]) == 0
    assert "not looked into" in capsys.readouterr().out
    assert not half.exists()


def test_what_ends_while_an_erasure_looks_at_it_does_not_stop_the_erasure(home: Path, capsys) -> None:
    """A training or a download renames its half when it is done: as a link to nothing, it is listed and not there."""
    (answer,) = ask(settings_for(home), FILMS[0])
    run, under_way = run_of(home, "on", FILMS[0]), snapshot(home, "under-way", FILMS[1].read_bytes())
    for half in (run / "prepared-2.half.npy", under_way / "blobs" / "of it.incomplete"):
        half.symlink_to(home / "nowhere")
    assert not is_arrays(home / "nowhere")
    assert erased(capsys, answer["id"])["still"] == []
    assert left(run) == ["fingerprints.npz", "plan.json"]
    assert under_way.is_dir()


def test_images_that_are_done_while_those_of_their_run_go_are_told(home: Path, capsys, monkeypatch) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    run = run_of(home, "on", FILMS[0])
    half, unlink = run / "prepared-2.half.npy", Path.unlink
    half.write_bytes(b"")

    def done_meanwhile(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "prepared-1.npy":
            half.rename(run / "prepared-2.npy")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", done_meanwhile)
    assert [said.split(":")[0] for said in erased(capsys, answer["id"])["still"]] == [str(half)]


def test_fetched_files_with_the_picture_go_and_others_stay(home: Path, capsys) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo("normal/a.png")
        member.size = FILMS[0].stat().st_size
        archive.addfile(member, io.BytesIO(FILMS[0].read_bytes()))
    array = io.BytesIO()
    np.save(array, np.zeros((2, 8, 8), np.uint8))
    gone = [
        fetched(home, "the film", FILMS[0].read_bytes()),
        fetched(home, "a zip", zipped(a=b"x", b=FILMS[0].read_bytes())),
        fetched(home, "a zip with a broken member", torn_zip(FILMS[0].read_bytes())),
        fetched(home, "a tar", tar.getvalue(), ".tar"),
        fetched(home, "a tar as it was fetched, compressed", gzip.compress(tar.getvalue())),
        fetched(home, "an array", array.getvalue(), ".npy"),
        fetched(home, "packed arrays", zipped(images_npy=array.getvalue())),
    ]
    kept = [
        fetched(home, "another film", FILMS[1].read_bytes()),
        fetched(home, "another zip", zipped(a=FILMS[1].read_bytes())),
        fetched(home, "no zip", b"PK\x03\x04 torn"),
        fetched(home, "a tar cut off, compressed", gzip.compress(tar.getvalue())[:60]),
    ]
    Cache(home / "cache").key()
    found = erased(capsys, answer["id"])
    assert [path.exists() for path in gone] == [False] * 7
    assert [path.exists() for path in kept] == [True] * 4
    assert (home / "cache" / "patient.key").exists()
    assert (found["files"], len(found["removed"])) == (7, 1)
    notes = list((home / "cache" / "files").glob("*/*.json"))
    assert len(notes) == 4
    assert all(json.loads(path.read_text())["sha256"] for path in notes)


def killed_fetch(home: Path, data: bytes, seconds: float) -> Path:
    """What is left of a fetch that was killed so long ago."""
    half = fetched(home, "a place", b"x").with_name(f"{HALF}abc")
    half.write_bytes(data)
    os.utime(half, (time.time() - seconds,) * 2)
    return half


def test_what_a_fetch_that_was_killed_left_goes_and_one_under_way_is_told(home: Path, capsys) -> None:
    """It holds the picture, or half of it, and lay there for good, unsearched."""
    (answer,) = ask(settings_for(home), FILMS[0])
    half = killed_fetch(home, FILMS[0].read_bytes(), 0)
    found = erased(capsys, answer["id"])
    assert [said.split(":")[0] for said in found["still"]] == [str(half)]
    os.utime(half, (time.time() - 3600,) * 2)
    again = erased(capsys, answer["id"])
    assert (half.exists(), again["still"], again["files"]) == (False, [], 1)


@pytest.mark.parametrize("by", ["a server", "the next fetch"])
def test_what_a_fetch_that_was_killed_left_does_not_take_room_for_good(home: Path, by: str) -> None:
    old, young = (killed_fetch(home / name, b"half of an archive", 2 * ORPHAN_SECONDS * old) for name, old in AGES)
    other = old.parent.parent / "ff" / f"{HALF}def"  # of another file
    other.parent.mkdir(exist_ok=True)
    old.rename(other)
    for name, _ in AGES:
        if by == "a server":
            Fetched(home / name, lambda _: "").sweep(ORPHAN_SECONDS)
        else:
            fetched(home / name, "another place", b"y")
    assert (other.exists(), young.exists()) == (False, True)


def snapshot(home: Path, name: str, *files: bytes, half: bytes | None = None) -> Path:
    """A data set as Hugging Face's client keeps it: bytes by their hash, and a revision that links to them."""
    folder = home / "cache" / "huggingface" / f"datasets--owner--{name}"
    for part in ("blobs", "refs", "snapshots/1"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text("1")
    for number, data in enumerate(files):
        (folder / "blobs" / str(number)).write_bytes(data)
        (folder / "snapshots" / "1" / f"{number}.png").symlink_to(f"../../blobs/{number}")
    if half is not None:
        (folder / "blobs" / "of it.incomplete").write_bytes(half)
    return folder


def test_downloads_of_hugging_face_with_the_picture_go_whole_and_others_stay(home: Path, capsys) -> None:
    """Without a file of it, and without a network, what is left of a data set would be taken for all of it."""
    (answer,) = ask(settings_for(home), FILMS[0])
    film, other = (film.read_bytes() for film in FILMS[:2])
    on, packed = snapshot(home, "on", other, film), snapshot(home, "packed", zipped(a=film))
    table = snapshot(home, "table", b"PAR1 columns of pictures")
    stopped = snapshot(home, "stopped", other, half=film)
    os.utime(stopped / "blobs" / "of it.incomplete", (time.time() - 3600,) * 2)
    off, under_way = snapshot(home, "off", other), snapshot(home, "under-way", other, half=film)
    found = erased(capsys, answer["id"])
    gone = sorted([on, packed, table, stopped])
    assert sorted(path.name for path in on.parent.iterdir()) == [off.name, under_way.name]
    assert (off / "snapshots" / "1" / "0.png").read_bytes() == other
    assert [said.split(":")[0] for said in found["removed"]] == [str(path) for path in gone]
    assert [said.split(":")[0] for said in found["still"]] == [str(under_way / "blobs" / "of it.incomplete")]
    assert found["files"] == 4


def test_a_download_whose_erasure_was_killed_goes_with_the_next_one(home: Path, capsys) -> None:
    (answer,) = ask(settings_for(home), FILMS[0])
    on = snapshot(home, "on", FILMS[0].read_bytes())
    left = on.rename(on.with_name(f".going-{on.name}"))
    erased(capsys, answer["id"])
    assert not left.exists()


@pytest.mark.parametrize("moment", ["searched", "taken away", "removed"])
def test_of_two_erasures_of_one_download_neither_stops_the_other(
    home: Path, capsys, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A server ends every hour what was begun, such as the erasure that is going on beside it."""
    (answer,) = ask(settings_for(home), FILMS[0])
    on, off = snapshot(home, "on", FILMS[0].read_bytes()), snapshot(home, "off", FILMS[1].read_bytes())
    searched, renamed, removed = Path.rglob, Path.rename, shutil.rmtree

    def rglob(path: Path, pattern: str) -> Iterator[Path]:
        if path == on and on.exists():
            removed(on)
            raise FileNotFoundError(str(on))  # as of a folder that goes while it is listed
        return searched(path, pattern)

    def rename(path: Path, to: Path) -> Path:
        if path == on:
            removed(on)
        return renamed(path, to)

    def rmtree(path: Path, *given: object, **named: object) -> None:
        if Path(path).name.endswith(on.name):
            removed(path)
        removed(path, *given, **named)

    monkeypatch.setattr(*{
        "searched": (Path, "rglob", rglob),
        "taken away": (Path, "rename", rename),
        "removed": (shutil, "rmtree", rmtree),
    }[moment])  # fmt: skip
    erased(capsys, answer["id"])
    assert [path.name for path in on.parent.iterdir()] == [off.name]


def test_what_another_caller_needs_keeps_its_training_copies(home: Path, capsys) -> None:
    ask(settings_for(home), FILMS[0], FILMS[1], caller="key-7")
    ask(settings_for(home), FILMS[0], caller="key-8")
    shared, own = run_of(home, "shared", FILMS[0]), run_of(home, "own", FILMS[1])
    files = [fetched(home, film.name, film.read_bytes()) for film in FILMS[:2]]
    erased(capsys, "--caller", "key-7")
    assert left(shared) == ["audit", "fingerprints.npz", "plan.json", "prepared-1.npy", "report"]
    assert left(own) == ["fingerprints.npz", "plan.json"]
    assert [path.exists() for path in files] == [True, False]
