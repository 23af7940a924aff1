"""Forty days of study with a learner who forgets as FSRS says: what comes of the plan of each day."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import fsrs
import pytest

from quizcli.keeping import ProgressKeeper
from quizcli.model import Choice, Chosen
from quizcli.progress.replay import CardState
from quizcli.session import Session
from tests.logs import DAY, live, replayed
from tests.studies import Study, plain


@dataclass
class Learner:
    """Recalls with the chance that FSRS gives, by the closed form; what is new, four times of five."""

    chance: random.Random
    power: float = fsrs.scheduler.DEFAULT_PARAMETERS[20]

    def knows(self, state: CardState, day: int) -> bool:
        if state.memory is None or state.last is None:
            return self.chance.random() < 0.8
        if state.last == day:
            return self.chance.random() < 0.9
        gone = (0.9 ** (-1 / self.power) - 1) * (day - state.last) / state.memory.stability
        return self.chance.random() < (1 + gone) ** -self.power


@dataclass(frozen=True)
class Review:
    """The first answer of a day to a known card: its stability before, and whether it was recalled."""

    stability: float
    recalled: bool


@dataclass
class Diary:
    """What happened on each day: what was asked, what was new, the reviews, and what was left in the evening."""

    asked: list[list[str]] = field(default_factory=list)
    met: list[list[str]] = field(default_factory=list)
    reviews: list[list[Review]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)


def live_through(study: Study, days: int, seed: int) -> Diary:
    """Study once a day, in the evening, all that is due."""
    diary, learner = Diary(), Learner(random.Random(seed))
    for day in range(days):
        today = study.progress.today()
        assert today == DAY + day
        keeper = ProgressKeeper(study.progress, study.library, None, study=True)
        ids = study.plan().ids
        session = Session(ids, study.library.question, f"{seed} {day}", study.clock.now.timestamp, keeper)
        asked_today, met, reviews = list[str](), list[str](), list[Review]()
        while (asked := session.next()) is not None:
            name, body = asked.question.id, asked.question.body
            state = study.progress.state(name)
            right = learner.knows(state, today)
            if state.memory is None:
                met.append(name)
            elif state.last != today:
                reviews.append(Review(state.memory.stability, right))
            asked_today.append(name)
            study.clock.move(seconds=20)
            assert isinstance(body, Choice)
            session.submit(Chosen(body.right if right else frozenset({1})))
            session.accept()
        diary.asked.append(asked_today)
        diary.met.append(met)
        diary.reviews.append(reviews)
        diary.left.append(len(study.plan().ids))
        study.clock.now = (study.clock.now + timedelta(days=1)).replace(hour=19, minute=learner.chance.randrange(60))
    return diary


def retention(reviews: Iterable[Review]) -> float:
    """The share recalled, of cards that were not due before a day had passed: earlier than that none comes."""
    return statistics.fmean(review.recalled for review in reviews if review.stability >= 1)


CHAIN = {f"topic{number}": (f"topic{number - 1}" if number else "", plain(30)) for number in range(10)}


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, Diary]]:
    """Forty days with ten topics, each needing the one before it, and six new cards a day."""
    study = Study(tmp_path_factory.mktemp("forty"), CHAIN)
    study.set("new", 6)
    yield study, live_through(study, 40, 1)
    study.close()


def test_forty_days_reach_the_desired_retention(forty: tuple[Study, Diary]) -> None:
    reviews = [review for day in forty[1].reviews for review in day]
    assert len(reviews) > 500
    assert retention(reviews) == pytest.approx(0.90, abs=0.03)
    assert statistics.fmean(review.recalled for review in reviews) > 0.85


def test_forty_days_meet_the_number_of_new_cards_each_day(forty: tuple[Study, Diary]) -> None:
    assert [len(met) for met in forty[1].met] == [6] * 40


def test_forty_days_level_off(forty: tuple[Study, Diary]) -> None:
    """With as many new cards every day, each ten days ask for less more than the ten before them did."""
    asked = [len(day) for day in forty[1].asked]
    tens = [statistics.fmean(asked[first : first + 10]) for first in (0, 10, 20, 30)]
    more = [later - earlier for earlier, later in pairwise(tens)]
    assert more[0] > 2 and more[2] < 0.75 * more[0] and tens[3] < 1.25 * tens[2]
    assert max(asked[20:]) < 1.6 * statistics.fmean(asked[20:])


def test_forty_days_leave_nothing_undone_in_the_evening(forty: tuple[Study, Diary]) -> None:
    assert forty[1].left == [0] * 40


def test_forty_days_ask_nothing_more_than_four_times_a_day(forty: tuple[Study, Diary]) -> None:
    assert max(max(Counter(asked).values()) for asked in forty[1].asked) in (2, 3, 4)


def test_forty_days_bring_the_topics_in_the_order_of_needs_two_at_a_time(forty: tuple[Study, Diary]) -> None:
    met = [name.split("/")[0] for day in forty[1].met for name in day]
    assert list(dict.fromkeys(met)) == [f"topic{number}" for number in range(8)]
    for topic in set(met):
        first = met.index(topic)
        assert len({other for other in met[:first] if other in met[first:]}) <= 1


def test_forty_days_can_be_replayed(forty: tuple[Study, Diary]) -> None:
    study, _ = forty
    assert replayed(study.log) == live(study.log) and len(live(study.log)) == 240


def test_a_lower_retention_asks_less_and_recalls_less(tmp_path: Path) -> None:
    asked, recalled = [], []
    for wanted in (0.75, 0.95):
        study = Study(tmp_path / str(wanted), {"topic0": CHAIN["topic0"], "topic1": CHAIN["topic1"]})
        study.set("new", 10)
        study.set("retention", wanted)
        diary = live_through(study, 20, 1)
        asked.append(sum(map(len, diary.asked)))
        recalled.append(retention(review for day in diary.reviews for review in day))
        study.close()
    assert asked[0] < 0.75 * asked[1]
    assert recalled[0] == pytest.approx(0.75, abs=0.08) and recalled[1] == pytest.approx(0.95, abs=0.04)
