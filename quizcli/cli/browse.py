"""`dlquiz topics`, `search` and `explain`: the bank, read instead of asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from quizcli.bank.library import Entry, Library
    from quizcli.model import Asked, Question

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def register(app: typer.Typer) -> None:
    for command in (explain, topics, search):
        app.command()(command)


def _library() -> Library:
    from quizcli.bank.library import Library
    from quizcli.places import bank_folder, cache_folder

    return Library(bank_folder(), cache_folder())


def topics(json: AsJson = False) -> None:
    """List the topics with their questions by kind and level."""
    library = _library()
    infos, entries = library.topics(), library.entries()
    counts = {info.name: [entry for entry in entries if entry.topic == info.name] for info in infos}
    if json:
        from quizcli.lab.wire import dumps

        data = [
            {
                "topic": info.name,
                "area": info.area,
                "title": info.title,
                "needs": list(info.needs),
                "questions": len(counts[info.name]),
                "kinds": _tally(entry.kind for entry in counts[info.name]),
                "levels": _tally(entry.level for entry in counts[info.name]),
            }
            for info in infos
        ]
        typer.echo(dumps(data))
        return
    from rich.table import Table
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console
    from quizcli.vocabulary import KINDS, LEVELS

    console = make_console()
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    with_area = console.width >= 96
    grid.add_column("topic", style="key", overflow="fold")
    if with_area:
        grid.add_column("area", style="dim", overflow="fold")
    for name in (*KINDS, *LEVELS):
        grid.add_column(name, justify="right", overflow="fold")
    for info in infos:
        of = counts[info.name]
        kinds, levels = _tally(entry.kind for entry in of), _tally(entry.level for entry in of)
        cells = [str(kinds.get(kind, "")) for kind in KINDS] + [str(levels.get(level, "")) for level in LEVELS]
        area = [Text(inert(info.area))] if with_area else []
        grid.add_row(Text(inert(info.name)), *area, *cells)
    console.print(grid)
    console.print(
        Text(f"\n{len(infos)} topics, {len(entries)} questions; dlquiz practice TOPIC asks them", style="dim")
    )


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Words, or beginnings of words.")],
    json: AsJson = False,
) -> None:
    """Find questions that hold some words."""
    library = _library()
    found = library.search(" ".join(words))
    if json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps([_entry_data(library, entry) for entry in found]))
        return
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console

    console = make_console()
    if not found:
        console.print(Text(f"Nothing found for '{inert(' '.join(words))}'.", style="dim"))
        return
    _list(console, library, found)
    console.print(Text("\ndlquiz explain ID shows an answer; dlquiz practice ID asks it", style="dim"))


def explain(
    what: Annotated[list[str], typer.Argument(metavar="ID|TOPIC|WORDS...", help="A question's id, a topic, or words.")],
    json: AsJson = False,
) -> None:
    """Show the full answer: key points with their proofs, options, references."""
    from quizcli.errors import UsageError

    library = _library()
    name = " ".join(what).strip()
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


def _choose(library: Library, found: list[Entry], name: str, as_json: bool) -> None:
    """Several questions fit: explain the best, and list the others."""
    _explain_question(library, found[0].id, as_json)
    if as_json:
        return
    from rich.text import Text

    from quizcli.view.terminal import inert, make_console

    console = make_console()
    console.print(Text(f"\nAlso found for '{inert(name)}':", style="dim"))
    _list(console, library, found[1:6])


def _explain_topic(library: Library, topic: str, as_json: bool) -> None:
    """A topic's questions with their direct answers."""
    entries, info = library.entries(topic), library.topic(topic)
    if as_json:
        from quizcli.lab.wire import dumps

        typer.echo(dumps([_entry_data(library, entry) for entry in entries]))
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
        asked = _example(question)
        console.print(inline(_first_lines(asked.fill(question.prompt))))
        console.print(Padding(inline(_filled(asked, question.short, None), style="dim"), (0, 0, 0, 2)))
    console.print(Text("\ndlquiz explain ID shows a full answer", style="dim"))


