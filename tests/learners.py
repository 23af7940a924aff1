"""Simulated learners: their true memory is FSRS's with weights of their own, or there is none and a coin decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from quizcli.optimizing import History, Review
from quizcli.progress import events
from quizcli.progress.events import Event
from quizcli.scheduling import RETENTION, Memory, Scheduler, default_weights
from quizcli.vocabulary import Rating


def _changed(**weights: float) -> tuple[float, ...]:
    changed = list(default_weights())
    for name, weight in weights.items():
        changed[int(name[1:])] = weight
    return tuple(changed)


SWIFT = _changed(w0=0.05, w1=0.15, w2=0.3, w3=0.8, w8=2.6, w20=0.5)
"""Forgets new things within hours, but what was recalled a few times stays: unlike the defaults."""


@dataclass(frozen=True)
class Answer:
    """One answer on a study day, counted from the learner's first."""

    day: int
    card: str
    rating: Rating


def simulate(weights: tuple[float, ...], reviews: int, seed: int, new: int = 6) -> list[Answer]:
    """So many reviews, and the first answers they need, of cards that FSRS schedules with its defaults, fuzz and all.

    New cards come every day. Recall falls as the learner's own weights have it.
    """
    chance, truth, scheduler = random.Random(seed), Scheduler(weights), Scheduler()
    answers, due = list[Answer](), dict[str, int]()
    true: dict[str, Memory] = {}
    believed: dict[str, Memory] = {}
    last: dict[str, int] = {}
    left, day = reviews, 0
    while left > 0:
        today = [card for card in due if due[card] <= day][:left]
        left -= len(today)
        for card in [*today, *(f"dl:learner/{seed}-{day}-{number}" for number in range(new))]:
            elapsed = day - last.get(card, day)
            if card not in true:
                rating = chance.choices(list(Rating), [0.25, 0.15, 0.5, 0.1])[0]
            elif chance.random() < truth.recall(true[card], elapsed):
                rating = chance.choices(list(Rating)[1:], [0.15, 0.75, 0.1])[0]
            else:
                rating = Rating.AGAIN
            answers.append(Answer(day, card, rating))
            true[card] = truth.review(true.get(card), rating, elapsed, card, 0).memory
            scheduled = scheduler.review(believed.get(card), rating, elapsed, card, day)
            believed[card], last[card], due[card] = scheduled.memory, day, day + scheduled.days
        day += 1
    return answers


def toss(recalled: float, reviews: int, seed: int) -> list[Answer]:
    """Answers without any memory behind them: every one is right with the same chance, whatever came before."""
    chance, scheduler = random.Random(seed), Scheduler()
    answers: list[Answer] = []
    while len(answers) < reviews:
        card, day = f"dl:coin/{seed}-{len(answers)}", chance.randrange(200)
        memory, last = None, day
        for repetition in range(15):
            right = chance.random() < recalled
            rating = chance.choice([Rating.HARD, Rating.GOOD, Rating.GOOD, Rating.EASY]) if right else Rating.AGAIN
            answers.append(Answer(day, card, rating))
            scheduled = scheduler.review(memory, rating, day - last, card, repetition)
            memory, last, day = scheduled.memory, day, day + scheduled.days
            if day > 260:
                break
    return sorted(answers, key=lambda answer: answer.day)


def as_histories(answers: Sequence[Answer]) -> list[History]:
    """What the cards went through, one answer a day and card being there."""
    by_card: dict[str, list[Answer]] = {}
    for answer in answers:
        by_card.setdefault(answer.card, []).append(answer)
    found = []
    for card, of_card in by_card.items():
        days = [of_card[0].day, *(answer.day for answer in of_card)]
        reviews = (Review(a.day, a.day - before, a.rating) for a, before in zip(of_card, days, strict=False))
        found.append(History(card, tuple(reviews)))
    return found


def from_scratch(history: History, weights: tuple[float, ...], retention: float) -> tuple[Memory, int]:
    """Memory and due day, by the scheduler alone."""
    memory, scheduler = None, Scheduler(weights, retention)
    for repetition, review in enumerate(history.reviews):
        scheduled = scheduler.review(memory, review.rating, review.elapsed, history.card, repetition)
        memory = scheduled.memory
    assert memory is not None
    return memory, history.reviews[-1].day + scheduled.days


def as_events(answers: Sequence[Answer], last_day: int, machine: str = "learner") -> list[Event]:
    """The answers as events of a log, at eight in the morning UTC; the newest falls on the given study day."""
    shift = last_day - answers[-1].day
    at = [(answer.day + shift) * 86_400_000 + 8 * 3_600_000 for answer in answers]
    return [
        Event(
            id=f"{machine}-{number}",
            machine=machine,
            sequence=number,
            clock=at[number - 1],
            at=at[number - 1],
            offset=0,
            day=answer.day + shift,
            kind=events.ANSWER,
            card=answer.card,
            rating=answer.rating,
            target=None,
            retention=RETENTION,
            weights=None,
            body={},
        )
        for number, answer in enumerate(answers, 1)
    ]
