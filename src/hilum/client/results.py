"""The JSON objects of the server -> typed, frozen values that show themselves in a notebook and become a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from hilum.client.show import card, table
from hilum.errors import InputError, MissingExtra, UsageError, error_of

Picture = bytes | Path | None


@dataclass(frozen=True, slots=True)
class Model:
    """Which package; metrics: its headline figures with intervals, where the server told them."""

    name: str
    version: str
    digest: str
    task: str = ""
    origin: str = ""
    champion: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Task:
    """A clinical question; model: name@version of who answers it, None where nobody does."""

    name: str
    title: str
    classes: tuple[str, ...]
    operating_points: tuple[str, ...]
    intended_use: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was said to an answer; agrees: whether `label` is the class that was answered. Both None: taken back."""

    id: str
    prediction: str
    label: str | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Job:
    """A batch on the server: `done` of `files` were looked at. state: queued, running, done, failed or cancelled."""

    id: str
    state: str
    files: int
    done: int
    unreadable: int
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image answered or refused.

    label, probability: None when the gate refused; then `reasons` and `messages` say why. probabilities: calibrated,
    by class; they sum to 1. conformal_set: the classes that 95% coverage asks for. novelty: in [0, 1].
    """

    id: str
    file: str | None
    frame: int | None
    task: str | None
    model: Model | None
    label: str | None
    probability: float | None
    probabilities: Mapping[str, float]
    operating_point: str
    conformal_set: tuple[str, ...]
    reasons: tuple[str, ...]
    messages: tuple[str, ...]
    novelty: float | None
    at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    picture: Picture = field(default=None, repr=False, compare=False)

    @property
    def admitted(self) -> bool:
        """Whether it was answered."""
        return self.label is not None

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        return {
            "file": self.file,
            "frame": self.frame,
            "task": self.task,
            "class": self.label,
            "probability": self.probability,
            **{f"p({name})": p for name, p in self.probabilities.items()},
            "admitted": self.admitted,
            "reasons": ", ".join(self.reasons),
            "operating_point": self.operating_point,
            "model": None if self.model is None else f"{self.model.name}@{self.model.version}",
            "id": self.id,
            "error": None,
        }

    def to_frame(self) -> Any:
        """A pandas table of one row."""
        return Predictions((self,)).to_frame()

    def __str__(self) -> str:
        """One line for people: the file, the class and how sure, or why it was refused."""
        name = (self.file or "image") + ("" if self.frame is None else f" [{self.frame}]")
        if self.label is None or self.probability is None:
            return f"{name}: refused. {' '.join(self.messages)}"
        others = [label for label in self.conformal_set if label != self.label]
        also = f", also possible: {', '.join(others)}" if others else ""
        by = "" if self.model is None else f" ({self.model.name}@{self.model.version})"
        return f"{name}: {self.label}, {self.probability:.1%}{also}{by}"

    def _repr_html_(self) -> str:
        return card(self, self.picture)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file among others that could not be read; `reason()` is the error that a single file would have raised."""

    file: str
    code: str
    error: str
    picture: Picture = field(default=None, repr=False, compare=False)

    def reason(self) -> InputError:
        """The error to raise."""
        found = error_of(self.code, self.error, self.file)
        return found if isinstance(found, InputError) else InputError(self.file, self.error)

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        return {"file": self.file, "error": self.error}

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.file}: unreadable. {self.error}"


@dataclass(frozen=True, slots=True)
class Predictions(Sequence["Prediction | Unread"]):
    """Answers in the order of what was asked; a file of several frames has one each."""

    found: tuple[Prediction | Unread, ...]

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, index: int) -> Prediction | Unread: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Unread | Predictions:
        """One, or some of them."""
        return Predictions(self.found[index]) if isinstance(index, slice) else self.found[index]

    def __iter__(self) -> Iterator[Prediction | Unread]:
        return iter(self.found)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """The files that could not be read."""
        return tuple(one for one in self.found if isinstance(one, Unread))

    @property
    def refused(self) -> tuple[Prediction, ...]:
        """What the gate did not let through."""
        return tuple(one for one in self.found if isinstance(one, Prediction) and not one.admitted)

    def one(self) -> Prediction:
        """The only answer.

        Raises:
            UsageError: there are none, or several. InputError: the file could not be read.
        """
        if len(self.found) != 1:
            raise UsageError(f"{len(self.found)} answers, where one was asked for: use predict_many")
        (only,) = self.found
        if isinstance(only, Unread):
            raise only.reason()
        return only

    def to_frame(self) -> Any:
        """A pandas table, one row an answer.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            raise MissingExtra("a table of answers", "data") from error
        return pandas.DataFrame([one.row() for one in self.found])

    def __str__(self) -> str:
        """A line each."""
        return "\n".join(map(str, self.found))

    def _repr_html_(self) -> str:
        return table(self.found)


def prediction_of(said: Mapping[str, Any], picture: Picture = None) -> Prediction | Unread:
    """One object of an answer."""
    if "error" in said:
        return Unread(str(said.get("file", "")), str(said.get("code", "unreadable")), str(said["error"]), picture)
    answered, gate, at = said.get("prediction") or {}, said.get("gate") or {}, said.get("at")
    return Prediction(
        id=said["id"],
        file=said.get("file"),
        frame=said.get("frame"),
        task=said.get("task"),
        model=None if said.get("model") is None else model_of({**said["model"], "task": said.get("task")}),
        label=answered.get("class"),
        probability=answered.get("probability"),
        probabilities=said.get("probabilities") or {},
        operating_point=said.get("operating_point", ""),
        conformal_set=tuple(said.get("conformal_set") or ()),
        reasons=tuple(gate.get("reasons") or ()),
        messages=tuple(gate.get("messages") or ()),
        novelty=gate.get("novelty"),
        at=datetime.fromisoformat(at) if at else None,
        raw=said,
        picture=picture,
    )


def model_of(said: Mapping[str, Any]) -> Model:
    """One line of GET /models, or the whole of one model."""
    task, metrics = said.get("task"), said.get("metrics") or {}
    named = str(task["name"]) if isinstance(task, Mapping) else str(task or "")
    origin, champion = str(said.get("origin", "")), bool(said.get("champion", False))
    return Model(said["name"], said["version"], said["digest"], named, origin, champion, metrics)


def task_of(said: Mapping[str, Any]) -> Task:
    """One line of GET /tasks."""
    points = tuple(said["operating_points"])
    return Task(
        said["name"], said["title"], tuple(said["classes"]), points, said.get("intended_use", ""), said.get("model")
    )


def job_of(said: Mapping[str, Any]) -> Job:
    """The object of a batch."""
    return Job(
        said["id"], said["state"], said["files"], said.get("done", 0), said.get("unreadable", 0), said.get("error", "")
    )


def feedback_of(said: Mapping[str, Any]) -> Feedback:
    """The answer of POST /feedback."""
    return Feedback(said["id"], said["prediction"], said["class"], said["agrees"])
