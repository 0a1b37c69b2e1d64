"""Sealing: the package opens from itself, answers bit for bit alike, and is the same whenever it is made."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.durable import DRAFT
from hilum.errors import PackageDamaged, TrainingError, UsageError
from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation
from hilum.learn.graph import check_agreement, export_graph
from hilum.learn.networks import build
from hilum.learn.seal import References, Sealing, Trained, put_in_place, seal, with_figures
from hilum.model.engine import Engine
from hilum.model.package import Package, Trust, open_package
from tests.learn.made import TASK_TEXT, calibration, spots

CONFIG = {"classes": 2, "width": 8, "blocks": (1, 1, 1, 1)}


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    made = build("residual", CONFIG)
    made.train()
    made(torch.rand(8, 1, 32, 32) * 255)  # moves the batch statistics off their start
    return made.eval()


def _noise(seed: int) -> Image:
    pixels = np.random.default_rng(seed).random((80, 80), dtype=np.float32)
    return Image(pixels, Metadata("PNG", "L", 8, 80, 80))


@pytest.fixture(scope="module")
def graph() -> bytes:
    return export_graph(network(), 32)


@pytest.fixture(scope="module")
def sealing(graph: bytes) -> Sealing:
    references = References(
        novelty={"centre": np.arange(4, dtype=np.float32)},
        admission=b"a graph",
        fingerprints=Fingerprints.of(fingerprint(_noise(seed)) for seed in range(3)),
    )
    return Sealing(
        name="spot",
        version="1.0.0",
        trained=Trained(network(), "residual", CONFIG),
        task_text=TASK_TEXT,
        preparation=Preparation(size=32, geometry="central", keep=0.9),
        calibration=calibration(),
        plan={"epochs": 3},
        check=spots(20)[0],
        references=references,
        data={"digest": "ab"},
        graph=graph,
    )


@pytest.fixture(scope="module")
def package(sealing: Sealing, tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("sealed") / "spot"
    digest = seal(sealing, folder)
    return open_package(folder, Trust(pinned=(digest,)))


def test_what_was_sealed_is_what_opens(package: Package, sealing: Sealing) -> None:
    assert (package.name, package.version, package.task.name) == ("spot", "1.0.0", "spot")
    assert package.preparation == sealing.preparation
    assert package.calibration == sealing.calibration
    assert package.plan == {"epochs": 3}
    assert package.manifest["data"] == {"digest": "ab"}
    assert package.manifest["agreement"]["flips"] == 0
    assert package.manifest["runtime"]["torch"] == torch.__version__
    assert package.read("admission.onnx") == b"a graph"


def test_sealed_and_opened_it_predicts_bit_for_bit_what_was_exported(
    package: Package, sealing: Sealing, graph: bytes
) -> None:
    before = Engine(graph, size=32).run(sealing.check)
    after = Engine(package.read("model.onnx"), size=32).run(sealing.check)
    for name in ("logits", "features", "maps"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_any_batch_runs(package: Package, sealing: Sealing, batch: int) -> None:
    outputs = Engine(package.read("model.onnx"), size=32).run(sealing.check[:batch])
    assert outputs.logits.shape == (batch, 2)
    assert outputs.features.shape[0] == outputs.maps.shape[0] == batch


def test_the_same_inputs_give_the_same_digest(package: Package, sealing: Sealing, tmp_path: Path) -> None:
    assert seal(replace(sealing, graph=None), tmp_path / "again") == package.digest
    assert seal(replace(sealing, version="1.0.1"), tmp_path / "other") != package.digest


def test_the_graph_names_no_file_of_this_machine(package: Package) -> None:
    graph = package.read("model.onnx")
    assert b"site-packages" not in graph
    assert b"/hilum/" not in graph
    assert onnx.load_from_string(graph).opset_import[0].version == 18


def test_the_network_is_built_again_from_the_package_alone(package: Package, sealing: Sealing) -> None:
    described = json.loads(package.read("network.json"))
    again = build(described["name"], described["config"])
    again.load_state_dict(load_file(package.folder / "weights.safetensors"))
    assert check_agreement(again.eval(), package.read("model.onnx"), sealing.check).flips == 0


def test_a_graph_of_other_weights_is_not_sealed(sealing: Sealing, tmp_path: Path) -> None:
    other = replace(sealing, trained=Trained(network(seed=5), "residual", CONFIG))
    with pytest.raises(TrainingError, match="nothing was sealed"):
        seal(other, tmp_path / "other")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [{"classes": ("spot", "plain")}, {"negative": 1}])
def test_a_calibration_of_another_order_of_classes_is_not_sealed(
    sealing: Sealing, tmp_path: Path, other: dict[str, Any]
) -> None:
    """Every answer would bear the name of another class, and nothing else would show it."""
    with pytest.raises(PackageDamaged, match="classes"):
        seal(replace(sealing, calibration=replace(sealing.calibration, **other)), tmp_path / "spot")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over_and_nothing_half_made_stays(sealing: Sealing, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        seal(sealing, tmp_path / "there")
    broken = replace(sealing, name="Not A Name")
    with pytest.raises(PackageDamaged, match="damaged"):
        seal(broken, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_figures_are_added_without_touching_the_rest(sealing: Sealing, tmp_path: Path) -> None:
    first = seal(sealing, tmp_path / "spot")
    second = with_figures(tmp_path / "spot", {"accuracy": 0.5}, "# Card")
    assert second != first
    package = open_package(tmp_path / "spot", Trust(pinned=(second,)))
    assert package.metrics == {"accuracy": 0.5}
    assert package.read("README.md") == b"# Card"
    assert package.manifest["agreement"]["images"] == 20
    assert [path.name for path in tmp_path.iterdir()] == ["spot"]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_package_whose_figures_cannot_be_put_in_place_is_there_as_it_was(
    sealing: Sealing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    first = seal(sealing, tmp_path / "spot")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "new" and Path(target).name == "spot":
            raise failure("says no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(failure, match="says no"):
        with_figures(tmp_path / "spot", {"accuracy": 0.5}, "# Card")
    assert open_package(tmp_path / "spot", Trust(pinned=(first,))).digest == first
    assert [path.name for path in tmp_path.iterdir()] == ["spot"]


def test_a_package_is_never_where_the_leftovers_of_a_kill_are_swept(
    sealing: Sealing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(sealing, tmp_path / "spot")
    rename, seen = Path.rename, []

    def noted(self: Path, target: Path) -> Path:
        if self.name == "spot":
            seen.append(Path(target).relative_to(tmp_path).parts[0])
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", noted)
    with_figures(tmp_path / "spot", {"accuracy": 0.5}, "# Card")
    assert seen
    assert not any(name.startswith(DRAFT) for name in seen)


def test_a_package_in_its_place_outlasts_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a disk was not told to keep may be empty after it, while the promotion of the package is on record."""
    made, out = tmp_path / "run" / "sealed", tmp_path / "models" / "knee"
    made.mkdir(parents=True)
    for name in ("manifest.json", "model.onnx"):
        (made / name).write_text("{}")
    synced, sync = list[tuple[str, bool]](), os.fsync

    def noted(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink().name, out.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    put_in_place(made, out)
    assert sorted(synced[:2]) == [("manifest.json", False), ("model.onnx", False)]
    assert synced[2:] == [("new", False), ("models", True)]


def test_a_package_appears_in_its_place_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, out = tmp_path / "run" / "sealed", tmp_path / "models" / "knee"
    made.mkdir(parents=True)
    (made / "manifest.json").write_text("{}")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "move", full)
        with pytest.raises(OSError, match="No space"):
            put_in_place(made, out)
    assert not [*out.parent.iterdir()]
    out.mkdir()  # as it is claimed by a training that has just begun
    put_in_place(made, out)
    assert (out / "manifest.json").read_text() == "{}"
    assert not made.exists()
    with pytest.raises(UsageError, match="exists already"):
        put_in_place(made, out)
