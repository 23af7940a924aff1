"""Which cards a day's study asks, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quizcli.bank.library import Library, Selection
from quizcli.model import LEVELS, Rating
from quizcli.progress.log import BankCard
from quizcli.progress.progress import Progress, card_of, question_of
from quizcli.progress.replay import MOST_TRIES, CardState
from quizcli.scheduling import Memory, Scheduler

BACKLOG = 100
"""More overdue cards than this are a backlog: then the order saves most recall per minute."""

HORIZON = 30
"""Days over which the recall that a review saves is counted."""

APART = 3
"""Siblings stand at least so many places apart where that can be."""

SIDE_BY_SIDE = 2
"""Topics that are introduced at the same time."""

SECONDS = {"open": 60.0, "choice": 25.0, "multi": 35.0, "number": 40.0, "order": 35.0, "debug": 45.0}
"""What an answer takes as long as there is no experience with its kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Today's questions: those to be asked again, reviews, and new ones, each in order."""

    again: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    backlog: bool = False

    @property
    def ids(self) -> list[str]:
        return [*self.again, *self.reviews, *self.new]


def adopt_bank(progress: Progress, library: Library) -> None:
    """Tell the log which cards the bank has, where the bank changed."""

    def cards() -> Iterable[BankCard]:
        for place, (entry, rank) in enumerate(library.in_learning_order()):
            yield BankCard(card_of(entry.id), entry.topic, rank, entry.priority, LEVELS.index(entry.level), place)

    def former() -> Mapping[str, str]:
        return {card_of(old): card_of(name) for old, name in library.former_ids().items()}

    progress.log.adopt(library.stamp, cards, former)


def plan(
    progress: Progress, library: Library, selection: Selection, *, limit: int | None = None, new: int | None = None
) -> Plan:
    """Today's study: what was wrong today first, then reviews, most at risk first, then new cards.

    `limit` bounds the whole, `new` replaces the number of new cards that is left for today.
    """
    day, scheduler = progress.today(), progress.scheduler
    due = _due(progress, selection, day)
    again = [state for state in due if state.comes_again(day)]
    reviews = [state for state in due if not state.comes_again(day)]
    overdue = sum(1 for state in reviews if state.back is not None and state.back < day)
    backlog = overdue > BACKLOG
    if backlog:
        cost = _costs(library, reviews)
        reviews.sort(key=lambda state: -saved(scheduler, state, day) / cost[state.card])
    else:
        reviews.sort(key=lambda state: scheduler.recall(*_memory_and_elapsed(state, day)))
    left = int(progress.values["new"]) - progress.introduced_today() if new is None else new
    wanted = max(0, left)
    if limit is not None:
        wanted = min(wanted, max(0, limit - len(again) - len(reviews)))
    fresh = new_cards(progress, library, selection, wanted)
    chosen_again, chosen_reviews = _questions(again), _questions(reviews)
    if limit is not None:
        chosen_again = chosen_again[:limit]
        chosen_reviews = chosen_reviews[: max(0, limit - len(chosen_again))]
    ties = library.ties([*chosen_again, *chosen_reviews[:1000], *fresh])
    return Plan(
        tuple(chosen_again), tuple(siblings_apart(chosen_reviews, ties)), tuple(siblings_apart(fresh, ties)), backlog
    )


def saved(scheduler: Scheduler, state: CardState, day: int) -> float:
    """Days of recall that reviewing a card today saves over the horizon, against leaving it.

    A review succeeds with the chance of recall; either way the memory after it decays from today.
    """
    memory, elapsed = _memory_and_elapsed(state, day)
    now = scheduler.recall(memory, elapsed)
    days = range(0, HORIZON, 5)
    left = sum(scheduler.recall(memory, elapsed + ahead) for ahead in days)
    good = scheduler.review(memory, Rating.GOOD, elapsed, state.card, state.repetitions).memory
    bad = scheduler.review(memory, Rating.AGAIN, elapsed, state.card, state.repetitions).memory
    reviewed = sum(now * scheduler.recall(good, ahead) + (1 - now) * scheduler.recall(bad, ahead) for ahead in days)
    return 5 * (reviewed - left)


def new_cards(progress: Progress, library: Library, selection: Selection, count: int) -> list[str]:
    """New cards in the order of needs, priority and level; two topics side by side, no two siblings on one day."""
    if count <= 0:
        return []
    condition, values = _topics_condition(selection)
    rows = progress.log.query(
        "SELECT card, topic FROM bank_card b WHERE introduced = 0"
        " AND NOT EXISTS (SELECT 1 FROM card c WHERE c.card = b.card AND (c.suspended OR c.buried > ?))"
        f"{condition} ORDER BY rank, priority, level, place LIMIT ?",
        *(progress.today(), *values, 40 * count + 200),
    )
    queues: dict[str, list[str]] = {}
    for card, topic in rows:
        name = question_of(card)
        if name is not None and _fits(library, name, selection):
            queues.setdefault(topic, []).append(name)
    met = _met_today(progress)
    ties = library.ties([*met, *(name for queue in queues.values() for name in queue)])
    taken: set[str] = set()
    for name in met:
        taken |= ties.get(name, set())
    chosen: list[str] = []
    waiting = list(queues)
    side_by_side: list[str] = []
    needs = {topic.name: set(topic.needs) for topic in library.topics()}
    while len(chosen) < count and (waiting or side_by_side):
        while waiting and len(side_by_side) < SIDE_BY_SIDE:
            # A topic waits for those it needs, as long as another can go ahead of it.
            unmet = set(waiting) | set(side_by_side)
            ready = (topic for topic in waiting if not needs.get(topic, set()) & unmet)
            topic = next(ready, None if side_by_side else waiting[0])
            if topic is None:
                break
            waiting.remove(topic)
            side_by_side.append(topic)
        for topic in list(side_by_side):
            if len(chosen) == count:
                break
            queue = queues[topic]
            pick = next((name for name in queue if not ties[name] & taken), None)
            if pick is None:
                side_by_side.remove(topic)
                continue
            queue.remove(pick)
            taken |= ties[pick]
            chosen.append(pick)
    return chosen


