"""Which cards a day's study asks, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quizcli.bank.library import Library, Selection
from quizcli.progress.log import BankCard
from quizcli.progress.progress import Progress, card_of, question_of
from quizcli.progress.replay import MOST_TRIES, CardState
from quizcli.scheduling import Scheduler
from quizcli.vocabulary import KINDS, LEVELS

BACKLOG = 100
"""More overdue cards than this are a backlog: then the order saves most recall per minute."""

HORIZON = 30
"""Days over which the recall that a review saves is counted."""

SITTING = 300
"""Reviews in one session at most: more than anyone answers at a sitting."""

WEIGHED = 60
"""So many cards of each kind are weighed one by one in a backlog."""

APART = 3
"""Siblings stand at least so many places apart where that can be."""

SIDE_BY_SIDE = 2
"""Topics that are introduced at the same time."""

SECONDS = {"open": 60.0, "choice": 25.0, "multi": 35.0, "number": 40.0, "order": 35.0, "debug": 45.0}
"""What an answer takes as long as there is no experience with its kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Today's questions: those to be asked again, reviews, and new ones, each in order. `waiting` more are due."""

    again: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    waiting: int = 0
    backlog: bool = False

    @property
    def ids(self) -> list[str]:
        return [*self.again, *self.reviews, *self.new]


def adopt_bank(progress: Progress, library: Library) -> None:
    """Tell the log which cards the bank has, where the bank changed."""

    def cards() -> Iterable[BankCard]:
        for place, (entry, rank) in enumerate(library.in_learning_order()):
            level = LEVELS.index(entry.level)
            yield BankCard(card_of(entry.id), entry.topic, entry.kind, rank, entry.priority, level, place)

    def former() -> Mapping[str, str]:
        return {card_of(old): card_of(name) for old, name in library.former_ids().items()}

    progress.log.adopt(library.stamp, cards, former)


def plan(
    progress: Progress, library: Library, selection: Selection, *, limit: int | None = None, new: int | None = None
) -> Plan:
    """Today's study: what was wrong today first, then reviews, most at risk first, then new cards.

    `limit` bounds the whole, `new` replaces the number of new cards that is left for today.
    """
    day = progress.today()
    where, values = _waiting(selection, day)
    again = progress.log.query(f"SELECT card FROM card WHERE {_AGAIN} AND {where} ORDER BY back, card", day, *values)
    chosen_again = _questions(again)[:limit]
    overdue = progress.log.query(
        f"SELECT count(*) FROM (SELECT 1 FROM card WHERE {_DUE} AND {where} LIMIT {BACKLOG + 1})",
        *(day - 1, day, *values),
    )
    backlog = overdue[0][0] > BACKLOG
    most = SITTING if limit is None else max(0, min(SITTING, limit - len(chosen_again)))
    reviews = _questions((card,) for card in (_best if backlog else _riskiest)(progress, where, values, day, most))
    due = int(progress.log.query(f"SELECT count(*) FROM card WHERE {_DUE} AND {where}", day, day, *values)[0][0])
    left = int(progress.values["new"]) - progress.introduced_today() if new is None else new
    wanted = max(0, left)
    if limit is not None:
        wanted = min(wanted, max(0, limit - len(again) - due))
    fresh = new_cards(progress, library, selection, wanted)
    ties = library.ties([*chosen_again, *reviews, *fresh])
    return Plan(
        tuple(chosen_again),
        tuple(siblings_apart(reviews, ties)),
        tuple(siblings_apart(fresh, ties)),
        due - len(reviews),
        backlog,
    )


_AGAIN = f"day = ? AND NOT passed AND tries < {MOST_TRIES}"
"""Cards that were wrong today and come again."""

_DUE = "back <= ? AND (day IS NULL OR day != ?)"
"""Cards that are due for a review."""

_RISK = "max(0, ? - last) / stability"
"""What recall falls with, whatever the parameters: the days since the last review in units of the stability."""


def _waiting(selection: Selection, day: int) -> tuple[str, list[object]]:
    """Cards that a session of this selection may ask."""
    condition, values = _topics_condition(selection)
    held = ", ".join(f"'{kind}'" for kind in KINDS)
    return f"kind IN ({held}) AND NOT suspended AND buried <= ?{condition}", [day, *values]


def _riskiest(progress: Progress, where: str, values: Sequence[object], day: int, most: int) -> list[str]:
    """The due cards most likely to be forgotten, the likeliest first."""
    rows = progress.log.query(
        f"SELECT card FROM card WHERE {_DUE} AND {where} ORDER BY {_RISK} DESC, card LIMIT ?",
        *(day, day, *values, day, most),
    )
    return [card for (card,) in rows]


