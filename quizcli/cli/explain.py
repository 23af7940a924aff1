"""`dlquiz explain`: the bank, read instead of asked."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from quizcli.cli.completing import topics
from quizcli.cli.listing import (
    AsJson,
    entry_data,
    example,
    example_answer,
    exhibit_of,
    filled,
    first_lines,
    list_entries,
)
from quizcli.cli.sitting import open_library

if TYPE_CHECKING:
    from rich.console import Console

    from quizcli.bank.library import Entry, Library
    from quizcli.model import Question


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="ID|TOPIC|WORDS...",
            help="A question's id, a topic, or words.",
            autocompletion=topics,
        ),
    ],
    json: AsJson = False,
    save: Annotated[
        str | None, typer.Option("--save", metavar="FILE.html", help="Save a topic as a study sheet to print.")
    ] = None,
) -> None:
    """Show the full answer: key points with their proofs, options, references."""
    from quizcli.errors import UsageError

    library = open_library()
    name = " ".join(what).strip()
    if save is not None:
        _save_sheet(library, name, save)
        return
    if "/" in name and " " not in name:
        entry_ids = [library.question(name).id]
    else:
        plain = name.lower().replace("_", "-").replace(" ", "-")
        if plain in {info.name for info in library.topics()}:
            _explain_topic(library, plain, json)
            return
        found = library.search(name)
        if not found:
            from quizcli.errors import suggest

            near = suggest(plain, [info.name for info in library.topics()])
            raise UsageError(f"nothing found for '{name}'{near}; dlquiz topics lists the topics")
        if len(found) > 1:
            _choose(library, found, name, json)
            return
        entry_ids = [found[0].id]
    _explain_question(library, entry_ids[0], json)


def _save_sheet(library: Library, name: str, file: str) -> None:
    """A topic as a page, with example values in its number questions."""
    from quizcli.errors import QuizError, UsageError, suggest
    from quizcli.lab.chart import Paper
    from quizcli.view.sheet import check_target
    from quizcli.view.sheet import save as save_sheet

    target = check_target(file)
    topics = {info.name: info for info in library.topics()}
    plain = name.lower().replace("_", "-").replace(" ", "-")
    if plain not in topics:
        raise UsageError(f"--save keeps a whole topic; '{name}' is none{suggest(plain, topics)}")
    questions = [library.question(entry.id) for entry in library.entries(plain)]
    filled = [(question, example(question), example_answer(question)) for question in questions]
    plots = {}
    for question in questions:
        # A demo that cannot run here, for want of torch, leaves the rest of the sheet as it is.
        with suppress(QuizError):
            if (shown := exhibit_of(question, Paper(color=True, dots=False))) is not None:
                plots[question.id] = shown.drawing
    save_sheet(target, topics[plain], filled, plots, lambda belief: library.misconception(belief)[0])
    typer.echo(f"Saved: {target}")


def _choose(library: Library, found: list[Entry], name: str, as_json: bool) -> None:
    """Several questions fit: explain the best, and list the others."""
    _explain_question(library, found[0].id, as_json)
    if as_json:
        return
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console

    console = make_console()
    console.print(Text(f"\nAlso found for '{inert(name)}':", style="dim"))
    list_entries(console, library, found[1:6])


def _explain_topic(library: Library, topic: str, as_json: bool) -> None:
    """A topic's questions with their direct answers."""
    entries, info = library.entries(topic), library.topic(topic)
    if as_json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps([entry_data(library, entry) for entry in entries]))
        return
    from rich.padding import Padding
    from rich.text import Text

    from quizcli.view.prose import inline
    from quizcli.view.terminal import inert, make_console

    console = make_console()
    console.print(Text(inert(info.title), style="heading"))
    if info.needs:
        console.print(Text(f"builds on {', '.join(info.needs)}", style="dim"))
    for entry in entries:
        question = library.question(entry.id)
        console.print()
        console.print(Text(entry.id, style="key").append(f"  {entry.kind}, {entry.level}", style="dim"))
        asked = example(question)
        console.print(inline(first_lines(asked.fill(question.prompt))))
        console.print(Padding(inline(filled(asked, question.short, None), style="dim"), (0, 0, 0, 2)))
    console.print(Text("\ndlquiz explain ID shows a full answer", style="dim"))


