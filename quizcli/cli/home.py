"""`dlquiz` alone: what is due, what is weak, and the next command to type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from quizcli.bank.library import Library


@dataclass(frozen=True, slots=True)
class Today:
    """What the day holds for a learner who has begun."""

    due: int
    new: int
    minutes: int
    backlog: bool
    streak: int
    weakest: dict[str, float]


def show(as_json: bool) -> None:
    """The home screen; on the first run, where to start."""
    from quizcli.cli.sitting import open_library
    from quizcli.places import data_folder

    library = open_library()
    questions, topics = library.count(), library.topics()
    today = _today(library) if (data_folder() / "progress.sqlite").exists() else None
    if as_json:
        import dataclasses

        from quizcli.lab.wire import dumps

        day = None if today is None else dataclasses.asdict(today)
        print(dumps({"questions": questions, "topics": len(topics), "today": day}))
        return
    from rich.text import Text

    from quizcli.view.terminal import make_console

    console = make_console()
    console.print(
        Text("dlquiz", style="heading").append("  interview questions on deep learning, every answer can be run")
    )
    console.print(Text(f"{questions} questions on {len(topics)} topic{'s' if len(topics) != 1 else ''}", style="dim"))
    console.print()
    if today is not None:
        _show_today(console, today)
    _show_commands(console, topics[0].name if topics else "TOPIC", today is not None)


def _today(library: Library) -> Today | None:
    """What is due and what is weak; None where nothing was answered yet."""
    from quizcli.bank.library import Selection
    from quizcli.cli.sitting import open_progress
    from quizcli.stats import streak, weakest
    from quizcli.studying import minutes, plan

    progress = open_progress(library)
    weak = weakest(progress)
    if not weak:
        return None
    today = plan(progress, library, Selection())
    due = len(today.reviews) + len(today.again) + today.waiting
    needed = max(1, round(minutes(progress, library, today.new))) if today.ids else 0
    return Today(due, len(today.new), needed, today.backlog, streak(progress), dict(weak))


def _show_today(console: Console, today: Today) -> None:
    from rich.text import Text

    line = Text(f"{today.due} due, {today.new} new", style="heading")
    if today.minutes:
        line.append(f"   about {today.minutes} minutes", style="")
    if today.streak > 1:
        line.append(f"   {today.streak} days in a row", style="right")
    console.print(line)
    if today.backlog:
        console.print(
            Text("A backlog: study asks first what saves most; --limit makes it several days.", style="partly")
        )
    weak = ", ".join(f"{topic} {recall:.0%}" for topic, recall in today.weakest.items())
    console.print(Text(f"Weakest (recall tomorrow): {weak}"))
    console.print()


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
