"""A finding about one image -> a code and a sentence in the task's own words; knows no pixel."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.task import Task

CODES = (
    "wrong_modality",
    "wrong_body_part",
    "not_this_kind_of_image",
    "blank",
    "too_small",
    "clipped",
    "inverted",
    "rotated",
    "low_quality",
    "out_of_distribution",
    "no_task",
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason not to answer: a code of CODES and a sentence for the person who sent the image."""

    code: str
    text: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no gate code; there are: {', '.join(CODES)}")


Reasons = tuple[Reason, ...]


def unlike(task: Task, because: str) -> Reason:
    """The image is of another kind than the task's: "This is not a brain MRI slice: ..."."""
    return Reason("not_this_kind_of_image", f"This does not look like {task.image_words}: {because}.")


def inverted(task: Task) -> Reason:
    """Black and white are exchanged."""
    text = f"The grey values look inverted for {task.image_words}: send it with black and white exchanged."
    return Reason("inverted", text)


def no_task(titles: tuple[str, ...]) -> Reason:
    """No task admits the image; titles: what was asked of it."""
    asked = "; ".join(titles) if titles else "none is installed"
    return Reason("no_task", f"No task can answer about this image. Tasks asked: {asked}.")
