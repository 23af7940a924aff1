"""`dlquiz demo`: the experiments behind the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from quizcli.lab.catalog import Demo, Value
    from quizcli.lab.evidence import Evidence

HELP = """List the demos, or run one: dlquiz demo lstm --hidden 32

Every parameter of a demo is an option of its own; `dlquiz demo NAME --help` lists them."""


def register(app: typer.Typer) -> None:
    app.command(
        "demo",
        help=HELP,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )(demo)


def demo(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The demo to run.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Show the demo's code.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback when the demo fails.")] = False,
) -> None:
    from quizcli.errors import UsageError
    from quizcli.lab.catalog import Catalog
    from quizcli.places import demo_folder

    catalog = Catalog(demo_folder())
    options = list(context.args)
    wants_help = any(option in ("--help", "-h") for option in (name, *options))
    if name is None or name in ("--help", "-h"):
        if wants_help:
            typer.echo(context.get_help())
            typer.echo("\nOptions of every demo:\n  --json, --source, --debug, --help")
        elif options:
            raise UsageError(f"dlquiz demo: {options[0]} needs the name of a demo; dlquiz demo lists them")
        else:
            list_demos(catalog, json)
        return
    if name.startswith("-"):
        raise UsageError(f"dlquiz demo: {name} needs the name of a demo before it, such as dlquiz demo softmax {name}")
    found = catalog.find(name)
    if source:
        show_source(found)
        return
    raise typer.Exit(run_demo(found, options, as_json=json, debug=debug, command=f"dlquiz demo {found.name}"))


def list_demos(catalog: object, as_json: bool) -> None:
    """All demos, a line each."""
    from quizcli.lab.catalog import Catalog

    assert isinstance(catalog, Catalog)
    demos = [catalog.find(name) for name in catalog.names]
    if as_json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps([{"name": demo.name, "title": demo.title, "claims": list(demo.claims)} for demo in demos]))
        return
    from rich.table import Table
    from rich.text import Text

    from quizcli.view.terminal import make_console

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="key", no_wrap=True)
    grid.add_column(ratio=1)
    for demo in demos:
        grid.add_row(demo.name.replace("_", "-"), Text(demo.title))
    console = make_console()
    console.print(grid)
    console.print(Text("\ndlquiz demo NAME runs one; dlquiz demo NAME --help lists its parameters", style="dim"))


def show_source(demo: Demo) -> None:
    """The demo's code, colored on a terminal."""
    from quizcli.view.terminal import make_console

    console = make_console()
    if not console.is_terminal or console.no_color:
        print(demo.source, end="")
        return
    from rich.syntax import Syntax

    console.print(Syntax(demo.source, "python", theme="ansi_dark", background_color="default"))


def run_demo(demo: Demo, options: Sequence[str], *, as_json: bool, debug: bool, command: str) -> int:
    """Run a demo in this process and print its evidence; returns the exit code."""
    from quizcli.cli.options import read_settings
    from quizcli.lab import runner

    settings = read_settings(demo, options, command)
    if settings is None:
        return 0
    runner.one_thread_environment()
    try:
        evidence = runner.run(demo, settings)
        failed = _print_json(demo, settings, evidence) if as_json else _play(demo, settings, evidence)
    except runner.DemoRunError as error:
        if debug and error.__cause__ is not None:
            import traceback

            traceback.print_exception(error.__cause__)
        elif error.__cause__ is not None and "torch" not in str(error):
            raise runner.DemoRunError(f"{error}; --debug shows the traceback") from error.__cause__
        raise
    changed = any(demo.parameters[name].default != value for name, value in settings.items() if name != "seed")
    return 1 if failed and not changed else 0


def _print_json(demo: Demo, settings: dict[str, Value], evidence: Iterator[Evidence]) -> bool:
    """One JSON object with all evidence; returns whether a claim failed."""
    from quizcli.lab.evidence import Claim, Progress
    from quizcli.lab.wire import dumps, to_data

    items = [item for item in evidence if not isinstance(item, Progress)]
    typer.echo(
        dumps({"demo": demo.name, "settings": demo.settings(settings), "evidence": [to_data(item) for item in items]})
    )
    return any(isinstance(item, Claim) and not item.holds for item in items)


def _play(demo: Demo, settings: dict[str, Value], evidence: Iterator[Evidence]) -> bool:
    """Ask for a prediction on a terminal, show the evidence as it comes, compare; returns whether a claim failed."""
    import sys

    from quizcli.lab.chart import Paper, draw
    from quizcli.lab.evidence import Claim, Measure, Plot, Progress
    from quizcli.view.evidence import ProgressLine, ask_prediction, compare, show_evidence
    from quizcli.view.terminal import knows_unicode, make_console

    console = make_console()
    show_heading(console, demo, settings)
    predicted = None
    if console.is_terminal and sys.stdin.isatty():
        from quizcli.view.keys import Keyboard

        with Keyboard() as keyboard:
            predicted = ask_prediction(console, demo, keyboard.read)
    paper = Paper(console.width, console.color_system is not None, knows_unicode(console))
    failed, measured = False, None
    with ProgressLine(console) as progress:
        for item in evidence:
            if isinstance(item, Progress):
                progress.show(item)
                continue
            progress.clear()
            show_evidence(console, demo, item, draw(item, paper) if isinstance(item, Plot) else "")
            failed = failed or (isinstance(item, Claim) and not item.holds)
            if isinstance(item, Measure) and item.name == demo.prediction.measure:
                measured = item.value
    if measured is not None:
        console.print()
        console.print(demo.prediction.ask, style="heading")
        console.print(compare(demo.prediction, predicted, measured))
    return failed


def show_heading(console: Console, demo: Demo, settings: dict[str, Value]) -> None:
    """What the demo shows, in its own words, and the settings that were changed."""
    from rich.text import Text

    from quizcli.view.terminal import inert

    console.print(Text(inert(demo.title), style="heading"))
    if settings:
        said = ", ".join(f"{name} = {value}" for name, value in settings.items())
        console.print(Text(f"with {inert(said)}", style="dim"))
