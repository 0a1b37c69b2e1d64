"""Ids of batches -> their steps, run by DBOS, each remembered once it is done; knows no image and no HTTP.

DBOS is one a process, and so is this. Steps and their results are JSON; no pickle is written or read.
"""

from __future__ import annotations

import logging
from typing import Any

from dbos import DBOS, SetWorkflowID
from dbos import DBOSConfig as Configuration
from dbos._serialization import DBOSPortableJSON
from sqlalchemy.exc import SQLAlchemyError

from hilum.errors import RecordsError, driver_words
from hilum.jobs.batches import CHUNK, Batches, Outcome
from hilum.jobs.behind import Leaving

QUEUE = "hilum_batches"
POLL_SECONDS = 0.25
DRAIN_SECONDS = 10

logging.getLogger("dbos").addHandler(logging.NullHandler())  # so that it writes to our log, not to a stream of its own

_batches: list[Batches] = []  # whose steps run in this process


def _mine() -> Batches:
    """Whose steps run here; a step that begins after the end is left for the next start."""
    if not _batches:
        raise Leaving
    return _batches[0]


class Engine:
    """DBOS, launched."""

    def __init__(self, batches: Batches, database: str, name: str) -> None:
        """`name`: of the inbox, because whoever else uses the database cannot read the files that lie there.

        Raises:
            RecordsError: the database went away in this very moment.
        """
        DBOS.destroy()  # another server of this process, if any: it opens its own again when it needs one
        self._mine = batches
        _batches[:] = [batches]
        configuration: Configuration = {
            "name": "hilum",
            "system_database_url": database,
            "serializer": DBOSPortableJSON,
            "log_level": "ERROR",
            "application_version": "1",  # steps keep their meaning from release to release; raise it when they do not
            "executor_id": name,
        }
        DBOS(config=configuration)
        try:
            DBOS.launch()
            self._queue = DBOS.register_queue(
                f"{QUEUE}_{name}", worker_concurrency=1, polling_interval_sec=POLL_SECONDS
            )
        except SQLAlchemyError as error:
            raise RecordsError(f"the steps of batches cannot be read or written ({driver_words(error)})") from error

    def begin(self, identity: str) -> None:
        """Put a batch in the line; one that is known is not begun twice."""
        with SetWorkflowID(identity):
            self._queue.enqueue(run, identity)

    def gave_up(self, identity: str) -> bool:
        """Whether it ended by an error that nobody foresaw."""
        status = DBOS.get_workflow_status(identity)
        return status is not None and status.status in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

    def was_cancelled(self, identity: str) -> bool:
        """Whether somebody stopped it."""
        status = DBOS.get_workflow_status(identity)
        return status is not None and status.status == "CANCELLED"

    def forget(self, identity: str) -> None:
        """Its steps are not known any more: begun again, it looks at every file and finds most of them answered."""
        DBOS.delete_workflow(identity)

    def cancel(self, identity: str) -> None:
        """Begin no further step of it."""
        DBOS.cancel_workflow(identity)

    def outcomes(self, identity: str) -> list[Outcome]:
        """What the steps that are done came to, in the order of the files."""
        steps = DBOS.list_workflow_steps(identity)
        return [one for step in steps if step["function_name"] == ANSWER for one in step["output"] or []]

    @property
    def current(self) -> bool:
        """Whether the one DBOS of this process is still this engine's."""
        return _batches == [self._mine]

    def close(self) -> None:
        """Wait for the step that runs; the rest is done at the next start."""
        if self.current:
            DBOS.destroy(workflow_completion_timeout_sec=DRAIN_SECONDS)
            _batches.clear()


COUNT, ANSWER, FINISH = "count", "answer", "finish"


@DBOS.workflow(name="batch")
def run(identity: str) -> dict[str, Any]:
    """Every file of a batch, a few at a time."""
    outcomes: list[Outcome] = []
    for first in range(0, count(identity), CHUNK):
        found = answer(identity, first)
        if not found:
            break  # it failed or was cancelled
        outcomes += found
    finish(identity, len(outcomes), [i for i, outcome in enumerate(outcomes) if "error" in outcome])
    return {"files": len(outcomes)}


@DBOS.step(name=COUNT)
def count(identity: str) -> int:
    """How many files there are."""
    return _mine().count(identity)


@DBOS.step(name=ANSWER)
def answer(identity: str, first: int) -> list[Outcome]:
    """The outcomes of a few files."""
    return [] if _mine().is_over(identity) else _mine().answer(identity, first)


@DBOS.step(name=FINISH)
def finish(identity: str, files: int, unread: list[int]) -> int:
    """The end."""
    _mine().finish(identity, unread)
    return files
