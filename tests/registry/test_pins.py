"""Which packages are known and trusted, and by which names they are found."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from hilum.errors import PackageDamaged, UnknownModel
from hilum.registry.pins import champion_for, find_package, known_packages, looked_at, named_package, pin, trust
from hilum.registry.questions import speaking_for
from hilum.settings import Settings, read_settings
from tests.conftest import ROOT


def made(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"name": name, "version": version, "task": name, "files": {}}))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made(tmp_path / "models" / "spot", "spot", "1")
    made(tmp_path / "home" / "models" / "spot" / "2", "spot", "2")
    made(tmp_path / "home" / "models" / "knee" / "1", "knee", "1")
    return read_settings({"HILUM_HOME": str(tmp_path / "home"), "HILUM_MODELS": str(tmp_path / "models")})


def test_a_pin_outlasts_a_loss_of_power(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = dict[str, int](), os.fsync

    def noted(handle: int) -> None:
        synced[Path(f"/proc/self/fd/{handle}").readlink().name] = os.fstat(handle).st_size
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    pin(settings, settings.models / "spot", "a test")
    log = settings.home / "pins.jsonl"
    assert synced[log.name] == log.stat().st_size
    assert settings.home.name in synced


def test_a_bare_name_is_the_champion_and_training_never_promotes(settings: Settings) -> None:
    assert find_package("spot", settings) == settings.models / "spot"
    assert find_package("spot@champion", settings) == settings.models / "spot"
    assert find_package("spot@2", settings).name == "2"
    assert find_package("spot@latest", settings).name == "2"


def test_a_name_is_the_package_that_was_promoted(settings: Settings) -> None:
    digest = next(k.digest for k in known_packages(settings) if k.reference == "spot@2")
    for reference in ("spot", "spot@champion"):
        assert named_package(reference, settings, {"spot": digest}).name == "2"
        assert find_package(reference, settings, {"spot": digest}).name == "2"
        assert named_package(reference, settings, {"knee": digest}) == settings.models / "spot"
    assert named_package("spot@1", settings, {"spot": digest}) == settings.models / "spot"


@pytest.mark.parametrize("name", ["spot", "knee"])
def test_the_newest_version_is_told_by_its_numbers(settings: Settings, name: str) -> None:
    for version in ("3.9.0", "3.10.0", "3.10.0-rc2", "3.10.0-rc10", "3.2.11"):
        made(settings.home / "models" / name / version, name, version)
    assert find_package(f"{name}@latest", settings).name == "3.10.0"
    found = [one.version for one in known_packages(settings) if one.name == name and one.origin == "trained"]
    assert found[:5] == ["3.10.0", "3.10.0-rc10", "3.10.0-rc2", "3.9.0", "3.2.11"]


def test_the_newest_trained_package_of_a_task_answers_whatever_its_name(settings: Settings) -> None:
    made(settings.home / "models" / "knee" / "1.10.0", "knee", "1.10.0")
    other = made(settings.home / "models" / "leg" / "1.9.0", "leg", "1.9.0") / "manifest.json"
    other.write_text(json.dumps({"name": "leg", "version": "1.9.0", "task": "knee", "files": {}}))
    assert champion_for("knee", settings).name == "1.10.0"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"name": "other", "version": null, "task": "knee"}', "\x80"])
def test_a_trained_package_without_a_readable_manifest_is_left_out_and_told_once(
    settings: Settings, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = known_packages(settings)
    damaged = settings.home / "models" / "other" / "1.0.0"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text(text, encoding="latin-1")
    with caplog.at_level(logging.WARNING, "hilum.registry"):
        assert known_packages(settings) == known_packages(settings) == before
    assert [str(damaged) in record.message for record in caplog.records] == [True]
    assert champion_for("knee", settings).parent.name == "knee"
    known, told = looked_at(settings)
    assert known == before
    assert [str(damaged) in str(error) for error in told] == [True]


@pytest.mark.parametrize(
    "manifest",
    [
        "[" * 100_000,
        *(json.dumps({"name": "foot", "version": "1", "task": "foot", "files": {}} | {key: word})
          for key in ("name", "version", "task") for word in ("\ud800", "a\x1b[2J", "a@b", "9" * 5000)),
    ],
)  # fmt: skip
def test_what_could_never_be_opened_is_left_out_and_takes_nobody_else_down(settings: Settings, manifest: str) -> None:
    """Pages and lists hold every name that is known: half a letter in one of them was an error in all."""
    (made(settings.home / "models" / "foot" / "1", "foot", "1") / "manifest.json").write_text(manifest)
    known, damaged = looked_at(settings)
    assert [one.reference for one in known] == ["spot@1", "spot@2", "knee@1"]
    assert [str(settings.home / "models" / "foot" / "1") in str(error) for error in damaged] == [True]


def test_a_task_whose_shipped_package_is_damaged_does_not_pass_to_a_trained_one(settings: Settings) -> None:
    (settings.models / "spot" / "manifest.json").write_text("{")
    with pytest.raises(PackageDamaged, match="spot"):
        champion_for("spot", settings)
    for reference in ("spot", "spot@champion", "spot@1"):
        with pytest.raises(PackageDamaged, match="spot"):
            find_package(reference, settings)
    promoted = next(k.digest for k in known_packages(settings) if k.reference == "spot@2")
    assert named_package("spot", settings, {"spot": promoted}).name == "2"
    assert find_package("spot@latest", settings).name == "2"
    assert champion_for("knee", settings).parent.name == "knee"


def test_a_damaged_package_with_an_endless_task_file_answers_the_task_of_its_folder(settings: Settings) -> None:
    (settings.models / "spot" / "manifest.json").write_text("")
    (settings.models / "spot" / "task.toml").write_text("name = " + "[" * 100_000)
    with pytest.raises(PackageDamaged):
        champion_for("spot", settings)


def test_a_damaged_package_answers_the_task_of_its_task_file_whatever_its_folder(settings: Settings) -> None:
    chest = (ROOT / "tasks" / "pneumonia-cxr.toml").read_text(encoding="utf-8")
    made(settings.home / "models" / "films" / "1", "pneumonia-cxr", "1")
    (settings.models / "spot" / "task.toml").write_text(chest, encoding="utf-8")
    (settings.models / "spot" / "manifest.json").write_text("{")
    with pytest.raises(PackageDamaged, match="spot"):
        champion_for("pneumonia-cxr", settings)
    assert speaking_for({}, settings) == {}


def test_a_task_without_a_shipped_package_is_answered_by_the_trained_one(settings: Settings) -> None:
    assert champion_for("knee", settings) == settings.home / "models" / "knee" / "1"


def test_the_start_of_a_digest_names_a_package(settings: Settings) -> None:
    digest = next(k.digest for k in known_packages(settings) if k.reference == "spot@2")
    assert find_package(digest[:10], settings).name == "2"


def test_nothing_answers_to_an_unknown_name(settings: Settings) -> None:
    with pytest.raises(UnknownModel, match="spot@1"):
        find_package("heart", settings)


def test_a_pinned_digest_is_trusted_from_then_on(settings: Settings) -> None:
    digest = pin(settings, settings.models / "spot", "a test")
    assert digest in trust(settings).pinned


def test_an_empty_folder_cannot_be_pinned(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(PackageDamaged, match="no readable manifest"):
        pin(settings, tmp_path, "a test")


def test_a_line_that_a_crash_left_half_written_pins_nothing_and_stops_nobody(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    first = pin(settings, settings.models / "spot", "a test")
    log = settings.home / "pins.jsonl"
    with log.open("ab") as file:
        file.write(b'\n["no pin"]\n{"digest": "abc\xc3')
    second = pin(settings, settings.home / "models" / "knee" / "1", "a test")
    with caplog.at_level(logging.WARNING, "hilum.registry"):
        assert {first, second} <= trust(settings).pinned == trust(settings).pinned
    assert [record.message.split(" of ")[0].removeprefix("left out: ") for record in caplog.records] == [
        "line 3", "line 4"
    ]  # fmt: skip
    assert not {pinned for pinned in trust(settings).pinned if pinned.startswith("abc")}
