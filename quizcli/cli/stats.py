"""`dlquiz stats`: what the answers add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from quizcli.bank.library import Library
    from quizcli.stats import Recalled, Standing, Stats


def register(app: typer.Typer) -> None:
    app.command()(stats)


def stats(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Retention, workload, forecast, topics, misconceptions: what your answers add up to."""
    from quizcli.cli.sitting import open_library, open_progress
    from quizcli.stats import compute

    library = open_library()
    found = compute(open_progress(library), library)
    if json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps(_data(found)))
        return
    from quizcli.view.terminal import make_console

    _show(make_console(), library, found)


def _show(console: Console, library: Library, found: Stats) -> None:
    from rich.text import Text

    if not found.answers:
        console.print(Text("No answer yet: dlquiz study or dlquiz practice gives the first.", style="dim"))
        return
    console.print(Text("Retention", style="heading"))
    console.print(Text(f"  {_recalled(found.retention)}   desired {found.desired:.0%}"))
    for kind, recalled in found.retention_by_kind.items():
        console.print(Text(f"  {kind:8} {_recalled(recalled)}", style="dim"))
    console.print()
    console.print(Text(f"Answers by day (streak: {found.streak} days, {found.answers} answers)", style="heading"))
    console.print(_calendar(found, console.width))
    console.print()
    console.print(Text("Due in the next 30 days", style="heading"))
    console.print(_bars(found))
    for title, standings in (("Topics", found.topics), ("Areas", found.areas), ("Skills", found.skills)):
        console.print()
        console.print(_standings(title, standings))
    if found.misconceptions:
        console.print()
        console.print(Text("Believed more than once", style="heading"))
        for name, times in found.misconceptions.items():
            console.print(Text(f"  {times} times: {library.misconception(name)[0]}"))
    if found.confidence:
        console.print()
        console.print(Text("Confidence: how often what you were sure of was right", style="heading"))
        for sure, recalled in sorted(found.confidence.items()):
            share = f"{recalled.share:.0%}" if recalled.share is not None else "-"
            console.print(Text(f"  said {sure:4.0%}   right {share:>4} of {recalled.reviews}"))
    if found.seconds:
        console.print()
        console.print(
            Text("Median seconds: " + ", ".join(f"{kind} {value:.0f}" for kind, value in found.seconds.items()))
        )


def _recalled(recalled: Recalled) -> str:
    if recalled.share is None:
        return "no review yet"
    return f"{recalled.share:.0%} of {recalled.reviews} reviews right"


def _calendar(found: Stats, width: int) -> RenderableType:
    """Weeks as columns, Monday at the top; the fuller the sign, the more answers. The numbers stand in --json."""
    from datetime import date, timedelta

    from rich.text import Text

    weeks = max(4, min(26, (width - 6) // 2))
    today = date.fromordinal(date(1970, 1, 1).toordinal() + found.today)
    monday = today - timedelta(days=today.weekday() + 7 * (weeks - 1))
    epoch = date(1970, 1, 1).toordinal()
    most = max(found.answers_by_day.values())
    text = Text()
    for weekday, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        text.append(f"  {name} ", style="dim")
        for week in range(weeks):
            day = monday + timedelta(days=7 * week + weekday)
            answers = found.answers_by_day.get(day.toordinal() - epoch, 0)
            sign = " " if day > today else "·" if not answers else "░▒▓█"[min(3, 4 * answers // (most + 1))]
            text.append(sign * 2 if sign != "·" else "· ")
        text.append("\n")
    text.rstrip()
    return text


def _bars(found: Stats) -> RenderableType:
    from rich.text import Text

    most = max(*found.forecast, 1)
    signs = " ▁▂▃▄▅▆▇█"
    bars = "".join(signs[0 if not due else max(1, round(8 * due / most))] for due in found.forecast)
    return Text(f"  {bars}|  today {found.forecast[0]}, {sum(found.forecast)} in all, at most {most} a day")


def _standings(title: str, standings: dict[str, Standing]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", title_justify="left")
    grid.add_column(title, style="key", overflow="fold")
    for name in ("seen", "learned", "recall now"):
        grid.add_column(name, justify="right")
    for name, standing in standings.items():
        recall = "" if standing.recall is None else f"{standing.recall:.0%}"
        grid.add_row(Text(name), f"{standing.seen}/{standing.questions}", str(standing.learned), recall)
    return grid


def _data(found: Stats) -> dict[str, Any]:
    from dataclasses import asdict

    from quizcli.scheduling import day_as_date

    data = asdict(found)
    data["today"] = day_as_date(found.today)
    data["streak"] = found.streak
    data["answers_by_day"] = {day_as_date(day): count for day, count in found.answers_by_day.items()}
    data["forecast"] = {day_as_date(found.today + ahead): count for ahead, count in enumerate(found.forecast)}
    data["retention"] |= {"share": found.retention.share}
    for kind, recalled in found.retention_by_kind.items():
        data["retention_by_kind"][kind] |= {"share": recalled.share}
    data["confidence"] = {
        f"{sure:g}": {"answers": recalled.reviews, "right": recalled.right, "share": recalled.share}
        for sure, recalled in sorted(found.confidence.items())
    }
    return data
