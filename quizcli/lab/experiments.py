"""Experiments with a demo: other settings, two of them side by side, a sweep, what would make a claim false.

Pure: settings and evidence in, tables and plots out. Whoever runs the demo is a `Bench`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quizcli.errors import UsageError, suggest
from quizcli.lab.catalog import ClaimSpec, Demo, Parameter, Value
from quizcli.lab.chart import Shown
from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Table, Text

MOST_VALUES = 20
"""Runs of one sweep."""

MOST_WATCHED = 3
"""Quantities that a sweep draws where none is named."""

MOST_CURVES = 4
"""Curves in one plot; with more, two settings are drawn one below the other."""


class Bench(Protocol):
    """Where one demo is run, as often as wanted."""

    @property
    def demo(self) -> Demo: ...

    def run(self, settings: Mapping[str, Value]) -> Iterator[Shown]:
        """The evidence of a run, as it is computed."""
        ...

    def draw(self, plot: Plot) -> str:
        """A plot that no demo yielded, as lines of text."""
        ...


@dataclass(slots=True)
class Findings:
    """What a run found, by name, and all of it in its order."""

    items: list[Evidence] = field(default_factory=list)
    measures: dict[str, float] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    plots: dict[str, Plot] = field(default_factory=dict)

    def add(self, item: Evidence) -> None:
        self.items.append(item)
        if isinstance(item, Measure):
            self.measures[item.name] = item.value
        elif isinstance(item, Claim):
            self.claims[item.name] = item
        elif isinstance(item, Plot):
            self.plots[item.name] = item

    def value(self, name: str) -> float | None:
        """A measure, or what a claim measured."""
        claim = self.claims.get(name)
        return self.measures.get(name, None if claim is None else claim.measured)


@dataclass(frozen=True, slots=True)
class Sweep:
    """The values that one parameter is to take."""

    parameter: Parameter
    values: tuple[Value, ...]


def gather(evidence: Iterable[Evidence]) -> Findings:
    """All that a run found."""
    found = Findings()
    for item in evidence:
        found.add(item)
    return found


def read_changes(demo: Demo, text: str) -> dict[str, Value]:
    """Settings as a person types them: `cell=rnn, lag=20`. Raises UsageError where one cannot be read."""
    changes: dict[str, Value] = {}
    for part in re.split(r"[,\s]+(?=[\w-]+\s*=)", text.strip().strip(",")):
        if not part:
            continue
        name, sign, value = part.partition("=")
        if not sign:
            raise UsageError(f"'{part}': write NAME=VALUE, such as {_example(demo)}")
        parameter = find_parameter(demo, name)
        changes[parameter.name] = parameter.read(value)
    return changes


def read_sweep(demo: Demo, text: str) -> Sweep:
    """A sweep as a person types it: `depth=2,5,10`. Raises UsageError where it cannot be read."""
    name, sign, values = text.partition("=")
    if not sign:
        raise UsageError(f"'{text.strip()}': write NAME=VALUE,VALUE,..., such as {_example(demo)},...")
    parameter = find_parameter(demo, name)
    read = dict.fromkeys(parameter.read(value) for value in re.split(r"[,\s]+", values.strip()) if value)
    if not 2 <= len(read) <= MOST_VALUES:
        raise UsageError(f"{parameter.option} {values.strip()}: a sweep takes 2 to {MOST_VALUES} different values")
    return Sweep(parameter, tuple(read))


def find_parameter(demo: Demo, name: str) -> Parameter:
    """The parameter of that name (hyphen or underscore, any case), else a UsageError with a near name."""
    plain = name.strip().lstrip("-").lower().replace("-", "_")
    if plain not in demo.parameters:
        near = suggest(plain, demo.parameters) or f"; there are {', '.join(demo.parameters)}"
        raise UsageError(f"demo {demo.name} has no parameter '{name.strip()}'{near}")
    return demo.parameters[plain]


def find_claim(demo: Demo, name: str) -> ClaimSpec:
    """The claim of that name, else a UsageError with a near name."""
    plain = name.strip().lower().replace("_", "-")
    if plain not in demo.claims:
        near = suggest(plain, demo.claims) or f"; there are {', '.join(demo.claims)}"
        raise UsageError(f"demo {demo.name} has no claim '{name.strip()}'{near}")
    return demo.claims[plain]


def find_watched(demo: Demo, name: str) -> str:
    """The measure or claim of that name, else a UsageError with a near name."""
    plain = name.strip().lower().replace("_", "-")
    known = [*demo.measures, *demo.claims]
    if plain not in known:
        raise UsageError(f"demo {demo.name} has no measure or claim '{name.strip()}'{suggest(plain, known)}")
    return plain


def describe(settings: Mapping[str, Value]) -> str:
    """Settings in a few words."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "defaults"


def beside(demo: Demo, sides: Sequence[tuple[str, Findings]]) -> Table:
    """Measures and claims of two runs in one table; what differs is what the change did."""
    rows: list[list[str | float]] = []
    for name in (*demo.measures, *demo.claims):
        cells = [_cell(findings, name) for _, findings in sides]
        if any(cell != "-" for cell in cells):
            rows.append([name, *cells])
    return Table("side by side", ["", *(label for label, _ in sides)], rows)


