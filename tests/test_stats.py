"""What the log adds up to, beside figures that are counted by hand or by brute force."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from quizcli.progress import events
from quizcli.progress.progress import card_of
from quizcli.progress.replay import CardState
from quizcli.stats import AHEAD, LEARNED, Recalled, Standing, Stats, compute, forecast, streak, weakest
from quizcli.vocabulary import Rating
from tests.banks import AREAS, QUESTIONS, Bank
from tests.learning import Learning

ROOT, OPEN, PADDING, SIZE = (
    "averaging/root-n",
    "averaging/why-average",
    "convolution/padding",
    "convolution/output-size",
)
TODAY = 20_000


@pytest.fixture
def learning(bank: Bank, tmp_path: Path) -> Iterator[Learning]:
    learner = Learning(bank, tmp_path)
    yield learner
    learner.log.close()


def figures(learner: Learning) -> Stats:
    return compute(learner.progress, learner.library)


# --- Retention ---------------------------------------------------------------------------------------


def test_no_answer_gives_no_retention_and_no_streak(learning: Learning) -> None:
    found = figures(learning)
    assert (found.answers, found.streak, found.retention, found.retention.share) == (0, 0, Recalled(0, 0), None)
    assert found.forecast == [0] * AHEAD


def test_retention_is_of_first_answers_of_a_day_to_cards_seen_on_an_earlier_day(learning: Learning) -> None:
    for answers in (
        [(ROOT, 3), (ROOT, 1)],  # New: neither answer is a review.
        [(ROOT, 1), (ROOT, 3), (ROOT, 3), (PADDING, 3)],  # One review, missed; the rest are drills and a new card.
        [],
        [(PADDING, 1), (ROOT, 2), (PADDING, 3)],  # Two reviews: one missed, one right, if hard.
    ):
        for question, rating in answers:
            learning.answer(question, rating)
        learning.sleep()
    found = figures(learning)
    assert found.retention == Recalled(3, 1)
    assert found.retention.share == pytest.approx(1 / 3)
    assert found.answers == 9


def test_recognition_does_not_hide_recall_in_retention(learning: Learning) -> None:
    for day in range(3):
        learning.answer(ROOT, 3, kind="choice")
        learning.answer(OPEN, 1 if day else 3, kind="open")
        learning.sleep()
    found = figures(learning)
    assert found.retention_by_kind == {"choice": Recalled(2, 2), "open": Recalled(2, 0)}
    assert found.retention == Recalled(4, 2)


def test_retention_takes_the_kind_that_was_asked_and_else_the_banks(learning: Learning) -> None:
    learning.answer(ROOT)
    learning.answer(PADDING)
    learning.sleep()
    learning.answer(ROOT, 3, kind="number")
    learning.answer(PADDING)
    assert set(figures(learning).retention_by_kind) == {"number", "choice"}


def test_a_card_that_was_renamed_keeps_its_reviews_in_retention(learning: Learning) -> None:
    learning.answer("kernels/sharing")  # What convolution/sharing was called.
    learning.sleep()
    learning.answer("convolution/sharing", 1)
    assert figures(learning).retention == Recalled(1, 0)


def test_undone_answers_are_in_no_figure(learning: Learning) -> None:
    learning.answer(ROOT, 3, kind="choice", seconds=10.0)
    learning.sleep()
    learning.answer(ROOT, 3, kind="choice", seconds=20.0)
    before = figures(learning)
    for _ in range(2):
        learning.answer(PADDING, 1, kind="choice", seconds=99.0, held=["padding-is-free"])
    assert figures(learning) != before
    for _ in range(2):
        learning.progress.undo()
    assert figures(learning) == before


def test_a_card_whose_only_earlier_answer_was_undone_is_new(learning: Learning) -> None:
    learning.answer(ROOT)
    learning.progress.undo()
    learning.sleep()
    learning.answer(ROOT, 1)
    assert figures(learning).retention == Recalled(0, 0)


def test_other_actions_are_no_answers(learning: Learning) -> None:
    for kind in (events.VOID, events.BURY, events.SUSPEND, events.RESET, events.NOTE):
        learning.note(kind, ROOT)
    found = figures(learning)
    assert (found.answers, found.answers_by_day, found.streak) == (0, {}, 0)


# --- Days --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "length"), [([], 0), ([0], 1), ([1], 1), ([2], 0), ([0, 1, 2], 3), ([1, 2, 3], 3), ([0, 2, 3], 1)]
)
def test_the_streak_ends_at_a_day_without_answer_except_today(learning: Learning, ago: list[int], length: int) -> None:
    learning.clock.move(days=-10)
    for day in range(10, -1, -1):
        if day in ago:
            learning.answer(ROOT)
        if day:
            learning.sleep()
    assert figures(learning).streak == length
    assert streak(learning.progress) == length


def test_a_study_day_ends_at_four_in_the_morning(learning: Learning) -> None:
    learning.answer(ROOT)
    learning.clock.move(hours=15)  # 03:00
    learning.answer(ROOT)
    learning.clock.move(hours=2)  # 05:00
    learning.answer(ROOT)
    found = figures(learning)
    assert list(found.answers_by_day.values()) == [2, 1]
    assert found.streak == 2
    assert found.retention == Recalled(1, 1)


# --- The forecast ------------------------------------------------------------------------------------


def card(due: int | None, **more: int) -> CardState:
    """A card that is due so many days from today; its newest day ended right unless told otherwise."""
    when = None if due is None else TODAY + due
    state = CardState("dl:t/q", 5.0, 5.0, due=when, day=TODAY - 5, passed=1)
    for name, value in more.items():
        setattr(state, name, value)
    return state


@pytest.mark.parametrize(
    ("state", "ahead"),
    [
        (card(0), 0),
        (card(-40), 0),
        (card(7), 7),
        (card(AHEAD - 1), AHEAD - 1),
        (card(AHEAD), None),
        (card(None, passed=0), None),
        (card(3, suspended=1), None),
        (card(-3, suspended=1), None),
        (card(-3, buried=TODAY + 1), 1),
        (card(0, buried=TODAY + 1), 1),
        (card(4, buried=TODAY + 1), 4),
        (card(-3, buried=TODAY), 0),
        (card(20, day=TODAY, passed=0, tries=4), 1),
        (card(20, day=TODAY - 1, passed=0, tries=1), 0),
        (card(20, day=TODAY - 9, passed=0, tries=1), 0),
    ],
)
def test_the_forecast_has_a_card_on_the_day_it_comes_back(state: CardState, ahead: int | None) -> None:
    found = forecast([state], TODAY)
    assert len(found) == AHEAD
    assert [day for day, count in enumerate(found) if count] == ([] if ahead is None else [ahead])
    assert sum(found) == (ahead is not None)


def test_the_forecast_is_what_each_coming_day_finds_due(learning: Learning) -> None:
    chance = random.Random(3)
    for _ in range(12):
        for question in chance.sample(sorted(QUESTIONS), 4):
            learning.answer(question, chance.choice((1, 3, 3, 4)))
        learning.sleep()
    learning.note(events.SUSPEND, ROOT)
    learning.note(events.BURY, PADDING)
    found, today = figures(learning).forecast, learning.today
    states = learning.log.states()
    met = [next((day for day in range(AHEAD) if state.is_due(today + day)), None) for state in states]
    assert found == [met.count(day) for day in range(AHEAD)]
    assert sum(found) > 3


def test_a_card_that_left_the_bank_is_not_in_the_forecast_but_its_answers_count(learning: Learning) -> None:
    learning.answer("pooling/halves")
    learning.answer(ROOT)
    learning.bank.path("pooling").unlink()
    learning.read_bank()
    found = figures(learning)
    assert sum(found.forecast) == 1
    assert found.answers == 2
    assert set(found.topics) == {"averaging", "convolution"}


# --- Standings ---------------------------------------------------------------------------------------


def test_standings_are_those_of_a_count_by_brute_force(learning: Learning) -> None:
    chance = random.Random(1)
    for _ in range(8):
        for question in chance.sample(sorted(QUESTIONS), 3):
            learning.answer(question, chance.choice((1, 1, 3, 4)))
        learning.sleep(chance.choice((1, 2, 9)))
    learning.sleep(20)
    found, scheduler = figures(learning), learning.progress.scheduler
    states = {state.card: state for state in learning.log.replayed()}
    recall = {}
    for name in QUESTIONS:
        state = states.get(card_of(name))
        if state is not None and state.memory is not None and state.last is not None:
            recall[name] = scheduler.recall(state.memory, learning.today - state.last)
    assert 0 < sum(value >= LEARNED for value in recall.values()) < len(recall)
    for standings, group_of in (
        (found.topics, {name: question.topic for name, question in QUESTIONS.items()}),
        (found.areas, {name: AREAS[question.topic] for name, question in QUESTIONS.items()}),
        (found.skills, {name: question.skill for name, question in QUESTIONS.items()}),
    ):
        assert set(standings) == set(group_of.values())
        for key, standing in standings.items():
            members = [name for name, group in group_of.items() if group == key]
            seen = [recall[name] for name in members if name in recall]
            assert (standing.questions, standing.seen) == (len(members), len(seen))
            assert standing.learned == sum(value >= LEARNED for value in seen)
            assert standing.recall == (pytest.approx(statistics.fmean(seen)) if seen else None)


def test_a_card_that_was_reset_is_not_seen(learning: Learning) -> None:
    learning.answer(ROOT)
    assert figures(learning).topics["averaging"] == Standing(2, 1, 1, 1.0)
    learning.note(events.RESET, ROOT)
    assert figures(learning).topics["averaging"] == Standing(2, 0, 0, None)


def test_the_weakest_topics_come_first_and_only_those_seen(learning: Learning) -> None:
    learning.answer(ROOT, Rating.EASY)
    learning.answer(PADDING, Rating.AGAIN)
    found = weakest(learning.progress)
    assert [topic for topic, _ in found] == ["convolution", "averaging"]
    assert found == sorted(found, key=lambda each: each[1])
    assert weakest(learning.progress, 1) == found[:1]


# --- Beliefs and times -------------------------------------------------------------------------------


def test_misconceptions_are_those_shown_more_than_once_the_most_frequent_first(learning: Learning) -> None:
    for question, held in (
        (ROOT, ["spread-stays"]),
        (PADDING, ["padding-is-free"]),
        (SIZE, ["padding-is-free"]),
        (SIZE, ["padding-is-free", "once-only"]),
        (ROOT, ["spread-stays"]),
        (OPEN, []),
    ):
        learning.answer(question, 1, held=held)
    assert list(figures(learning).misconceptions.items()) == [("padding-is-free", 3), ("spread-stays", 2)]


def test_an_undone_belief_was_not_shown_twice(learning: Learning) -> None:
    for _ in range(2):
        learning.answer(ROOT, 1, held=["spread-stays"])
    learning.progress.undo()
    assert figures(learning).misconceptions == {}


def test_answer_times_are_medians_by_kind(learning: Learning) -> None:
    for question, kind, seconds in (
        (ROOT, "choice", 2.0),
        (PADDING, "choice", 4.0),
        (ROOT, "choice", 100.0),
        (OPEN, "open", 60.0),
    ):
        learning.answer(question, 3, kind=kind, seconds=seconds)
    assert figures(learning).seconds == {"choice": 4.0, "open": 60.0}
