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
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check the data: where it lies, whether its file is sound, whether the card states are what the events say."""
    from quizcli.cli.checkup import Checkup
    from quizcli.places import data_folder

    checkup = Checkup(data_folder() / "progress.sqlite", say=None if json else typer.echo)
    try:
        if restore is not None:
            checkup.restore(restore)
        checkup.check(rebuild)
    finally:
        if json:
            from quizcli.lab.wire import dumps

            typer.echo(dumps(checkup.found))
