"""`dlquiz demo`: the experiments behind the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from quizcli.cli.completing import DemoCommand, assignments, claims, demos, quantities

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from quizcli.lab.catalog import Demo, Value
    from quizcli.lab.evidence import Evidence
    from quizcli.lab.experiments import Bench
    from quizcli.view.keys import Keyboard

HELP = """List the demos, or run one: dlquiz demo lstm --hidden 32

Every parameter of a demo is an option of its own; `dlquiz demo NAME --help` lists them. `--compare lag=20` sets
another setting beside it, `--sweep lag=5,10,20,50` draws what is measured against one parameter, `--falsify CLAIM`
measures a claim under the setting that must break it."""


def register(app: typer.Typer) -> None:
    app.command(
        "demo",
        cls=DemoCommand,
        help=HELP,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )(demo)


def demo(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The demo to run.",
            autocompletion=demos,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Show the demo's code.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback when the demo fails.")] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="NAME=VALUE,...", help="Run other settings beside these.", autocompletion=assignments
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="NAME=VALUE,VALUE,...",
            help="Run it over values of one parameter.",
            autocompletion=assignments,
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch", metavar="NAME", help="The measure or claim that a sweep draws.", autocompletion=quantities
        ),
    ] = None,
    falsify: Annotated[
        str | None,
        typer.Option(
            "--falsify", metavar="CLAIM", help="Measure a claim under what must break it.", autocompletion=claims
        ),
    ] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="FILE", help="Save what is shown as FILE.png, .svg or .html.")
    ] = None,
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
            shared = "--json, --source, --debug, --compare, --sweep, --watch, --falsify, --save, --help"
            typer.echo(f"\nOptions of every demo:\n  {shared}")
        elif options:
            raise UsageError(f"dlquiz demo: {options[0]} needs the name of a demo; dlquiz demo lists them")
        else:
            list_demos(catalog, json)
        return
    if name.startswith("-"):
        raise UsageError(f"dlquiz demo: {name} needs the name of a demo before it, such as dlquiz demo softmax {name}")
    found = catalog.find(name)
    if source:
        from quizcli.view.experiment import show_source
        from quizcli.view.terminal import make_console

        show_source(make_console(), found)
        return
    wishes = [name for name, wish in (("--compare", compare), ("--sweep", sweep), ("--falsify", falsify)) if wish]
    if len(wishes) > 1 or (wishes and json) or (watch and not sweep):
        raise UsageError(
            f"dlquiz demo: {' and '.join(wishes or ['--watch'])} cannot stand together like this: take one"
            " of --compare, --sweep (with --watch) and --falsify, without --json"
        )
    if save and (falsify or json):
        raise UsageError("dlquiz demo: --save keeps what is drawn: it goes with a run, --compare or --sweep")
    experiment = Experiment(compare, sweep, watch, falsify, save)
    command = f"dlquiz demo {found.name}"
    raise typer.Exit(run_demo(found, options, as_json=json, debug=debug, command=command, experiment=experiment))


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


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a command line asks of a demo beyond one run."""

    compare: str | None = None
    sweep: str | None = None
    watch: str | None = None
    falsify: str | None = None
    save: str | None = None

    @property
    def wanted(self) -> bool:
        return any((self.compare, self.sweep, self.falsify))


def run_demo(
    demo: Demo,
    options: Sequence[str],
    *,
    as_json: bool,
    debug: bool,
    command: str,
    experiment: Experiment | None = None,
) -> int:
    """Run a demo in this process and print its evidence; returns the exit code."""
    from quizcli.cli.options import read_settings
    from quizcli.lab import runner

    settings = read_settings(demo, options, command)
    if settings is None:
        return 0
    runner.one_thread_environment()
    wish = experiment or Experiment()
    target = None
    if wish.save:
        from quizcli.view.saving import check_target

        target = check_target(wish.save)
    try:
        if wish.wanted:
            _keep(target, demo, settings, _experiment(demo, settings, wish))
            return 0
        failed = _print_json(demo, settings, runner.run(demo, settings)) if as_json else _play(demo, settings, target)
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


