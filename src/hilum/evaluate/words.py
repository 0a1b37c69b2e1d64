"""The name of a figure -> its title, its meaning in plain words, its source, and how its value is written.

The one table behind the hover texts and definitions of the report, the card and docs/reference/metrics.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hilum.metrics.intervals import Interval

DASH = "–"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a figure says."""

    title: str
    says: str
    source: str
    share: bool = True  # written as a percentage; else as a number with three decimals
    unsaid: str = DASH  # what stands where it has no value


MEANINGS = {
    "accuracy": Meaning("Accuracy", "Of all images, the share answered right.", "a refused image is a wrong answer"),
    "balanced_accuracy": Meaning(
        "Balanced accuracy",
        "The share answered right in each class, averaged over the classes: a large class cannot hide a small one.",
        "Brodersen 2010",
    ),
    "sensitivity": Meaning(
        "Sensitivity",
        "Of the images with disease, the share that was answered as disease (of whatever kind).",
        "also called recall or true positive rate; without a class that means no disease: the mean over the classes",
    ),
    "specificity": Meaning(
        "Specificity",
        "Of the images without disease, the share that was answered as such.",
        "true negative rate; without a class that means no disease: the mean over the classes, each against the rest",
    ),
    "precision": Meaning(
        "Precision",
        "Of the answers that name a class, the share that is right. For two classes that of disease, else the mean.",
        "0 where a class was never answered; depends on how frequent the classes are in this very set",
    ),
    "recall": Meaning(
        "Recall",
        "Of the images of a class, the share found. For two classes that of disease, else the mean over the classes.",
        "the same as sensitivity for two classes, and as balanced accuracy for more",
    ),
    "f0.5": Meaning(
        "F0.5", "Precision and recall in one number, precision weighing more.", "van Rijsbergen 1979", share=False
    ),
    "f1": Meaning("F1", "Precision and recall in one number, alike.", "van Rijsbergen 1979", share=False),
    "f2": Meaning(
        "F2", "Precision and recall in one number, recall weighing more.", "van Rijsbergen 1979", share=False
    ),
    "auroc": Meaning(
        "AUROC",
        "The chance that an image with the disease scores higher than one without; 0.5 is a coin, 1 is perfect.",
        "Hanley & McNeil 1982; more than two classes: each against the rest, averaged; refused images have no score",
        share=False,
    ),
    "auprc": Meaning(
        "AUPRC",
        "Precision averaged over the recalls. A coin scores the share of images with disease.",
        "average precision, by steps, no interpolation; more than two classes: each against the rest, averaged",
        share=False,
    ),
    "detection_auroc": Meaning(
        "AUROC of any disease",
        "The chance that an image with any of the diseases scores higher than one without, whichever disease is named.",
        "score: the summed probability of all classes but the negative one",
        share=False,
    ),
    "auroc_refused_worst": Meaning(
        "AUROC, refused at worst",
        "The same chance when every refused image is given the worst score there is.",
        "score: the summed probability of all classes but the negative one; a lower bound",
        share=False,
    ),
    "ece": Meaning(
        "Calibration error (ECE)",
        "How far the stated probability is from the share that is right, on average. 0.02 means two points off.",
        "15 bins of equal numbers of images, top class: Naeini 2015, Guo 2017, Nguyen & O'Connor 2015; not "
        "said below 100 images; its interval is centred on the figure, because resampling itself "
        "adds calibration error",
        share=False,
        unsaid="too few",
    ),
    "ece_if_calibrated": Meaning(
        "ECE by chance alone",
        "What the calibration error would read on as many such images if every stated probability were exactly right. "
        "An error within this range is no sign of bad calibration.",
        "truth drawn 500 times from the stated probabilities, image by image, 95% of the draws: Bröcker & Smith 2007",
        share=False,
        unsaid="too few",
    ),
    "brier": Meaning(
        "Brier score",
        "The mean squared distance between the probabilities and the truth; 0 is perfect.",
        "Brier 1950; two classes: of the one, in 0 to 1; more: summed over the classes, in 0 to 2",
        share=False,
    ),
}

_READINGS = {
    "sensitivity_at_specificity_": (
        "Sensitivity at {} specificity",
        "The share of disease found if the threshold were moved, on these very images, to reach {} specificity.",
    ),
    "specificity_at_sensitivity_": (
        "Specificity at {} sensitivity",
        "The share of images without disease answered so if the threshold were moved, on these, to find {} of it.",
    ),
    "ppv_at_prevalence_": (
        "PPV where {} have it",
        "If {} of the images show disease, how often an answer of disease is right.",
    ),
    "npv_at_prevalence_": (
        "NPV where {} have it",
        "If {} of the images show disease, how often an answer of no disease is right.",
    ),
}


def meaning(name: str) -> Meaning:
    """What the figure of that name says.

    Raises:
        KeyError: no such figure; a test proves that every figure there is has its words.
    """
    if name in MEANINGS:
        return MEANINGS[name]
    for start, (title, says) in _READINGS.items():
        if name.startswith(start):
            level = percent(float(name.removeprefix(start)), 0)
            source = "Bayes' rule on sensitivity and specificity" if "prevalence" in name else "read off the ROC curve"
            return Meaning(title.format(level), says.format(level), source)
    raise KeyError(name)


def percent(share: float, decimals: int = 1) -> str:
    """0.954 -> "95.4%"; more decimals where rounding would say 100 or 0 and it is not."""
    if not math.isfinite(share):
        return DASH
    written = f"{100 * share:.{decimals}f}"
    if share not in (0.0, 1.0) and float(written) in (0.0, 100.0):
        least = 10.0 ** -(decimals + 2)
        written = f"{min(max(100 * share, least), 100 - least):.{decimals + 2}f}"
    return written + "%"


def value(name: str, number: float) -> str:
    """A figure as a reader meets it."""
    known = meaning(name)
    if not math.isfinite(number):
        return known.unsaid
    return percent(number) if known.share else f"{number:.3f}"


def interval(name: str, found: Interval) -> str:
    """Its two ends: "90.1 to 94.2"; a dash where there is none."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return DASH
    if meaning(name).share:
        return f"{percent(found.low)[:-1]} to {percent(found.high)}"
    return f"{found.low:.3f} to {found.high:.3f}"


def with_interval(name: str, found: Interval) -> str:
    """Both: "92.3% (90.1 to 94.2%)"."""
    ends = interval(name, found)
    return value(name, found.value) + ("" if ends == DASH else f" ({ends})")


def chance(p: float) -> str:
    """A p-value: "p = 0.03", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
