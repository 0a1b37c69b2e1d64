"""An audit and its data set -> a folder with one self-contained page and the audit object; finds nothing itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.data.audit_words import CUES, details, figures, headline, many, strong_cues, tone
from hilum.data.dataset import Dataset, middle
from hilum.data.findings import Audit, Pair
from hilum.data.report_page import picture_uri, render_page
from hilum.data.sampling import sample
from hilum.data.shortcuts import WARN_ABOVE
from hilum.durable import write_whole
from hilum.errors import InputError
from hilum.image.image import Image

PAIRS_SHOWN = 24
SAMPLES_SHOWN = 16  # of each class
LISTED = 200  # rows of a list; the rest is in audit.json

Augment = Callable[[Sequence[Image]], Sequence[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two pictures side by side; a URI is "" where the picture cannot be had (another set, a fingerprint)."""

    title: str
    tags: tuple[tuple[str, str], ...]
    sides: tuple[tuple[str, str, str], ...]  # (URI, path, label and split)


def write_audit_report(audit: Audit, dataset: Dataset, folder: Path, *, augment: Augment | None = None) -> Path:
    """Write `index.html` and `audit.json` into the folder; returns the path of the page.

    dataset: the one that was audited; its pictures are read again, a few dozen of them.
    augment: makes from images the (H, W) float32 [0, 1] pixels a network would be shown; draws the second sheet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, object] = {
        "audit": audit,
        "tone": tone(audit),
        "headline": headline(audit),
        "details": details(audit),
        "figures": figures(audit),
        "pairs": [_shown(audit, dataset, pair) for pair in pairs_to_show(audit)],
        "cues": [(CUES[cue], area, area > WARN_ABOVE) for cue, area in audit.shortcuts.items()],
        "strong": strong_cues(audit),
        "warn_above": WARN_ABOVE,
        "classes": audit.statistics.classes if audit.statistics else (),
        "whole": audit.statistics.whole if audit.statistics else None,
        "histograms": _histograms(audit),
        "sheets": _sheets(audit, dataset, augment),
        "augmented": augment is not None,
        "listed": LISTED,
        "many": many,
        "baseline_rows": _baseline_rows(audit),
        "conflict_labels": lambda group: sorted({audit.labels[index] or "" for index in group}),
    }
    drawn = render_page(Path(__file__).parent / "pages", "audit.html", values)
    write_whole(folder / "audit.json", (json.dumps(audit.to_json(), indent=1) + "\n").encode())
    page = folder / "index.html"
    write_whole(page, drawn.encode())
    return page


def pairs_to_show(audit: Audit) -> list[Pair]:
    """The most telling pairs: across splits, then conflicting, then of each kind in turn, one pair a picture."""
    ranked = sorted(
        audit.pairs,
        key=lambda pair: (not pair.across_splits, pair.same_label is not False, pair.similarity, pair.a_path),
    )
    serious = [pair for pair in ranked if pair.across_splits or pair.same_label is False]
    rest = [
        [pair for pair in ranked if pair.kind == kind and pair not in serious[:PAIRS_SHOWN]]
        for kind in ("mirrored", "near", "exact")
    ]
    turns = [kind[place] for place in range(PAIRS_SHOWN) for kind in rest if place < len(kind)]
    shown, seen = [], set()
    for pair in [*serious, *turns]:
        group = int(audit.grouping.copies[pair.a])
        if group not in seen:
            seen.add(group)
            shown.append(pair)
    return shown[:PAIRS_SHOWN]


def _shown(audit: Audit, dataset: Dataset, pair: Pair) -> ShownPair:
    tags: list[tuple[str, str]] = [(pair.kind, "")]
    if pair.across_splits:
        tags.append(("across splits" if pair.b is not None else "in the other set", "bad"))
    if pair.same_label is False:
        tags.append(("labels differ", "bad"))
    sides = [_side(audit, dataset, pair.a)]
    sides.append(_side(audit, dataset, pair.b) if pair.b is not None else ("", pair.b_path, "in the other set"))
    return ShownPair(f"likeness {pair.similarity:.3f}", tuple(tags), tuple(sides))


def _side(audit: Audit, dataset: Dataset, index: int) -> tuple[str, str, str]:
    words = [word for word in (audit.labels[index], audit.splits[index]) if word]
    return _picture(dataset, index), audit.paths[index], ", ".join(words)


def _picture(dataset: Dataset, index: int, side: int = 176) -> str:
    pixels = _image(dataset, index)
    return picture_uri(pixels.pixels, side) if pixels is not None else ""


def _image(dataset: Dataset, index: int) -> Image | None:
    """The measured frame of a case; None where the file went away or broke since the audit."""
    try:
        return middle(dataset.images(dataset.cases[index]))
    except InputError:
        return None


def _baseline_rows(audit: Audit) -> list[dict[str, object]]:
    pairs = (("with the copies", audit.baseline.with_copies), ("without the copies", audit.baseline.without_copies))
    return [
        {"name": name, "share": share, "text": f"{share:.1%}", "tone": ""} for name, share in pairs if share is not None
    ]


def _histograms(audit: Audit) -> list[dict[str, object]]:
    """Curves for the chart, on one scale: the highest bin but the first (background) reaches the top."""
    classes = audit.statistics.classes[:6] if audit.statistics else ()
    top = max((max(each.histogram[1:]) for each in classes), default=0.0) or 1.0
    return [
        {
            "name": each.name,
            "points": [
                ((place + 0.5) / len(each.histogram), min(share / top, 1.0))
                for place, share in enumerate(each.histogram)
            ],
        }
        for each in classes
    ]


def _sheets(audit: Audit, dataset: Dataset, augment: Augment | None) -> list[dict[str, object]]:
    """Of each class the sample whose content hashes lowest: the same pictures in every report of the same data."""
    sheets: list[dict[str, object]] = []
    for name in audit.counts:
        mine = [
            i
            for i, (label, digest) in enumerate(zip(audit.labels, audit.digests, strict=True))
            if label == name and digest is not None
        ]
        chosen = [mine[i] for i in sample([audit.digests[i] or "" for i in mine], SAMPLES_SHOWN)]
        images = [(i, image) for i in chosen if (image := _image(dataset, i)) is not None]
        made = augment([image for _, image in images]) if augment and images else []
        sheets.append(
            {
                "name": name,
                "raw": [(picture_uri(image.pixels, 120), audit.paths[i]) for i, image in images],
                "augmented": [picture_uri(pixels, 120) for pixels in made],
            }
        )
    return sheets
