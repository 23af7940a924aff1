"""What a demo yields: text, tables, plots, images, progress, measures and claims.

This is the only module of the app that a demo imports. Arrays of NumPy or torch may be handed to every
type here: they are turned into plain lists at once, so that evidence can be printed, saved as JSON and
sent from one process to another without NumPy or torch on the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "Claim",
    "Evidence",
    "Image",
    "Measure",
    "Plot",
    "Progress",
    "Range",
    "Table",
    "Text",
    "main",
]


@dataclass(frozen=True, slots=True)
class Range:
    """The closed interval that a parameter of a demo may lie in: `Annotated[int, Range(2, 64), "units"]`."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Text:
    """A few sentences that say what is seen, or what comes next."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of strings and numbers under named columns."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", [str(column) for column in self.columns])
        object.__setattr__(self, "rows", [[_cell(cell) for cell in row] for row in self.rows])
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: a row of {len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves, points or bars: each name in `series` stands for a pair (x values, y values) of equal length.

    With `style="bars"` the x values are the bars' names.
    """

    name: str
    series: Mapping[str, tuple[Sequence[Any], Sequence[float]]]
    x_label: str = ""
    y_label: str = ""
    style: Literal["line", "points", "bars"] = "line"
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        read = str if self.style == "bars" else float
        series = {
            str(label): ([read(x) for x in _plain(xs)], [float(y) for y in _plain(ys)])
            for label, (xs, ys) in self.series.items()
        }
        for label, (xs, ys) in series.items():
            if len(xs) != len(ys):
                raise ValueError(f"plot {self.name}, series {label}: {len(xs)} x values for {len(ys)} y values")
        object.__setattr__(self, "series", series)


@dataclass(frozen=True, slots=True)
class Image:
    """Named pictures of shape (height, width), shown side by side on one scale from dark (low) to bright (high)."""

    name: str
    pictures: Mapping[str, Sequence[Sequence[float]]]

    def __post_init__(self) -> None:
        pictures = {
            str(label): [[float(value) for value in _plain(row)] for row in _plain(picture)]
            for label, picture in self.pictures.items()
        }
        for label, rows in pictures.items():
            if len({len(row) for row in rows}) != 1 or not rows[0]:
                raise ValueError(f"image {self.name}, picture {label}: not a filled rectangle of shape (height, width)")
        object.__setattr__(self, "pictures", pictures)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a longer computation has come: `done` of `of` steps."""

    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One finite measured number. `timing=True` marks a duration, which may differ from run to run."""

    name: str
    value: float
    timing: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _finite(self.value, f"measure {self.name}"))


@dataclass(frozen=True, slots=True)
class Claim:
    """One finite measured number and the bound it is claimed to keep; give exactly one kind of bound.

    `near=(value, tolerance)` is absolute. Whether the claim holds follows from the numbers alone.
    """

    name: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None
    between: tuple[float, float] | None = None
    near: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "measured", _finite(self.measured, f"claim {self.name}"))
        given = [bound for bound in (self.at_most, self.at_least, self.between, self.near) if bound is not None]
        if len(given) != 1:
            raise ValueError(f"claim {self.name}: give exactly one of at_most, at_least, between, near")

    @property
    def interval(self) -> tuple[float, float]:
        """The closed interval in which the measured number must lie; an open side is infinite."""
        if self.at_most is not None:
            return -math.inf, float(self.at_most)
        if self.at_least is not None:
            return float(self.at_least), math.inf
        if self.between is not None:
            return float(self.between[0]), float(self.between[1])
        assert self.near is not None
        value, tolerance = self.near
        return float(value) - float(tolerance), float(value) + float(tolerance)

    @property
    def holds(self) -> bool:
        low, high = self.interval
        return low <= self.measured <= high

    @property
    def bound(self) -> str:
        """The bound in words: `at most 1e-05`, `0.9 to 1.1`."""
        if self.at_most is not None:
            return f"at most {self.at_most:.4g}"
        if self.at_least is not None:
            return f"at least {self.at_least:.4g}"
        if self.between is not None:
            return f"{self.between[0]:.4g} to {self.between[1]:.4g}"
        assert self.near is not None
        return f"{self.near[0]:.6g} ± {self.near[1]:.2g}"


Evidence = Text | Table | Plot | Image | Progress | Measure | Claim


def main(run: Callable[..., Iterator[Evidence]]) -> None:
    """Run a demo as a script: options from the command line, evidence on the terminal.

    The one place where the lab reaches up: only a script's last line comes here, and the import waits until then.
    """
    from quizcli.cli.script import run_script

    run_script(run.__code__.co_filename)


def _plain(values: Any) -> Any:
    """A list of Python numbers from a list, an array or a tensor (a tensor may still be part of a graph)."""
    if hasattr(values, "detach"):
        values = values.detach()
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _cell(value: Any) -> str | float:
    if isinstance(value, str | bool | int):
        return str(value) if isinstance(value, bool) else value
    return float(value)


def _finite(value: Any, where: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{where} is {number}, not a finite number")
    return number
