"""FSRS's weights fitted to one learner: accepted only where they predict reviews better that they have not seen.

The newest fifth of the reviews is held out, and the weights are fitted to those before. What was judged is what comes
into force: nothing is fitted again afterwards. The measures are FSRS's own: log loss, and the root mean square error in
bins (github.com/open-spaced-repetition/srs-benchmark).
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from quizcli.errors import QuizError
from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.progress.replay import CardState, Fact, apply, replay
from quizcli.scheduling import VERSION, Memory, Scheduler, default_weights
from quizcli.vocabulary import Rating

if TYPE_CHECKING:
    from fsrs_rs_python import FSRSItem

    from quizcli.progress.log import Log
    from quizcli.progress.progress import Progress

ENOUGH: Final = 400
"""Reviews that are needed: what FSRS's tutorial asked for with Anki 24.04. Later versions fit to any number (below 64
only the four first stabilities), but here a fifth is held out, and fewer than eighty reviews decide nothing."""

HELD_OUT: Final = 5
"""One review in so many is held out: the newest."""

RESAMPLES: Final = 2000
"""Draws of the bootstrap."""

LEVEL: Final = 0.95
"""How sure a gain must be: the whole of this interval lies above zero."""

STEP: Final = 1 / 50
"""The weight of a new outcome in the moving average."""

DAYS: Final = 14
"""Days for which due cards are counted."""

BOUNDS: Final = (
    *[(0.001, 100.0)] * 4,
    *((1.0, 10.0), (0.001, 4.0), (0.001, 4.0), (0.001, 0.75), (0.0, 4.5), (0.0, 0.8), (0.001, 3.5), (0.001, 5.0)),
    *((0.001, 0.25), (0.001, 0.9), (0.0, 4.0), (0.0, 1.0), (1.0, 6.0), (0.0, 2.0), (0.0, 2.0), (0.0, 0.8), (0.1, 0.8)),
)
"""The least and the largest value of each of FSRS-6's weights: `parameter_clipper.rs` of the `fsrs` crate."""

NEW, IN_FORCE, CONSTANT, MOVING = "new", "in_force", "constant", "moving_average"


# --- Reviews -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Review:
    """The first answer of a study day; `elapsed` are whole days since the review before, 0 where there is none."""

    day: int
    elapsed: int
    rating: Rating

    @property
    def recalled(self) -> bool:
        return self.rating is not Rating.AGAIN


@dataclass(frozen=True, slots=True)
class History:
    """A card's reviews, oldest first, from when it was new."""

    card: str
    reviews: tuple[Review, ...]


def histories(log: Log) -> list[History]:
    """What the log knows of each card; a card that was reset has one history before and one after."""
    return [history for card, facts in log.facts() for history in _histories(card, facts)]


def _histories(card: str, facts: Iterable[Fact]) -> list[History]:
    """Replay says what a review is: whatever it counts as one."""
    found, reviews, state = list[History](), list[Review](), CardState(card)
    for fact in facts:
        last, repetitions = state.last, state.repetitions
        apply(state, fact)
        if state.repetitions > repetitions and fact.rating is not None:
            elapsed = 0 if last is None else max(0, fact.day - last)
            reviews.append(Review(fact.day, elapsed, fact.rating))
        elif fact.kind == events.RESET and reviews:
            found.append(History(card, tuple(reviews)))
            reviews = []
    return [*found, History(card, tuple(reviews))] if reviews else found


@dataclass(frozen=True, slots=True)
class Trial:
    """A review that tells something of memory, because a day or more had passed: the review `place` of a history."""

    history: History
    place: int

    @property
    def review(self) -> Review:
        return self.history.reviews[self.place]

    @property
    def bin(self) -> tuple[float, float, float]:
        """Where FSRS's calibration counts it: with reviews of like elapsed days, number and lapses (`dataset.rs`)."""
        before = [review for review in self.history.reviews[: self.place] if review.elapsed > 0]
        lapses = sum(not review.recalled for review in before)
        return (
            _bin(2.48, 3.62, self.review.elapsed),
            _bin(1.99, 1.89, len(before) + 2),
            _bin(1.65, 1.73, lapses) if lapses else 0.0,
        )


def _bin(scale: float, base: float, count: int) -> float:
    return round(scale * base ** math.floor(math.log(count, base)), 2)


def trials(histories: Iterable[History]) -> list[Trial]:
    """All reviews a day or more after the one before, by day; within one in an order that depends on nothing else."""
    found = [
        Trial(history, place)
        for history in histories
        for place, review in enumerate(history.reviews)
        if place and review.elapsed > 0
    ]
    return sorted(found, key=lambda trial: (trial.review.day, trial.history.card))