def siblings_apart(questions: Sequence[str], ties: Mapping[str, set[str]]) -> list[str]:
    """The same questions, moved as little as possible so that siblings stand apart."""
    left, placed = list(questions), list[str]()
    while left:
        recent: set[str] = set()
        for name in placed[-APART:]:
            recent |= ties.get(name, set())
        window = left[: 10 * APART]
        pick = next((name for name in window if not ties.get(name, set()) & recent), left[0])
        left.remove(pick)
        placed.append(pick)
    return placed


def minutes(progress: Progress, library: Library, questions: Sequence[str]) -> float:
    """How long these questions will take: by the learner's own median seconds for each kind."""
    own = seconds_by_kind(progress)
    total = 0.0
    for name in questions:
        entry = library.entry(name)
        if entry is not None:
            total += own.get(entry.kind, SECONDS[entry.kind])
    return total / 60


def seconds_by_kind(progress: Progress) -> dict[str, float]:
    """The median seconds of the newest answers, for kinds with at least five of them."""
    import json
    import statistics

    rows = progress.log.query("SELECT body FROM event WHERE kind = 'answer' ORDER BY rowid DESC LIMIT 300")
    taken: dict[str, list[float]] = {}
    for (text,) in rows:
        body = json.loads(text)
        if "seconds" in body and "kind" in body:
            taken.setdefault(body["kind"], []).append(float(body["seconds"]))
    return {kind: statistics.median(values) for kind, values in taken.items() if len(values) >= 5}


def _due(progress: Progress, selection: Selection, day: int) -> list[CardState]:
    condition, values = _topics_condition(selection)
    states = progress.log.states(
        f"back IS NOT NULL AND (back <= ? OR day = ?) AND known AND NOT suspended AND buried <= ?{condition}",
        *(day, day, day),
        *values,
    )
    return [state for state in states if state.is_due(day)]


def _topics_condition(selection: Selection) -> tuple[str, list[str]]:
    """Cards of the chosen topics, as ranges of card ids."""
    if not selection.topics and not selection.questions:
        return "", []
    ranges = ["(card >= ? AND card < ?)"] * len(selection.topics) + ["card = ?"] * len(selection.questions)
    bounds = [bound for topic in selection.topics for bound in (card_of(f"{topic}/"), card_of(f"{topic}0"))]
    return f" AND ({' OR '.join(ranges)})", [*bounds, *map(card_of, selection.questions)]


def _fits(library: Library, question: str, selection: Selection) -> bool:
    if selection.kind is None and selection.level is None and selection.skill is None:
        return True
    entry = library.entry(question)
    return entry is not None and all(
        wanted is None or wanted == has
        for wanted, has in (
            (selection.kind, entry.kind),
            (selection.level, entry.level),
            (selection.skill, entry.skill),
        )
    )


def _met_today(progress: Progress) -> list[str]:
    rows = progress.log.query("SELECT card FROM card WHERE introduced = ?", progress.today())
    return [name for (card,) in rows if (name := question_of(card)) is not None]


def _questions(states: Iterable[CardState]) -> list[str]:
    return [name for state in states if (name := question_of(state.card)) is not None]


def _memory_and_elapsed(state: CardState, day: int) -> tuple[Memory, int]:
    memory = state.memory
    assert memory is not None and state.last is not None
    return memory, max(0, day - state.last)


def _costs(library: Library, states: Iterable[CardState]) -> dict[str, float]:
    found = {}
    for state in states:
        entry = library.entry(state.card.removeprefix("dl:"))
        found[state.card] = SECONDS[entry.kind] if entry is not None else 30.0
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """How many cards are due, to be asked again, and new today."""

    due: int
    again: int
    new: int


def counts(progress: Progress, library: Library) -> Counts:
    """Today's numbers: as many as the plan has, without the reviews themselves."""
    day = progress.today()
    waiting = "known AND NOT suspended AND buried <= ?"
    overdue = progress.log.query(
        f"SELECT count(*) FROM card WHERE back <= ? AND {waiting} AND (day IS NULL OR day != ?)", day, day, day
    )
    again = progress.log.query(
        f"SELECT count(*) FROM card WHERE day = ? AND {waiting} AND NOT passed AND tries < ?", day, day, MOST_TRIES
    )
    left = max(0, int(progress.values["new"]) - progress.introduced_today())
    return Counts(int(overdue[0][0]), int(again[0][0]), len(new_cards(progress, library, Selection(), left)))


def next_due(progress: Progress, selection: Selection) -> int | None:
    """The study day on which the next card is due."""
    condition, values = _topics_condition(selection)
    rows = progress.log.query(
        f"SELECT min(back) FROM card WHERE known AND NOT suspended AND back > ?{condition}", progress.today(), *values
    )
    return None if rows[0][0] is None else int(rows[0][0])


def missed_questions(progress: Progress, library: Library, selection: Selection) -> list[str]:
    """Questions whose newest answer was wrong, the newest day first."""
    condition, values = _topics_condition(selection)
    states = progress.log.states(
        f"known AND day IS NOT NULL AND NOT passed{condition} ORDER BY day DESC, card", *values
    )
    return [name for name in _questions(states) if _fits(library, name, selection)]
