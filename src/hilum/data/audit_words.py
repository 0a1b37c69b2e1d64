"""An audit -> what it means in plain sentences and big figures; draws no page."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.data.findings import Audit
from hilum.data.shortcuts import WARN_ABOVE

CUES = {
    "file_size": "size of the file",
    "format": "file format",
    "mode": "colour mode of the file",
    "dimensions": "width and height",
    "aspect": "shape of the frame",
    "brightness": "mean brightness",
    "contrast": "contrast",
    "border_brightness": "brightness of the border",
    "border_variation": "variation along the border",
    "border_pixels": "pixels of the border (linear probe)",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One big figure: what it counts, its value, a line below it, and "", "warn" or "bad"."""

    label: str
    value: str
    note: str = ""
    tone: str = ""


def tone(audit: Audit) -> str:
    """One of "bad" where the command ends with 1, "warn" where something asks for care, else "good"."""
    if audit.bad:
        return "bad"
    return "warn" if audit.pairs or audit.unreadable or strong_cues(audit) else "good"


def strong_cues(audit: Audit) -> dict[str, float]:
    """Cues that alone predict the class with an AUROC above 0.8, worst first."""
    return {cue: area for cue, area in audit.shortcuts.items() if area > WARN_ABOVE}


def headline(audit: Audit) -> str:
    """One sentence: may figures measured on this data be believed?"""
    if audit.against is not None and any(pair.b is None for pair in audit.pairs):
        return f"This data set shares pictures with {audit.against}: it is no independent test of it."
    if audit.leaks and audit.conflicts:
        return "The supplied split leaks and copies bear different labels: figures measured on it cannot be believed."
    if audit.leaks:
        return "The supplied split leaks: figures measured on it would reward memory."
    if audit.conflicts:
        return "Copies of one picture bear different labels: somebody has to decide which is right."
    if audit.pairs:
        return "There are copies. A split by image would leak; Hilum's own split keeps them together."
    return "No copies, no leaks and no conflicting labels were found."


def details(audit: Audit) -> tuple[str, ...]:
    """What stands behind the headline, one sentence each, most serious first."""
    said = [_leaks(audit), _patients(audit), _foreign(audit), _conflicts(audit), _copies(audit), _cues(audit)]
    if audit.unreadable:
        said.append(f"{many(len(audit.unreadable), 'file')} could not be read and would be left out.")
    if audit.stray:
        said.append(f"Beside the images lie {many(len(audit.stray), 'stray file')}.")
    return tuple(sentence for sentence in said if sentence)


def figures(audit: Audit) -> tuple[Figure, ...]:
    """The first page's numbers."""
    found = [Figure("Images", f"{len(audit.paths):,}", f"in {many(len(audit.counts), 'class', 'classes')}")]
    found += _copy_figures(audit)
    conflicts = len(audit.conflicts)
    found.append(
        Figure("Conflicting labels", f"{conflicts:,}", "pictures under several labels", "bad" if conflicts else "")
    )
    base = audit.baseline
    if base.with_copies is not None:
        rest = "not measurable" if base.without_copies is None else f"{base.without_copies:.1%}"
        found.append(Figure("Nearest neighbour", f"{base.with_copies:.1%}", f"without the copies {rest}"))
    for cue, area in [*audit.shortcuts.items()][:1]:
        warn = "warn" if area > WARN_ABOVE else ""
        found.append(Figure("Strongest shortcut", f"{area:.2f}", f"AUROC of the {CUES[cue]} alone", warn))
    return tuple(found)


def _copy_figures(audit: Audit) -> list[Figure]:
    images, groups = len(audit.paths), audit.copy_groups
    copied, kept = sum(map(len, groups)), int(audit.groups.max(initial=-1)) + 1
    beside = f"{copied:,} in {many(len(groups), 'group')}"
    distinct = len(set(audit.grouping.copies.tolist()))
    found = [
        Figure("Images that have a copy", _share(copied, images), beside, "warn" if copied else ""),
        Figure("Distinct pictures", f"{distinct:,}", f"{many(kept, 'group')} to keep together"),
    ]
    held = sum(split in ("test", "val") for split in audit.splits)
    if held:
        leaked = int(audit.leaked.sum())
        of = f"{leaked:,} of {held:,}"
        found.append(Figure("Held-out images that leak", _share(leaked, held), of, "bad" if leaked else ""))
    return found


def _leaks(audit: Audit) -> str:
    parts = []
    for name in ("test", "val"):
        mine = [leaks for leaks, split in zip(audit.leaked.tolist(), audit.splits, strict=True) if split == name]
        if any(mine):
            parts.append(f"{sum(mine):,} of {len(mine):,} {name} images ({sum(mine) / len(mine):.0%})")
    return f"Of {' and '.join(parts)} a copy or the patient is in an earlier part of the split." if parts else ""


def _patients(audit: Audit) -> str:
    found = len(audit.patients_across_splits)
    return f"In more than one part of the split: {many(found, 'patient')}." if found else ""


def _foreign(audit: Audit) -> str:
    shared = {pair.a for pair in audit.pairs if pair.b is None}
    if audit.against is None:
        return ""
    return f"{len(shared):,} of {len(audit.paths):,} images have a copy in {audit.against}."


def _conflicts(audit: Audit) -> str:
    images = sum(len(group) for group in audit.conflicts)
    return f"{many(images, 'image')} are copies of one another under different labels." if images else ""


def _copies(audit: Audit) -> str:
    groups = audit.copy_groups
    if not groups:
        return ""
    kinds = {kind: sum(pair.kind == kind for pair in audit.inner) for kind in ("exact", "near", "mirrored")}
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    several = "pair" if len(audit.inner) == 1 else "pairs"
    return (
        f"{sum(map(len, groups)):,} images show a picture that occurs more than once ({counted} {several}); "
        f"the commonest occurs {len(groups[0])} times."
    )


def _cues(audit: Audit) -> str:
    strong = [f"{CUES[cue]} ({area:.2f})" for cue, area in strong_cues(audit).items()]
    return f"The class can be guessed without looking at the anatomy, from: {', '.join(strong)}." if strong else ""


def many(count: int, one: str, several: str = "") -> str:
    """A number with its word, as 1 picture or 2,000 pictures; `several`: where it is no mere s."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
