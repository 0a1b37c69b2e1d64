"""What a reader says to a recorded answer -> on record beside it, never in its place; knows no door."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from hilum.errors import ErasedAlready, NotFound, NothingSaid, UsageError
from hilum.records.entry import Columns, Entry, Record
from hilum.records.store import Records
from hilum.registry.questions import task_answered
from hilum.settings import Settings

KIND = "feedback"
NOTE = 2000  # letters


@dataclass(frozen=True, slots=True)
class Said:
    """One of label (the right class), agree (the answer is right) and withdraw (what was said before counts no more).

    note: for people; kept apart and erasable.
    """

    label: str | None = None
    agree: bool | None = None
    withdraw: bool = False
    note: str = ""


def give_feedback(identity: str, said: Said, caller: str, records: Records, settings: Settings) -> dict[str, Any]:
    """Put it on record; the public object of what now stands there.

    Raises:
        NotFound: no such prediction. ErasedAlready: a note on an answer that was erased.
        NothingSaid: there is nothing to take back. UnknownTask: nothing knows the classes of the answer any more.
        UsageError: not one of label, agree and withdraw, or no class of the task.
    """
    record = records.get(identity)
    if record is None or record.entry.kind != "prediction":
        raise NotFound(f"no prediction {identity[:64]!r}")
    if said.note and record.erased:
        raise ErasedAlready("this answer was erased: what is said to it can hold no note any more")
    label = _label(record, said, settings)
    if label is None and not _stands(records, record.id, caller):
        raise NothingSaid("nothing that you said to this answer stands: there is nothing to take back")
    at, name = record.entry.columns, str(uuid.uuid4())
    body = {"id": name, "prediction": record.id, "class": label, "agrees": None if label is None else label == at.label}
    columns = Columns(task=at.task, model=at.model, digest=at.digest, label=label)
    raw, personal = json.dumps(body, separators=(",", ":")).encode(), {"note": said.note} if said.note else {}
    records.append([Entry(KIND, raw, caller, record.id, columns, personal, name)]).result()
    return body


def _label(record: Record, said: Said, settings: Settings) -> str | None:
    """The class that a reader named; None where what was said before is taken back."""
    if [said.label is not None, said.agree is not None, said.withdraw].count(True) != 1:
        raise UsageError("say either 'label' (the right class), 'agree' (true) or 'withdraw' (true)")
    if said.withdraw:
        return None
    at = record.entry.columns
    if at.task is None:
        raise UsageError("no task took this image, so there is no class to name")
    if said.label is None:
        if not said.agree or at.label is None:
            raise UsageError("say which class is right: 'label'")
        return at.label
    task = task_answered(at.task, at.digest, settings)
    label = task.label_for(said.label)
    if label is None:
        raise UsageError(f"{said.label!r} is no class of {task.name}; there are: {', '.join(task.classes)}")
    return label


def _stands(records: Records, name: str, caller: str) -> bool:
    """Whether the last that a caller said to an answer was no taking back."""
    said = [one.entry.columns.label for one in records.about(name, KIND) if one.entry.caller == caller]
    return bool(said) and said[-1] is not None
