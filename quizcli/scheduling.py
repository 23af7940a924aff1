"""When a card comes back: FSRS-6 in whole study days. Pure: memory, rating and day in, memory and due day out.

The arithmetic is that of the `fsrs` crate through `fsrs_rs_python`, the engine that Anki uses. It checks little, so
what goes in and what comes out is checked here. Fuzz is ours: seeded by card and repetition, inside FSRS's own bounds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from quizcli.vocabulary import Rating

VERSION = "fsrs-6"
RETENTION = 0.90
LOWEST_RETENTION, HIGHEST_RETENTION = 0.70, 0.97
DAY_START = 4
"""The hour, local time, at which a study day begins."""
LONGEST = 36_500
"""Days: no interval is longer."""

_FUZZ_RANGES = ((2.5, 7.0, 0.15), (7.0, 20.0, 0.10), (20.0, math.inf, 0.05))


@dataclass(frozen=True, slots=True)
class Memory:
    """FSRS's picture of one card: stability in days (recall falls to 90% after as many), difficulty from 1 to 10."""

    stability: float
    difficulty: float


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What a review leads to: the new memory, the interval as FSRS gives it, and in whole days."""

    memory: Memory
    exact: float
    days: int


@dataclass(frozen=True, slots=True)
class Scheduler:
    """FSRS-6 with its 21 weights (None: the defaults) and a desired retention from 0.70 to 0.97."""

    weights: tuple[float, ...] | None = None
    retention: float = RETENTION

    def __post_init__(self) -> None:
        if not LOWEST_RETENTION <= self.retention <= HIGHEST_RETENTION:
            raise ValueError(
                f"desired retention must be {LOWEST_RETENTION} to {HIGHEST_RETENTION}, not {self.retention}"
            )
        if self.weights is not None and (len(self.weights) != 21 or not all(map(math.isfinite, self.weights))):
            raise ValueError("FSRS-6 has 21 finite weights")

    def review(self, memory: Memory | None, rating: Rating, elapsed: int, card: str, repetition: int) -> Scheduled:
        """The memory after a review `elapsed` days after the last one (None: never seen), and when it is due again.

        `card` and `repetition` seed the fuzz: the same review always gives the same day.
        """
        if elapsed < 0:
            raise ValueError(f"elapsed days cannot be negative: {elapsed}")
        engine = _engine(self.weights)
        before = None if memory is None else engine.memory(memory.stability, memory.difficulty)
        states = engine.model.next_states(before, self.retention, elapsed)
        state = getattr(states, rating.name.lower())
        after = Memory(state.memory.stability, state.memory.difficulty)
        exact = state.interval
        if not (after.stability > 0 and math.isfinite(after.stability) and math.isfinite(after.difficulty)):
            raise ValueError(f"FSRS gave the memory {after}")
        if not math.isfinite(exact) or exact < 0:
            raise ValueError(f"FSRS gave the interval {exact}")
        return Scheduled(after, exact, fuzzed(exact, card, repetition))

    def outcomes(self, memory: Memory, elapsed: int) -> tuple[Memory, Memory]:
        """The memories after a review `elapsed` days after the last one: if the answer is right, and if it is wrong."""
        engine = _engine(self.weights)
        states = engine.model.next_states(engine.memory(memory.stability, memory.difficulty), self.retention, elapsed)
        good, bad = states.good.memory, states.again.memory
        return Memory(good.stability, good.difficulty), Memory(bad.stability, bad.difficulty)

    def recall(self, memory: Memory, elapsed: float) -> float:
        """The chance, from 0 to 1, of recalling a card so many days after its last review."""
        decay, factor = _forgetting(self.weights)
        return float((1 + factor * max(0.0, elapsed) / memory.stability) ** decay)


def whole_days(exact: float) -> int:
    """An interval in whole days: rounded half up, at least 1."""
    return min(LONGEST, max(1, math.floor(exact + 0.5)))


def fuzz_bounds(exact: float) -> tuple[int, int]:
    """The shortest and the longest interval that fuzz may choose, FSRS's own: below 2.5 days there is none."""
    if exact < 2.5:
        days = whole_days(exact)
        return days, days
    spread = 1.0 + sum(share * max(0.0, min(exact, high) - low) for low, high, share in _FUZZ_RANGES)
    low = max(2, math.floor(exact - spread + 0.5))
    high = min(LONGEST, math.floor(exact + spread + 0.5))
    return min(low, high), high


def fuzzed(exact: float, card: str, repetition: int) -> int:
    """An interval in whole days, moved within the bounds by a chance that card and repetition decide."""
    low, high = fuzz_bounds(exact)
    return random.Random(f"{card} {repetition}").randint(low, high)


def study_day(at: int, offset: int, day_start: int = DAY_START) -> int:
    """The study day (days since 1970-01-01) of a time in UTC milliseconds at a local offset in minutes."""
    return (at + offset * 60_000 - day_start * 3_600_000) // 86_400_000


def day_as_date(day: int) -> str:
    """A study day as a date, `2026-11-23`."""
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class _Engine:
    model: Any
    memory: Any


@lru_cache(maxsize=64)
def _engine(weights: tuple[float, ...] | None) -> _Engine:
    import fsrs_rs_python

    return _Engine(fsrs_rs_python.FSRS(list(weights or default_weights())), fsrs_rs_python.MemoryState)


@lru_cache(maxsize=64)
def _forgetting(weights: tuple[float, ...] | None) -> tuple[float, float]:
    """The power of the forgetting curve, and the factor that makes recall 90% when a stability has passed."""
    power = weights[20] if weights is not None else default_weights()[20]
    # The engine takes 0.1 to 0.8 for the power of forgetting, whatever is asked for.
    decay = -min(0.8, max(0.1, power))
    return decay, 0.9 ** (1 / decay) - 1


@lru_cache(maxsize=1)
def default_weights() -> tuple[float, ...]:
    """FSRS-6's default weights, as the engine ships them."""
    import fsrs_rs_python

    weights: Sequence[float] = fsrs_rs_python.DEFAULT_PARAMETERS
    return tuple(weights)
