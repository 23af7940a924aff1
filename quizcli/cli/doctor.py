"""`dlquiz doctor`: where the data lies, whether it is sound, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    restore: Annotated[
        str | None,
        typer.Option(
            "--restore", metavar="DATE", help="Put the backup of that date in place; the present file is set aside."
        ),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the card states anew from the events.")] = False,
) -> None:
    """Check the data: where it lies, whether its file is sound, whether the card states are what the events say."""
    import time

    from quizcli.errors import UsageError
    from quizcli.places import bank_folder, cache_folder, data_folder, demo_folder
    from quizcli.progress.events import system_clock
    from quizcli.progress.log import Log, LogError
    from quizcli.progress.safety import backups, count_events
    from quizcli.progress.safety import restore as put_back
    from quizcli.scheduling import day_as_date, study_day

    path = data_folder() / "progress.sqlite"
    now = system_clock()
    today = day_as_date(study_day(now.at, now.offset))
    copies = backups(path)
    for name, place in (
        ("progress", path),
        ("cache", cache_folder()),
        ("bank", bank_folder()),
        ("demos", demo_folder()),
    ):
        typer.echo(f"{name:9} {place}")
    for copy in copies:
        typer.echo(f"backup    {copy.date}: {'damaged' if copy.events is None else f'{copy.events} events'}")
    if restore is not None:
        chosen = next((copy for copy in copies if copy.date == restore), None)
        if chosen is None:
            dates = ", ".join(copy.date for copy in copies) or "none"
            raise UsageError(f"--restore {restore}: no backup of that date; there are {dates}")
        moved = put_back(chosen, path, today)
        typer.echo(f"Restored the backup of {chosen.date} with {chosen.events} events.")
        for file in moved:
            typer.echo(f"What was there is kept: {file}")
    if not path.exists():
        typer.echo("No progress yet: dlquiz study or dlquiz practice begins it.")
        return
    held = count_events(path)
    if held is None:
        good = next((copy for copy in copies if copy.events is not None), None)
        way = (
            "there is no good backup"
            if good is None
            else f"dlquiz doctor --restore {good.date} brings back {good.events} events"
        )
        raise LogError(f"{path}: the file is damaged; {way}; the damaged file is kept whole")
    log = Log(path, system_clock)
    start = time.perf_counter()
    live = {state.card: state.row() for state in log.states()}
    fresh = {state.card: state.row() for state in log.replayed()}
    seconds = time.perf_counter() - start
    differing = sum(live.get(card) != fresh.get(card) for card in live.keys() | fresh.keys())
    typer.echo(f"sound: {held} events, {len(fresh)} cards, replayed in {seconds:.2f} s")
    if rebuild:
        log.rebuild()
        typer.echo(f"card states made anew; {differing} were not as the events say")
    elif differing:
        raise LogError(f"{differing} card states are not what the events say: dlquiz doctor --rebuild makes them anew")
    else:
        typer.echo("card states are what the events say")
