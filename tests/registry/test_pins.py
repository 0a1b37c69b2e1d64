"""Which packages are known and trusted, and by which names they are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hilum.errors import PackageDamaged, UnknownModel
from hilum.registry.pins import champion_for, find_package, known_packages, pin, trust
from hilum.settings import Settings, read_settings


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


def test_a_bare_name_is_the_champion_and_training_never_promotes(settings: Settings) -> None:
    assert find_package("spot", settings) == settings.models / "spot"
    assert find_package("spot@champion", settings) == settings.models / "spot"
    assert find_package("spot@2", settings).name == "2"
    assert find_package("spot@latest", settings).name == "2"


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
