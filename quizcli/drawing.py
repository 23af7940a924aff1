"""What chance decides when a question is asked: the order of its options and its drawn values."""

from __future__ import annotations

import random

from quizcli.model import Asked, Choice, Computed, Number, Order, Question
from quizcli.vocabulary import Settings


def draw(question: Question, seed: str, turn: int = 0) -> Asked:
    """The question as it is asked the `turn`-th time (from 0): the same seed and turn give the same."""
    chance = random.Random(f"{seed} {question.id} {turn}")
    return Asked(question, _order(question, chance), drawn_values(question, seed, turn))


def drawn_values(question: Question, seed: str, turn: int) -> Settings:
    """The `turn`-th values of a seeded permutation of all combinations: none returns before all had their turn."""
    body = question.body
    if not isinstance(body, Number) or not isinstance(body.source, Computed):
        return {}
    draws = body.source.draws
    lap, place = divmod(turn, len(draws))
    order = list(range(len(draws)))
    random.Random(f"{seed} {question.id} lap {lap}").shuffle(order)
    return draws[order[place]]


def _order(question: Question, chance: random.Random) -> tuple[int, ...]:
    body = question.body
    if isinstance(body, Choice):
        order = list(range(len(body.options)))
        if not body.keep_order:
            chance.shuffle(order)
        return tuple(order)
    if isinstance(body, Order):
        order = list(range(len(body.steps)))
        while [body.rank(step) for step in order] == sorted(body.rank(step) for step in order):
            chance.shuffle(order)
        return tuple(order)
    return ()
