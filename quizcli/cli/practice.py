"""`dlquiz practice`: questions now, whatever is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quizcli.cli.completing import kinds, levels, skills, topics
from quizcli.vocabulary import KINDS, LEVELS, SKILLS

if TYPE_CHECKING:
    from quizcli.keeping import ProgressKeeper


def register(app: typer.Typer) -> None:
    app.command()(practice)


def practice(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AREA|TOPIC|ID]...", help="What to practice; everything if none.", autocompletion=topics
        ),
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many questions.")] = 10,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help=f"Only questions of this kind: {', '.join(KINDS)}.",
            autocompletion=kinds,
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            help=f"Only of this level: {', '.join(LEVELS)}.",
            autocompletion=levels,
        ),
    ] = None,
    skill: Annotated[
        str | None,
        typer.Option(
            "--skill",
            help=f"Only for this skill: {', '.join(SKILLS)}.",
            autocompletion=skills,
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Choose and draw in a way that can be repeated.")] = None,
    missed: Annotated[bool, typer.Option("--missed", help="Only questions whose newest answer was wrong.")] = False,
    confidence: Annotated[bool, typer.Option("--confidence", help="Ask too how sure you are of each answer.")] = False,
    no_record: Annotated[bool, typer.Option("--no-record", help="Leave no trace in your progress.")] = False,
) -> None:
    """Be quizzed: questions of all topics, of some, or those named by their ids."""
    import random
    import sys

    from quizcli.choosing import choose
    from quizcli.cli.sitting import open_library, open_progress, select, sit
    from quizcli.errors import QuizError

    library = open_library()
    selection = select(library, what, kind, level, skill)

    def open_keeper() -> ProgressKeeper | None:
        """What keeps the answers; where it cannot be had, practice goes on without it and says so."""
        from quizcli.keeping import ProgressKeeper

        try:
            return ProgressKeeper(open_progress(library), library, None, study=False)
        except QuizError as error:
            print(f"{error}\nThis practice is not recorded.", file=sys.stderr)
            return None

    chosen_seed = seed if seed is not None else random.SystemRandom().randrange(2**32)
    if missed:
        from quizcli.studying import missed_questions

        ids = missed_questions(open_progress(library), library, selection)[:count]
        nothing = "Nothing missed: no question whose newest answer was wrong."
    else:
        ids = choose(library, selection, count, random.Random(chosen_seed))
        nothing = "No question fits: dlquiz topics shows how many there are of each kind."
    if not ids:
        typer.echo(nothing)
        return
    keep = None if no_record else open_keeper
    raise typer.Exit(sit(library, ids, str(chosen_seed), None, keep, confidence=confidence))
