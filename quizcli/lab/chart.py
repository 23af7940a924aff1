"""Plots drawn with characters. Imports NumPy (through uniplot), which a demo has loaded anyway."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from quizcli.lab.evidence import Evidence, Plot


@dataclass(frozen=True, slots=True)
class Paper:
    """What a plot is drawn on: its width in characters, what the terminal can show, whether it is to be told in words
    instead (`plain`), how many rows the plot may have between its axes, and whether Braille dots are as wide as other
    characters (not in the fonts of a browser: there blocks are drawn)."""

    width: int = 80
    color: bool = False
    unicode: bool = True
    plain: bool = False
    height: int = 14
    dots: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of evidence, and how it is drawn where it is a plot."""

    item: Evidence
    drawing: str = ""


def draw(plot: Plot, paper: Paper) -> str:
    """The plot as lines of text (with ANSI colors where the paper has them); empty where it has no finite point."""
    series = {label: _finite_points(plot, xs, ys) for label, (xs, ys) in plot.series.items()}
    series = {label: points for label, points in series.items() if points[0]}
    if not series:
        return ""
    if paper.plain:
        return _in_words(plot, series)
    if plot.style == "bars":
        return _bars(plot, paper)
    from uniplot import plot_to_string

    _write_ticks_in_full()
    log = [name for name, on in (("x", plot.log_x), ("y", plot.log_y)) if on]
    title = plot.y_label or plot.name
    width = max(10, min(paper.width, 100) - 20)
    labels = list(series)
    text = plot_to_string(
        ys=[ys for _, ys in series.values()],
        xs=[xs for xs, _ in series.values()],
        title=_cut(title + (f" (log {', '.join(log)})" if log else ""), width),
        width=width,
        height=max(5, min(paper.height, width // 4)),
        lines=plot.style == "line",
        x_as_log=plot.log_x,
        y_as_log=plot.log_y,
        legend_labels=[_cut(label, width // 2) for label in labels] if len(labels) > 1 else None,
        color=paper.color,
        character_set=_character_set(paper),
    )
    lines = text.splitlines() if isinstance(text, str) else list(text)
    if plot.x_label:
        axis = next((place for place, line in enumerate(lines) if line.startswith("└")), len(lines) - 2) + 2
        lines.insert(axis, _cut(plot.x_label, width).center(width + 2).rstrip())
    return "\n".join(lines)


def _write_ticks_in_full() -> None:
    """Let uniplot write its ticks as what they are.

    uniplot 0.23 writes as few digits as tell them apart, 0.5 and 1 as 0 and 1, and has no setting for that.
    """
    from uniplot.axis_labels import label_set

    ticks: Any = label_set.LabelSet
    ticks._find_shortest_string_representation = _ticks_in_full
    ticks._add_log_to_label = _tick_on_log_axis


def _ticks_in_full(labels: Any) -> list[str]:
    """The values of the ticks with the fewest digits that are theirs, to a thousandth of the step between them."""
    values = [float(value) for value in labels.labels]
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    for digits in range(8):
        written = [f"{value:,.{digits}f}" for value in values]
        gaps = (abs(float(text.replace(",", "")) - value) for text, value in zip(written, values, strict=True))
        if max(gaps) <= step / 1000:
            return written
    return [f"{round(value / step, 3) * step + 0.0:.4g}" for value in values]


def _tick_on_log_axis(labels: Any, exponent: str) -> str:
    """A tick of a logarithmic axis by its power of ten: 0.316 rather than 10^-0.5."""
    if not labels.log:
        return exponent
    power = float(exponent.replace(",", ""))
    return f"{float(f'{10**power:.3g}'):g}" if -3 <= power <= 4 else f"10^{power:g}"


def _character_set(paper: Paper) -> str:
    """Dots are the finest, but curves of one color cross better in blocks."""
    if not paper.unicode:
        return "ascii"
    return "braille" if paper.color and paper.dots else "block"


def _in_words(plot: Plot, series: Mapping[str, tuple[list[Any], list[float]]]) -> str:
    """What a plot shows, for whoever cannot see it: each curve's ends and extremes, each bar."""
    lines = [f"Plot: {plot.y_label or plot.name}" + (f", against {plot.x_label}" if plot.x_label else "")]
    for label, (xs, ys) in series.items():
        if plot.style == "bars":
            lines.append(f"{label}: " + ", ".join(f"{x} {y:.4g}" for x, y in zip(xs, ys, strict=True)))
            continue
        low, high = min(zip(ys, xs, strict=True)), max(zip(ys, xs, strict=True))
        lines.append(
            f"{label}: from {ys[0]:.4g} at {xs[0]:.4g} to {ys[-1]:.4g} at {xs[-1]:.4g},"
            f" lowest {low[0]:.4g} at {low[1]:.4g}, highest {high[0]:.4g} at {high[1]:.4g}"
        )
    return "\n".join(lines)


def _finite_points(plot: Plot, xs: Sequence[Any], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """Points that can be drawn: finite, and positive on logarithmic axes."""
    kept = [
        (x, y)
        for x, y in zip(xs, ys, strict=True)
        if math.isfinite(y)
        and (not plot.log_y or y > 0)
        and (plot.style == "bars" or (math.isfinite(x) and (not plot.log_x or x > 0)))
    ]
    return [x for x, _ in kept], [y for _, y in kept]


def _bars(plot: Plot, paper: Paper) -> str:
    """Horizontal bars from zero, one a line, each with its name and its value."""
    rows = [
        (f"{x} {label}" if len(plot.series) > 1 else str(x), y)
        for label, (xs, ys) in plot.series.items()
        for x, y in zip(xs, ys, strict=True)
        if math.isfinite(y)
    ]
    name_width = min(max(len(name) for name, _ in rows), max(8, paper.width // 3))
    room = max(5, min(paper.width, 100) - name_width - 14)
    largest = max(abs(y) for _, y in rows) or 1.0
    mark = "█" if paper.unicode else "#"
    lines = [plot.y_label] if plot.y_label else []
    lines += [
        f"{_cut(name, name_width):>{name_width}} {mark * round(room * abs(y) / largest)} {y:.4g}" for name, y in rows
    ]
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"
