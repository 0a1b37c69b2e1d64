"""What the file says about itself, against the task -> reasons for refusal; looks at no pixel.

A picture without tags cannot be asked, so it is not; neither is a DICOM file that says "other" (a wrapped picture).
"""

from __future__ import annotations

import re

from hilum.gate.reason import Reason, Reasons
from hilum.image.image import Metadata
from hilum.task import Task

UNSAID = frozenset({"", "OT", "SC", "UNKNOWN"})  # DICOM PS3.3 C.7.3.1.1.1: OT = other; SC is no modality but is written


def check_metadata(metadata: Metadata, task: Task) -> Reasons:
    """Reasons from DICOM modality (0008,0060) and body part (0018,0015); () where they agree or are silent."""
    return (*_modality(metadata, task), *_body_part(metadata, task))


def _modality(metadata: Metadata, task: Task) -> Reasons:
    said = (metadata.modality or "").strip().upper()
    if said in UNSAID or not task.modalities or said in {name.upper() for name in task.modalities}:
        return ()
    wanted = " or ".join(task.modalities)
    text = f"The file says its modality is {said}; this task needs {task.image_words} (modality {wanted})."
    return (Reason("wrong_modality", text),)


def _body_part(metadata: Metadata, task: Task) -> Reasons:
    if not metadata.body_part:  # as in every picture without tags
        return ()
    said = _letters(metadata.body_part)
    allowed = tuple(_letters(part) for part in task.body_parts)
    if not said or said in UNSAID or not allowed or any(part in said for part in allowed):
        return ()
    text = f"The file says it shows {metadata.body_part}; this task needs {task.image_words}."
    return (Reason("wrong_body_part", text),)


def _letters(words: str) -> str:
    return re.sub(r"[^A-Z]+", "", words.upper())