def _explain_question(library: Library, name: str, as_json: bool) -> None:
    question = library.question(name)
    if as_json:
        from quizcli.lab.wire import dumps

        entry = next(entry for entry in library.entries(question.topic) if entry.id == question.id)
        typer.echo(dumps({**entry_data(library, entry), "history": _history_data(library, question.id)}))
        return
    from rich.text import Text

    from quizcli.view import question as screen
    from quizcli.view.prose import inline
    from quizcli.view.terminal import make_console

    console = make_console()
    asked, answer = example(question), example_answer(question)
    path, line = library.where(question.id)
    console.print(
        Text(question.id, style="heading").append(
            f"  {question.kind} · {question.level} · {question.skill}", style="dim"
        )
    )
    _show_exhibit(console, question)
    console.print()
    console.print(screen.prompt(asked))
    console.print()
    console.print(inline(filled(asked, question.short, answer), style="bold"))
    console.print()
    references = library.topic(question.topic).references
    console.print(screen.everything(asked, answer, references, lambda belief: library.misconception(belief)[0]))
    console.print()
    _show_history(console, library, question.id)
    demo = f"dlquiz demo {question.demo.replace('_', '-')}"
    console.print(Text(demo, style="code").append(f"   {path}:{line}", style="dim"))


def _show_exhibit(console: Console, question: Question) -> None:
    """The plot that stands in a question, or why it cannot be shown."""
    if question.exhibit is None:
        return
    from rich.text import Text

    from quizcli.errors import QuizError
    from quizcli.view.evidence import drawn, paper_of
    from quizcli.view.terminal import inert

    console.print()
    try:
        shown = exhibit_of(question, paper_of(console))
    except QuizError as error:
        console.print(Text(f"(its plot cannot be shown: {inert(str(error))})", style="partly"))
    else:
        assert shown is not None
        console.print(drawn(shown))


def _history_data(library: Library, question: str) -> dict[str, object]:
    """The learner's own answers to the question, and when it comes back."""
    from quizcli.cli.sitting import open_progress
    from quizcli.errors import QuizError
    from quizcli.places import data_folder
    from quizcli.scheduling import day_as_date

    if not (data_folder() / "progress.sqlite").exists():
        return {"events": [], "due": None}
    try:
        progress = open_progress(library)
    except QuizError:
        return {"events": [], "due": None}
    back = progress.state(question).back
    happened = [
        {"day": day_as_date(event.day), "kind": event.kind, "rating": event.rating, **event.body}
        for event in progress.history(question)
    ]
    return {"events": happened, "due": None if back is None else day_as_date(back)}


def _show_history(console: Console, library: Library, question: str) -> None:
    """The learner's own answers to the question, and why it is due when it is."""
    from rich.text import Text

    from quizcli.cli.sitting import open_progress
    from quizcli.errors import QuizError
    from quizcli.places import data_folder
    from quizcli.progress import events
    from quizcli.scheduling import day_as_date
    from quizcli.view.question import RATINGS
    from quizcli.view.terminal import inert

    if not (data_folder() / "progress.sqlite").exists():
        return
    try:
        progress = open_progress(library)
    except QuizError:
        return
    history = progress.history(question)
    if not history:
        return
    console.print(Text("Your answers", style="heading"))
    for event in history:
        what = RATINGS[event.rating] if event.rating is not None else event.kind
        text = f": {inert(str(event.body.get('text', '')))}" if event.kind in (events.NOTE, events.MARK) else ""
        console.print(Text(f"  {day_as_date(event.day)}  {what}{text}"))
    state, today = progress.state(question), progress.today()
    if state.memory is not None and state.back is not None and state.last is not None:
        recall = progress.scheduler.recall(state.memory, max(0, today - state.last))
        console.print(
            Text(
                f"  Due {day_as_date(state.back)}: recall is {recall:.0%} now and falls to 90% in"
                f" {max(0.0, state.memory.stability - (today - state.last)):.0f} days"
                f" (stability {state.memory.stability:.1f} days, difficulty {state.memory.difficulty:.1f} of 10)."
            )
        )
    if state.suspended or state.buried > today:
        console.print(Text(f"  It is {'suspended' if state.suspended else 'buried until tomorrow'}.", style="partly"))
    console.print()
