"""Evidence as a file: a picture for a slide (.png, .svg) or a page (.html)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quizcli.errors import QuizError, UsageError
from quizcli.lab.catalog import Demo, Value
from quizcli.lab.evidence import Claim, Evidence, Image, Plot

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

SUFFIXES = (".png", ".svg", ".html")

PAGE_WIDTH = 100
"""Characters of a saved page."""

FONTS_WITH_BLOCKS = "font-family:Menlo,'Cascadia Mono',"
"""The first of a page's fonts: on macOS and on Windows those in which blocks are as wide as letters."""

_PANEL = 5.2, 3.6
"""Inches of one plot in a picture."""


def check_target(name: str) -> Path:
    """The file to save to, before anything is run. Raises UsageError for a suffix or a folder that cannot be."""
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--save {name}: the file's name must end with {', '.join(SUFFIXES)}")
    if path.suffix.lower() != ".html":
        _figure_type()
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--save {name}: there is no folder {path.absolute().parent}")
    return path


def save(path: Path, demo: Demo, settings: Mapping[str, Value], items: Sequence[Evidence]) -> None:
    """Write what was shown. Raises QuizError where the file cannot be written."""
    try:
        if path.suffix.lower() == ".html":
            path.write_text(_page(demo, settings, items), encoding="utf-8")
        else:
            _draw_figure(path, demo, settings, items)
    except OSError as error:
        raise QuizError(f"{path}: cannot be written: {error.strerror or error}") from error


def _page(demo: Demo, settings: Mapping[str, Value], items: Sequence[Evidence]) -> str:
    """All evidence as it looks on a terminal with colors."""
    import io

    from rich.console import Console
    from rich.terminal_theme import SVG_EXPORT_THEME
    from rich.text import Text

    from quizcli.lab.chart import Paper, draw
    from quizcli.view.evidence import show_evidence
    from quizcli.view.terminal import inert
    from quizcli.view.theme import DARK

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    console = Console(
        file=stream, width=PAGE_WIDTH, force_terminal=True, color_system="truecolor", theme=DARK, record=True,
        markup=False, highlight=False, emoji=False, no_color=False,
    )  # fmt: skip
    console.print(Text(inert(demo.title), style="heading"))
    if settings:
        console.print(Text(f"with {inert(_words(settings))}", style="dim"))
    paper = Paper(PAGE_WIDTH, color=True, dots=False)
    for item in items:
        show_evidence(console, demo, item, draw(item, paper) if isinstance(item, Plot) else "")
    page = console.export_html(theme=SVG_EXPORT_THEME, inline_styles=True)
    return page.replace("font-family:Menlo,", FONTS_WITH_BLOCKS)


def _draw_figure(path: Path, demo: Demo, settings: Mapping[str, Value], items: Sequence[Evidence]) -> None:
    """Every plot and picture of the evidence in one figure, the claims below."""
    panels = [item for item in items if isinstance(item, Plot | Image)]
    claims = [item for item in items if isinstance(item, Claim)]
    if not panels:
        raise QuizError(f"{path}: nothing here is drawn; save it as .html")
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = _PANEL[0] * columns, _PANEL[1] * rows + 0.17 * len(claims) + 0.9
    figure = _figure_type()(figsize=(width, height), dpi=150, layout="constrained")
    title = demo.title + (f"\n{_words(settings)}" if settings else "")
    figure.suptitle(_wrapped(title, int(width * 11)), fontsize=12)
    upper, *lower = figure.subfigures(
        2 if claims else 1, 1, squeeze=False, height_ratios=[_PANEL[1] * rows, 0.17 * len(claims)] if claims else None
    )[:, 0]
    places = upper.subfigures(rows, columns, squeeze=False).ravel()
    for place, panel in zip(places, panels, strict=False):
        if isinstance(panel, Plot):
            _draw_plot(place, panel)
        else:
            _draw_pictures(place, panel)
    if lower:
        lines = [f"{'✓' if claim.holds else '✗'} {_says(demo, claim)}" for claim in claims]
        lower[0].text(0.02, 0.98, "\n".join(lines), va="top", fontsize=8, family="DejaVu Sans")
    figure.savefig(path)


def _draw_plot(place: SubFigure, plot: Plot) -> None:
    axes = place.subplots()
    for number, (label, (xs, ys)) in enumerate(plot.series.items()):
        if plot.style == "bars":
            shift = 0.8 / len(plot.series)
            spots = [spot + shift * number for spot in range(len(xs))]
            axes.bar(spots, ys, width=shift, label=label)
            axes.set_xticks(
                [spot + 0.4 - shift / 2 for spot in range(len(xs))], xs, rotation=20, ha="right", fontsize=8
            )
        else:
            axes.plot(xs, ys, "o" if plot.style == "points" else "-", markersize=3, label=label)
    axes.set_xlabel(plot.x_label)
    axes.set_title(_wrapped(plot.y_label or plot.name, 54), fontsize=9)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    if len(plot.series) > 1:
        axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_pictures(place: SubFigure, item: Image) -> None:
    count = len(item.pictures)
    if not count:
        return
    columns = math.ceil(math.sqrt(1.5 * count))
    values = [value for picture in item.pictures.values() for row in picture for value in row if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    axes = place.subplots(math.ceil(count / columns), columns, squeeze=False).ravel()
    for each in axes:
        each.axis("off")
    for each, (label, picture) in zip(axes, item.pictures.items(), strict=False):
        each.imshow(picture, cmap="gray", vmin=low, vmax=high)
        each.set_title(label, fontsize=7)
    place.suptitle(item.name, fontsize=9)


def _says(demo: Demo, claim: Claim) -> str:
    spec = demo.claims.get(claim.name)
    return f"{spec.says if spec else claim.name}  ({claim.measured:.4g}, {claim.bound})"


def _words(settings: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def _figure_type() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise QuizError("pictures need matplotlib, which is not installed here: pip install 'dlquiz[plots]'") from None
    return Figure
