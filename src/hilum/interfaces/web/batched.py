"""A batch and its records -> what came of each file, counted, and the answers of one page; each record is read once.

What is on record never changes, so that a batch that is looked at again is only counted on from where it was.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from hilum.flows.answer import answer_ids
from hilum.interfaces.web.answers import AnswerShown, answers_shown
from hilum.jobs.batches import State, answer_id
from hilum.jobs.inbox import OPEN, Order
from hilum.parts import Parts
from hilum.records.entry import Record

ANSWERED, REFUSED, UNREAD = "answered", "refused", "unread"
REMEMBERED = 128  # batches
TOGETHER = 200  # files whose answers are read from the record at once
STATES = {
    "queued": ("Waiting for its turn", "plain"),
    "running": ("Running", "plain"),
    "done": ("Done", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "warn"),
}
Outcomes = tuple[str, ...]  # of one file: one a frame, or UNREAD


@dataclass(frozen=True, slots=True)
class BatchShown:
    """One batch as a page tells it. answered, refused: answers, one a frame; unread: files that are no image."""

    order: Order
    who: str
    words: str
    tone: str
    files: int
    done: int
    answered: int
    refused: int
    unread: int

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.order.state not in OPEN

    @property
    def share(self) -> float:
        """Files that were looked at, of all."""
        return self.done / self.files if self.files else 1.0

    def count(self, kind: str) -> int:
        """Rows that the list of a kind has; "" is every kind."""
        each = {ANSWERED: self.answered, REFUSED: self.refused, UNREAD: self.unread}
        return each.get(kind, sum(each.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of what came out: an answer, or why a file could not be read."""

    place: int
    answer: AnswerShown | None
    file: str
    fault: str


class Batched:
    """What is known of the batches of one server."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: OrderedDict[tuple[str, int], list[Outcomes]] = OrderedDict()
        self._ended: dict[tuple[str, int], State] = {}
        self._lock = threading.Lock()

    def shown(self, state: State, who: str) -> BatchShown:
        """A batch with its counts."""
        every = [kind for kinds in self._outcomes(state) for kind in kinds]
        words, tone = STATES[state.order.state]
        return BatchShown(
            order=state.order,
            who=who,
            words=words,
            tone=tone,
            files=len(state.order.keys),
            done=state.done,
            answered=every.count(ANSWERED),
            refused=every.count(REFUSED),
            unread=every.count(UNREAD),
        )

    def state(self, order: Order) -> State:
        """How far a batch is; of one that is done the engine is asked only once.

        Raises:
            MissingExtra: the engine is not installed. NotFound: the batch was forgotten meanwhile.
        """
        name = (order.id, order.made)
        ended = self._ended.get(name) if order.state == "done" else None  # looked up once: another thread may forget it
        if ended is not None:
            return ended
        state = self._parts.batches.state(order.id)
        if state.order.state == "done":
            with self._lock:
                self._ended[name] = state
                while len(self._ended) > REMEMBERED:
                    self._ended.pop(next(iter(self._ended)))
        return state

    def rows(self, state: State, kind: str, first: int, most: int) -> list[Row]:
        """At most so many rows of a kind ("": of all), from the first on, in the order of the files."""
        places = list(islice(self._places(state, kind), first, first + most))
        ids = [_ids(state.order, place, frame + 1)[-1] for place, frame, _ in places]
        shown = {one.id: one for one in answers_shown(list(self._parts.records.many(ids).values()), self._parts)}
        return [_row(state, place, one, shown.get(name)) for name, (place, _, one) in zip(ids, places, strict=True)]

    def _places(self, state: State, kind: str) -> Iterator[tuple[int, int, str]]:
        for place, kinds in enumerate(self._outcomes(state)):
            for frame, one in enumerate(kinds):
                if kind in ("", one):
                    yield place, frame, one

    def _outcomes(self, state: State) -> list[Outcomes]:
        name = (state.order.id, state.order.made)
        with self._lock:
            known = list(self._known.get(name, ()))
        for start in range(len(known), state.done, TOGETHER):
            known += self._looked_up(state, range(start, min(start + TOGETHER, state.done)))
        with self._lock:
            self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known[: state.done]

    def _looked_up(self, state: State, places: range) -> list[Outcomes]:
        ids = {place: _ids(state.order, place, state.outcomes[place].get("frames", 0)) for place in places}
        records = self._parts.records.many([name for names in ids.values() for name in names])
        return [
            (UNREAD,) if "error" in state.outcomes[place] else tuple(_kind(records.get(name)) for name in ids[place])
            for place in places
        ]


def _kind(record: Record | None) -> str:
    return REFUSED if record is None or record.entry.columns.refused else ANSWERED


def _row(state: State, place: int, kind: str, shown: AnswerShown | None) -> Row:
    if kind == UNREAD:
        said = state.outcomes[place]
        return Row(place, None, state.order.names[place] or f"file {place + 1}", str(said["error"]))
    if shown is None:
        return Row(place, None, f"file {place + 1}", "The answer is not on record any more.")
    return Row(place, shown, shown.file or f"file {place + 1}", "")


def _ids(order: Order, place: int, count: int) -> list[str]:
    return answer_ids(answer_id(order.id, place), count)
