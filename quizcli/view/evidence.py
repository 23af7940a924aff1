"""Evidence on the terminal."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import zip_longest

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text as Line

from quizcli.lab.catalog import Demo, Prediction
from quizcli.lab.chart import Paper, Shown
from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Table, Text
from quizcli.view.prose import prose
from quizcli.view.terminal import inert, is_plain, knows_unicode
from quizcli.vocabulary import LETTERS

SHADES = " ░▒▓█"
WIDEST_PICTURE = 32
"""Pixels side by side where each takes two characters; half blocks show twice as many."""
NARROWEST_PICTURE = 16
"""Characters: a smaller picture is enlarged as far as whole pixels go."""
LONGEST_LABEL = 24
"""Characters of a picture's name that are shown even where the picture is narrower."""


def show_evidence(console: Console, demo: Demo, item: Evidence, drawing: str = "") -> None:
    """Print one piece of evidence; `drawing` is a plot drawn already."""
    if isinstance(item, Progress):
        return
    if isinstance(item, Measure):
        console.print(_measure(demo, item))
    elif isinstance(item, Claim):
        console.print(claim_line(demo, item))
    else:
        console.print()
        console.print(_renderable(console, item, drawing))


def paper_of(console: Console) -> Paper:
    """What plots are drawn on for a console."""
    return Paper(console.width, console.color_system is not None, knows_unicode(console), is_plain(console))


class ProgressLine:
    """How far a demo has come, in one line that is written over and leaves nothing behind; only on a terminal."""

    WIDTH = 27

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def show(self, item: Progress) -> None:
        if (
            self._console.is_terminal
            and not is_plain(self._console)
            and item.of > 0
            and self._console.width > self.WIDTH
        ):
            share = min(1.0, item.done / item.of)
            mark = "━" if knows_unicode(self._console) else "="
            self._console.file.write(f"\r  {mark * round(20 * share):<20} {share:4.0%}")
            self._console.file.flush()
            self._shown = True

    def clear(self) -> None:
        """Give the line to what comes next."""
        if self._shown:
            self._console.file.write("\r" + " " * self.WIDTH + "\r")
            self._console.file.flush()
            self._shown = False


def claim_line(demo: Demo, claim: Claim) -> RenderableType:
    """`✓ hidden units stay copies (spread 3e-17, at most 1e-05)`."""
    spec = demo.claims.get(claim.name)
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=7, no_wrap=True)
    grid.add_column(ratio=1)
    says = Line(inert(spec.says if spec else claim.name))
    says.append(f"  (measured {claim.measured:.4g}, {claim.bound})", style="dim")
    grid.add_row(Line("✓ holds", style="right") if claim.holds else Line("✗ fails", style="wrong"), says)
    return grid


def ask_prediction(console: Console, demo: Demo, read_key: Callable[[], str]) -> str | None:
    """The prediction chosen by one key; None where Enter skips it."""
    console.print()
    console.print(Line(inert(demo.prediction.ask), style="heading"))
    for letter, guess in zip(LETTERS, demo.prediction.choices, strict=False):
        console.print(Line(f"  {letter}  {inert(guess.says)}"))
    console.print(Line("Your prediction? (a letter; Enter skips)", style="dim"))
    letters = LETTERS[: len(demo.prediction.choices)]
    while True:
        key = read_key().lower()
        if key and key in letters:
            return demo.prediction.choices[letters.index(key)].says
        if key in ("enter", " "):
            return None


def compare(prediction: Prediction, predicted: str | None, measured: float) -> RenderableType:
    """What was measured among what could be predicted, and what was."""
    held = prediction.matching(measured)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_column()
    for letter, guess in zip(LETTERS, prediction.choices, strict=False):
        here, said = guess is held, guess.says == predicted
        note = Line()
        if here:
            note.append(f"◆ measured {measured:.6g}  ", style="right")
        if said:
            note.append(f"{'✓' if here else '✗'} you said this", style="right" if here else "wrong")
        grid.add_row(
            Line(f" {letter}", style="bold" if here else "dim"), Line(inert(guess.says), "bold" if here else ""), note
        )
    if held is None:
        return Group(grid, Line(f"Measured {measured:.6g}: none of these.", style="bold"))
    return grid


def _renderable(console: Console, item: Text | Table | Plot | Image, drawing: str) -> RenderableType:
    if isinstance(item, Text):
        return prose(item.text)
    if isinstance(item, Table):
        return _table(item)
    if isinstance(item, Image):
        return _image(console, item)
    return drawn(Shown(item, drawing))


