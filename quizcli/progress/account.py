"""An answer as the log keeps it: what was asked, what was said, and what that shows."""

from __future__ import annotations

from typing import Any, Final

from quizcli.model import Arranged, Asked, Choice, Chosen, DontKnow, Given, Pointed, Response, Said, Verdict
from quizcli.scheduling import VERSION

IDLE: Final = 120.0
"""Seconds: longer than this nobody thinks about one question; the rest is idle time and does not count."""


def of_answer(asked: Asked, response: Response, verdict: Verdict, seconds: float) -> dict[str, Any]:
    """An answer with the verdict on it."""
    body = of_response(asked, response, seconds) | {"score": round(verdict.score, 4), "right": verdict.right}
    if verdict.measured is not None:
        body["value"] = verdict.measured.right
    if verdict.earned:
        body["earned"] = sorted(verdict.earned)
    if held := _misconceptions(asked, response, verdict):
        body["held"] = held
    return body


def of_response(asked: Asked, response: Response, seconds: float) -> dict[str, Any]:
    """What was asked and answered."""
    answer = response.answer
    body: dict[str, Any] = {"scheduler": VERSION, "seconds": round(min(seconds, IDLE), 1), "kind": asked.question.kind}
    if isinstance(answer, Chosen):
        body["chosen"] = sorted(answer.options)
    elif isinstance(answer, Given):
        body |= {"given": answer.value, "typed": answer.typed}
    elif isinstance(answer, Arranged):
        body["arranged"] = list(answer.steps)
    elif isinstance(answer, Pointed):
        body["lines"] = sorted(answer.lines)
    elif isinstance(answer, Said):
        body["said"] = answer.text
    elif isinstance(answer, DontKnow):
        body["unknown"] = True
    if asked.drawn:
        body["drawn"] = dict(asked.drawn)
    if asked.order:
        body["order"] = list(asked.order)
    if response.sure is not None:
        body["sure"] = response.sure
    if response.guessed:
        body["guessed"] = True
    if response.hints:
        body["hints"] = response.hints
    return body


def _misconceptions(asked: Asked, response: Response, verdict: Verdict) -> list[str]:
    """The misconceptions that a wrong answer shows."""
    body, answer = asked.question.body, response.answer
    if isinstance(body, Choice) and isinstance(answer, Chosen):
        return sorted({option.holds for index in answer.options if (option := body.options[index]).holds})
    return [verdict.mistake.holds] if verdict.mistake is not None and verdict.mistake.holds else []
