"""`dlquiz study`, `due` and `undo`: what is due today, and taking back."""

from __future__ import annotations

from typing import Annotated

import typer

from quizcli.cli.completing import topics


def register(app: typer.Typer) -> None:
    for command in (study, due, undo):
        app.command()(command)


def study(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AREA|TOPIC]...",
            help="What to study; everything if none.",
            autocompletion=topics,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, max=100_000, help="At most so many questions.")] = None,
    new: Annotated[
        int | None, typer.Option("--new", min=0, max=1000, help="So many new cards, instead of the day's.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Draw in a way that can be repeated.")] = None,
    confidence: Annotated[bool, typer.Option("--confidence", help="Ask too how sure you are of each answer.")] = False,
) -> None:
    """Today's session: what memory is about to lose, then new questions."""
    import random

    from quizcli.cli.sitting import open_library, open_progress, select, sit
    from quizcli.keeping import ProgressKeeper
    from quizcli.places import cache_folder
    from quizcli.progress.leases import Leases
    from quizcli.scheduling import day_as_date
    from quizcli.studying import next_due, plan

    library = open_library()
    selection = select(library, what, None, None, None)
    progress = open_progress(library)
    today = plan(progress, library, selection, limit=limit, new=new)
    if not today.ids:
        coming = next_due(progress, selection)
        when = "" if coming is None else f" The next card is due on {day_as_date(coming)}."
        typer.echo(f"Nothing is due today.{when} dlquiz practice asks whatever you like.")
        return
    leases = Leases(cache_folder() / "leases.sqlite", lambda: progress.log.clock().at)
    keeper = ProgressKeeper(progress, library, leases, study=True)
    chosen_seed = seed if seed is not None else random.SystemRandom().randrange(2**32)
    try:
        code = sit(library, today.ids, str(chosen_seed), keeper, confidence=confidence)
    finally:
        leases.close()
    if today.waiting:
        typer.echo(f"{today.waiting} more are due today: dlquiz study goes on with them.")
    raise typer.Exit(code)


def due(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """How much is due today, in one line: for a shell prompt."""
    from quizcli.cli.due import show

    show(json)


def undo() -> None:
    """Take back the newest action: an answer, a bury, a setting, whatever it was."""
    from quizcli.cli.sitting import open_library, open_progress

    event = open_progress(open_library()).undo()
    if event is None:
        typer.echo("There is nothing to undo.")
        return
    about = f" of {event.card.removeprefix('dl:')}" if event.card is not None else ""
    typer.echo(f"Taken back: {event.kind}{about}.")
