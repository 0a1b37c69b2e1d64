"""`hilum.AsyncClient`: the questions of `hilum.Client`, for programs that do other things while they wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self, TypeVar, overload

import httpx

from hilum.client import calls, questions
from hilum.client.questions import CONCURRENT, Filters, Question
from hilum.client.results import Feedback, Job, Model, Prediction, Predictions, Task
from hilum.client.sources import Many, One, Source, is_many, source_of, sources_of
from hilum.client.talk import Came, End, Pause, Talk, manner, onward

T = TypeVar("T")


class AsyncClient:
    """As `hilum.Client`; every question is awaited, `predictions` is an asynchronous iterator."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`timeout`: seconds for one answer. `retries`: how often a busy or silent server is asked again."""
        self._manner = manner(url, key, retries)
        self.url, headers = self._manner.url, self._manner.headers
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout, transport=transport)

    @overload
    async def predict(self, what: One, **given: Any) -> Prediction: ...
    @overload
    async def predict(self, what: Sequence[One], **given: Any) -> Predictions: ...
    async def predict(self, what: Any, **given: Any) -> Prediction | Predictions:
        """As `Client.predict`."""
        if is_many(what):
            return await self.predict_many(what, **given)
        return (await self._ask(questions.predict((source_of(what),), given))).one()

    async def predict_many(self, what: Many, *, progress: bool | None = None, **given: Any) -> Predictions:
        """As `Client.predict_many`."""
        chunks, free = questions.chunks(sources_of(what)), asyncio.Semaphore(CONCURRENT)
        shown = questions.Bar(sum(map(len, chunks)), wanted=progress)

        async def ask(chunk: tuple[Source, ...]) -> Predictions:
            async with free:
                found = await self._done(self._manner.predict(chunk, given))
            shown.step(len(chunk))
            return found

        with shown:
            answers = await _all_or_none([asyncio.ensure_future(ask(chunk)) for chunk in chunks])
        return Predictions(tuple(one for found in answers for one in found))

    async def submit(self, what: Many, **given: Any) -> Job:
        """Hand over a folder, a list or a table of paths without waiting; the server goes on alone."""
        return await self._ask(questions.submitted(sources_of(what), given))

    async def job(self, job: Job | str) -> Job:
        """How far a batch is."""
        return await self._ask(questions.job(job))

    async def results(self, job: Job | str) -> Predictions:
        """What came out of a batch, as far as it is."""
        return await self._ask(questions.results(job))

    async def wait(self, job: Job | str, *, pause: float = 0.5, progress: bool | None = None) -> Predictions:
        """Everything that came out of a batch, once it is over.

        Raises:
            DataError: it failed or was cancelled.
        """
        return await self._done(self._manner.wait(job, pause, progress))

    async def cancel(self, job: Job | str) -> Job:
        """Stop a batch, or forget one that is over; answers that were given stay on record."""
        return await self._ask(questions.cancelled(job))

    async def evaluate(
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
        return await self._done(self._manner.evaluate(source, {"task": task, **given}, report, pause))

    async def predictions(self, **filters: Any) -> AsyncIterator[Prediction]:
        """As `Client.predictions`: `async for`."""
        cursor: str | None = ""
        while cursor is not None:
            found, cursor = await self._ask(questions.page(Filters(**filters), cursor))
            for one in found:
                yield one

    async def prediction(self, identity: str) -> Prediction:
        """As `Client.prediction`."""
        return await self._ask(questions.recorded(identity))

    async def feedback(
        self,
        prediction: Prediction | str,
        label: str | None = None,
        *,
        agree: bool | None = None,
        note: str = "",
        withdraw: bool = False,
    ) -> Feedback:
        """As `Client.feedback`."""
        return await self._ask(questions.feedback(prediction, label, agree, note, withdraw))

    async def models(self) -> tuple[Model, ...]:
        """As `Client.models`."""
        return await self._ask(questions.models())

    async def tasks(self) -> tuple[Task, ...]:
        """As `Client.tasks`."""
        return await self._ask(questions.tasks())

    async def get(self, path: str, **params: Any) -> Any:
        """As `Client.get`."""
        return await self._ask(questions.anything(path, params))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, question: Question[T]) -> T:
        return await self._done(self._manner.ask(question))

    async def _done(self, talk: Talk[T]) -> T:
        """Carry out a talk's steps."""
        came: Came = None
        while not isinstance(step := onward(talk, came), End):
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                came = None
                continue
            try:
                with step.arguments() as said:
                    came = await self._http.request(step.method, step.path, **said)
            except httpx.RequestError as error:
                came = error
            except (httpx.InvalidURL, UnicodeError) as error:
                raise calls.unsendable(error) from error
        return step.answer


async def _all_or_none(asked: Sequence[asyncio.Future[T]]) -> list[T]:
    """Every answer, in order; where one fails, what was not asked yet is not asked any more."""
    try:
        return await asyncio.gather(*asked)
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
