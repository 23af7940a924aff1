"""Plots drawn with characters: what stands on the axes is what is drawn."""

from __future__ import annotations

import math

import pytest

from quizcli.lab.chart import Paper, draw
from quizcli.lab.evidence import Plot

RANGES = [
    (0.107, 1.25), (0.1, 0.9), (0.3, 1.0), (0.01, 0.07), (2.2, 3.9), (-0.5, 0.5), (0.0, 0.25), (-2e5, 3e6),
    (1e-7, 3e-7), (1e6, 1e6 + 3), (-1e-12, 1e-12), (0.9, 1.1), (3.0, 4.9), (0.0, 12.0), (-1.5, 12.25),
]  # fmt: skip


def ticks(drawing: str, rows: int) -> dict[int, float]:
    """The numbers beside the rows of a plot, by their rows."""
    lines = drawing.splitlines()
    top = next(number for number, line in enumerate(lines) if line.startswith("┌"))
    beside = {row: lines[top + 1 + row].rpartition("│")[2].strip() for row in range(rows)}
    powers = {row: text.replace(",", "").replace("10^", "1e") for row, text in beside.items() if text}
    return {row: float(text) for row, text in powers.items()}


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("rows", [8, 14])
def test_ticks_stand_where_their_values_are(low: float, high: float, rows: int) -> None:
    line = Plot("line", {"a": ((0, 1), (low, high))})
    found = ticks(draw(line, Paper(80, height=rows)), rows)
    assert len(found) >= 2
    row_height = (high - low) / rows
    for row, value in found.items():
        assert value == pytest.approx(high - (row + 0.5) * row_height, abs=0.75 * row_height)


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 0.9), (1e-3, 30.0), (1.0, 9.0), (1e-8, 1e-7), (1e-8, 1e5), (900.0, 1100.0)]
)
def test_ticks_of_a_logarithmic_axis_stand_where_their_values_are(low: float, high: float) -> None:
    line = Plot("line", {"a": ((0, 1), (low, high))}, log_y=True)
    found = ticks(draw(line, Paper(80)), 14)
    assert len(found) >= 2
    row_height = math.log(high / low) / 14
    for row, value in found.items():
        assert math.log(value) == pytest.approx(math.log(high) - (row + 0.5) * row_height, abs=0.75 * row_height)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_ticks_of_the_lower_axis_stand_where_their_values_are(low: float, high: float) -> None:
    lines = draw(Plot("line", {"a": ((low, high), (0, 1))}), Paper(80)).splitlines()
    below = lines[next(number for number, line in enumerate(lines) if line.startswith("└")) + 1]
    width = 60
    start = 0
    for text in below.split():
        place = below.index(text, start)
        start = place + len(text)
        share = (place + len(text) / 2 - 1) / width
        slack = 0.03 + (len(text) / 2 / width if place == 0 else 0)  # at the edge a long number is pushed in
        assert float(text.replace(",", "")) == pytest.approx(low + share * (high - low), abs=slack * (high - low))


def test_low_paper_makes_a_low_plot() -> None:
    line = Plot("line", {"a": ((0, 1), (0, 1))})
    assert len(draw(line, Paper(80)).splitlines()) - len(draw(line, Paper(80, height=8)).splitlines()) == 6


def test_curves_are_drawn_in_dots_where_they_are_as_wide_as_letters() -> None:
    line = Plot("line", {"a": ((0, 1), (0, 1))})
    for paper, dots in ((Paper(color=True), True), (Paper(color=True, dots=False), False), (Paper(), False)):
        assert any("\u2800" < letter < "\u2900" for letter in draw(line, paper)) == dots
