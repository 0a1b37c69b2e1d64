"""Records of a stretch of time -> how many of what, hour by hour; knows no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, select

from hilum.records.schema import RECORDS
from hilum.records.search import last_number, stands

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


def count(connection: Connection, since: int, until: int, step: int = HOUR) -> Tallies:
    """Count the predictions between two moments (microseconds since 1970 UTC, `until` excluded) and their feedback.

    The first stretch begins at `since`, the others `step` microseconds after one another.
    """
    return Tallies(step, _predictions(connection, since, until, step), _agreement(connection, since, until, step))


@dataclass(frozen=True, slots=True)
class _Over:
    """Stretches that are over, each with what was counted in it, and the last number there was then."""

    upto: int = 0
    found: Mapping[int, Tallies] = field(default_factory=dict)


class Counted:
    """Counts what is over once: rows stay, so only where new ones fall, or speak of, is counted again."""

    def __init__(self) -> None:
        self._over: dict[int, _Over] = {}  # by the length of a stretch

    def count(self, connection: Connection, since: int, until: int, step: int, late: int) -> Tallies:
        """As `count`. late: numbers back that another server may still have been committing."""
        before, last = self._over.get(step, _Over()), last_number(connection)
        starts = range(since, until, step)
        over = {at: found for at, found in before.found.items() if at in starts}
        if over:
            for at in _touched(connection, max(0, before.upto - late), since, step):
                over.pop(at, None)
        first = next((at for at in starts if at not in over), until)
        fresh = _by_stretch(count(connection, first, until, step), range(first, until, step))
        all_of_it = {at: over[at] for at in starts if at < first} | fresh
        ended = {at: found for at, found in all_of_it.items() if at + step <= until}  # in the last one time goes on
        self._over[step] = _Over(last, ended)
        return Tallies(
            step,
            tuple(one for found in all_of_it.values() for one in found.predictions),
            tuple(one for found in all_of_it.values() for one in found.agreement),
        )


def of_task(found: Tallies, task: str | None) -> Tallies:
    """What belongs to one task; None: everything."""
    if task is None:
        return found
    predictions = tuple(one for one in found.predictions if one.task == task)
    return Tallies(found.step, predictions, tuple(one for one in found.agreement if one.task == task))


def _by_stretch(found: Tallies, starts: range) -> dict[int, Tallies]:
    predictions: dict[int, list[Tally]] = {at: [] for at in starts}
    agreement: dict[int, list[Agreement]] = {at: [] for at in starts}
    for one in found.predictions:
        predictions[one.since].append(one)
    for said in found.agreement:
        agreement[said.since].append(said)
    return {at: Tallies(found.step, tuple(predictions[at]), tuple(agreement[at])) for at in starts}


def _touched(connection: Connection, behind: int, since: int, step: int) -> set[int]:
    """The stretches of the predictions behind a number, and of those that were spoken of behind it."""
    new, at = RECORDS.alias("new"), RECORDS.c
    stretch = at.at - (at.at - since) % step
    meant = case((new.c.kind == "feedback", new.c.subject), else_=new.c.id)
    asked = select(stretch).select_from(new).join(RECORDS, at.id == meant).where(new.c.number > behind).distinct()
    return set(connection.execute(asked.where(at.at >= since)).scalars())


def _predictions(connection: Connection, since: int, until: int, step: int) -> tuple[Tally, ...]:
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
    return tuple(
        Tally(*row[:4], bool(row[4]), row[5], row[6], tuple(map(int, row[7:last])), tuple(map(int, row[last:])))
        for row in connection.execute(asked)
    )


def _bins(column: ColumnElement[float], edges: tuple[float, ...]) -> list[ColumnElement[int]]:
    """How many values lie from each edge up to the next; what is null lies nowhere."""
    pairs = zip((-1.0, *edges), (*edges, 1e18), strict=True)
    return [func.sum(case(((column >= low) & (column < high), 1), else_=0)) for low, high in pairs]


def _agreement(connection: Connection, since: int, until: int, step: int) -> tuple[Agreement, ...]:
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
    return tuple(
        Agreement(row[0], row[1], row[2], int(row[4]), int(row[3] - row[4])) for row in connection.execute(asked)
    )
