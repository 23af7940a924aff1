"""`dlquiz` alone: what is due, what is weak, and the next command to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from quizcli.bank.library import Library


def show() -> None:
    """The home screen; on the first run, where to start."""
    from rich.text import Text

    from quizcli.cli.sitting import open_library
    from quizcli.places import data_folder
    from quizcli.view.terminal import make_console

    library = open_library()
    console = make_console()
    questions, topics = library.count(), library.topics()
    console.print(
        Text("dlquiz", style="heading").append("  interview questions on deep learning, every answer can be run")
    )
    console.print(Text(f"{questions} questions on {len(topics)} topic{'s' if len(topics) != 1 else ''}", style="dim"))
    console.print()
    begun = (data_folder() / "progress.sqlite").exists() and _show_today(console, library)
    first = topics[0].name if topics else "TOPIC"
    _show_commands(console, first, begun)


def _show_today(console: Console, library: Library) -> bool:
    """What is due and what is weak; False where nothing was answered yet."""
    from rich.text import Text

    from quizcli.bank.library import Selection
    from quizcli.cli.sitting import open_progress
    from quizcli.stats import streak, weakest
    from quizcli.studying import minutes, plan

    progress = open_progress(library)
    weak = weakest(progress)
    if not weak:
        return False
    today = plan(progress, library, Selection())
    due = len(today.reviews) + len(today.again)
    line = Text(f"{due} due, {len(today.new)} new", style="heading")
    if today.ids:
        line.append(f"   about {max(1, round(minutes(progress, library, today.ids)))} minutes", style="")
    days = streak(progress)
    if days > 1:
        line.append(f"   {days} days in a row", style="right")
    console.print(line)
    if today.backlog:
        console.print(
            Text("A backlog: study asks first what saves most; --limit makes it several days.", style="partly")
        )
    console.print(Text("Weakest (recall tomorrow): " + ", ".join(f"{topic} {recall:.0%}" for topic, recall in weak)))
    console.print()
    return True


def _show_commands(console: Console, topic: str, begun: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="code", no_wrap=True)
    grid.add_column(ratio=1)
    practice = ("dlquiz practice", "ten questions across all topics" + ("" if begun else ": start here"))
    study = (
        "dlquiz study",
        "what you are about to forget, then new ones" if begun else "the same day by day, at the right time",
    )
    for command, meaning in (
        *((study, practice) if begun else (practice, study)),
        (f"dlquiz practice {topic}", "only this topic, area or question"),
        ("dlquiz demo", "the experiments behind the answers"),
        (f"dlquiz explain {topic}", "read the answers instead"),
        ("dlquiz topics", "what there is; dlquiz search WORDS finds"),
        *((("dlquiz stats", "what your answers add up to"),) if begun else ()),
    ):
        grid.add_row(command, Text(meaning))
    console.print(grid)
    console.print(Text("\nAfter an answer: e everything, d demo. ? lists the keys.", style="dim"))
