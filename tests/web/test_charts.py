"""Numbers -> where they are drawn: heights in proportion, round steps, nothing invented."""

from __future__ import annotations

import pytest

from hilum.interfaces.web.charts import BOTTOM, HEIGHT, SERIES_MOST, TOP, Chart, Series, draw, few

TALL = HEIGHT - TOP - BOTTOM


def chart(*rows: tuple[float | None, ...], **more: object) -> Chart:
    labels = tuple(f"{i}:00" for i in range(len(rows[0])))
    return Chart("id", "Title", "Says.", labels, tuple(Series(str(i), row) for i, row in enumerate(rows)), **more)  # type: ignore[arg-type]


def test_columns_stand_on_each_other_in_proportion() -> None:
    boxes = draw(chart((2.0, 0.0), (6.0, 4.0))).boxes
    assert [(box.number, round(box.height / TALL, 3)) for box in boxes] == [(1, 0.25), (2, 0.75), (2, 0.5)]
    assert boxes[1].y + boxes[1].height == pytest.approx(boxes[0].y, abs=0.1)
    assert boxes[0].says == "0:00: 0 2"


def test_lines_leave_out_what_was_not_measured() -> None:
    drawn = draw(chart((1.0, None, 0.0), shape="lines", top=1.0))
    assert [dot.says for dot in drawn.dots] == ["0:00: 0 1", "2:00: 0 0"]
    assert [dot.y for dot in drawn.dots] == [TOP, HEIGHT - BOTTOM]
    assert drawn.lines[0][0].count("L") == 1


@pytest.mark.parametrize(
    ("highest", "counts", "top"),
    [(1, True, 1), (3, True, 3), (7, True, 8), (10, True, 10), (47, True, 60), (0.37, False, 0.4)],
)
def test_the_scale_ends_at_a_round_number_at_or_above_the_highest(highest: float, counts: bool, top: float) -> None:
    drawn = draw(chart((float(highest),), counts=counts, written=lambda value: f"{value:g}"))
    steps = [float(text) for _, text in drawn.up]
    assert steps[0] == 0
    assert all(not counts or step == int(step) for step in steps)
    assert len(steps) <= 6
    assert steps[-1] == pytest.approx(top)


@pytest.mark.parametrize(
    ("count", "written"), [(10, (0, 3, 6, 9)), (24, (0, 5, 10, 15, 20)), (3, (0, 1, 2)), (1, (0,))]
)
def test_the_last_label_is_written_where_even_steps_reach_it(count: int, written: tuple[int, ...]) -> None:
    drawn = draw(chart(tuple(float(i + 1) for i in range(count))))
    assert [text for _, text in drawn.across] == [f"{i}:00" for i in written]


def test_what_is_empty_is_not_drawn_and_the_table_has_lines_with_something() -> None:
    assert chart((0.0, 0.0), (None, None)).drawn is None
    assert chart((0.0, 3.0)).rows == [("1:00", ["3"])]
    assert chart((None, None), shape="lines").drawn is None


def test_a_line_that_lies_at_zero_was_measured_and_is_drawn() -> None:
    flat = chart((None, 0.0, 0.0), shape="lines", top=1.0)
    assert flat.drawn is not None
    assert len(flat.drawn.dots) == 2
    assert flat.rows == [("1:00", ["0"]), ("2:00", ["0"])]


def test_the_smallest_of_too_many_series_become_one_and_nothing_is_lost() -> None:
    rows = [Series(str(i), (float(i), 1.0)) for i in range(10)]
    found = few(rows)
    assert (len(found), found[-1].name) == (SERIES_MOST, "Others")
    assert sum(sum(v or 0 for v in one.values) for one in found) == sum(range(10)) + 10