def _explain_question(library: Library, name: str, as_json: bool) -> None:
    question = library.question(name)
    if as_json:
        from quizcli.lab.wire import dumps

        entry = next(entry for entry in library.entries(question.topic) if entry.id == question.id)
        typer.echo(dumps({**_entry_data(library, entry), "history": _history_data(library, question.id)}))
        return
    from rich.text import Text

    from quizcli.view import question as screen
    from quizcli.view.prose import inline
    from quizcli.view.terminal import make_console

    console = make_console()
    asked, answer = _example(question), _example_answer(question)
    path, line = library.where(question.id)
    console.print(
        Text(question.id, style="heading").append(
            f"  {question.kind} · {question.level} · {question.skill}", style="dim"
        )
    )
    console.print()
    console.print(screen.prompt(asked))
    console.print()
    console.print(inline(_filled(asked, question.short, answer), style="bold"))
    console.print()
    references = library.topic(question.topic).references
    console.print(screen.everything(asked, answer, references, lambda belief: library.misconception(belief)[0]))
    console.print()
    _show_history(console, library, question.id)
    demo = f"dlquiz demo {question.demo.replace('_', '-')}"
    console.print(Text(demo, style="code").append(f"   {path}:{line}", style="dim"))


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


def _example(question: Question) -> Asked:
    """The question as it stands in the bank, with the first of its drawn values."""
    from quizcli.model import Asked, Choice, Computed, Number, Order

    body = question.body
    count = len(body.options) if isinstance(body, Choice) else len(body.steps) if isinstance(body, Order) else 0
    drawn = body.source.draws[0] if isinstance(body, Number) and isinstance(body.source, Computed) else {}
    return Asked(question, tuple(range(count)), drawn)


def _example_answer(question: Question) -> float | None:
    """The right value under the first of the drawn values; None where there is none, or its demo cannot run."""
    from quizcli.errors import QuizError
    from quizcli.model import Computed, Number

    body = question.body
    if not isinstance(body, Number) or not isinstance(body.source, Computed):
        return None
    from quizcli.lab.catalog import Catalog
    from quizcli.lab.runner import measures_of, one_thread_environment
    from quizcli.places import demo_folder

    one_thread_environment()
    try:
        demo = Catalog(demo_folder()).find(body.source.demo)
        return measures_of(demo, body.source.draws[0], {body.source.measure})[body.source.measure]
    except QuizError:
        return None


def _filled(asked: Asked, text: str, answer: float | None) -> str:
    """A text with its drawn values; `…` stands for a value that is not known."""
    return asked.fill(text, answer).replace("{answer}", "…")


def _list(console: Console, library: Library, entries: list[Entry]) -> None:
    """Questions by their ids, with the beginnings of their prompts."""
    from rich.text import Text

    from quizcli.view.terminal import inert

    for entry in entries:
        question = library.question(entry.id)
        prompt = _first_lines(_example(question).fill(question.prompt))
        console.print(Text(inert(entry.id), style="key"))
        console.print(Text(f"  {inert(prompt)}", style="dim"), no_wrap=True, overflow="ellipsis")


def _first_lines(text: str) -> str:
    """The first paragraph, in one line."""
    return " ".join(text.split("\n\n")[0].split())


def _entry_data(library: Library, entry: Entry) -> dict[str, object]:
    question = library.question(entry.id)
    path, line = library.where(entry.id)
    return {
        "id": entry.id,
        "kind": entry.kind,
        "level": entry.level,
        "skill": entry.skill,
        "priority": entry.priority,
        "prompt": question.prompt,
        "short": question.short,
        "answer": question.answer,
        "key_points": [
            {"id": point.id, "says": point.says, "must": point.must, "proof": str(point.proof) if point.proof else None}
            for point in question.key_points
        ],
        "demo": entry.demo,
        "path": path,
        "line": line,
    }


def _tally(names: Iterable[str]) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(names))
