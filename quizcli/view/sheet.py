"""A topic as a page to print: each question with its answer, what it stands on, and room to breathe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from quizcli.bank.library import TopicInfo
from quizcli.errors import QuizError, UsageError
from quizcli.model import Aside, Asked, Choice, Constant, Number, Open, Order, Question, show_number
from quizcli.view.prose import ITEM, blocks, items, spans
from quizcli.vocabulary import LETTERS

STYLE = """
body { font: 11pt/1.45 Georgia, "Times New Roman", serif; color: #111 }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.05rem; margin: 0 0 .4rem }
article { break-inside: avoid; border-top: 1px solid #bbb; padding: 1rem 0 }
.kind, .proof, .why, footer { color: #555; font-size: .85em }
.short { font-weight: bold }
code, pre { font: .88em/1.4 Menlo, "Cascadia Mono", "DejaVu Sans Mono", Consolas, monospace }
pre { background: #f4f4f4; padding: .6rem .8rem; white-space: pre-wrap }
.plot { background: none; padding: 0; line-height: 1.15; white-space: pre; overflow-x: auto }
ul, ol { margin: .3rem 0; padding-left: 1.4rem }
@media print { body { margin: 0; max-width: none } }
"""

Filled = tuple[Question, Asked, float | None]
"""A question with example values, and the right value where it has one and its demo runs."""


def check_target(name: str) -> Path:
    """The file to save to. Raises UsageError for a name or a folder that cannot be."""
    path = Path(name)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--save {name}: a study sheet is a page, its file's name must end with .html")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--save {name}: there is no folder {path.absolute().parent}")
    return path


def save(
    path: Path, topic: TopicInfo, questions: Sequence[Filled], plots: Mapping[str, str], belief: Callable[[str], str]
) -> None:
    """Write the sheet; `plots` are exhibits by their questions' ids, drawn with ANSI colors.

    Raises QuizError where the file cannot be written.
    """
    try:
        path.write_text(page(topic, questions, plots, belief), encoding="utf-8")
    except OSError as error:
        raise QuizError(f"{path}: cannot be written: {error.strerror or error}") from error


def page(topic: TopicInfo, questions: Sequence[Filled], plots: Mapping[str, str], belief: Callable[[str], str]) -> str:
    """The sheet as HTML that needs nothing else."""
    body = "\n".join(_article(*each, plots.get(each[0].id, ""), belief) for each in questions)
    needs = f"<p class=kind>builds on {escape(', '.join(topic.needs))}</p>" if topic.needs else ""
    sources = "".join(f"<li>[{escape(key)}] {escape(text)}</li>" for key, text in topic.references.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(topic.title)}</title>\n'
        f"<style>{STYLE}</style>\n<h1>{escape(topic.title)}</h1>{needs}\n{body}\n"
        f"<footer><h2>Sources</h2><ul>{sources}</ul></footer></html>\n"
    )


def _article(question: Question, asked: Asked, answer: float | None, plot: str, belief: Callable[[str], str]) -> str:
    parts = [
        f"<h2>{escape(question.id)}</h2>"
        f"<p class=kind>{escape(f'{question.kind} · {question.level} · {question.skill}')}</p>",
        _plot(plot) if plot else "",
        _prose(asked.fill(question.prompt)),
        *_asked(question, asked),
        f"<p class=short>{_inline(_filled(asked, question.short, answer))}</p>",
        _prose(_filled(asked, question.answer, answer)),
        f"<ul>{''.join(_key_points(question, asked, answer))}</ul>",
        *_solution(question, asked, belief),
        *_next(question),
    ]
    return f"<article>{''.join(parts)}</article>"


def _plot(drawing: str) -> str:
    """A plot with its colors, which are to be told apart on white."""
    width = max(map(len, drawing.splitlines()))
    console = Console(record=True, file=StringIO(), width=width, force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(drawing, no_wrap=True, overflow="crop"))
    return console.export_html(inline_styles=True, code_format="<pre class=plot>{code}</pre>")


def _asked(question: Question, asked: Asked) -> Iterator[str]:
    """What the prompt is about: code, options, steps."""
    body = question.body
    if not isinstance(body, Open | Choice | Number | Order):
        lines = body.code.rstrip("\n").splitlines()
        yield f"<pre>{escape(chr(10).join(f'{number:>2} {line}' for number, line in enumerate(lines, 1)))}</pre>"
    elif isinstance(body, Choice):
        texts = (f"{letter}) {option.says}" for letter, option in zip(LETTERS, body.options, strict=False))
        yield "<p>" + "<br>".join(_inline(asked.fill(text)) for text in texts) + "</p>"


def _key_points(question: Question, asked: Asked, answer: float | None) -> Iterator[str]:
    for point in question.key_points:
        on = [str(point.proof)] if point.proof is not None else []
        on += [f"[{cite.ref}{', ' + cite.at if cite.at else ''}]" for cite in point.cites]
        bonus = "" if point.must else " (bonus)"
        yield (
            f"<li>{_inline(_filled(asked, point.says, answer))}{bonus}"
            f" <span class=proof>{escape(' '.join(on))}</span></li>"
        )


def _solution(question: Question, asked: Asked, belief: Callable[[str], str]) -> Iterator[str]:
    """Why each option is right or not, the steps in their order, the lines at fault."""
    body = question.body
    if isinstance(body, Choice):
        for letter, option in zip(LETTERS, body.options, strict=False):
            held = f" A common belief: {belief(option.holds)}" if option.holds else ""
            sign = "✓" if option.correct else "✗"
            yield f"<p class=why>{sign} {letter}: {_inline(asked.fill(option.why) + held)}</p>"
    elif isinstance(body, Order):
        steps = "".join(f"<li>{_inline('; '.join(group))}</li>" for group in body.groups)
        yield f"<ol>{steps}</ol>"
    elif isinstance(body, Number) and isinstance(body.source, Constant):
        yield f"<p class=why>The value: {show_number(body.source.value)} {escape(body.unit)} ({body.within})</p>"
    elif not isinstance(body, Open | Number):
        yield f"<p class=why>At fault: line {', '.join(map(str, sorted(body.wrong_lines)))}</p>"


def _next(question: Question) -> Iterator[str]:
    for follow in question.follow_ups:
        if isinstance(follow, Aside):
            yield f"<p class=why><b>{_inline(follow.says)}</b> {_inline(follow.answer)}</p>"


def _filled(asked: Asked, text: str, answer: float | None) -> str:
    return asked.fill(text, answer).replace("{answer}", "…")


def _prose(text: str) -> str:
    """A text of a bank: paragraphs, lists, code."""
    found = []
    for block in blocks(text):
        if block[0] == "```":
            found.append(f"<pre>{escape(chr(10).join(block[1:]))}</pre>")
        elif any(ITEM.match(line) for line in block):
            texts = [" ".join(line.strip() for line in lines) for lines in items(block)]
            lead = "" if ITEM.match(texts[0]) else f"<p>{_inline(texts.pop(0))}</p>"
            found.append(
                lead + "<ul>" + "".join(f"<li>{_inline(ITEM.sub('', each, count=1))}</li>" for each in texts) + "</ul>"
            )
        else:
            found.append(f"<p>{_inline(' '.join(line.strip() for line in block))}</p>")
    return "".join(found)


def _inline(text: str) -> str:
    """`code` and **bold** as HTML, all else literal."""
    tags = {"code": ("<code>", "</code>"), "bold": ("<b>", "</b>"), "": ("", "")}
    return "".join(tags[style][0] + escape(part) + tags[style][1] for part, style in spans(text))
