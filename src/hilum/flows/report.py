"""Measured cases and their package -> the evaluation report as one HTML file, with pictures and heatmaps."""

from __future__ import annotations

from pathlib import Path

from hilum.data.dataset import Dataset
from hilum.durable import write_whole
from hilum.evaluate.report import report
from hilum.flows.evaluate import Measured
from hilum.flows.gallery import gallery
from hilum.flows.speaker import Speaker


def write_evaluation_report(
    measured: Measured, dataset: Dataset, speaker: Speaker, folder: Path, method: str = "cam"
) -> Path:
    """Write `folder`/index.html, its heatmaps made by `method`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    extras = gallery(measured, dataset, speaker, method)
    page = folder / "index.html"
    write_whole(page, report(measured.evaluation, measured.rows, speaker.package.task, extras).encode())
    return page
