"""Sealed packages + the locked test of the recipes -> figures and card inside each package, and the release's pins.

The packages are answered through exactly what is served. Run after sealing:
python recipes/figures.py --models models-build/sealed
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script is run by its path

from hilum.data.audit import audit
from hilum.data.dataset import Case, Dataset
from hilum.evaluate.card import CardFacts, Source, card
from hilum.evaluate.charts import curves
from hilum.flows.evaluate import Known, Measured, evaluate_cases
from hilum.flows.predict import Options
from hilum.flows.report import write_evaluation_report
from hilum.flows.speaker import Speaker
from hilum.image.decode import decode
from hilum.image.image import Image
from hilum.image.limits import Limits
from hilum.learn.seal import with_figures
from hilum.model.package import GRAPH, Package, Trust, digest_of, open_package
from hilum.registry.pins import RELEASE

TASKS = ("brain-tumor-mri", "brain-tumor-presence-mri", "pneumonia-cxr")
LICENCES = {
    "brain-mri-4class": "CC BY 4.0 (figshare part); SARTAJ, Br35H",
    "brain-mri-binary": "see its source",
    "brain-mri-csv": "see its source",
    "chest-xray": "CC BY 4.0",
}
LIMITS = (
    "Single slices or films without their series; one answer an image.",
    (
        "Trained on public images without patient identities (brain) or with those of file names (chest): "
        "images of one patient can lie in training and test where no copy gives them away."
    ),
    "Brain classes come from different sources and sequences; another scanner's images may look different to it.",
    "The chest model knows frontal films of children aged one to five from one hospital.",
)


@dataclass(frozen=True)
class FilesOf:
    """Reads cases below one folder."""

    folder: Path

    def data(self, case: Case, limits: Limits) -> bytes:
        """The encoded file."""
        data = (self.folder / case.path).read_bytes()
        limits.check_bytes(case.id, len(data))
        return data

    def images(self, case: Case, limits: Limits, data: bytes | None = None) -> tuple[Image, ...]:
        """The decoded frames; `data`: the file, where it was read already."""
        return decode(self.data(case, limits) if data is None else data, name=case.id, limits=limits)


def main() -> None:
    """Measure every package, write its figures and card into it, then pin them all for the release."""
    options = _options()
    pins = {}
    for task in options.tasks or TASKS:
        folder = options.models / task
        pins[task] = measure(folder, options.out / task / "parts.csv", options.data, options.out / task / "report")
        print(task, pins[task], flush=True)
    known = json.loads(RELEASE.read_text(encoding="utf-8")) | pins
    RELEASE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def measure(folder: Path, parts: Path, data: Path, report: Path) -> str:
    """Put figures and card into one package; returns its new digest."""
    digest = digest_of(folder)
    package = open_package(folder, Trust({digest}))
    rows = [row for row in csv.DictReader(parts.open(encoding="utf-8")) if row["part"] in ("train", "test")]
    test = [row for row in rows if row["part"] == "test"]
    speaker = Speaker(package)
    whole = _measured(test, speaker, data, " and ".join(sorted({row["source"] for row in test})))
    sources = sorted({row["source"] for row in test})
    others = [
        _measured([row for row in test if row["source"] == source], speaker, data, source)
        for source in (sources if len(sources) > 1 else [])
    ]
    write_evaluation_report(whole, _dataset(test, package, data, "test"), speaker, report)
    evaluations = [one.evaluation for one in others]
    words = card(whole.evaluation, _facts(package, parts), package.task, others=evaluations)
    figures: dict[str, Any] = whole.evaluation.to_json()
    figures["sources"] = {one.setting.source: one.to_json()["metrics"] for one in evaluations}
    figures["curves"] = curves(whole.rows, package.task)
    return with_figures(folder, figures, words)


def _measured(rows: list[dict[str, str]], speaker: Speaker, data: Path, name: str) -> Measured:
    dataset = _dataset(rows, speaker.package, data, name)
    found = audit(dataset)
    groups = np.array([int(row["group"]) for row in rows])
    neighbour = found.baseline.of_asked(groups)
    known = Known(
        groups=groups,
        copied=np.zeros(len(rows), dtype=bool),
        baseline={} if neighbour is None else {"nearest neighbour": neighbour},
        cues=found.shortcuts,
    )
    return evaluate_cases(dataset, speaker, Options(), known)


def _dataset(rows: list[dict[str, str]], package: Package, data: Path, name: str) -> Dataset:
    cases = tuple(
        Case(row["path"], row["label"], row["label"], patient=row["group"], source=row["source"], path=row["path"])
        for row in rows
    )
    return Dataset(f"locked test of {name}", cases, package.task.classes, (), FilesOf(data))


def _facts(package: Package, parts: Path) -> CardFacts:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    sources: Counter[str] = Counter()
    for row in csv.DictReader(parts.open(encoding="utf-8")):
        counts[row["part"]][row["label"]] += 1
        sources[row["source"]] += 1
    said = json.loads(package.read("network.json"))
    return CardFacts(
        licence="apache-2.0",
        name=package.name,
        version=package.version,
        network=network_words(said["name"], said.get("config", {})),
        parameters=_parameters(package),
        size_bytes=len(package.read(GRAPH)),
        input_words=f"one grey image, {package.preparation.size} x {package.preparation.size} pixels, 8 bit",
        sources=tuple(Source(name, count, LICENCES.get(name, "")) for name, count in sorted(sources.items())),
        parts={name: dict(counts[name]) for name in ("train", "tune", "calibrate", "test")},
        training={str(key): _rounded(value) for key, value in package.plan.items()},
        copies="Images alike at a correlation above 0.985 (mirrored too; CSV folder 0.95), and of one patient, stay in "
        "one part; one of a group is drawn each epoch.",
        limits=LIMITS,
        calibration=package.calibration,
    )


def network_words(name: str, config: Mapping[str, Any]) -> str:
    """A network and its settings, as a reader of the card wants them; of a mixture each member."""
    if "members" in config:
        members = [f"{network_words(one['name'], one['config'])} at {one['side']} px" for one in config["members"]]
        return f"the mean of the logits of {' and '.join(members)}"
    shown = {key: value for key, value in config.items() if value != "none"}
    told = [f"{key} {'-'.join(map(str, value)) if isinstance(value, list) else value}" for key, value in shown.items()]
    return f"{name} ({', '.join(told)})" if told else name


def _rounded(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _parameters(package: Package) -> int:
    """Number of weights, from the header of weights.safetensors (format: 8 bytes length, then JSON)."""
    raw = package.read("weights.safetensors")
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    kept = [
        entry["shape"]
        for name, entry in header.items()
        if name != "__metadata__" and "running_" not in name and not name.endswith(".step")
    ]
    return int(sum(np.prod(shape) for shape in kept))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="which packages; all where none is named")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("models-build"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
