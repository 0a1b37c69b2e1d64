"""Numbers, times and names of figures -> the words on a page. Knows no request."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from hilum.evaluate import words as figures

DASH = "–"
REASONS = {  # of the gate, by their codes
    "wrong_modality": "Wrong kind of examination",
    "wrong_body_part": "Wrong part of the body",
    "not_this_kind_of_image": "Not this kind of image",
    "blank": "Blank",
    "too_small": "Too small",
    "clipped": "Brightness cut off",
    "inverted": "Inverted",
    "rotated": "Rotated",
    "low_quality": "Poor quality",
    "out_of_distribution": "Unlike the training images",
    "no_task": "No question fits",
}


def percent(share: float | None, decimals: int = 1) -> str:
    """0.954 -> "95.4%"; a dash for nothing."""
    return DASH if share is None or not math.isfinite(share) else figures.percent(share, decimals)


def when(micros: int) -> str:
    """Microseconds since 1970 -> "21 Nov 2026, 05:10 UTC"."""
    return f"{datetime.fromtimestamp(micros / 1e6, UTC):%-d %b %Y, %H:%M} UTC"


def day(micros: int) -> str:
    """Microseconds since 1970 -> "21 Nov 2026 05:10"."""
    return f"{datetime.fromtimestamp(micros / 1e6, UTC):%-d %b %Y %H:%M}"


def size(count: float) -> str:
    """Bytes -> "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return DASH


def within(title: str) -> str:
    """A title as it stands within a sentence: "No Tumour" -> "no tumour"; HCC, COVID-19, X-ray and pT2 as they are."""
    return " ".join(word.lower() if word[1:2].isalpha() and word[1:].islower() else word for word in title.split(" "))


def figure(name: str, found: dict[str, float | None]) -> str:
    """A figure of a package with its interval: "95.2% (92.0 to 98.0%)"."""
    low, high, value = found.get("low"), found.get("high"), found.get("value")
    if value is None:
        return figures.meaning(name).unsaid
    share = figures.meaning(name).share
    middle = percent(value) if share else f"{value:.3f}"
    if low is None or high is None:
        return middle
    ends = f"{percent(low)[:-1]} to {percent(high)}" if share else f"{low:.3f} to {high:.3f}"
    return f"{middle} ({ends})"


def meaning(name: str) -> figures.Meaning:
    """Title and plain words of a figure."""
    return figures.meaning(name)


def why(code: str) -> str:
    """Why the gate refused, in a few words; a code of another version stands for itself."""
    return REASONS.get(code, code.replace("_", " "))
