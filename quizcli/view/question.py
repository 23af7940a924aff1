"""A question on the screen: before its answer nothing that gives it away, after it what matters first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from quizcli.listening import Heard
from quizcli.model import (
    Arranged,
    Aside,
    Asked,
    Choice,
    Chosen,
    Constant,
    Debug,
    DontKnow,
    Given,
    KeyPoint,
    Number,
    Open,
    Order,
    Pointed,
    Question,
    Response,
    Verdict,
    show_number,
)
from quizcli.view.prose import code_block, inline, prose, two_columns
from quizcli.view.terminal import inert
from quizcli.vocabulary import LETTERS, Rating

RATINGS = {Rating.AGAIN: "Again", Rating.HARD: "Hard", Rating.GOOD: "Good", Rating.EASY: "Easy"}

ADVICE = {
    "open": "Say it aloud or type it.",
    "choice": "One of these is right.",
    "multi": "Several of these are right.",
    "order": "Put these in order.",
    "debug": "Which line is wrong?",
}


def heading(question: Question, number: int, total: int) -> Text:
    """`2 of 10 · softmax · core · reasoning`; the id could give the answer away."""
    parts = [question.topic, question.level, question.skill]
    return Text(f"{number} of {total}  ", style="heading").append(" · ".join(parts), style="dim")


def prompt(asked: Asked) -> RenderableType:
    """What is asked, with the code to be read."""
    body = asked.question.body
    parts: list[RenderableType] = [prose(asked.fill(asked.question.prompt))]
    if isinstance(body, Debug):
        parts += [Text(""), code_block(body.code, numbered=True)]
    return Group(*parts)


def choices(asked: Asked) -> RenderableType:
    """Options or steps, lettered in the order drawn; nothing for other kinds."""
    body = asked.question.body
    if isinstance(body, Choice):
        return _lettered([asked.fill(body.options[index].says) for index in asked.order])
    if isinstance(body, Order):
        return _lettered([body.steps[index] for index in asked.order])
    return Text("")


def advice(asked: Asked) -> str:
    """What kind of answer is wanted, in a line."""
    body = asked.question.body
    if isinstance(body, Number):
        unit = f" in {inert(body.unit)}" if body.unit else ""
        return f"A number{unit}, {body.within}."
    return ADVICE[asked.question.kind]


def verdict_line(asked: Asked, response: Response, verdict: Verdict) -> Text:
    """`✓ Right`, `✗ Wrong`, and the share earned where there is one between."""
    if isinstance(response.answer, DontKnow):
        line = Text("✗ Not known", style="wrong")
    elif verdict.right:
        line = Text("✓ Right", style="right")
    elif verdict.score > 0:
        line = Text(f"◆ Partly: {verdict.score:.0%}", style="partly")
    else:
        line = Text("✗ Wrong", style="wrong")
    if response.guessed:
        line.append(" (a guess)", style="dim")
    return line.append(f"  {asked.question.id}", style="dim")


BESIDE = 8
"""Characters of the names of the bars that compare two values."""

SHORTEST_BAR, LONGEST_BAR = 8, 40


def short(asked: Asked, verdict: Verdict) -> RenderableType:
    """The direct answer."""
    return inline(asked.fill(asked.question.short, verdict.measured.right if verdict.measured else None), style="bold")


def missed(
    asked: Asked, response: Response, verdict: Verdict, says: Callable[[str], str], bar: int = 0
) -> RenderableType | None:
    """What was missed and why; None where nothing was.

    `says` turns a misconception's id into its words. Two values are drawn as bars of at most `bar` characters, or told
    in words where there is no room for any.
    """
    body, answer = asked.question.body, response.answer
    parts: list[RenderableType] = []
    if isinstance(body, Choice) and not verdict.right:
        chosen = answer.options if isinstance(answer, Chosen) else frozenset[int]()
        for place, index in enumerate(asked.order):
            option = body.options[index]
            if option.correct != (index in chosen):
                sign = Text("✓", style="right") if option.correct else Text("✗", style="wrong")
                parts.append(_row(sign.append(f" {LETTERS[place]}"), inline(asked.fill(option.says), style="bold")))
                parts.append(Padding(inline(asked.fill(option.why)), (0, 0, 0, 4)))
                if option.holds:
                    parts.append(Padding(inline(f"A common belief: {says(option.holds)}", style="dim"), (0, 0, 0, 4)))
    elif isinstance(body, Number) and not verdict.right and verdict.measured is not None:
        right = show_number(verdict.measured.right)
        parts.append(Text(f"The value is {right}{' ' + inert(body.unit) if body.unit else ''} ({body.within})."))
        if isinstance(answer, Given):
            parts += _beside(answer.value, verdict.measured.right, body, bar)
        if verdict.mistake is not None:
            parts.append(_reason("that is", asked.fill(verdict.mistake.why, verdict.measured.right)))
    elif isinstance(body, Order) and not verdict.right:
        parts.append(Text("In order:", style="dim"))
        parts.append(_in_order(asked, body))
    elif isinstance(body, Open) and not verdict.right:
        parts.append(Text("What was missed:", style="dim"))
        unsaid = [point for point in asked.question.key_points if point.must and point.id not in verdict.earned]
        parts += [_row(Text("○"), inline(asked.fill(point.says))) for point in unsaid]
    elif isinstance(body, Debug) and not verdict.right:
        lines = sorted(body.wrong_lines)
        named = f"line {lines[0]}" if len(lines) == 1 else "lines " + ", ".join(map(str, lines))
        given = f", not {', '.join(map(str, sorted(answer.lines)))}" if isinstance(answer, Pointed) else ""
        parts.append(Text(f"It is {named}{given}:"))
        parts += [
            Padding(Text(inert(body.code.splitlines()[line - 1].strip()), style="code"), (0, 0, 0, 2)) for line in lines
        ]
    return Group(*parts) if parts else None


def ticking(question: Question, ticked: frozenset[int], heard: Heard) -> RenderableType:
    """Key points to be ticked; what the words of the answer matched stands beside them."""
    grid = two_columns(width=5)
    for place, point in enumerate(question.key_points):
        says = inline(point.says)
        if not point.must:
            says.append(" (bonus)", style="dim")
        matched = heard.earned.get(point.id)
        if matched is not None:
            words = ", ".join(f"“{inert(heard.text[start:end])}”" for start, end in dict.fromkeys(matched))
            says.append(f"  heard {words}", style="matched")
        if point.id in heard.contradicted:
            says.append(f"  did you mean “{inert(heard.contradicted[point.id])}”?", style="partly")
        box = "[x]" if place in ticked else "[ ]"
        grid.add_row(Text(f"{LETTERS[place]} {box}", style="key"), says)
    return grid


def said(heard: Heard) -> Text:
    """The learner's own words, those that match marked."""
    line = Text("You: ", style="dim")
    position = 0
    for start, end in heard.spans:
        if start >= position:
            line.append(inert(heard.text[position:start]), style="")
            line.append(inert(heard.text[start:end]), style="matched")
            position = end
    return line.append(inert(heard.text[position:]))


