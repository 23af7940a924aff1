"""Reading what a person typed as an answer: `b`, `a, c`, `1/4`, `25%`, `(28-5)/1+1`.

What cannot be read raises `Unreadable`, whose text says what is expected; it never counts as a wrong answer.
"""

from __future__ import annotations

import ast
import math
import re

from quizcli.model import Answer, Arranged, Asked, Choice, Chosen, Debug, DontKnow, Given, Open, Order, Pointed, Said
from quizcli.vocabulary import LETTERS, Rating


class Unreadable(ValueError):  # noqa: N818 - what it is, not an error of anyone's
    """A line that is no answer to this question; the text says what would be."""


def read_answer(asked: Asked, typed: str) -> Answer:
    """The answer that a typed line stands for; an empty line is "I don't know"."""
    text = typed.strip()
    if not text:
        return DontKnow()
    body = asked.question.body
    if isinstance(body, Open):
        return Said(text)
    if isinstance(body, Choice):
        return Chosen(
            frozenset(asked.order[place] for place in read_places(text, len(asked.order), several=body.several))
        )
    if isinstance(body, Order):
        places = read_places(text, len(asked.order), several=True)
        if len(places) != len(asked.order):
            raise Unreadable(
                f"name each of the {len(asked.order)} steps once, in order, such as {example_order(len(asked.order))}"
            )
        return Arranged(tuple(asked.order[place] for place in places))
    if isinstance(body, Debug):
        return Pointed(read_lines(text, len(body.code.splitlines())))
    return Given(read_number(text, body.unit), text)


def read_places(text: str, count: int, *, several: bool) -> list[int]:
    """Places (from 0) named by letters or digits: `b`, `2`, `a, c`, `ac`, `1 3`."""
    last = LETTERS[count - 1]
    expected = f"letters from a to {last}, such as ac" if several else f"one letter from a to {last}"
    marks = re.sub(r"[\s,;.()>→-]+|\band\b", "", text.casefold())
    places = []
    for mark in marks:
        place = LETTERS.find(mark) if mark in LETTERS else "123456".find(mark)
        if not 0 <= place < count:
            raise Unreadable(f"'{text}' cannot be read: type {expected}")
        if place in places:
            raise Unreadable(f"'{text}' names {LETTERS[place]} twice: type {expected}")
        places.append(place)
    if not places or (len(places) > 1 and not several):
        raise Unreadable(f"'{text}' cannot be read: type {expected}")
    return places


def example_order(count: int) -> str:
    """A way to write an order of so many steps, which is not the order they stand in."""
    return LETTERS[1:count] + LETTERS[0]


def read_lines(text: str, count: int) -> frozenset[int]:
    """Line numbers: `7`, `line 7`, `L7`, `3, 5`."""
    words = re.sub(r"\b(lines?|and)\b|\bl(?=\d)|[,;]", " ", text.casefold()).split()
    known = {str(line) for line in range(1, count + 1)}
    if not words or not known.issuperset(words):
        raise Unreadable(f"'{text}' cannot be read: type the number of a line, 1 to {count}")
    return frozenset(map(int, words))


NUMBER_EXPECTED = "type a number, such as 0.25, 1/4, 2.5e-1, 25% or (28-5)/1+1"

THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?")

_PLAIN = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "^": "**", "\u00a0": " ", "\u202f": " "})


def read_number(text: str, unit: str = "") -> float:
    """The value of a number or an expression of + - * / ** and parentheses; `%` divides by 100.

    A thousands comma is read (`1,024`), a decimal comma is not: it could be either. The question's unit may
    follow; where the unit itself is `%`, a trailing `%` changes nothing.
    """
    plain = " ".join(text.translate(_PLAIN).split())
    if unit and plain.casefold().endswith(unit.casefold()):
        plain = plain[: len(plain) - len(unit)].rstrip()
    plain = plain.lstrip("=≈~ ")
    if re.search(r"\d,\d", plain):
        # Groups of three after one to three digits are thousands; anything else could mean two numbers.
        if any("," in number and not THOUSANDS.fullmatch(number) for number in re.findall(r"[\d.,]+", plain)):
            raise Unreadable(f"'{text}' cannot be read: write a decimal point, not a comma")
        plain = plain.replace(",", "")
    scale = 1.0
    if plain.endswith("%"):
        plain, scale = plain[:-1].rstrip(), 0.01
    if not plain or len(plain) > 200 or not re.fullmatch(r"[\d\s.eE+\-*/()_]+", plain):
        raise Unreadable(f"'{text}' cannot be read: {NUMBER_EXPECTED}")
    try:
        value = _value(ast.parse(plain, mode="eval").body)
    except ZeroDivisionError:
        raise Unreadable(f"'{text}' divides by zero: {NUMBER_EXPECTED}") from None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        raise Unreadable(f"'{text}' cannot be read: {NUMBER_EXPECTED}") from None
    if not math.isfinite(value):
        raise Unreadable(f"'{text}' is too large: {NUMBER_EXPECTED}")
    return value if scale == 1.0 else value * scale


def _value(node: ast.expr) -> float:
    """An arithmetic expression's value; anything else raises ValueError."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.Pow):
            power = left**right
            if isinstance(power, float):
                return power
    raise ValueError("not arithmetic")


def read_grade(text: str, count: int, *, ticks: bool) -> tuple[frozenset[int] | None, Rating | None]:
    """A line of grading: letters tick key points, a digit 1 to 4 grades, both may stand there (`ac 3`).

    `-` alone ticks nothing. What is not said is None. `count` is the number of key points.
    """
    last = LETTERS[count - 1]
    expected = f"type letters a to {last} for what you said (- for nothing), a grade 1 to 4, or both; empty accepts"
    if not ticks:
        expected = "type a grade, 1 to 4; empty accepts"
    marks = re.sub(r"[\s,;]+", "", text.casefold())
    if not marks:
        return None, None
    digits = [mark for mark in marks if mark in "1234"]
    letters = [mark for mark in marks if mark in LETTERS[:count]]
    nothing = marks.replace("".join(digits), "") == "-"
    rest = len(marks) - len(digits) - len(letters) - nothing
    if rest or len(digits) > 1 or (not ticks and (letters or nothing)) or len(set(letters)) != len(letters):
        raise Unreadable(f"'{text.strip()}' cannot be read: {expected}")
    ticked = frozenset(LETTERS.index(letter) for letter in letters) if letters or nothing else None
    return ticked, Rating(int(digits[0])) if digits else None
