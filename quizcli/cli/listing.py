"""What the commands that read the bank share: a question as it stands there, in lists and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from quizcli.bank.library import Entry, Library
    from quizcli.lab.chart import Paper, Shown
    from quizcli.model import Asked, Question

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def list_entries(console: Console, library: Library, entries: list[Entry]) -> None:
    """Questions by their ids, with the beginnings of their prompts."""
    from rich.text import Text

    from quizcli.view.terminal import inert

    for entry in entries:
        question = library.question(entry.id)
        prompt = first_lines(example(question).fill(question.prompt))
        console.print(Text(inert(entry.id), style="key"))
        console.print(Text(f"  {inert(prompt)}", style="dim"), no_wrap=True, overflow="ellipsis")


def first_lines(text: str) -> str:
    """The first paragraph, in one line."""
    return " ".join(text.split("\n\n")[0].split())


def entry_data(library: Library, entry: Entry) -> dict[str, object]:
    question = library.question(entry.id)
    path, line = library.where(entry.id)
    return {
        "id": entry.id,
        "kind": entry.kind,
        "level": entry.level,
        "skill": entry.skill,
        "priority": entry.priority,
        "prompt": question.prompt,
        "exhibit": question.exhibit
        and {
            "demo": question.exhibit.demo,
            "plot": question.exhibit.plot,
            "with": dict(question.exhibit.settings),
        },
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


def example(question: Question) -> Asked:
    """The question as it stands in the bank, with the first of its drawn values."""
    from quizcli.model import Asked, Choice, Computed, Number, Order

    body = question.body
    count = len(body.options) if isinstance(body, Choice) else len(body.steps) if isinstance(body, Order) else 0
    drawn = body.source.draws[0] if isinstance(body, Number) and isinstance(body.source, Computed) else {}
    return Asked(question, tuple(range(count)), drawn)


def example_answer(question: Question) -> float | None:
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


def exhibit_of(question: Question, paper: Paper) -> Shown | None:
    """The plot that stands in a question, drawn; None where there is none. A QuizError where it cannot be had."""
    if (exhibit := question.exhibit) is None:
        return None
    from quizcli.lab.catalog import Catalog
    from quizcli.lab.exhibits import Exhibits
    from quizcli.lab.runner import one_thread_environment
    from quizcli.places import cache_folder, demo_folder

    one_thread_environment()
    demo = Catalog(demo_folder()).find(exhibit.demo)
    return Exhibits(cache_folder() / "exhibits").draw(demo, exhibit.plot, exhibit.settings, paper)


def filled(asked: Asked, text: str, answer: float | None) -> str:
    """A text with its drawn values; `…` stands for a value that is not known."""
    return asked.fill(text, answer).replace("{answer}", "…")