def overlaid(sides: Sequence[tuple[str, Findings]]) -> list[Plot]:
    """The plots of two runs: the curves of both in one, or one below the other where they would be too many."""
    plots: list[Plot] = []
    for name in dict.fromkeys(name for _, findings in sides for name in findings.plots):
        found = [(label, findings.plots[name]) for label, findings in sides if name in findings.plots]
        if len(found) == 2 and sum(len(plot.series) for _, plot in found) <= MOST_CURVES and _alike(found):
            series = {
                label if len(plot.series) == 1 else f"{curve} ({label})": points
                for label, plot in found
                for curve, points in plot.series.items()
            }
            plots.append(_like(found[0][1], name, series))
        else:
            plots += [_like(plot, f"{name}, {label}", plot.series) for label, plot in found]
    return plots


def watched_in(demo: Demo, runs: Sequence[Findings]) -> list[str]:
    """What a sweep is about where nobody says: what the prediction asks, then whatever else changes most."""
    names = dict.fromkeys([demo.prediction.measure, *demo.measures, *demo.claims])
    changing = [name for name in names if _change(runs, name) > 1e-3]
    first = [name for name in changing if name == demo.prediction.measure]
    others = sorted((name for name in changing if name not in first), key=lambda name: -_change(runs, name))
    return (first + others)[:MOST_WATCHED]


def swept(
    demo: Demo, sweep: Sweep, runs: Sequence[Findings], watched: Sequence[str]
) -> tuple[Table, Text | None, list[Plot]]:
    """A sweep as a table, the claims that it breaks in words, and one curve for each quantity."""
    rows: list[list[str | float]] = []
    for value, found in zip(sweep.values, runs, strict=True):
        failing = sum(not claim.holds for claim in found.claims.values())
        rows.append([_number(value), *(_cell(found, name) for name in watched), failing])
    table = Table(f"sweep over {sweep.parameter.name}", [sweep.parameter.name, *watched, "claims broken"], rows)
    plots = []
    for name in watched:
        points = [
            (value, measured)
            for value, found in zip(sweep.values, runs, strict=True)
            if (measured := found.value(name)) is not None
        ]
        numeric = sweep.parameter.kind in ("int", "float")
        xs = [float(x) if numeric else str(x) for x, _ in points]
        ys = [y for _, y in points]
        plots.append(
            Plot(
                name,
                {name: (xs, ys)},
                x_label=sweep.parameter.name,
                y_label=_meaning(demo, name),
                style="line" if numeric else "bars",
                log_x=numeric and _spans([float(x) for x in xs], 20),
                log_y=numeric and _spans(ys, 100),
            )
        )
    return table, _broken(sweep, runs), plots


def _broken(sweep: Sweep, runs: Sequence[Findings]) -> Text | None:
    """Which claims fail, and at which values; None where all hold throughout."""
    places: dict[str, list[str]] = {}
    for value, found in zip(sweep.values, runs, strict=True):
        for name, claim in found.claims.items():
            if not claim.holds:
                places.setdefault(name, []).append(str(value))
    if not places:
        return None
    lines = (f"- `{name}` fails at {', '.join(values)}" for name, values in places.items())
    return Text("\n".join([f"Claims that {sweep.parameter.name} breaks:", "", *lines]))


def _change(runs: Sequence[Findings], name: str) -> float:
    """How far a quantity moves over the runs, as a share of its largest size."""
    values = [value for run in runs if (value := run.value(name)) is not None]
    largest = max((abs(value) for value in values), default=0.0)
    return (max(values) - min(values)) / largest if len(values) > 1 and largest > 1e-9 else 0.0


def _alike(found: Sequence[tuple[str, Plot]]) -> bool:
    (_, first), (_, second) = found
    return (first.style, first.log_x, first.log_y) == (second.style, second.log_x, second.log_y)


def _like(plot: Plot, name: str, series: Mapping[str, tuple[Sequence[object], Sequence[float]]]) -> Plot:
    return Plot(name, series, plot.x_label, plot.y_label or name, plot.style, plot.log_x, plot.log_y)


def _cell(found: Findings, name: str) -> str:
    value = found.value(name)
    if value is None:
        return "-"
    claim = found.claims.get(name)
    return f"{value:.4g}" if claim is None else f"{'✓' if claim.holds else '✗'} {value:.4g}"


def _number(value: Value) -> str | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _meaning(demo: Demo, name: str) -> str:
    """What a measure or a claim is about, where that is short enough for a title; else its name."""
    meaning = demo.measures[name] if name in demo.measures else demo.claims[name].says
    return meaning if len(meaning) <= 56 else name


def _spans(values: Sequence[float], factor: float) -> bool:
    return min(values) > 0 and max(values) >= factor * min(values)


def _example(demo: Demo) -> str:
    parameter = next(iter(demo.parameters.values()))
    return f"{parameter.name}={parameter.default}"