def _keep(target: Path | None, demo: Demo, settings: dict[str, Value], items: Sequence[Evidence]) -> None:
    """Save what was shown, where that was asked for."""
    if target is not None:
        from quizcli.view.saving import save

        save(target, demo, settings, items)
        typer.echo(f"Saved: {target}")


def _play(demo: Demo, settings: dict[str, Value], target: Path | None) -> bool:
    """Show a run, on a terminal with a prediction before it and experiments after; returns whether a claim failed."""
    import sys
    from contextlib import ExitStack

    from quizcli.view.evidence import ask_prediction, compare
    from quizcli.view.experiment import play
    from quizcli.view.terminal import make_console

    console = make_console()
    show_heading(console, demo, settings)
    bench = _bench(demo, console)
    with ExitStack() as open_keyboard:
        keyboard, predicted = None, None
        if console.is_terminal and sys.stdin.isatty():
            from quizcli.view.keys import Keyboard

            keyboard = open_keyboard.enter_context(Keyboard())
            predicted = ask_prediction(console, demo, keyboard.read)
        found = play(console, bench, settings)
        measured = found.measures.get(demo.prediction.measure)
        if measured is not None:
            console.print()
            console.print(demo.prediction.ask, style="heading")
            console.print(compare(demo.prediction, predicted, measured))
        _keep(target, demo, settings, found.items)
        if keyboard is not None:
            _play_on(console, bench, settings, keyboard)
    return any(not claim.holds for claim in found.claims.values())


def _play_on(console: Console, bench: Bench, settings: dict[str, Value], keyboard: Keyboard) -> None:
    """Experiments key by key, until Enter."""
    from rich.text import Text

    from quizcli.config import config
    from quizcli.view.experiment import Workbench

    workbench = Workbench(console, bench, keyboard.read, keyboard.line, settings)
    actions = {config().after[action]: action for action in workbench.actions}
    while True:
        console.print(Text(f"\n{workbench.keys}  Enter leaves", style="dim"))
        while (key := keyboard.read()) not in actions:
            if key in ("enter", "escape", config().after["quit"], " "):
                return
        workbench.act(actions[key])


def _experiment(demo: Demo, settings: dict[str, Value], wish: Experiment) -> list[Evidence]:
    """Two settings side by side, a sweep, or a claim under the setting that must break it; returns what was shown."""
    from quizcli.lab import experiments
    from quizcli.view import experiment
    from quizcli.view.terminal import make_console

    console = make_console()
    bench = _bench(demo, console)
    if wish.compare:
        changes = experiments.read_changes(demo, wish.compare)
        show_heading(console, demo, settings)
        return experiment.compare(console, bench, settings, changes)
    if wish.sweep:
        over = experiments.read_sweep(demo, wish.sweep)
        watch = experiments.find_watched(demo, wish.watch) if wish.watch else None
        show_heading(console, demo, settings)
        return experiment.sweep(console, bench, settings, over, watch)
    experiment.falsify(console, bench, settings, experiments.find_claim(demo, wish.falsify or ""))
    return []


def _bench(demo: Demo, console: Console) -> Bench:
    from quizcli.lab.benches import OwnBench
    from quizcli.view.evidence import paper_of

    return OwnBench(demo, paper_of(console))


def show_heading(console: Console, demo: Demo, settings: dict[str, Value]) -> None:
    """What the demo shows, in its own words, and the settings that were changed."""
    from rich.text import Text

    from quizcli.view.terminal import inert

    console.print(Text(inert(demo.title), style="heading"))
    if settings:
        said = ", ".join(f"{name} = {value}" for name, value in settings.items())
        console.print(Text(f"with {inert(said)}", style="dim"))
