"""`dlquiz bank`: what keeps a bank honest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check banks of questions.", rich_markup_mode=None)


@app.callback()
def bank() -> None:
    """Check banks of questions."""


@app.command()
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files or folders; the whole bank if none.")
    ] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Run every claim, every falsifier and every drawn value.")
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Seeds 0 to N-1 for --prove.")] = 3,
    figures: Annotated[
        bool, typer.Option("--figures", help="Print every claim's measured value, bound and margin.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Find every problem of the bank, with file and line; --prove also runs what it claims."""
    from quizcli.cli.report import check_bank

    raise typer.Exit(check_bank(paths or [], prove=prove, seeds=seeds, figures=figures, as_json=json))