def drawn(shown: Shown) -> Line:
    """A plot that was drawn with ANSI colors, as text of a console."""
    if shown.drawing:
        return Line.from_ansi(shown.drawing, no_wrap=True, overflow="crop")
    name = shown.item.name if isinstance(shown.item, Plot) else "plot"
    return Line(f"({name}: nothing finite to draw)", style="dim")


def _measure(demo: Demo, measure: Measure) -> RenderableType:
    meaning = demo.measures.get(measure.name, "")
    line = Line("  ")
    line.append(f"{inert(measure.name)} = {measure.value:.6g}", style="bold")
    if meaning:
        line.append(f"  {inert(meaning)}", style="dim")
    return line


def _table(item: Table) -> RenderableType:
    grid = Grid(
        box=None,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    for column in item.columns:
        grid.add_column(Line(inert(column)), justify="left" if _is_text(item, column) else "right", overflow="fold")
    for row in item.rows:
        grid.add_row(*(Line(inert(_cell(cell))) for cell in row))
    return Group(Line(inert(item.name), style="bold"), grid)


def _is_text(item: Table, column: str) -> bool:
    place = list(item.columns).index(column)
    return any(isinstance(row[place], str) for row in item.rows)


def _cell(cell: str | float) -> str:
    if isinstance(cell, str):
        return cell
    return str(cell) if isinstance(cell, int) else f"{cell:.4g}"


def _image(console: Console, item: Image) -> RenderableType:
    """Pictures side by side on one scale, in rows that fit the console."""
    values = [value for picture in item.pictures.values() for row in picture for value in row if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if is_plain(console):
        sizes = (f"{label}, {len(picture)} by {len(picture[0])}" for label, picture in item.pictures.items())
        return Line(f"Pictures, {inert(item.name)} (values {low:.3g} to {high:.3g}): {inert('; '.join(sizes))}")
    shown = [_picture(console, label, picture, low, high) for label, picture in item.pictures.items()]
    widest = max(len(line) for lines in shown for line in lines) + 2
    columns = max(1, console.width // widest)
    blocks: list[RenderableType] = [Line(f"{inert(item.name)}  (dark {low:.3g} to bright {high:.3g})", style="bold")]
    for start in range(0, len(shown), columns):
        grid = Grid.grid(padding=(0, 2, 0, 0))
        grid.add_row(*(Line("\n").join(lines) for lines in shown[start : start + columns]))
        blocks.append(grid)
    return Group(*blocks)


def _picture(console: Console, label: str, picture: Sequence[Sequence[float]], low: float, high: float) -> list[Line]:
    """A picture's lines under its name: two rows of pixels in one line of half blocks where the console has color and
    Unicode, else two characters a pixel, in gray or in shades."""
    halves = console.color_system is not None and knows_unicode(console)
    span = (high - low) or 1.0
    levels = [
        [min(1.0, max(0.0, (value - low) / span)) if math.isfinite(value) else 0.0 for value in row]
        for row in _fitted(picture, WIDEST_PICTURE if not halves else 2 * WIDEST_PICTURE)
    ]
    if halves:
        zoom = max(1, NARROWEST_PICTURE // len(levels[0]))
        levels = [[level for level in row for _ in range(zoom)] for row in levels for _ in range(zoom)]
        lines = [
            _half_blocks(top, bottom)
            for top, bottom in zip_longest(levels[::2], levels[1::2], fillvalue=[None] * len(levels[0]))
        ]
    elif console.color_system is not None:
        lines = [Line("").join(Line("  ", style=f"on {_gray(level)}") for level in row) for row in levels]
    else:
        lines = [Line("".join(SHADES[round(level * (len(SHADES) - 1))] * 2 for level in row)) for row in levels]
    name = Line(inert(label), style="dim")
    name.truncate(max(len(lines[0]), LONGEST_LABEL), overflow="ellipsis")
    return [name, *lines]


def _fitted(picture: Sequence[Sequence[float]], most: int) -> list[list[float]]:
    """A picture of at most so many pixels a row: of a larger one the means of squares."""
    step = max(1, math.ceil(len(picture[0]) / most))
    rows, columns = len(picture), len(picture[0])
    return [
        [
            statistics.fmean(value for row in picture[top : top + step] for value in row[left : left + step])
            for left in range(0, columns, step)
        ]
        for top in range(0, rows, step)
    ]


def _half_blocks(top: Sequence[float | None], bottom: Sequence[float | None]) -> Line:
    line = Line()
    for above, below in zip(top, bottom, strict=True):
        assert above is not None
        line.append("▀", style=_gray(above) if below is None else f"{_gray(above)} on {_gray(below)}")
    return line


def _gray(level: float) -> str:
    shade = round(20 + 225 * level)
    return f"rgb({shade},{shade},{shade})"
