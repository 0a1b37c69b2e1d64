"""What each JSON answer looks like -> its schema in /openapi.json; the answers are made elsewhere and not read again.

Routes name these as `response_model` and answer with a finished Response, which FastAPI sends as it is. A test holds
real answers of every route to them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Object = dict[str, Any]  # told as it lies in a package, a report or a plan


class Shape(BaseModel):
    """Built when the document is asked for, not when the server starts."""

    model_config = ConfigDict(defer_build=True)


class ModelName(Shape):
    """Which package spoke."""

    name: str
    version: str
    digest: str


class Answered(Shape):
    """The class at the operating point."""

    class_: str = Field(alias="class")
    probability: float = Field(ge=0, le=1, description="calibrated")


class Gate(Shape):
    """Whether the image may be answered, and why not."""

    admitted: bool
    reasons: list[str] = Field(description="codes")
    messages: list[str] = Field(description="the same in words")
    novelty: float | None = Field(description="share of calibration images that are less novel")


class Prediction(Shape):
    """One image answered or refused; a refusal has `prediction` null."""

    id: str
    file: str | None = None
    frame: int | None = None
    task: str | None
    model: ModelName | None
    prediction: Answered | None
    probabilities: dict[str, float]
    operating_point: str
    conformal_set: list[str] = Field(description="the classes that 95% coverage asks for")
    gate: Gate
    explanation: Object
    timings: dict[str, float] = Field(description="milliseconds a stage")


class Unread(Shape):
    """A file that cannot be read."""

    file: str | None
    error: str
    code: str


class Predictions(Shape):
    """Several files or frames, in their order."""

    predictions: list[Prediction | Unread]


class Recorded(Prediction):
    """An answer on record."""

    at: str = Field(description="ISO 8601")
    caller: str
    image: bool = Field(description="whether the image is kept")


class Said(Shape):
    """What somebody said to an answer; class and agrees are null where they took back what they had said."""

    id: str
    prediction: str = Field(description="id of the answer")
    class_: str | None = Field(alias="class")
    agrees: bool | None


class SaidBefore(Said):
    """The same on record."""

    caller: str
    note: str
    at: int = Field(description="microseconds since 1970")


class RecordedOne(Recorded):
    """An answer on record and what was said to it, oldest first."""

    feedback: list[SaidBefore]


class RecordPage(Shape):
    """A page of the record; `next` is the cursor of the next one."""

    predictions: list[Recorded]
    next: str | None
    total: int


class Welcome(Shape):
    """What there is, and where."""

    name: str
    version: str
    notice: str
    models: list[str]
    links: dict[str, str]


class Task(Shape):
    """A clinical question."""

    name: str
    title: str
    classes: list[str]
    operating_points: list[str]
    intended_use: str
    auto_priority: int


class SpokenTask(Task):
    """A clinical question and who answers it."""

    model: str | None = Field(description="name@version")


class Tasks(Shape):
    """All of them."""

    tasks: list[SpokenTask]


class Headline(Shape):
    """The figures of a package, in short; nothing where it has none."""

    n: int | None = None
    metrics: Object = {}
    baseline: Object = {}


class Installed(ModelName):
    """A package that is installed."""

    task: str
    origin: str
    champion: bool = Field(description="whether it is the one that answers")
    metrics: Headline


class Models(Shape):
    """All of them."""

    models: list[Installed]


class Package(ModelName):
    """A package as it was sealed."""

    task: Task
    calibration: Object
    plan: Object
    metrics: Object


class Sample(Shape):
    """A synthetic image."""

    name: str
    url: str


class Samples(Shape):
    """All of them."""

    samples: list[Sample]


class Event(Shape):
    """A change of who speaks, from one digest to another (null: the shipped one; of a task of one's own, nobody)."""

    id: str
    task: str
    digest: str | None
    reference: str
    before: str | None
    why: str
    caller: str
    at: int = Field(description="microseconds since 1970")
    act: Literal["promote", "rollback"]


class History(Shape):
    """Newest first."""

    history: list[Event]


class JobOutline(Shape):
    """A batch that was taken on."""

    id: str
    kind: Literal["predict"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    files: int
    task: str
    model: str | None
    operating_point: str
    caller: str
    at: str = Field(description="ISO 8601")
    results: str = Field(description="where what came out is")
    error: str | None = None


class Job(JobOutline):
    """A batch and how far it is."""

    done: int = Field(description="files that were looked at")
    unreadable: int


class Jobs(Shape):
    """Newest first."""

    jobs: list[JobOutline]


class RecordedOfBatch(Recorded):
    """An answer of a batch."""

    index: int = Field(description="of its file")


class UnreadOfBatch(Unread):
    """A file of a batch that cannot be read."""

    index: int


class Results(Shape):
    """What came out of a batch, in the order of its files."""

    predictions: list[RecordedOfBatch | UnreadOfBatch]


State = Literal["waiting", "running", "done", "failed", "stopped"]


class WorkTaken(Shape):
    """A work in the line."""

    id: str
    state: State
    kind: Literal["audit", "train"]


class WorkStep(Shape):
    """How far a work is: `done` of `total` of a stage."""

    at: float = Field(description="seconds since 1970")
    stage: str
    done: int
    total: int | None
    note: str


class Work(Shape):
    """An audit, a training or an evaluation."""

    id: str
    kind: Literal["audit", "train", "evaluate"]
    title: str
    caller: str
    at: float = Field(description="seconds since 1970")
    state: State
    ended: float | None
    code: int | None = Field(description="exit code, once over")
    progress: WorkStep | None


class Epoch(Shape):
    """A point of a training's curve."""

    epoch: int
    epochs: int
    loss: float
    score: float | None


class WorkOne(Work):
    """A work and what came of it."""

    curve: list[Epoch]
    result: Any = Field(description="what the command prints with --json, once there is something")
    log: str


class Works(Shape):
    """Newest first."""

    works: list[Work]


class Progress(Shape):
    """How far an evaluation is."""

    stage: str
    done: int
    total: int | None


class Evaluation(Shape):
    """An evaluation: how far it is, what came out, and where its page is."""

    id: str
    state: State
    title: str
    progress: Progress | None = None
    evaluation: Object | None = Field(description="the evaluation object, as `hilum evaluate --json` prints it")
    report: str | None
    error: str | None = None


class Problem(Shape):
    """An error (RFC 9457); `error` repeats the detail, because the Open Inference Protocol asks for it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