def everything(
    asked: Asked,
    answer: float | None,
    references: dict[str, str],
    says: Callable[[str], str],
    earned: frozenset[str] | None = None,
) -> RenderableType:
    """The full answer: in words, point by point with what proves it, option by option, onward, sources."""
    question, body = asked.question, asked.question.body
    parts: list[RenderableType] = [prose(asked.fill(question.answer, answer)), Text("")]
    parts.append(Text("What an interviewer listens for", style="heading"))
    parts += [_key_point(asked, point, answer, earned) for point in question.key_points]
    if isinstance(body, Choice):
        parts += [Text(""), Text("The options", style="heading")]
        order = asked.order or tuple(range(len(body.options)))
        for place, index in enumerate(order):
            option = body.options[index]
            sign = Text("✓" if option.correct else "✗", style="right" if option.correct else "wrong")
            parts.append(_row(sign.append(f" {LETTERS[place]}"), inline(asked.fill(option.says))))
            parts.append(Padding(inline(asked.fill(option.why), style="dim"), (0, 0, 0, 4)))
            if option.holds:
                parts.append(Padding(inline(f"A common belief: {says(option.holds)}", style="dim"), (0, 0, 0, 4)))
    if isinstance(body, Order):
        parts += [Text(""), Text("In order", style="heading"), _in_order(asked, body)]
    if isinstance(body, Number) and isinstance(body.source, Constant):
        parts.append(Text(f"\nThe value: {show_number(body.source.value)} {inert(body.unit)} ({body.within})"))
    if question.follow_ups:
        parts += [Text(""), Text("The interviewer's next question", style="heading")]
        for follow in question.follow_ups:
            if isinstance(follow, Aside):
                parts += [
                    _row(Text("?"), inline(follow.says)),
                    Padding(inline(follow.answer, style="dim"), (0, 0, 0, 4)),
                ]
            else:
                parts.append(_row(Text("?"), Text(f"dlquiz practice {follow.ask}", style="code")))
    parts += list(_sources(question, references))
    if question.as_of:
        parts.append(Text(f"As of {inert(question.as_of)}.", style="dim"))
    return Group(*parts)


