"""What a learner's log adds up to: retention, workload, what is learned, what is believed wrongly."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from quizcli.bank.library import Entry, Library
from quizcli.progress import events
from quizcli.progress.events import Event
from quizcli.progress.progress import Progress, card_of, question_of
from quizcli.progress.replay import CardState
from quizcli.vocabulary import Rating

LEARNED = 0.7
"""A card counts as learned where the chance to recall it now is at least this."""

AHEAD = 30
"""Days of the forecast."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """First answers of a day to cards seen on an earlier day: how many, and how many right."""

    reviews: int = 0
    right: int = 0

    @property
    def share(self) -> float | None:
        return self.right / self.reviews if self.reviews else None

    def plus(self, right: bool) -> Recalled:
        return Recalled(self.reviews + 1, self.right + right)


@dataclass(frozen=True, slots=True)
class Standing:
    """A topic, an area or a skill: its questions, those seen, those learned, the mean chance of recall of the seen."""

    questions: int
    seen: int
    learned: int
    recall: float | None


@dataclass
class Stats:
    """Everything that `dlquiz stats` shows. Days are study days."""

    today: int
    desired: float
    answers: int = 0
    retention: Recalled = field(default_factory=Recalled)
    retention_by_kind: dict[str, Recalled] = field(default_factory=dict)
    answers_by_day: dict[int, int] = field(default_factory=dict)
    forecast: list[int] = field(default_factory=list)
    topics: dict[str, Standing] = field(default_factory=dict)
    areas: dict[str, Standing] = field(default_factory=dict)
    skills: dict[str, Standing] = field(default_factory=dict)
    misconceptions: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    confidence: dict[float, Recalled] = field(default_factory=dict)

    @property
    def streak(self) -> int:
        """Study days in a row with an answer, up to today; today may still be to come."""
        day = self.today if self.today in self.answers_by_day else self.today - 1
        length = 0
        while day - length in self.answers_by_day:
            length += 1
        return length


def compute(progress: Progress, library: Library) -> Stats:
    """All figures, from the events in force and the card states."""
    entries = {card_of(entry.id): entry for entry in library.entries()}
    found = Stats(progress.today(), progress.values["retention"])
    former = dict(progress.log.query("SELECT old, card FROM alias"))
    _read_answers(found, progress.log.events("kind = ?", events.ANSWER), entries, former)
    states = {state.card: state for state in progress.log.states("kind IS NOT NULL")}
    found.forecast = forecast(states.values(), found.today)
    for name, key in (("topics", "topic"), ("areas", "area"), ("skills", "skill")):
        groups: dict[str, list[str]] = defaultdict(list)
        for card, entry in entries.items():
            groups[getattr(entry, key)].append(card)
        setattr(found, name, {group: _standing(progress, cards, states) for group, cards in groups.items()})
    return found


def forecast(states: Iterable[CardState], today: int) -> list[int]:
    """Cards due today (overdue ones with them) and on each of the following days, if nothing changes."""
    due = [0] * AHEAD
    for state in states:
        if state.back is not None and not state.suspended:
            ahead = max(state.back, state.buried, today) - today
            if ahead < AHEAD:
                due[ahead] += 1
    return due


def streak(progress: Progress) -> int:
    """Study days in a row with an answer, without reading the whole log."""
    today = progress.today()
    days = {
        int(day)
        for (day,) in progress.log.query(
            "SELECT DISTINCT day FROM event WHERE kind = 'answer' AND day > ?", today - 400
        )
    }
    return Stats(today, 0.0, answers_by_day=dict.fromkeys(days, 1)).streak


def weakest(progress: Progress, count: int = 3) -> list[tuple[str, float]]:
    """The topics with the lowest mean chance of recall tomorrow, among those seen."""
    scheduler, today = progress.scheduler, progress.today()
    recalls: dict[str, list[float]] = defaultdict(list)
    for state in progress.log.states("kind IS NOT NULL AND introduced IS NOT NULL"):
        name = question_of(state.card)
        if state.memory is not None and state.last is not None and name is not None:
            recalls[name.split("/")[0]].append(scheduler.recall(state.memory, max(0, today - state.last) + 1))
    means = sorted((statistics.fmean(values), topic) for topic, values in recalls.items())
    return [(topic, mean) for mean, topic in means[:count]]


def _read_answers(found: Stats, answers: Iterable[Event], entries: dict[str, Entry], former: dict[str, str]) -> None:
    days_of: dict[str, set[int]] = defaultdict(set)
    seconds: dict[str, list[float]] = defaultdict(list)
    held: Counter[str] = Counter()
    by_day: Counter[int] = Counter()
    for event in answers:
        card = former.get(event.card or "", event.card or "")
        kind = str(event.body.get("kind", entries[card].kind if card in entries else ""))
        found.answers += 1
        by_day[event.day] += 1
        held.update(event.body.get("held", ()))
        if "sure" in event.body:
            sure = float(event.body["sure"])
            right = event.rating is not Rating.AGAIN
            found.confidence[sure] = found.confidence.get(sure, Recalled()).plus(bool(event.body.get("right", right)))
        if "seconds" in event.body:
            seconds[kind].append(float(event.body["seconds"]))
        if days_of[card] and event.day not in days_of[card]:
            right = event.rating is not Rating.AGAIN
            found.retention = found.retention.plus(right)
            found.retention_by_kind[kind] = found.retention_by_kind.get(kind, Recalled()).plus(right)
        days_of[card].add(event.day)
    found.answers_by_day = dict(sorted(by_day.items()))
    found.misconceptions = {name: times for name, times in held.most_common() if times > 1}
    found.seconds = {kind: statistics.median(values) for kind, values in sorted(seconds.items())}


def _standing(progress: Progress, cards: list[str], states: dict[str, CardState]) -> Standing:
    scheduler, today = progress.scheduler, progress.today()
    recalls = []
    for card in cards:
        state = states.get(card)
        if state is not None and state.memory is not None and state.last is not None:
            recalls.append(scheduler.recall(state.memory, max(0, today - state.last)))
    learned = sum(recall >= LEARNED for recall in recalls)
    return Standing(len(cards), len(recalls), learned, statistics.fmean(recalls) if recalls else None)