def missing(histories: Iterable[History]) -> int:
    """How many reviews are missing before weights can be fitted and judged."""
    return max(0, ENOUGH - len(trials(histories)))


# --- Fitting and predicting --------------------------------------------------------------------------


def fit(histories: Iterable[History]) -> tuple[float, ...]:
    """The weights that the engine fits to all these reviews. Raises QuizError where there are none that FSRS allows."""
    return _fit(trials(histories))


def _fit(seen: Sequence[Trial]) -> tuple[float, ...]:
    """Later trials weigh more, as the engine has it: so they must come in the order of time."""
    from fsrs_rs_python import FSRS

    try:
        fitted = FSRS(list(default_weights())).compute_parameters(
            [_item(trial.history.reviews[: trial.place + 1]) for trial in seen]
        )
    except ValueError as error:
        raise QuizError(f"FSRS could not fit its weights to {len(seen)} reviews: {error}") from error
    # The engine counts in single precision: what lies beyond the fourth decimal is noise, and would be in every event.
    return checked([round(weight, 4) for weight in fitted])


def checked(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights, if FSRS-6 can work with them; else a QuizError."""
    if len(weights) != len(BOUNDS):
        raise QuizError(f"FSRS-6 has {len(BOUNDS)} weights; {len(weights)} were fitted")
    wrong = [
        f"weight {number} is {weight:g}, not {low:g} to {high:g}"
        for number, (weight, (low, high)) in enumerate(zip(weights, BOUNDS, strict=True))
        if not low <= weight <= high
    ]
    if wrong:
        raise QuizError(f"FSRS fitted weights outside of its own bounds: {'; '.join(wrong)}")
    return tuple(weights)


def predict(weights: tuple[float, ...], asked: Sequence[Trial]) -> list[float]:
    """The chance of recall that FSRS gives each review, from those of its card before it."""
    from fsrs_rs_python import FSRS

    scheduler = Scheduler(weights)
    states = FSRS(list(weights)).memory_state_batch([_item(trial.history.reviews[: trial.place]) for trial in asked])
    return [
        scheduler.recall(Memory(state.stability, state.difficulty), trial.review.elapsed)
        for state, trial in zip(states, asked, strict=True)
    ]


def _item(reviews: Sequence[Review]) -> FSRSItem:
    from fsrs_rs_python import FSRSItem, FSRSReview

    return FSRSItem([FSRSReview(int(review.rating), review.elapsed) for review in reviews])


def constant(seen: Sequence[Trial], asked: Sequence[Trial]) -> list[float]:
    """The share of recalls among what was seen, for every review (one of each is added, so that it is never 0 or 1)."""
    return [(sum(trial.review.recalled for trial in seen) + 1) / (len(seen) + 2)] * len(asked)


def moving_average(seen: Sequence[Trial], asked: Sequence[Trial]) -> list[float]:
    """The average of the outcomes of all days before, the newer the heavier."""
    average, found = 0.5, list[float]()
    for _, day in groupby([*seen, *asked], lambda trial: trial.review.day):
        of_day = list(day)
        found += [average] * len(of_day)
        for trial in of_day:
            average += STEP * (trial.review.recalled - average)
    return found[len(seen) :]


# --- Judging -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How well recall was predicted: log loss in nats a review, and the error of calibration in bins; 0 is perfect."""

    log_loss: float
    calibration: float


@dataclass(frozen=True, slots=True)
class Judgment:
    """What the fit is worth. `gain` is the log loss a review that the new weights save over those in force: its mean,
    and the ends of the interval in which it lies."""

    weights: tuple[float, ...]
    in_force: tuple[float, ...] | None
    reviews: int
    held_out: int
    scores: Mapping[str, Score]
    gain: tuple[float, float, float]
    accepted: bool
    why: str


def judge(histories: Sequence[History], in_force: tuple[float, ...] | None) -> Judgment:
    """Fit to the older reviews, and compare on the held-out ones with the weights in force (None: FSRS's defaults)."""
    seen, asked = held_out(trials(histories))
    weights = _fit(seen)
    predictions = {
        NEW: predict(weights, asked),
        IN_FORCE: predict(default_weights() if in_force is None else in_force, asked),
        CONSTANT: constant(seen, asked),
        MOVING: moving_average(seen, asked),
    }
    losses = {name: [_loss(p, trial) for p, trial in zip(of, asked, strict=True)] for name, of in predictions.items()}
    scores = {
        name: Score(sum(losses[name]) / len(asked), calibration(predictions[name], asked)) for name in predictions
    }
    saved = [old - new for old, new in zip(losses[IN_FORCE], losses[NEW], strict=True)]
    gain = (sum(saved) / len(asked), *bootstrap([trial.history.card for trial in asked], saved))
    accepted, why = _decide(scores, gain)
    return Judgment(weights, in_force, len(seen) + len(asked), len(asked), scores, gain, accepted, why)


def held_out(all_trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """The trials parted in time: those of the days before, and the newest fifth. A day is never torn."""
    first = all_trials[len(all_trials) - math.ceil(len(all_trials) / HELD_OUT)].review.day
    seen = [trial for trial in all_trials if trial.review.day < first]
    return seen, list(all_trials[len(seen) :])


def calibration(predicted: Sequence[float], asked: Sequence[Trial]) -> float:
    """How far predicted recall is from what came, over FSRS's bins: the root of the mean square, by reviews."""
    bins = defaultdict[tuple[float, float, float], list[float]](list)
    for chance, trial in zip(predicted, asked, strict=True):
        bins[trial.bin].append(chance - trial.review.recalled)
    return math.sqrt(sum(sum(errors) ** 2 / len(errors) for errors in bins.values()) / len(asked))


def bootstrap(cards: Sequence[str], values: Sequence[float]) -> tuple[float, float]:
    """The interval in which the mean of the values lies; cards are drawn, since the reviews of one hang together."""
    by_card = defaultdict[str, float](float)
    for card, value in zip(cards, values, strict=True):
        by_card[card] += value
    sums, chance = list(by_card.values()), random.Random(0)
    means = sorted(sum(chance.choices(sums, k=len(sums))) / len(values) for _ in range(RESAMPLES))
    tail = round(RESAMPLES * (1 - LEVEL) / 2)
    return means[tail], means[-1 - tail]


def _loss(chance: float, trial: Trial) -> float:
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    return -math.log(chance if trial.review.recalled else 1 - chance)


def _decide(scores: Mapping[str, Score], gain: tuple[float, float, float]) -> tuple[bool, str]:
    mean, low, high = gain
    if scores[NEW] == scores[IN_FORCE]:
        return False, "they predict just as the weights in force do"
    sure = f"({LEVEL:.0%}: {low:+.4f} to {high:+.4f})"
    if mean <= 0:
        return False, f"they predict no better than the weights in force: {mean:+.4f} nats a review {sure}"
    if low <= 0:
        return False, f"the gain of {mean:.4f} nats a review may be chance {sure}"
    for name in (CONSTANT, MOVING):
        if scores[NEW].log_loss > scores[name].log_loss:
            return False, f"a {name.replace('_', ' ')} predicts better, which knows nothing of the cards"
    return True, f"they save {mean:.4f} nats a review {sure}"


# --- Rescheduling ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueChange:
    """Cards due on a study day (the first: or before) as things are, and after rescheduling."""

    day: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Rescheduling:
    """What rescheduling would do: the cards whose memory or due day changes, and the cards due on the next days."""

    cards: tuple[str, ...]
    due: tuple[DueChange, ...]


def change_in_due(progress: Progress, weights: tuple[float, ...] | None, days: int = DAYS) -> Rescheduling:
    """What rescheduling all cards with these weights and the retention in force would do; nothing is written."""
    today, retention = progress.today(), progress.values["retention"]
    states = {state.card: state for state in progress.log.states("due IS NOT NULL")}
    asked = {state.card for state in progress.log.states("due IS NOT NULL AND kind IS NOT NULL AND NOT suspended")}
    changed, before, after = list[str](), Counter[int](), Counter[int]()
    for card, facts in progress.log.facts():
        if card not in states:
            continue
        old = states[card]
        new = replay(card, [*facts, Fact(card, events.RESCHEDULE, today, None, retention, weights)])
        if new != old:
            changed.append(card)
        if card in asked:
            before[_asked_on(old, today)] += 1
            after[_asked_on(new, today)] += 1
    coming = range(today, today + days)
    return Rescheduling(tuple(changed), tuple(DueChange(day, before[day], after[day]) for day in coming))


def _asked_on(state: CardState, today: int) -> int:
    """The study day, today or later, on which a card that was reviewed is asked."""
    assert state.back is not None
    return max(state.back, state.buried, today)


def reschedule(progress: Progress, cards: Sequence[str]) -> None:
    """Move these cards to where the weights and the retention in force have them: one action, undone as one."""
    if not cards:
        return
    scheduler = progress.scheduler
    each = [Draft(events.RESCHEDULE, card, retention=scheduler.retention, weights=scheduler.weights) for card in cards]
    # The action as a whole is about no card: so a session does not take it back as if it were an answer.
    whole = Draft(events.RESCHEDULE, body={"scheduler": VERSION, "cards": len(cards)})
    progress.log.append_all([*each, whole], progress.day_start)
