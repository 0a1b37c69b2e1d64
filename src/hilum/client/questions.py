"""Every question a client can ask: the call that is sent, and how its answer is read; shared by both clients."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from rich.console import Console
from rich.progress import Progress

from hilum.client import calls
from hilum.client.calls import Call
from hilum.client.results import (
    Feedback,
    Job,
    Model,
    Prediction,
    Predictions,
    Task,
    Unread,
    feedback_of,
    job_of,
    model_of,
    prediction_of,
    task_of,
)
from hilum.client.sources import Source, whole
from hilum.errors import DataError, InputError, NotFound, TooLarge, UsageError

T = TypeVar("T")
CONCURRENT = 4  # requests under way at once
CHUNK, CHUNK_BYTES = 8, 16 * 1024**2  # of one request
MANY = 32  # files from which on a bar is shown to a person
_ID = re.compile(r"[0-9A-Za-z-]+")
PARAMETERS = ("task", "model", "operating_point", "prevalence", "keep")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A call, and what becomes of the JSON of its answer."""

    call: Call
    read: Callable[[Any], T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What of the record is wanted; None: not asked for. order: newest, uncertain or priority."""

    task: str | None = None
    label: str | None = None
    model: str | None = None
    since: datetime | str | None = None
    until: datetime | str | None = None
    refused: bool | None = None
    disagreed: bool | None = None
    caller: str | None = None
    text: str | None = None
    order: str | None = None
    limit: int = 200  # of one page

    def parameters(self) -> dict[str, Any]:
        """As GET /predictions takes them."""
        said = {("class" if name == "label" else name): value for name, value in asdict(self).items()}
        return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in calls.chosen(said).items()}


def headers(key: str | None) -> dict[str, str]:
    """What every request carries."""
    said = {"Accept": "application/json", "User-Agent": "hilum-client"}
    return {**said, "Authorization": f"Bearer {key}"} if key else said


def predict(sources: Sequence[Source], given: Mapping[str, Any]) -> Question[Predictions]:
    """POST /predict.

    Raises:
        UsageError: an unknown parameter. UnreadableImage: a file cannot be opened.
    """
    unknown = sorted(given.keys() - set(PARAMETERS))
    if unknown:
        raise UsageError(f"no parameter {', '.join(unknown)}; there are: {', '.join(PARAMETERS)}")
    files = tuple((source.name, source.read()) for source in sources)

    def read(said: Any) -> Predictions:
        rows, at, found = said.get("predictions", [said]), -1, []
        if len(rows) > 0 and "gate" not in rows[0] and "error" not in rows[0]:
            raise UsageError(f"a zip of many files became the job {said['id']}: use submit() and wait()")
        for row in rows:
            at += row.get("frame") in (None, 0)  # each file's answers begin with its first frame
            if at == len(sources):
                raise UsageError("a zip was sent, and has more than one answer: use submit() and wait()")
            found.append(prediction_of({**row, "file": sources[at].name}, sources[at].content))
        if at + 1 < len(sources):
            raise ValueError(f"answers to {at + 1} of {len(sources)} files")
        return Predictions(tuple(found))

    return Question(calls.asked(files, given), read)


def unread(source: Source, error: InputError | TooLarge) -> Predictions:
    """What stands among the answers for a file that could not be read."""
    why = error.reason if isinstance(error, InputError) else str(error)
    return Predictions((Unread(source.name, error.code, why, source.content),))


def submitted(sources: Sequence[Source], given: Mapping[str, Any]) -> Question[Job]:
    """POST /predict that does not wait: all in a zip, under their own names; where names are alike, a folder each.

    Raises:
        UsageError: an unknown parameter.
    """
    call = predict(sources[:1], given).call
    out, alike = io.BytesIO(), len({source.name for source in sources}) < len(sources)
    with zipfile.ZipFile(out, "w") as archive:
        for i, source in enumerate(sources):
            archive.writestr(f"{i}/{source.name}" if alike else source.name, source.read())
    headers = {**call.headers, "Prefer": "respond-async", "Content-Type": "application/zip"}
    return Question(replace(call, files=(), content=out.getvalue(), headers=headers), job_of)


def job(which: Job | str) -> Question[Job]:
    """GET /jobs/{id}.

    Raises:
        NotFound: no id; so do all below that take one.
    """
    return Question(Call("GET", _place(which)), job_of)


def results(which: Job | str) -> Question[Predictions]:
    """GET /jobs/{id}/results."""
    call = Call("GET", f"{_place(which)}/results")
    return Question(call, lambda said: Predictions(tuple(prediction_of(row) for row in said["predictions"])))


def cancelled(which: Job | str) -> Question[Job]:
    """DELETE /jobs/{id}."""
    return Question(Call("DELETE", _place(which), again=False), job_of)


def measured(what: Any, given: Mapping[str, Any]) -> Question[str]:
    """POST /evaluate with a zip on this machine, or the name of a folder on the server; the answer is where to look."""
    said, once = calls.chosen(given), calls.once()
    path = Path(what)
    if path.is_file():
        call = Call("POST", "/evaluate", said, files=(("file", (whole(path.name), path)),), headers=once)
    else:
        call = Call("POST", "/evaluate", json={**said, "source": str(what)}, headers=once)
    return Question(call, lambda told: str(told["id"]))


def measurement(identity: str) -> Question[dict[str, Any] | None]:
    """GET /evaluations/{id}: the evaluation object, None while it is measured."""

    def read(said: Any) -> dict[str, Any] | None:
        if said["state"] in ("failed", "stopped"):
            raise DataError(said.get("error") or f"the evaluation was {said['state']}")
        found: dict[str, Any] | None = said["evaluation"]
        return found

    return Question(Call("GET", f"/evaluations/{_named(identity, 'evaluation')}"), read)


def measurement_page(identity: str) -> Question[bytes]:
    """GET /evaluations/{id}/report: the page."""
    return Question(Call("GET", f"/evaluations/{_named(identity, 'evaluation')}/report"), bytes)


def page(filters: Filters, cursor: str | None) -> Question[tuple[list[Prediction], str | None]]:
    """One page of GET /predictions, and where the next one begins."""
    said = filters.parameters() | ({"cursor": cursor} if cursor else {})

    def read(told: Any) -> tuple[list[Prediction], str | None]:
        found = [prediction_of(row) for row in told["predictions"]]
        return [one for one in found if isinstance(one, Prediction)], told["next"]

    return Question(Call("GET", "/predictions", said), read)


def recorded(identity: str) -> Question[Prediction]:
    """GET /predictions/{id}."""
    return Question(
        Call("GET", f"/predictions/{_named(identity, 'prediction')}"),
        lambda said: Predictions((prediction_of(said),)).one(),
    )


def feedback(
    prediction: Prediction | str, label: str | None, agree: bool | None, note: str, withdraw: bool
) -> Question[Feedback]:
    """POST /feedback."""
    identity = prediction.id if isinstance(prediction, Prediction) else prediction
    said = {"id": identity, "label": label, "agree": agree, "note": note or None, "withdraw": withdraw or None}
    body = {name: value for name, value in said.items() if value is not None}
    return Question(Call("POST", "/feedback", json=body, again=False), feedback_of)


def models() -> Question[tuple[Model, ...]]:
    """GET /models."""
    return Question(Call("GET", "/models"), lambda said: tuple(model_of(row) for row in said["models"]))


def anything(path: str, params: Mapping[str, Any]) -> Question[Any]:
    """GET of any other path of the server, as it is: JSON read, anything else as bytes.

    Raises:
        UsageError: it names a server, which would be sent the key.
    """
    if path.partition("/")[0].endswith(":"):
        raise UsageError(f"{path!r:.200} names a server: give a path of this one, for example /models")
    return Question(Call("GET", path, params), lambda said: said)


def tasks() -> Question[tuple[Task, ...]]:
    """GET /tasks."""
    return Question(Call("GET", "/tasks"), lambda said: tuple(task_of(row) for row in said["tasks"]))


def chunks(sources: Sequence[Source]) -> list[tuple[Source, ...]]:
    """Files that go together in one request, in their order."""
    found: list[list[Source]] = []
    size = 0
    for source in sources:
        length = len(source.content) if isinstance(source.content, bytes) else _size(source)
        if not found or len(found[-1]) >= CHUNK or size + length > CHUNK_BYTES:
            found.append([])
            size = 0
        found[-1].append(source)
        size += length
    return [tuple(chunk) for chunk in found]


class Bar:
    """A progress bar on stderr; wanted None: where there are many files and a person looks."""

    def __init__(self, total: int, *, wanted: bool | None) -> None:
        self._shown = (total >= MANY and sys.stderr.isatty()) if wanted is None else wanted
        self._progress = Progress(console=Console(stderr=True), transient=True, disable=not self._shown)
        self._task = self._progress.add_task("predict", total=total)

    def __enter__(self) -> Self:
        if self._shown:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._progress.stop()

    def step(self, count: int) -> None:
        """So many more are done."""
        self._progress.advance(self._task, count)


def shown(answers: Iterable[T], asked: Sequence[Sequence[Any]], *, wanted: bool | None) -> Iterator[T]:
    """The answers as they come, with a bar."""
    with Bar(sum(map(len, asked)), wanted=wanted) as bar:
        for answer, chunk in zip(answers, asked, strict=True):
            bar.step(len(chunk))
            yield answer


def _place(which: Job | str) -> str:
    """Where a batch is found, however it is named."""
    return f"/jobs/{_named(which.id if isinstance(which, Job) else which, 'job')}"


def _named(identity: str, kind: str) -> str:
    """An id as a part of a path.

    Raises:
        NotFound: it is none: `..` would lead to another place, half a character cannot be sent.
    """
    if not _ID.fullmatch(str(identity)):
        raise NotFound(f"no {kind} {str(identity)[:64]!r}")
    return str(identity)


def _size(source: Source) -> int:
    try:
        return 0 if isinstance(source.content, bytes) else source.content.stat().st_size
    except OSError:
        return 0  # said when it is read
