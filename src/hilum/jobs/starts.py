"""How often a work was begun in vain -> whether it is begun once more; knows no process and no folder.

A work may take its server along when it ends, as where both share a container whose memory it fills. Begun again at
every start, it would bring the server down for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST = 5  # starts in a row that came no further than one before; a server may fall for other reasons, too
GOES_ON = ("searching", "training")  # stages that are taken up where the last start was; all others begin anew
IN_VAIN = (
    f"it was begun {MOST} times in a row, and each time the server ended with it and it came no further: most often "
    "because this machine had no memory left"
)


@dataclass(frozen=True, slots=True)
class Starts:
    """count: starts in a row, of which nobody saw the end, that came no further than `far`, the furthest before."""

    count: int = 0
    far: int = 0

    def another(self, far: int) -> Starts:
        """With one start more, where the last one came so far."""
        return Starts(1 if far > self.far else self.count + 1, max(far, self.far))

    @property
    def let_go(self) -> Starts:
        """With one less: its server left in good order, and goes on with it when it starts."""
        return Starts(max(0, self.count - 1), self.far)

    @property
    def in_vain(self) -> bool:
        """Whether it is one too many."""
        return self.count > MOST


NEVER = Starts()  # was it begun in vain


def reached(done: Iterable[tuple[str, int]]) -> int:
    """How far the starts of a work came; done: stage and units of each line of its progress."""
    furthest = dict.fromkeys(GOES_ON, 0)
    for stage, count in done:
        if stage in furthest:
            furthest[stage] = max(furthest[stage], count)
    return sum(furthest.values())