def _key_point(asked: Asked, point: KeyPoint, answer: float | None, earned: frozenset[str] | None) -> RenderableType:
    sign = "•" if earned is None else "✓" if point.id in earned else "○"
    line = inline(asked.fill(point.says, answer))
    if not point.must:
        line.append(" (bonus)", style="dim")
    if point.proof is not None:
        line.append(f"  proof: {inert(str(point.proof))}", style="dim")
    for cite in point.cites:
        line.append(f"  [{inert(cite.ref)}{', ' + inert(cite.at) if cite.at else ''}]", style="dim")
    return _row(Text(sign), line)


def _sources(question: Question, references: dict[str, str]) -> Iterator[RenderableType]:
    cited = dict.fromkeys(cite.ref for point in question.key_points for cite in point.cites)
    if cited:
        yield Text("")
        yield Text("Sources", style="heading")
        for ref in cited:
            yield _row(Text("•"), inline(f"[{ref}] {references.get(ref, '')}"))


def _in_order(asked: Asked, body: Order) -> RenderableType:
    rows: list[RenderableType] = []
    index = 0
    for number, group in enumerate(body.groups, 1):
        for step in group:
            place = asked.order.index(index) if asked.order else index
            rows.append(_row(Text(f"{number}. {LETTERS[place]}", style="dim"), inline(step)))
            index += 1
    return Group(*rows)


def _reason(label: str, text: str) -> RenderableType:
    line = Text()
    line.append(f"{label}  ", style="partly")
    line.append_text(inline(text))
    return line


def _beside(given: float, right: float, body: Number, bar: int) -> list[RenderableType]:
    """The value given drawn beside the right one, as bars: by size, or by powers of ten where factors count."""
    from math import isfinite, log10

    sizes = (abs(given), abs(right))
    if body.within.kind == "factor" and min(sizes) > 0:
        low = min(log10(size) for size in sizes) - 1
        sizes = (log10(sizes[0]) - low, log10(sizes[1]) - low)
    largest = max(sizes)
    if bar < SHORTEST_BAR or not largest or not isfinite(largest):
        return [Text(f"You gave {show_number(given)}.", style="dim")]
    return [
        _row(
            Text(f"{label:>{BESIDE}}", style="dim"),
            Text("━" * max(1, round(bar * size / largest)), style=style).append(f" {show_number(value)}"),
        )
        for label, size, value, style in (("you gave", sizes[0], given, "wrong"), ("right", sizes[1], right, "right"))
    ]


def _row(sign: Text, text: Text) -> RenderableType:
    grid = two_columns(width=max(3, sign.cell_len))
    grid.add_row(sign, text)
    return grid


def _lettered(texts: Sequence[str]) -> RenderableType:
    grid = two_columns(width=2)
    for letter, text in zip(LETTERS, texts, strict=False):
        grid.add_row(Text(f" {letter}", style="key"), inline(text))
    return grid


def describe_answer(asked: Asked, response: Response) -> str:
    """The answer given, in a few characters: `b`, `a, c`, `24`, `line 7`."""
    answer = response.answer
    if isinstance(answer, Chosen):
        return ", ".join(LETTERS[place] for place, index in enumerate(asked.order) if index in answer.options)
    if isinstance(answer, Arranged):
        return "".join(LETTERS[asked.order.index(step)] for step in answer.steps)
    if isinstance(answer, Given):
        return answer.typed
    if isinstance(answer, Pointed):
        return "line " + ", ".join(map(str, sorted(answer.lines)))
    return ""