def _best(progress: Progress, where: str, values: Sequence[object], day: int, most: int) -> list[str]:
    """The due cards whose review saves most recall for the minute that it takes, the best first.

    Only the riskiest of each kind are weighed: the time that an answer takes depends on the kind, and within one kind
    the riskiest save most but for small differences. The others follow, the riskiest first.
    """
    scheduler, own = progress.scheduler, seconds_by_kind(progress)
    worth: dict[str, float] = {}
    for kind in KINDS:
        states = progress.log.states(
            f"card IN (SELECT card FROM card WHERE {_DUE} AND {where} AND kind = ?"
            f" ORDER BY {_RISK} DESC, card LIMIT ?)",
            *(day, day, *values, kind, day, WEIGHED),
        )
        for state in states:
            worth[state.card] = saved(scheduler, state, day) / own.get(kind, SECONDS[kind])
    best = sorted(worth, key=lambda card: (-worth[card], card))
    others = (card for card in _riskiest(progress, where, values, day, SITTING) if card not in worth)
    return [*best, *others][:most]


def saved(scheduler: Scheduler, state: CardState, day: int) -> float:
    """Days of recall that reviewing a card today saves over the horizon, against leaving it.

    A review succeeds with the chance of recall; either way the memory after it decays from today.
    """
    memory = state.memory
    assert memory is not None and state.last is not None
    elapsed = max(0, day - state.last)
    now = scheduler.recall(memory, elapsed)
    good, bad = scheduler.outcomes(memory, elapsed)
    days = range(0, HORIZON, 5)
    left = sum(scheduler.recall(memory, elapsed + ahead) for ahead in days)
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
    if not queues:
        return []
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
    """The same questions, moved as little as possible so that siblings stand apart where that can be."""
    left, placed = list(questions), list[str]()
    while left:
        recent = _ties_of(placed[-APART:], ties)
        window = left[: 10 * APART]
        pick = next((name for name in window if not ties.get(name, set()) & recent), None)
        if pick is None:
            # Only siblings of the last ones are left: an earlier question steps between them, if it is missed nowhere.
            pick = left[0]
            between = _to_spare(placed, ties.get(pick, set()), ties)
            if between is not None:
                placed.append(placed.pop(between))
                continue
        left.remove(pick)
        placed.append(pick)
    return placed


def _to_spare(placed: Sequence[str], own: set[str], ties: Mapping[str, set[str]]) -> int | None:
    """The place of a question, no sibling, that can go to the end without passing a sibling of its own or bringing two
    others too near to each other; None where there is none nearby."""
    passed = set(own)
    for at in reversed(range(max(0, len(placed) - 10 * APART), len(placed))):
        its = ties.get(placed[at], set())
        pairs = ((at - back, at - back + APART + 1) for back in range(1, APART + 1))
        if (
            at < len(placed) - APART
            and not its & passed
            and not any(
                ties.get(placed[one], set()) & ties.get(placed[other], set())
                for one, other in pairs
                if one >= 0 and other < len(placed)
            )
        ):
            return at
        passed |= its
    return None


def _ties_of(questions: Sequence[str], ties: Mapping[str, set[str]]) -> set[str]:
    return set().union(*(ties.get(name, set()) for name in questions))


def minutes(progress: Progress, library: Library, new: Sequence[str]) -> float:
    """How long all that is due and these new questions will take: by the learner's own median seconds for each kind."""
    day = progress.today()
    where, values = _waiting(Selection(), day)
    kinds: dict[str, int] = dict(
        progress.log.query(
            f"SELECT kind, count(*) FROM card WHERE ({_DUE} OR {_AGAIN}) AND {where} GROUP BY kind",
            *(day, day, day, *values),
        )
    )
    for name in new:
        entry = library.entry(name)
        if entry is not None:
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
    own = seconds_by_kind(progress)
    return sum(count * own.get(kind, SECONDS[kind]) for kind, count in kinds.items()) / 60


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


def _questions(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [name for card, *_ in rows if (name := question_of(card)) is not None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many cards are due, to be asked again, and new today."""

    due: int
    again: int
    new: int


def counts(progress: Progress, library: Library) -> Counts:
    """Today's numbers: as many as the plan has, without the reviews themselves."""
    day = progress.today()
    where, values = _waiting(Selection(), day)
    overdue = progress.log.query(f"SELECT count(*) FROM card WHERE {_DUE} AND {where}", day, day, *values)
    again = progress.log.query(f"SELECT count(*) FROM card WHERE {_AGAIN} AND {where}", day, *values)
    left = max(0, int(progress.values["new"]) - progress.introduced_today())
    return Counts(int(overdue[0][0]), int(again[0][0]), len(new_cards(progress, library, Selection(), left)))


def next_due(progress: Progress, selection: Selection) -> int | None:
    """The study day on which the next card is due."""
    condition, values = _topics_condition(selection)
    rows = progress.log.query(
        f"SELECT min(back) FROM card WHERE kind IS NOT NULL AND NOT suspended AND back > ?{condition}",
        *(progress.today(), *values),
    )
    return None if rows[0][0] is None else int(rows[0][0])


def missed_questions(progress: Progress, library: Library, selection: Selection) -> list[str]:
    """Questions whose newest answer was wrong, the newest day first."""
    condition, values = _topics_condition(selection)
    rows = progress.log.query(
        "SELECT card FROM card WHERE kind IS NOT NULL AND day IS NOT NULL AND NOT passed"
        f"{condition} ORDER BY day DESC, card",
        *values,
    )
    return [name for name in _questions(rows) if _fits(library, name, selection)]
