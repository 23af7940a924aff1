"""`dlquiz topics` and `search`: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable


from quizcli.cli.listing import AsJson, entry_data, list_entries
from quizcli.cli.sitting import open_library


def register(app: typer.Typer) -> None:
    for command in (topics, search):
        app.command()(command)


def topics(json: AsJson = False) -> None:
    """List the topics with their questions by kind and level."""
    library = open_library()
    infos, entries = library.topics(), library.entries()
    counts = {info.name: [entry for entry in entries if entry.topic == info.name] for info in infos}
    if json:
        from quizcli.lab.wire import dumps

        data = [
            {
                "topic": info.name,
                "area": info.area,
                "title": info.title,
                "needs": list(info.needs),
                "questions": len(counts[info.name]),
                "kinds": _tally(entry.kind for entry in counts[info.name]),
                "levels": _tally(entry.level for entry in counts[info.name]),
            }
            for info in infos
        ]
        typer.echo(dumps(data))
        return
    from rich.table import Table
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console
    from quizcli.vocabulary import KINDS, LEVELS

    console = make_console()
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    with_area = console.width >= 96
    grid.add_column("topic", style="key", overflow="fold")
    if with_area:
        grid.add_column("area", style="dim", overflow="fold")
    for name in (*KINDS, *LEVELS):
        # In eighty columns the longest topic has its line only where this column is narrow.
        grid.add_column(name if with_area else name.removesuffix("-up"), justify="right", overflow="fold")
    for info in infos:
        of = counts[info.name]
        kinds, levels = _tally(entry.kind for entry in of), _tally(entry.level for entry in of)
        cells = [str(kinds.get(kind, "")) for kind in KINDS] + [str(levels.get(level, "")) for level in LEVELS]
        area = [Text(inert(info.area))] if with_area else []
        grid.add_row(Text(inert(info.name)), *area, *cells)
    console.print(grid)
    console.print(
        Text(f"\n{len(infos)} topics, {len(entries)} questions; dlquiz practice TOPIC asks them", style="dim")
    )


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Words, or beginnings of words.")],
    json: AsJson = False,
) -> None:
    """Find questions that hold some words."""
    library = open_library()
    found = library.search(" ".join(words))
    if json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps([entry_data(library, entry) for entry in found]))
        return
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console

    console = make_console()
    if not found:
        console.print(Text(f"Nothing found for '{inert(' '.join(words))}'.", style="dim"))
        return
    list_entries(console, library, found)
    console.print(Text("\ndlquiz explain ID shows an answer; dlquiz practice ID asks it", style="dim"))


def _tally(names: Iterable[str]) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(names))
