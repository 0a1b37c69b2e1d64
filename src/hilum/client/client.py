"""`hilum.Client`: questions to a Hilum server that wait for their answers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar, overload

import httpx

from hilum.client import calls, questions
from hilum.client.questions import CONCURRENT, Filters, Question
from hilum.client.results import Feedback, Job, Model, Prediction, Predictions, Task
from hilum.client.sources import Many, One, is_many, source_of, sources_of
from hilum.client.talk import Came, End, Pause, Talk, manner, onward

T = TypeVar("T")


class Client:
    """A connection to one server; safe to use from several threads, closed by `with` or `close()`.

    >>> client = Client("http://127.0.0.1:8000")          # or HILUM_URL and HILUM_API_KEY in the environment
    >>> client.predict("scan.png").label                  # a path, bytes or an array
    >>> client.predict_many("folder/").to_frame()         # a folder, a list, a table with a column `path`
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`timeout`: seconds for one answer. `retries`: how often a busy or silent server is asked again."""
        self._manner = manner(url, key, retries)
        self.url, headers = self._manner.url, self._manner.headers
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, transport=transport)

    @overload
    def predict(self, what: One, **given: Any) -> Prediction: ...
    @overload
    def predict(self, what: Sequence[One], **given: Any) -> Predictions: ...
    def predict(self, what: Any, **given: Any) -> Prediction | Predictions:
        """Classify one image; a list, a stack or a table of paths as `predict_many`.

        given: task, model, operating_point, prevalence, keep: as in the HTTP API.

        Raises:
            InputError: the image cannot be read. UsageError: a parameter does not fit, or the file has several frames.
            Busy: the server had no time, after every retry. AccessError: the key is missing or does not reach.
        """
        if is_many(what):
            return self.predict_many(what, **given)
        return self._ask(questions.predict((source_of(what),), given)).one()

    def predict_many(self, what: Many, *, progress: bool | None = None, **given: Any) -> Predictions:
        """Classify a folder, a list, a stack of arrays (N, H, W) or a table of paths; answers in their order.

        A file that cannot be read is an `Unread` among them. progress: a bar; None: where many wait and a person looks.

        Raises:
            UsageError, Busy, AccessError: as `predict`.
        """
        chunks = questions.chunks(sources_of(what))
        with ThreadPoolExecutor(CONCURRENT) as pool:
            answers = pool.map(lambda chunk: self._done(self._manner.predict(chunk, given)), chunks)
            shown = questions.shown(answers, chunks, wanted=progress)
            return Predictions(tuple(one for found in shown for one in found))

    def submit(self, what: Many, **given: Any) -> Job:
        """Hand over a folder, a list or a table of paths without waiting; the server goes on alone."""
        return self._ask(questions.submitted(sources_of(what), given))

    def job(self, job: Job | str) -> Job:
        """How far a batch is."""
        return self._ask(questions.job(job))

    def results(self, job: Job | str) -> Predictions:
        """What came out of a batch, as far as it is."""
        return self._ask(questions.results(job))

    def wait(self, job: Job | str, *, pause: float = 0.5, progress: bool | None = None) -> Predictions:
        """Everything that came out of a batch, once it is over.

        Raises:
            DataError: it failed or was cancelled.
        """
        return self._done(self._manner.wait(job, pause, progress))

    def cancel(self, job: Job | str) -> Job:
        """Stop a batch, or forget one that is over; answers that were given stay on record."""
        return self._ask(questions.cancelled(job))

    def evaluate(
        self,
        source: str | os.PathLike[str],
        task: str,
        *,
        report: str | os.PathLike[str] | None = None,
        pause: float = 0.5,
        **given: Any,
    ) -> dict[str, Any]:
        """The evaluation object of a zip of labelled images, or of a folder on the server below HILUM_DATA_ROOTS.

        report: where to write its page (HTML). given: model, operating_point, prevalence.

        Raises:
            DataError: it cannot be measured; the message says why.
        """
        return self._done(self._manner.evaluate(source, {"task": task, **given}, report, pause))

    def predictions(self, **filters: Any) -> Iterator[Prediction]:
        """What is on record, page after page; filters as in GET /predictions, `label` for its `class`."""
        cursor: str | None = ""
        while cursor is not None:
            found, cursor = self._ask(questions.page(Filters(**filters), cursor))
            yield from found

    def prediction(self, identity: str) -> Prediction:
        """One recorded answer.

        Raises:
            NotFound: there is none.
        """
        return self._ask(questions.recorded(identity))

    def feedback(
        self,
        prediction: Prediction | str,
        label: str | None = None,
        *,
        agree: bool | None = None,
        note: str = "",
        withdraw: bool = False,
    ) -> Feedback:
        """Say which class is right (`label`), that the answer is (`agree=True`), or take back what you said before."""
        return self._ask(questions.feedback(prediction, label, agree, note, withdraw))

    def models(self) -> tuple[Model, ...]:
        """The packages that are installed."""
        return self._ask(questions.models())

    def tasks(self) -> tuple[Task, ...]:
        """The questions that can be answered."""
        return self._ask(questions.tasks())

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of any other address of the API; the bytes of what is none (a picture, a card, /metrics)."""
        return self._ask(questions.anything(path, params))

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Question[T]) -> T:
        return self._done(self._manner.ask(question))

    def _done(self, talk: Talk[T]) -> T:
        """Carry out a talk's steps."""
        came: Came = None
        while not isinstance(step := onward(talk, came), End):
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                came = None
                continue
            try:
                with step.arguments() as said:
                    came = self._http.request(step.method, step.path, **said)
            except httpx.RequestError as error:
                came = error
            except (httpx.InvalidURL, UnicodeError) as error:
                raise calls.unsendable(error) from error
        return step.answer
