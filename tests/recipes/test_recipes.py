"""The recipes' ground: groups stay whole, conflicts are left out, what is known of a slice is used and no more."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from recipes.figures import network_words
from recipes.ground import Ground, draw_parts, group_by_thumbnail, prepared

from recipes import brain, chest, shipped
from tests.conftest import ROOT


def ground(source: list[str], label: list[str], group: list[int]) -> Ground:
    films = [np.full((20, 20), 40 + i, np.uint8) for i in range(len(source))]
    words = (np.array(source), np.array(label))
    path = [f"{where}/{what}_{i}.png" for i, (where, what) in enumerate(zip(source, label, strict=True))]
    return Ground(films, *words, path, np.array(group), np.full(len(source), "train"))


def test_copies_and_mirrored_copies_share_a_group_and_strangers_do_not() -> None:
    random = np.random.default_rng(0)
    films = [random.integers(40, 255, (50, 60)).astype(np.uint8) for _ in range(3)]
    groups = group_by_thumbnail([*films, films[0][:, ::-1], films[1] // 2 + 40], np.zeros(5, bool))
    assert groups[3] == groups[0]
    assert groups[4] == groups[1]
    assert len(set(groups[:3].tolist())) == 3


def test_parts_never_cut_a_group_and_come_near_their_shares() -> None:
    random = np.random.default_rng(1)
    group = random.integers(0, 1500, 4000)
    source, label = np.full(4000, "chest-xray"), np.where(group % 3 == 0, "normal", "pneumonia")
    part = draw_parts(source, label, group)
    for name in np.unique(group):
        assert len(set(part[group == name])) == 1
    assert np.mean(part == "train") == pytest.approx(0.80, abs=0.02)
    assert np.mean(part == "test") == pytest.approx(0.08, abs=0.015)
    assert np.array_equal(part, draw_parts(source, label, group))


def test_a_group_of_conflicting_labels_is_left_out_but_not_a_volume() -> None:
    source = np.array(["brain-mri-binary", "brain-mri-4class", "brain-mri-csv", "brain-mri-csv"])
    part = draw_parts(source, np.array(["tumor", "notumor", "tumor", "healthy"]), np.array([0, 0, 1, 1]))
    assert part[:2].tolist() == ["out", "out"]
    assert "out" not in part[2:]


def test_a_tumour_of_unknown_type_trains_the_type_head_as_one_of_three() -> None:
    binary, four, flat = "brain-mri-binary", "brain-mri-4class", "brain-mri-csv"
    made = ground(
        [four, binary, binary, binary, flat], ["meningioma", "tumor", "tumor", "healthy", "tumor"], [5, 5, 6, 7, 8]
    )
    data = brain.training_data(made, np.arange(5), prepared(made.films, brain.preparation(160)))
    assert data.targets.tolist() == [
        [0, 1, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 1],  # its copy says which
        [1, 1, 0, 1, 0, 1],
        [0, 0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert data.strata.tolist() == [1, 1, 4, 2, 6]


def test_chest_draws_as_many_normals_as_pneumonias() -> None:
    made = ground(["chest-xray"] * 4, ["normal", "normal", "pneumonia", "pneumonia"], [0, 1, 2, 3])
    made.path[2], made.path[3] = "p/person1_virus_2.jpeg", "p/person2_bacteria_1.jpeg"
    data = chest.training_data(made, np.arange(4), prepared(made.films, chest.preparation(160)))
    assert data.strata.tolist() == [0, 1, 3, 2]
    assert data.targets[2].tolist() == [0, 1, 0, 0, 1]


def test_a_card_names_the_network_in_words() -> None:
    members = [
        {"name": "residual", "config": {"width": 32, "blocks": [1, 2]}, "side": 160},
        {"name": "efficientnet-lite0", "config": {"weights": "none"}, "side": 192},
    ]
    said = network_words("mixture", {"members": members, "classes": 4})
    assert (
        said == "the mean of the logits of residual (width 32, blocks 1-2) at 160 px and efficientnet-lite0 at 192 px"
    )


def test_packages_are_sealed_beside_the_shipped_ones_and_again_when_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealed package is never written over: else hours of training end in a refusal."""
    made: list[Path] = []

    def seal_task(task: str, _: object, __: Path, models: Path) -> str:
        (models / task).mkdir(parents=True)  # fails where one lies
        made.append(models / task)
        return "digest"

    monkeypatch.setattr(shipped, "read_ground", lambda _: None)
    monkeypatch.setattr(shipped, "combine", lambda *_: None)
    monkeypatch.setattr(shipped, "seal_task", seal_task)
    monkeypatch.setattr(sys, "argv", ["shipped.py", "--only", "seal", "--out", str(tmp_path)])
    for _ in range(2):
        shipped.main()
    assert len(made) == 6
    assert all(tmp_path in folder.parents for folder in made)


def test_what_make_models_puts_in_place_was_measured() -> None:
    target = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nmodels:")[1].split("\n\n")[0]
    assert target.index("recipes/shipped.py") < target.index("recipes/figures.py") < target.index("cp -r")
