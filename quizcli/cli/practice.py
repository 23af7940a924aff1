"""`dlquiz practice`: questions now, nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from quizcli.model import KINDS, LEVELS, SKILLS

if TYPE_CHECKING:
    from quizcli.bank.library import Library, Selection
    from quizcli.lab.laboratory import Laboratory
T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command()(practice)


def practice(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[AREA|TOPIC|ID]...", help="What to practice; everything if none.")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many questions.")] = 10,
    kind: Annotated[
        str | None, typer.Option("--kind", help=f"Only questions of this kind: {', '.join(KINDS)}.")
    ] = None,
    level: Annotated[str | None, typer.Option("--level", help=f"Only of this level: {', '.join(LEVELS)}.")] = None,
    skill: Annotated[str | None, typer.Option("--skill", help=f"Only for this skill: {', '.join(SKILLS)}.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Choose and draw in a way that can be repeated.")] = None,
) -> None:
    """Be quizzed: questions of all topics, of some, or those named by their ids."""
    from dataclasses import replace

    from quizcli.bank.library import Library
    from quizcli.places import bank_folder, cache_folder

    library = Library(bank_folder(), cache_folder())
    selection = library.select(what or [])
    selection = replace(
        selection,
        kind=_one_of("kind", kind, KINDS),
        level=_one_of("level", level, LEVELS),
        skill=_one_of("skill", skill, SKILLS),
    )
    raise typer.Exit(_run(library, selection, count, seed))


def _one_of(name: str, given: str | None, known: tuple[T, ...]) -> T | None:
    """A filter's value as a person types it; a UsageError names what there is."""
    if given is None:
        return None
    from quizcli.errors import UsageError, suggest

    plain = given.strip().lower().replace("_", "-")
    for value in known:
        if str(value) == plain:
            return value
    words = [str(value) for value in known]
    raise UsageError(f"--{name} {given}: no such {name}{suggest(plain, words)}; there are {', '.join(words)}")


def _run(library: Library, selection: Selection, count: int, seed: int | None) -> int:
    import random
    import sys
    import time

    from quizcli.choosing import choose
    from quizcli.session import Session
    from quizcli.view.examiner import Examiner
    from quizcli.view.terminal import make_console

    chosen_seed = seed if seed is not None else random.SystemRandom().randrange(2**32)
    ids = choose(library, selection, count, random.Random(chosen_seed))
    if not ids:
        typer.echo("No question fits: dlquiz topics shows how many there are of each kind.")
        return 0
    session = Session(ids, library.question, str(chosen_seed), time.monotonic)
    examiner = Examiner(make_console(), session, library, _open_laboratory)
    try:
        if sys.stdin.isatty() and examiner.console.is_terminal:
            from quizcli.view.interactive import KeyQuiz

            return 0 if KeyQuiz(examiner).run() else 130
        from quizcli.view.lines import LineQuiz

        LineQuiz(examiner, sys.stdin).run()
    finally:
        examiner.close()
    return 0


def _open_laboratory() -> Laboratory:
    from quizcli.lab.catalog import Catalog
    from quizcli.lab.laboratory import Laboratory
    from quizcli.places import demo_folder

    return Laboratory(Catalog(demo_folder()))
