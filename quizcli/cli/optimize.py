"""`dlquiz optimize`: FSRS's weights fitted to the learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from quizcli.optimizing import Judgment, Rescheduling


def register(app: typer.Typer) -> None:
    app.command()(optimize)


def optimize(
    reschedule: Annotated[
        bool, typer.Option("--reschedule", help="Then move all due days to the weights in force; shows first how.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Reschedule without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Fit the schedule to your own memory; kept only if it predicts held-out reviews better."""
    from quizcli import optimizing
    from quizcli.cli.sitting import open_library, open_progress
    from quizcli.errors import UsageError

    asks = reschedule and not (yes or dry_run)
    if asks and (json or not _on_terminal()):
        raise UsageError("optimize --reschedule: without a terminal it needs --yes; --dry-run shows what it would do")
    progress = open_progress(open_library())
    known = optimizing.histories(progress.log)
    missing = optimizing.missing(known)
    judgment = None if missing else optimizing.judge(known, progress.weights)
    weights = progress.weights
    if judgment is not None and judgment.accepted:
        weights = judgment.weights
        if not dry_run:
            progress.set_weights(weights, {"log_loss": {name: s.log_loss for name, s in judgment.scores.items()}})
    change = optimizing.change_in_due(progress, weights) if reschedule else None
    moving = change.cards if change is not None and not dry_run else ()
    if json:
        optimizing.reschedule(progress, moving)
        typer.echo(_as_json(judgment, missing, change, len(moving), dry_run))
        return
    _print(judgment, missing, change, dry_run)
    if not moving:
        return
    if asks and not _agreed(f"Reschedule {len(moving)} cards? [y/N] "):
        typer.echo("Nothing was rescheduled.")
        return
    optimizing.reschedule(progress, moving)
    typer.echo(f"{len(moving)} cards were rescheduled; dlquiz undo takes it back.")


def _print(judgment: Judgment | None, missing: int, change: Rescheduling | None, dry_run: bool) -> None:
    from rich.text import Text

    from quizcli.view.terminal import make_console

    console = make_console()
    if judgment is None:
        console.print(Text(_too_few(missing)))
    else:
        _print_judgment(console, judgment)
        console.print(Text(_decision(judgment, dry_run)))
        if judgment.accepted and change is None and not dry_run:
            console.print(Text("No due day has moved: dlquiz optimize --reschedule does that.", style="dim"))
    if change is not None:
        _print_change(console, change)


def _too_few(missing: int) -> str:
    from quizcli.optimizing import ENOUGH

    return (
        f"Too early: {missing} of {ENOUGH} reviews are missing (first answers of a day, at least a day after the"
        " card's last one). The weights in force stay."
    )


def _print_judgment(console: Console, judgment: Judgment) -> None:
    from rich.table import Table
    from rich.text import Text

    from quizcli.optimizing import CONSTANT, IN_FORCE, MOVING, NEW

    own = judgment.in_force is not None
    names = {
        NEW: "new weights",
        IN_FORCE: f"weights in force ({'fitted before' if own else 'the defaults'})",
        CONSTANT: "a constant",
        MOVING: "a moving average",
    }
    console.print(
        Text(
            f"Weights fitted to {judgment.reviews - judgment.held_out} reviews,"
            f" judged by the {judgment.held_out} that came after them (lower is better):\n"
        )
    )
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("recall predicted by")
    grid.add_column("log loss", justify="right")
    grid.add_column("calibration error", justify="right")
    for name, label in names.items():
        score = judgment.scores[name]
        grid.add_row(Text(label), f"{score.log_loss:.4f}", f"{score.calibration:.4f}")
    console.print(grid)
    console.print()


def _decision(judgment: Judgment, dry_run: bool) -> str:
    if not judgment.accepted:
        return f"The new weights are not taken: {judgment.why}."
    if dry_run:
        return f"The new weights would be taken: {judgment.why}."
    return f"The new weights are in force from now on: {judgment.why}. dlquiz undo takes them back."


def _print_change(console: Console, change: Rescheduling) -> None:
    from rich.table import Table
    from rich.text import Text

    from quizcli.scheduling import day_as_date

    if not change.cards:
        console.print(Text("All cards stand where the weights in force have them: there is nothing to reschedule."))
        return
    console.print(Text(f"\nRescheduling changes {len(change.cards)} cards. Due on the next days:\n"))
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("day")
    grid.add_column("as it is", justify="right")
    grid.add_column("rescheduled", justify="right")
    for number, due in enumerate(change.due):
        grid.add_row("today" if not number else day_as_date(due.day), str(due.before), str(due.after))
    console.print(grid)
    console.print()


def _as_json(
    judgment: Judgment | None, missing: int, change: Rescheduling | None, rescheduled: int, dry_run: bool
) -> str:
    from quizcli.lab.wire import dumps
    from quizcli.scheduling import day_as_date

    data: dict[str, object] = {"missing": missing, "accepted": False, "dry_run": dry_run}
    if judgment is not None:
        mean, low, high = judgment.gain
        data |= {
            "accepted": judgment.accepted,
            "why": judgment.why,
            "reviews": judgment.reviews,
            "held_out": judgment.held_out,
            "scores": {
                name: {"log_loss": score.log_loss, "calibration": score.calibration}
                for name, score in judgment.scores.items()
            },
            "gain": {"mean": mean, "low": low, "high": high},
            "weights": list(judgment.weights),
        }
    if change is not None:
        data |= {"changed": len(change.cards), "rescheduled": rescheduled}
        data["due"] = [{"day": day_as_date(due.day), "before": due.before, "after": due.after} for due in change.due]
    return dumps(data)


def _on_terminal() -> bool:
    import sys

    return sys.stdin.isatty() and sys.stdout.isatty()


def _agreed(question: str) -> bool:
    import sys

    typer.echo(question, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
