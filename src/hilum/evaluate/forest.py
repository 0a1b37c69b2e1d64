"""Named figures with intervals -> one dot and one bar a row, on one axis, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from hilum.evaluate import words
from hilum.metrics.intervals import Interval

_LEFT, _RIGHT, _ROW, _WIDTH = 190, 150, 30, 720


def forest(figure: str, rows: Sequence[tuple[str, Interval]], guide: Interval | None = None) -> Markup:
    """Rows from the top; `guide` is an upright line for the trivial baseline.

    The axis runs from a round number below the lowest end to 1, so differences can be seen; it says where it starts.
    """
    lows = [one.low if math.isfinite(one.low) else one.value for _, one in rows] + ([guide.value] if guide else [])
    start = math.floor(10 * min((low for low in lows if math.isfinite(low)), default=0.0)) / 10
    height = _ROW * len(rows) + 46
    title = f"{words.meaning(figure).title} with its 95% interval, by network"
    drawn = [f'<svg class="chart forest" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    step = 0.1 if start >= 0.5 else 0.2
    for i in range(math.ceil((1 - start) / step - 1e-9) + 1):
        tick = min(start + i * step, 1.0)
        at = _at(tick, start)
        drawn.append(f'<path class="axis" d="M{at} 8V{height - 34}"/>')
        drawn.append(f'<text x="{at}" y="{height - 16}" text-anchor="middle">{words.value(figure, tick)}</text>')
    if guide and math.isfinite(guide.value):
        at = _at(guide.value, start)
        drawn.append(
            f'<path class="mark" d="M{at} 8V{height - 34}"><title>always the most frequent class</title></path>'
        )
    drawn += [_row(figure, name, found, start, 24 + _ROW * i) for i, (name, found) in enumerate(rows)]
    return Markup("".join([*drawn, "</svg>"]))  # noqa: S704  built and escaped here


def _at(number: float, start: float) -> float:
    share = min(max((number - start) / (1 - start), 0.0), 1.0) if start < 1 else 1.0
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * share, 1)


def _row(figure: str, name: str, found: Interval, start: float, y: int) -> str:
    if not math.isfinite(found.value):
        return f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
    bar = ""
    if math.isfinite(found.low):
        bar = f'<path class="line s1" d="M{_at(found.low, start)} {y}H{_at(found.high, start)}"/>'
    return (
        f'<text class="name" x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>{bar}'
        f'<circle class="dot s1" cx="{_at(found.value, start)}" cy="{y}" r="5"/>'
        f'<text x="{_WIDTH - _RIGHT + 12}" y="{y + 4}">{escape(words.with_interval(figure, found))}</text>'
    )
