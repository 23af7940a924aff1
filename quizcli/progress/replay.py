"""From a card's events to its state: the same events in the same order give the same state, to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace

from quizcli.progress import events
from quizcli.scheduling import RETENTION, Memory, Scheduler
from quizcli.vocabulary import Rating

MOST_TRIES = 4
"""Answers to a card on one day: the first, and three repetitions of a wrong one."""


@dataclass(slots=True)
class CardState:
    """What follows from a card's events. Days are study days; `due` is None for a card that was never reviewed.

    `reviewed` lists the days on which the card was reviewed: whatever a clock does, none gets a second review. `day`,
    `tries` and `passed` are about the newest study day on which the card was answered: how many times, and whether the
    last of them was right.
    """

    card: str
    stability: float | None = None
    difficulty: float | None = None
    repetitions: int = 0
    lapses: int = 0
    introduced: int | None = None
    last: int | None = None
    due: int | None = None
    reviewed: str = ""
    failed: int = 0
    day: int | None = None
    tries: int = 0
    passed: int = 0
    suspended: int = 0
    buried: int = 0

    @property
    def memory(self) -> Memory | None:
        if self.stability is None or self.difficulty is None:
            return None
        return Memory(self.stability, self.difficulty)

    def row(self) -> tuple[object, ...]:
        """The state as it is stored."""
        return astuple(self)

    def comes_again(self, day: int) -> bool:
        """Whether the card was answered wrong on this day, and is to be asked again on it."""
        return self.day == day and not self.passed and self.tries < MOST_TRIES

    def waits(self, day: int) -> bool:
        """Whether the card is kept out of sessions on this day."""
        return bool(self.suspended) or self.buried > day

    @property
    def back(self) -> int | None:
        """The study day on which the card comes back: when it is due, but the next day where the day ended wrong."""
        if self.due is None or self.passed or self.day is None:
            return self.due
        return min(self.due, self.day + 1)

    def is_due(self, day: int) -> bool:
        """Whether the card is to be reviewed, or asked again, on this day."""
        return not self.waits(day) and (
            self.comes_again(day) or (self.back is not None and self.back <= day and self.day != day)
        )


COLUMNS = tuple(field.name for field in fields(CardState))


@dataclass(frozen=True, slots=True)
class Fact:
    """What replay needs of an event about a card, `card` being the id that the card had then."""

    card: str
    kind: str
    day: int
    rating: Rating | None
    retention: float | None
    weights: tuple[float, ...] | None


def replay(card: str, facts: Iterable[Fact]) -> CardState:
    """The state that a card's events lead to; those that were undone must be left out."""
    state = CardState(card)
    past: list[Fact] = []
    for fact in facts:
        if fact.kind == events.RESCHEDULE:
            _reschedule(state, past, fact)
        else:
            apply(state, fact)
            past.append(fact)
    return state


def apply(state: CardState, fact: Fact) -> None:
    """Change a state by the next event, where that needs nothing but the state."""
    if fact.kind == events.ANSWER and fact.rating is not None:
        _answer(state, fact, fact.rating)
    elif fact.kind == events.BURY:
        state.buried = fact.day + 1
    elif fact.kind == events.SUSPEND:
        state.suspended = 1
    elif fact.kind == events.UNSUSPEND:
        state.suspended, state.buried = 0, 0
    elif fact.kind == events.RESET:
        for name, value in _fresh_fields(state.card):
            setattr(state, name, value)


def _answer(state: CardState, fact: Fact, rating: Rating) -> None:
    """The first answer of a study day is a review; later ones decide only whether the card leaves today's queue."""
    right = rating is not Rating.AGAIN
    if state.day != fact.day:
        state.day, state.tries = fact.day, 0
    state.tries += 1
    state.passed = int(right)
    reviewed = state.reviewed.split()
    if str(fact.day) in reviewed:
        return
    _review(state, fact, rating)
    state.reviewed = " ".join([*reviewed, str(fact.day)])


def _review(state: CardState, fact: Fact, rating: Rating) -> None:
    scheduler = _scheduler(fact.weights, RETENTION if fact.retention is None else fact.retention)
    elapsed = 0 if state.last is None else max(0, fact.day - state.last)
    memory = state.memory
    scheduled = scheduler.review(memory, rating, elapsed, fact.card, state.repetitions)
    if rating is Rating.AGAIN:
        state.lapses += memory is not None
        state.failed += 1
    else:
        state.failed = 0
    state.stability, state.difficulty = scheduled.memory.stability, scheduled.memory.difficulty
    state.repetitions += 1
    if state.introduced is None:
        state.introduced = fact.day
    state.last = fact.day if state.last is None else max(state.last, fact.day)
    state.due = state.last + scheduled.days


def _reschedule(state: CardState, past: Iterable[Fact], fact: Fact) -> None:
    """Memory and due day as if all reviews so far had been scheduled with this event's weights and retention."""
    anew = replay(state.card, [replace(old, retention=fact.retention, weights=fact.weights) for old in past])
    state.stability, state.difficulty, state.due = anew.stability, anew.difficulty, anew.due


def _fresh_fields(card: str) -> list[tuple[str, object]]:
    """The fields of a card that was never seen."""
    fresh = CardState(card)
    return [(name, getattr(fresh, name)) for name in COLUMNS]


_schedulers: dict[tuple[tuple[float, ...] | None, float], Scheduler] = {}


def _scheduler(weights: tuple[float, ...] | None, retention: float) -> Scheduler:
    key = (weights, retention)
    if key not in _schedulers:
        _schedulers[key] = Scheduler(weights, retention)
    return _schedulers[key]
