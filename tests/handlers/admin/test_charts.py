"""The charts: every point in the frame, gaps left open, words that hurt nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from grimbots.handlers.admin.charts import HEIGHT, WIDTH, draw_bars, draw_line, draw_spark, make_frame, round_up

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def make_points(*values: float | None, step_seconds: int = 10) -> list[tuple[datetime, float | None]]:
    """Give one value every ten seconds, the last one now."""
    first = NOW - timedelta(seconds=step_seconds * (len(values) - 1))
    return [(first + timedelta(seconds=step_seconds * place), value) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("value", "top"), [(1, 1), (1.1, 2), (2.4, 2.5), (7, 10), (10, 10), (11, 20), (240, 250), (99_999, 100_000)]
)
def test_top_is_a_round_number_above(value: float, top: float) -> None:
    assert round_up(value) == top


def test_points_lie_in_the_frame_and_the_newest_at_its_end() -> None:
    points = make_points(0, 3, 250, 17)
    frame = make_frame(NOW, points)
    drawn = draw_spark(frame, "chart", points)
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert places[-1][0] == WIDTH
    assert 'role="img"' in drawn
    assert "style" not in drawn


def test_line_is_broken_where_nobody_looked() -> None:
    drawn = draw_line(make_frame(NOW, make_points(1, 2)), "chart", ("main", make_points(1, None, 3, step_seconds=5)))
    assert drawn.count('class="line main"') == 2
    apart = make_points(1, 3, step_seconds=60)
    assert draw_line(make_frame(NOW, apart), "chart", ("main", apart)).count('class="line main"') == 2


def test_nothing_to_draw_is_drawn() -> None:
    assert "<svg" in draw_line(make_frame(NOW, []), "chart", ("main", []))
    assert "<rect" not in draw_bars("chart", [(0, 0)])


def test_label_is_a_text_only() -> None:
    assert '"><b>' not in draw_spark(make_frame(NOW, []), 'a"><b>', [])


def test_bars_stand_on_each_other() -> None:
    drawn = draw_bars("chart", [(2, 2), (1, 0)])
    heights = [float(height) for height in re.findall(r' height="([\d.]+)"', drawn)]
    assert len(heights) == 3
    assert heights[0] == pytest.approx(heights[1])
