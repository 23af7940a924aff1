"""What a session came to."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quizcli.session import Summary, Tally
from quizcli.view.terminal import inert


def summary_of(summary: Summary) -> RenderableType:
    """The score by topic and skill, what to repeat, and the command that repeats just that."""
    parts: list[RenderableType] = []
    if summary.total.answers:
        parts.append(_score("Right", summary.total))
        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_row(_tallies("By topic", summary.topics), _tallies("By skill", summary.skills))
        parts += [Text(""), grid]
    else:
        parts.append(Text("No question answered.", style="dim"))
    for name, reason in summary.withdrawn:
        parts.append(Text(f"Withdrawn, not scored: {name} ({inert(reason)})", style="partly"))
    again = dict.fromkeys([*summary.repeat, *summary.skipped])
    if again:
        parts += [Text(""), Text("To repeat:", style="heading")]
        parts.append(Text("dlquiz practice " + " ".join(again), style="code", overflow="fold"))
    return Group(*parts)


def _score(label: str, tally: Tally) -> Text:
    line = Text(f"{label}: ", style="heading")
    return line.append(f"{tally.right} of {tally.answers}", style="right" if tally.right == tally.answers else "")


def _tallies(title: str, tallies: dict[str, Tally]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(Text(title, style="heading"), "")
    for name, tally in tallies.items():
        style = "right" if tally.right == tally.answers else "wrong" if not tally.right else ""
        grid.add_row(Text(name), Text(f"{tally.right}/{tally.answers}", style=style))
    return grid
