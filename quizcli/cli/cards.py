"""`dlquiz cards`, `suspend`, `unsuspend`, `reset` and `config`: what a learner decides about cards and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quizcli.cli.completing import topics

if TYPE_CHECKING:
    from quizcli.progress.progress import Progress

Names = Annotated[list[str], typer.Argument(metavar="ID...", help="Questions, by their ids.", autocompletion=topics)]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def register(app: typer.Typer) -> None:
    for command in (cards, suspend, unsuspend, reset, config):
        app.command()(command)


def suspend(names: Names) -> None:
    """Keep questions out of the study until they are unsuspended."""
    from quizcli.progress.events import SUSPEND

    _act(SUSPEND, names, "Suspended")


def unsuspend(names: Names) -> None:
    """Let suspended or buried questions come back."""
    from quizcli.progress.events import UNSUSPEND

    _act(UNSUSPEND, names, "Back in the study")


def reset(names: Names) -> None:
    """Forget the schedule of questions: they are new again. Their history stays in the log, and undo brings it back."""
    from quizcli.progress.events import RESET

    _act(RESET, names, "New again")


def cards(
    suspended: Annotated[bool, typer.Option("--suspended", help="Only suspended and buried ones.")] = False,
    marked: Annotated[bool, typer.Option("--marked", help="Only those marked as seeming wrong.")] = False,
    notes: Annotated[bool, typer.Option("--notes", help="Only those with a note.")] = False,
    json: AsJson = False,
) -> None:
    """List the questions that are suspended or buried, that carry a note, or that are marked as seeming wrong."""
    from quizcli.cli.sitting import open_library, open_progress
    from quizcli.progress import events
    from quizcli.progress.progress import question_of

    progress = open_progress(open_library())
    everything = not (suspended or marked or notes)
    rows: list[dict[str, str]] = []
    if suspended or everything:
        today = progress.today()
        for state in progress.log.states("suspended OR buried > ? ORDER BY card", today):
            what = "suspended" if state.suspended else "buried until tomorrow"
            rows.append({"question": question_of(state.card) or state.card, "what": what, "text": ""})
    kinds = [kind for kind, wanted in ((events.MARK, marked), (events.NOTE, notes)) if wanted or everything]
    for event in progress.log.events(f"kind IN ({', '.join('?' * len(kinds))})", *kinds) if kinds else ():
        what = "marked" if event.kind == events.MARK else "note"
        name = question_of(event.card or "") or str(event.card)
        rows.append({"question": name, "what": what, "text": str(event.body.get("text", ""))})
    if json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps(rows))
        return
    from rich.table import Table
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console

    console = make_console()
    if not rows:
        console.print(Text("No card is suspended, buried, marked or noted.", style="dim"))
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="key", overflow="fold")
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for row in rows:
        grid.add_row(Text(row["question"]), Text(row["what"], style="dim"), Text(inert(row["text"])))
    console.print(grid)


def config(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The setting.")] = None,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="Its new value.")] = None,
    json: AsJson = False,
) -> None:
    """Show the settings with their meaning, or change one: dlquiz config retention 0.85"""
    from quizcli.cli.sitting import open_library, open_progress
    from quizcli.progress.progress import SETTINGS, find_setting

    progress = open_progress(open_library())
    chosen = None if name is None else find_setting(name)
    if chosen is not None and value is not None:
        new = chosen.read(value)
        old = progress.values[chosen.name]
        progress.set(chosen, new)
        typer.echo(f"{chosen.name}: {old:g} -> {new:g}, for what comes from now on; dlquiz undo takes it back")
        return
    settings = [chosen] if chosen is not None else list(SETTINGS.values())
    if json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps({setting.name: progress.values[setting.name] for setting in settings}))
        return
    for setting in settings:
        span = f"{setting.low:g} to {setting.high:g}, default {setting.default:g}"
        typer.echo(f"{setting.name} = {progress.values[setting.name]:g}   {setting.meaning} ({span})")


def _act(kind: str, names: list[str], said: str) -> None:
    """Write one action for each of some questions."""
    from quizcli.cli.sitting import open_library, open_progress

    library = open_library()
    questions = [library.question(name).id for name in names]
    progress: Progress = open_progress(library)
    for question in questions:
        progress.note(kind, question)
        typer.echo(f"{said}: {question}")
