"""Records of a stretch of time -> how many of what, hour by hour; knows no page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, select

from hilum.records.schema import RECORDS
from hilum.records.search import stands

HOUR = 3_600_000_000  # microseconds
MILLISECONDS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # upper edges of the latency bins; the last bin is open
TENTHS = tuple(i / 10 for i in range(1, 10))  # upper edges of the probability bins; there is one more than edges


@dataclass(frozen=True, slots=True)
class Tally:
    """Predictions of one stretch, task, model and class (None: refused).

    since: microseconds since 1970 UTC, when the stretch begins. count: predictions. probability: their mean, in
    [0, 1]. took: bins of milliseconds by MILLISECONDS, one more than edges. sure: bins of the probability by TENTHS.
    """

    since: int
    task: str | None
    model: str | None
    label: str | None
    refused: bool
    count: int
    probability: float | None
    took: tuple[int, ...]
    sure: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """Feedback on the predictions of one stretch, task and model."""

    since: int
    task: str | None
    model: str | None
    agreed: int
    disagreed: int


@dataclass(frozen=True, slots=True)
class Tallies:
    """What the monitoring page draws. step: microseconds of one stretch."""

    step: int
    predictions: tuple[Tally, ...]
    agreement: tuple[Agreement, ...]


def count(connection: Connection, since: int, until: int, step: int = HOUR, task: str | None = None) -> Tallies:
    """Count the predictions between two moments (microseconds since 1970 UTC, `until` excluded) and their feedback.

    The first stretch begins at `since`, the others `step` microseconds after one another.
    """
    return Tallies(step, _predictions(connection, since, until, step, task),
                   _agreement(connection, since, until, step, task))  # fmt: skip


def _predictions(connection: Connection, since: int, until: int, step: int, task: str | None) -> tuple[Tally, ...]:
    at = RECORDS.c
    stretch = (at.at - (at.at - since) % step).label("since")
    bins = [*_bins(at.took, MILLISECONDS), *_bins(at.probability, TENTHS)]
    last = 7 + len(MILLISECONDS) + 1
    groups = [stretch, at.task, at.model, at.label, at.refused]
    asked = (
        select(*groups, func.count(), func.avg(at.probability), *bins)
        .where(at.kind == "prediction", at.at >= since, at.at < until)
        .group_by(*groups)
        .order_by(stretch)
    )
    if task is not None:
        asked = asked.where(at.task == task)
    return tuple(
        Tally(*row[:4], bool(row[4]), row[5], row[6], tuple(map(int, row[7:last])), tuple(map(int, row[last:])))
        for row in connection.execute(asked)
    )


def _bins(column: ColumnElement[float], edges: tuple[float, ...]) -> list[ColumnElement[int]]:
    """How many values lie from each edge up to the next; what is null lies nowhere."""
    pairs = zip((-1.0, *edges), (*edges, 1e18), strict=True)
    return [func.sum(case(((column >= low) & (column < high), 1), else_=0)) for low, high in pairs]


def _agreement(connection: Connection, since: int, until: int, step: int, task: str | None) -> tuple[Agreement, ...]:
    """By the newest feedback that stands on each answer; with a refusal nobody can agree or disagree."""
    at, said = RECORDS.c, RECORDS.alias("said")
    about = said.c.subject == at.id, said.c.kind == "feedback", stands(said)
    newest = select(func.max(said.c.number)).where(*about).scalar_subquery()
    word = RECORDS.alias("word")
    stretch = (at.at - (at.at - since) % step).label("since")
    same = func.sum(cast(case((word.c.label == at.label, 1), else_=0), Integer))
    asked = (
        select(stretch, at.task, at.model, func.count(), same)
        .select_from(RECORDS)
        .join(word, (word.c.subject == at.id) & (word.c.number == newest))
        .where(at.kind == "prediction", at.label.is_not(None), at.at >= since, at.at < until)
        .group_by(stretch, at.task, at.model)
        .order_by(stretch)
    )
    if task is not None:
        asked = asked.where(at.task == task)
    return tuple(
        Agreement(row[0], row[1], row[2], int(row[4]), int(row[3] - row[4])) for row in connection.execute(asked)
    )
