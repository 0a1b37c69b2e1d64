"""Exports: every form answers as the package does, and other tools accept it."""

from __future__ import annotations

import hashlib
import importlib
import json
import resource
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, verify_metadata, verify_net_in_out

from hilum.errors import UsageError
from hilum.image.prepare import Preparation
from hilum.learn.batches import TrainingData
from hilum.learn.export import KINDS, export, rebuild
from hilum.learn.networks import build
from hilum.learn.seal import Sealing, Trained, seal
from hilum.learn.train import Attempt, TrainSettings, logits, train
from hilum.model.engine import Engine
from hilum.model.package import Package, Trust, open_package
from tests.learn.made import TASK_TEXT, calibration, spots

SHIPPED = Path(__file__).parents[2] / "models" / "pneumonia-cxr"
CONFIG = {"classes": 2, "width": 8}
PIXELS = spots(6)[0]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    torch.manual_seed(0)
    network = build("residual", CONFIG).eval()
    folder = tmp_path_factory.mktemp("package") / "spot"
    sealing = Sealing(
        name="spot",
        version="1.0.0",
        trained=Trained(network, "residual", CONFIG),
        task_text=TASK_TEXT,
        preparation=Preparation(size=32),
        calibration=calibration(),
        plan={},
        check=PIXELS,
        card="# Spot\n",
    )
    return open_package(folder, Trust(pinned=(seal(sealing, folder),)))


@pytest.fixture(scope="module")
def served(package: Package) -> np.ndarray:
    return Engine(package.read("model.onnx"), size=32).run(PIXELS).logits


def test_plain_onnx_answers_alike_and_explains_itself(package: Package, served: np.ndarray, tmp_path: Path) -> None:
    path = export(package, "onnx", tmp_path / "spot.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(["logits"], {"pixels": PIXELS})[0], served)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["hilum.classes"]) == ["plain", "spot"]
    assert float(facts["hilum.temperature"]) == package.calibration.temperature
    onnx.checker.check_model(str(path))


def test_a_monai_bundle_passes_monais_own_checks(package: Package, served: np.ndarray, tmp_path: Path) -> None:
    bundle = export(package, "monai-bundle", tmp_path / "spot_classification")
    meta, config = str(bundle / "configs" / "metadata.json"), str(bundle / "configs" / "inference.json")
    schema = tmp_path / "schema.json"  # the mandatory keys of the specification; the real file needs a network
    required = ["version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors"]
    schema.write_text(json.dumps({"type": "object", "required": [*required, "copyright", "network_data_format"]}))
    md5 = hashlib.md5(schema.read_bytes(), usedforsecurity=False).hexdigest()
    verify_metadata(meta_file=meta, filepath=str(schema), hash_val=md5)
    verify_net_in_out(net_id="network_def", meta_file=meta, config_file=config, device="cpu")
    parser = ConfigParser()
    parser.read_config(config)
    parser["bundle_root"] = str(bundle)
    with torch.inference_mode():
        logits = parser.get_parsed_content("network")(torch.from_numpy(PIXELS)).numpy()
    np.testing.assert_allclose(logits, served, atol=1e-4)
    assert {path.name for path in (bundle / "models").iterdir()} == {"model.pt", "model.onnx"}
    assert {path.name for path in (bundle / "docs").iterdir()} == {"README.md", "license.txt"}


@pytest.mark.filterwarnings("ignore")  # MLflow warns about its own type hints when it is imported
def test_an_mlflow_model_loads_and_predicts(package: Package, served: np.ndarray, tmp_path: Path) -> None:
    folder = export(package, "mlflow", tmp_path / "spot-mlflow")
    model = importlib.import_module("mlflow.pyfunc").load_model(str(folder))
    answered = model.predict({"pixels": PIXELS})
    np.testing.assert_array_equal(answered["logits"], served)
    told = {spec.name: spec.shape for spec in model.metadata.signature.outputs}
    assert told.keys() == answered.keys()
    for name, shape in told.items():
        assert [d for d in shape if d != -1] == [n for n, d in zip(answered[name].shape, shape, strict=True) if d != -1]
    assert model.metadata.metadata["classes"] == ["plain", "spot"]
    assert model.metadata.metadata["digest"] == package.digest


def test_an_unknown_kind_or_a_taken_place_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="onnx, monai-bundle, mlflow"):
        export(package, "pickle", tmp_path / "x")
    with pytest.raises(UsageError, match="exists already"):
        export(package, "onnx", tmp_path)


@pytest.mark.parametrize("kind", ["onnx", "monai-bundle"])
def test_what_another_export_wrote_meanwhile_is_not_written_over(
    kind: str, package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "taken", KINDS[kind]

    def slower(package: Package, place: Path) -> None:
        write(package, place)
        if place.is_dir():
            out.mkdir()
            (out / "theirs").write_bytes(b"theirs")
        else:
            out.write_bytes(b"theirs")

    monkeypatch.setitem(KINDS, kind, slower)
    with pytest.raises(UsageError, match="exists already"):
        export(package, kind, out)
    assert (out / "theirs" if out.is_dir() else out).read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_a_shipped_network_goes_on_learning_from_the_weights_of_its_package(tmp_path: Path) -> None:
    shipped = open_package(SHIPPED, Trust({hashlib.sha256((SHIPPED / "manifest.json").read_bytes()).hexdigest()}))
    network, made_of = rebuild(shipped)
    assert made_of["name"] == "mixture"
    pixels, labels = spots(12, 64)
    large = np.stack([cv2.resize(one[0], (shipped.preparation.size,) * 2)[None] for one in pixels])
    graph = Engine(shipped.read("model.onnx"), size=shipped.preparation.size).run(large[:2]).logits
    np.testing.assert_allclose(logits(network, large[:2]), graph, atol=1e-3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    data = TrainingData.simple(pixels, labels, np.arange(12), (np.arange(8), np.arange(8, 12)), shipped.task.classes)
    trained = train(network, data, TrainSettings(epochs=1, batch=4, learning_rate=1e-4), Attempt(tmp_path)).network
    moved = [name for name, value in trained.state_dict().items() if not torch.equal(value, before[name])]
    assert moved
    assert all(torch.isfinite(value).all() for value in trained.state_dict().values())


def test_a_disk_that_takes_no_more_is_an_error_of_the_disk(package: Package, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            export(package, "monai-bundle", tmp_path / "bundle")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_a_model_of_somebodys_own_images_is_not_called_ours(package: Package, tmp_path: Path) -> None:
    """Its bundle said "Copyright (c) Hilum contributors, Apache-2.0", whoever had trained it and on whatever."""
    bundle = export(package, "monai-bundle", tmp_path / "bundle")
    said = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert (said["authors"], said["copyright"]) == ("not stated", "not stated")
    assert "not stated" in (bundle / "docs" / "license.txt").read_text(encoding="utf-8")


def test_a_shipped_package_keeps_its_licence(tmp_path: Path) -> None:
    digest = hashlib.sha256((SHIPPED / "manifest.json").read_bytes()).hexdigest()
    bundle = export(open_package(SHIPPED, Trust({digest})), "monai-bundle", tmp_path / "bundle")
    said = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert said["copyright"] == "Copyright (c) Hilum contributors, Apache-2.0"
    assert "Apache-2.0" in (bundle / "docs" / "license.txt").read_text(encoding="utf-8")
