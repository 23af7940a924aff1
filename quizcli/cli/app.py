"""The command line: one small module a group of commands; whatever is heavy is imported where it is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from quizcli import __version__
from quizcli.cli import bank, browse, cards, demo, doctor, explain, home, optimize, practice, stats, study
from quizcli.errors import UsageError

COMPLETE = "_DLQUIZ_COMPLETE"
"""Set by the shell that wants to know what could come next."""

app = typer.Typer(
    name="dlquiz",
    epilog="Start with: dlquiz practice",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
practice.register(app)
study.register(app)
optimize.register(app)
cards.register(app)
doctor.register(app)
stats.register(app)
demo.register(app)
explain.register(app)
browse.register(app)
app.add_typer(bank.app, name="bank")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dlquiz {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the home screen as JSON.")] = False,
    _plain: Annotated[
        bool, typer.Option("--plain", help="For screen readers, with any command: nothing drawn or written over.")
    ] = False,
) -> None:
    """The interview-prep quiz for deep learning whose every answer can be run."""
    if context.invoked_subcommand is None:
        home.show(json)
    elif json:
        raise UsageError(
            f"dlquiz: --json before {context.invoked_subcommand} has no meaning; put it behind the command"
        )


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. What goes wrong is raised as a QuizError.

    Typer's own `main` turns a closed pipe into exit code 1 and prints usage errors in several lines; here they take
    the way of all other errors.
    """
    command = typer.main.get_command(app)
    if (wanted := os.environ.get(COMPLETE)) is not None:
        from typer.completion import shell_complete

        return shell_complete(command, {}, "dlquiz", COMPLETE, wanted)
    if "--plain" in arguments:
        # Wherever it stands; a demo's process has to know it too.
        os.environ["DLQUIZ_PLAIN"] = "1"
        arguments = [argument for argument in arguments if argument != "--plain"]
    try:
        with command.make_context("dlquiz", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    except typer.TyperException as error:
        raise UsageError(f"dlquiz: {error.format_message()} (dlquiz --help shows what there is)") from error
    return 0
