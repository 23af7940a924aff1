"""Experiments with a demo on the terminal: by options of a command, or key by key after a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.text import Text

from quizcli.config import config
from quizcli.errors import QuizError
from quizcli.lab import experiments
from quizcli.lab.catalog import ClaimSpec, Demo, Value
from quizcli.lab.evidence import Evidence, Plot, Progress
from quizcli.lab.experiments import Bench, Findings, Sweep
from quizcli.view.evidence import ProgressLine, claim_line, show_evidence
from quizcli.view.terminal import inert
from quizcli.vocabulary import LETTERS


def play(console: Console, bench: Bench, settings: Mapping[str, Value]) -> Findings:
    """Show a run's evidence as it comes."""
    found = Findings()
    with ProgressLine(console) as progress:
        for shown in bench.run(settings):
            if isinstance(shown.item, Progress):
                progress.show(shown.item)
                continue
            progress.clear()
            found.add(shown.item)
            show_evidence(console, bench.demo, shown.item, shown.drawing)
    return found


def compare(console: Console, bench: Bench, base: Mapping[str, Value], changes: Mapping[str, Value]) -> list[Evidence]:
    """Run two settings, then show side by side what they measured, their curves in one plot; returns what is shown."""
    sides = [
        (experiments.describe(settings), _quietly(console, bench, settings))
        for settings in (dict(base), {**base, **changes})
    ]
    return _shown(console, bench, [experiments.beside(bench.demo, sides), *experiments.overlaid(sides)])


def sweep(
    console: Console, bench: Bench, base: Mapping[str, Value], over: Sweep, watch: str | None = None
) -> list[Evidence]:
    """Run one value after the other, then show what was measured against it; returns what is shown."""
    runs = []
    with ProgressLine(console) as progress:
        for number, value in enumerate(over.values):
            progress.show(Progress(number, len(over.values)))
            settings = {**base, over.parameter.name: value}
            runs.append(experiments.gather(shown.item for shown in bench.run(settings)))
    watched = [watch] if watch is not None else experiments.watched_in(bench.demo, runs)
    table, broken, plots = experiments.swept(bench.demo, over, runs, watched)
    if not watched:
        console.print(Text("Nothing that this demo measures changes with it.", style="dim"))
    return _shown(console, bench, [table, *([] if broken is None else [broken]), *plots])


def falsify(console: Console, bench: Bench, base: Mapping[str, Value], claim: ClaimSpec) -> None:
    """Measure one claim as it stands and under the setting that must break it."""
    console.print()
    console.print(Text(inert(claim.says), style="heading"))
    for settings in (dict(base), {**base, **claim.false_when}):
        found = _quietly(console, bench, settings).claims.get(claim.name)
        console.print(Text(experiments.describe(settings), style="dim"))
        if found is None:
            console.print(Text("the run ended without the claim", style="partly"))
        else:
            console.print(claim_line(bench.demo, found))


def show_source(console: Console, demo: Demo) -> None:
    """The demo's code, colored where there are colors."""
    if not console.is_terminal or console.no_color:
        console.file.write(demo.source)
        return
    from rich.syntax import Syntax

    console.print(Syntax(demo.source, "python", theme="ansi_dark", background_color="default"))


class Workbench:
    """What can be done with a demo after a run, one key each. `read` gives a key, `line` a typed line."""

    def __init__(
        self,
        console: Console,
        bench: Bench,
        read: Callable[[], str],
        line: Callable[[str], str],
        settings: Mapping[str, Value],
    ) -> None:
        self.console = console
        self.bench = bench
        self._read = read
        self._line = line
        self._settings = dict(settings)

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        return {
            "run": self._run_changed,
            "compare": self._compare,
            "sweep": self._sweep,
            "falsify": self._falsify,
            "source": self._show_source,
        }

    @property
    def keys(self) -> str:
        """The keys of its actions, for a status line."""
        words = {"run": "run changed"}
        return "  ".join(f"{config().after[action]} {words.get(action, action)}" for action in self.actions)

    def act(self, action: str) -> None:
        """Do one of the actions; what goes wrong is said."""
        try:
            self.actions[action]()
        except QuizError as error:
            self.console.print(Text(inert(str(error)), style="partly"))
        except KeyboardInterrupt:
            self.console.print(Text("\nThe demo was stopped.", style="dim"))

    def _run_changed(self) -> None:
        changes = self._ask_changes("change")
        if changes:
            self._settings = {**self._settings, **changes}
            self._say_settings()
            play(self.console, self.bench, self._settings)

    def _compare(self) -> None:
        changes = self._ask_changes("compare with")
        if changes:
            compare(self.console, self.bench, self._settings, changes)

    def _sweep(self) -> None:
        self._list_parameters()
        text = self._line("sweep (NAME=VALUE,VALUE,...)> ")
        if text.strip():
            sweep(self.console, self.bench, self._settings, experiments.read_sweep(self.bench.demo, text))

    def _falsify(self) -> None:
        claims = list(self.bench.demo.claims.values())
        letters = _letters(len(claims))
        self.console.print()
        self.console.print(Text("What would make it false? Each claim, and the setting that must break it:"))
        for letter, claim in zip(letters, claims, strict=True):
            line = Text(f"  {letter}  {inert(claim.says)}")
            line.append(f"  ({inert(experiments.describe(claim.false_when))})", style="dim")
            self.console.print(line)
        self.console.print(Text("Which? (a letter; Enter for none)", style="dim"))
        while (key := self._read()) not in ("enter", "escape"):
            if key in letters:
                falsify(self.console, self.bench, {}, claims[letters.index(key)])
                return

    def _show_source(self) -> None:
        show_source(self.console, self.bench.demo)

    def _ask_changes(self, what: str) -> dict[str, Value]:
        self._list_parameters()
        return experiments.read_changes(self.bench.demo, self._line(f"{what} (NAME=VALUE, ...)> "))

    def _list_parameters(self) -> None:
        from rich.table import Table as Grid

        grid = Grid.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="key", no_wrap=True)
        grid.add_column(ratio=1)
        for parameter in self.bench.demo.parameters.values():
            value = self._settings.get(parameter.name, parameter.default)
            meaning = f"{parameter.meaning}; {parameter.allowed}" if parameter.meaning else parameter.allowed
            grid.add_row(f"{parameter.name}={value}", Text(inert(meaning), style="dim"))
        self.console.print()
        self.console.print(grid)

    def _say_settings(self) -> None:
        self.console.print(Text(f"with {inert(experiments.describe(self._settings))}", style="dim"))


def _letters(count: int) -> str:
    return (LETTERS + "ghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ")[:count]


def _quietly(console: Console, bench: Bench, settings: Mapping[str, Value]) -> Findings:
    """What a run finds, with nothing shown but how far it has come."""
    found = Findings()
    with ProgressLine(console) as progress:
        for shown in bench.run(settings):
            if isinstance(shown.item, Progress):
                progress.show(shown.item)
            else:
                found.add(shown.item)
    return found


def _shown(console: Console, bench: Bench, items: list[Evidence]) -> list[Evidence]:
    for item in items:
        show_evidence(console, bench.demo, item, bench.draw(item) if isinstance(item, Plot) else "")
    return items
