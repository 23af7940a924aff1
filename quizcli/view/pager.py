"""A long text on a terminal, a screen at a time; what was shown stays in the scrollback."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

ENDS = ("q", "escape")


def page(console: Console, what: RenderableType, read: Callable[[], str], ask: Callable[[str], None]) -> None:
    """Print a text; where it is longer than the screen, stop at each screenful until a key asks for more.

    `read` gives the next key, `ask` shows the line at the bottom (empty: takes it away).
    """
    lines = console.render_lines(what, pad=False)
    room = max(3, console.height - 2)
    at = 0
    while at < len(lines):
        # A last screen of a line or two is no reason to stop.
        end = len(lines) if len(lines) - at <= room + 2 else at + room
        segments = [segment for line in lines[at:end] for segment in (*line, Segment.line())]
        console.print(Segments(segments), end="")
        at = end
        if at < len(lines):
            share = round(100 * at / len(lines))
            ask(f"{share}%   Space more   Enter all the rest   q enough")
            key = read()
            while key not in (" ", "enter", *ENDS):
                key = read()
            ask("")
            if key in ENDS:
                return
            if key == "enter":
                room = len(lines)
