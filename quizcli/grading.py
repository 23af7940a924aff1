"""From an answer to a verdict: pure functions of what was asked and what was said."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from quizcli.model import (
    Arranged,
    Asked,
    Choice,
    Chosen,
    Constant,
    Debug,
    DontKnow,
    Given,
    Measured,
    Mistake,
    Number,
    Order,
    Pointed,
    Question,
    Response,
    Verdict,
)
from quizcli.vocabulary import Rating


def grade(asked: Asked, response: Response, measured: Measured | None = None) -> Verdict:
    """The verdict on a machine-graded answer.

    A number question whose right value a demo measures needs `measured`. Open answers are graded by `grade_ticks`.
    """
    body, answer = asked.question.body, response.answer
    mistake = None
    if isinstance(body, Number) and isinstance(body.source, Constant):
        measured = Measured(body.source.value)
    if isinstance(answer, DontKnow):
        right, score = False, 0.0
    elif isinstance(body, Choice) and isinstance(answer, Chosen):
        right = answer.options == body.right
        score = _share_of_options(body, answer) if body.several else float(right)
    elif isinstance(body, Number) and isinstance(answer, Given):
        if measured is None:
            raise ValueError("a measured number question is graded with what was measured")
        right = body.within.accepts(answer.value, measured.right)
        mistake = None if right else _mistake(body, answer.value, measured)
        score = float(right)
    elif isinstance(body, Order) and isinstance(answer, Arranged):
        ranks = [body.rank(step) for step in answer.steps]
        right = ranks == sorted(ranks)
        score = 1.0 if right else _share_of_order(ranks)
    elif isinstance(body, Debug) and isinstance(answer, Pointed):
        right = answer.lines <= body.wrong_lines and bool(answer.lines)
        score = float(right)
    else:
        raise TypeError(f"{type(answer).__name__} is no answer to a question of kind {asked.question.kind}")
    return Verdict(right, score, propose(asked.question, response, right), mistake=mistake, measured=measured)


def grade_ticks(question: Question, response: Response, ticked: Iterable[str]) -> Verdict:
    """The verdict on an open answer from the key points that the learner ticked: every `must` makes it right."""
    earned = frozenset(ticked)
    if isinstance(response.answer, DontKnow):
        earned = frozenset()
    musts = question.musts
    right = musts <= earned
    return Verdict(right, len(musts & earned) / len(musts), propose(question, response, right), earned=earned)


def propose(question: Question, response: Response, right: bool) -> Rating:
    """Good for a right answer, Hard with a hint; Again for anything less, for a guess, and with the last hint."""
    if not right or response.guessed:
        return Rating.AGAIN
    if response.hints and response.hints >= len(question.hints):
        return Rating.AGAIN
    return Rating.HARD if response.hints else Rating.GOOD


def may_rate(verdict: Verdict, rating: Rating) -> bool:
    """A wrong answer cannot be graded up."""
    return verdict.right or rating is Rating.AGAIN


def _share_of_options(body: Choice, answer: Chosen) -> float:
    """The share of options judged rightly, above what ticking none or all at random would give (one half)."""
    judged = sum((index in answer.options) == option.correct for index, option in enumerate(body.options))
    return max(0.0, 2 * judged / len(body.options) - 1)


def _share_of_order(ranks: list[int]) -> float:
    """The share of pairs of steps in their right order, above the half that a random order gives."""
    pairs = [(first, second) for first, second in combinations(ranks, 2) if first != second]
    return max(0.0, 2 * sum(first < second for first, second in pairs) / len(pairs) - 1)


def _mistake(body: Number, value: float, measured: Measured) -> Mistake | None:
    """The named mistake that gives this wrong value."""
    for mistake, wrong in zip(body.mistakes, measured.mistakes, strict=False):
        if wrong is not None and body.within.accepts(value, wrong):
            return mistake
    return None


def collides(body: Number, measured: Measured) -> bool:
    """Whether a mistake would count as right under these values: such a draw is not asked."""
    return any(wrong is not None and body.within.accepts(wrong, measured.right) for wrong in measured.mistakes)
