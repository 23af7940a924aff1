"""From events to a card's state: reviews and drills, what is put away and brought back, and odd clocks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.progress.replay import COLUMNS, MOST_TRIES, CardState, Fact, apply, replay
from quizcli.scheduling import RETENTION, Memory, Scheduler, default_weights
from quizcli.vocabulary import Rating
from tests.logs import DAY, Clock, answer, open_log

CARD = "dl:a/b"
AGAIN, HARD, GOOD, EASY = Rating


def fact(day: int, rating: Rating | None = GOOD, kind: str = events.ANSWER, card: str = CARD) -> Fact:
    return Fact(card, kind, day, rating, RETENTION, None)


def answers(*given: tuple[int, Rating]) -> CardState:
    return replay(CARD, [fact(day, rating) for day, rating in given])


def memory_after(*given: tuple[int, Rating]) -> Memory:
    """The memory after reviews at these elapsed days, by the scheduler alone."""
    memory = None
    for repetition, (elapsed, rating) in enumerate(given):
        memory = Scheduler().review(memory, rating, elapsed, CARD, repetition).memory
    assert memory is not None
    return memory


def scheduled(state: CardState) -> tuple[object, ...]:
    """What a review changes and a drill does not."""
    kept = asdict(state)
    return tuple(kept[name] for name in COLUMNS if name not in ("day", "tries", "passed"))


# --- Reviews and drills ------------------------------------------------------------------------------


def test_a_card_that_was_never_answered_is_new() -> None:
    state = replay(CARD, [])
    assert state == CardState(CARD) and state.memory is None and not state.is_due(10**6)


@pytest.mark.parametrize("rating", Rating)
def test_the_first_answer_introduces_a_card_and_schedules_it(rating: Rating) -> None:
    state, expected = answers((100, rating)), Scheduler().review(None, rating, 0, CARD, 0)
    assert state.memory == expected.memory
    assert (state.introduced, state.last, state.due) == (100, 100, 100 + expected.days)
    assert (state.repetitions, state.lapses, state.failed) == (1, 0, int(rating is AGAIN))


@pytest.mark.parametrize("first", Rating)
@pytest.mark.parametrize("later", Rating)
def test_only_the_first_answer_of_a_study_day_is_a_review(first: Rating, later: Rating) -> None:
    once = answers((100, GOOD), (103, first))
    more = answers((100, GOOD), (103, first), (103, later), (103, later))
    assert scheduled(more) == scheduled(once)
    assert more.tries == 3 and bool(more.passed) is (later is not AGAIN)
    assert more.memory == memory_after((0, GOOD), (3, first))


def test_the_next_study_day_brings_a_review_again() -> None:
    state = answers((100, AGAIN), (100, GOOD), (101, GOOD), (101, AGAIN), (104, HARD))
    assert state.memory == memory_after((0, AGAIN), (1, GOOD), (3, HARD)) and state.repetitions == 3


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(Rating)), max_size=30))
def test_one_review_per_study_day_reaches_the_scheduler(given_: list[tuple[int, Rating]]) -> None:
    """Whatever is answered on a day, only what was answered first counts, at its true distance in days."""
    given_ = sorted(given_, key=lambda one: one[0])
    firsts: dict[int, Rating] = {}
    for day, rating in given_:
        firsts.setdefault(day, rating)
    state = answers(*given_)
    assert state.repetitions == len(firsts)
    if firsts:
        gaps = [0, *(later - earlier for earlier, later in pairwise(firsts))]
        assert state.memory == memory_after(*zip(gaps, firsts.values(), strict=True))
        assert state.last == max(firsts)


@pytest.mark.parametrize("elapsed", [1, 2, 7, 8, 9, 40, 400])
@pytest.mark.parametrize("rating", Rating)
def test_early_and_late_reviews_count_at_their_true_elapsed_days(elapsed: int, rating: Rating) -> None:
    """The card would have been due after about eight days."""
    state = answers((100, EASY), (100 + elapsed, rating))
    expected = Scheduler().review(memory_after((0, EASY)), rating, elapsed, CARD, 1)
    assert state.memory == expected.memory and state.due == 100 + elapsed + expected.days


def test_a_late_success_is_worth_more_than_an_early_one() -> None:
    stabilities = [answers((100, EASY), (100 + elapsed, GOOD)).stability or 0 for elapsed in (1, 8, 40)]
    assert stabilities == sorted(stabilities) and stabilities[2] > 2 * stabilities[0]


def test_retention_and_weights_of_the_event_are_used() -> None:
    weights = tuple(weight * 1.1 if place < 4 else weight for place, weight in enumerate(default_weights()))
    state = replay(CARD, [Fact(CARD, events.ANSWER, 100, EASY, 0.8, weights)])
    expected = Scheduler(weights, 0.8).review(None, EASY, 0, CARD, 0)
    assert state.memory == expected.memory and state.due == 100 + expected.days
    assert state.memory != memory_after((0, EASY)) and expected.days > 15


def test_fuzz_is_seeded_by_the_id_that_the_card_had_then() -> None:
    """So that a new name moves no day."""
    days = {}
    for name in (f"dl:old/q{number}" for number in range(20)):
        facts = [fact(0, EASY, card=name), fact(9, EASY, card=name)]
        days[name] = replay("dl:new/name", facts).due
        assert days[name] == replay(name, facts).due
    assert len(set(days.values())) > 3


def test_lapses_count_failed_reviews_of_known_cards_and_failures_days_in_a_row() -> None:
    state = answers((100, AGAIN), (101, AGAIN), (102, AGAIN))
    assert (state.lapses, state.failed) == (2, 3)
    apply(state, fact(103, GOOD))
    assert (state.lapses, state.failed) == (2, 0)


# --- A wrong card comes again ------------------------------------------------------------------------


def test_a_wrong_card_comes_again_until_it_is_right() -> None:
    state = answers((100, AGAIN))
    assert state.comes_again(100) and state.is_due(100)
    apply(state, fact(100, GOOD))
    assert not state.comes_again(100) and not state.is_due(100)


def test_a_wrong_card_comes_again_at_most_three_times_then_tomorrow() -> None:
    state, asked = CardState(CARD), 0
    while asked == 0 or state.is_due(100):
        apply(state, fact(100, AGAIN))
        asked += 1
        assert asked <= 10
    assert asked == 1 + 3 == MOST_TRIES
    assert state.due == 101 and not state.is_due(100) and state.is_due(101)


def test_a_card_known_for_long_is_not_asked_a_fifth_time_on_the_day_it_fails() -> None:
    state = answers((0, EASY), (8, EASY), (60, EASY), (300, AGAIN), (300, AGAIN), (300, AGAIN), (300, AGAIN))
    assert not state.is_due(300) and state.due is not None and 300 < state.due < 310


def test_a_right_first_answer_and_a_wrong_drill_bring_the_card_again() -> None:
    state = answers((100, GOOD), (100, AGAIN))
    assert state.comes_again(100) and state.tries == 2
    assert scheduled(state) == scheduled(answers((100, GOOD)))


def test_the_next_day_has_its_own_tries() -> None:
    state = answers(*[(100, AGAIN)] * 4, (101, AGAIN))
    assert state.comes_again(101) and state.tries == 1 and not state.comes_again(100)


def test_a_card_that_was_wrong_yesterday_is_due_today_once() -> None:
    state = answers((100, AGAIN), (100, GOOD))
    assert not state.is_due(100) and state.is_due(101) and not state.comes_again(101)


# --- Put away and brought back -----------------------------------------------------------------------


def test_a_buried_card_waits_until_tomorrow() -> None:
    state = replay(CARD, [fact(90), fact(100, None, events.BURY)])
    assert state.waits(100) and not state.is_due(100)
    assert not state.waits(101) and state.is_due(101)


def test_a_buried_card_that_was_wrong_does_not_come_again_today() -> None:
    state = replay(CARD, [fact(100, AGAIN), fact(100, None, events.BURY)])
    assert not state.is_due(100) and state.is_due(101)


def test_a_suspended_card_waits_until_it_is_brought_back() -> None:
    state = replay(CARD, [fact(90), fact(91, None, events.SUSPEND)])
    assert all(state.waits(day) and not state.is_due(day) for day in (91, 200, 10**6))
    apply(state, fact(300, None, events.UNSUSPEND))
    assert state.is_due(300) and scheduled(state) == scheduled(answers((90, GOOD)))


def test_bringing_back_ends_a_bury_too() -> None:
    state = replay(CARD, [fact(90), fact(100, None, events.BURY), fact(100, None, events.UNSUSPEND)])
    assert state.is_due(100)


def test_answers_to_a_suspended_card_count_and_leave_it_suspended() -> None:
    state = replay(CARD, [fact(90), fact(91, None, events.SUSPEND), fact(95, GOOD)])
    assert state.suspended and state.repetitions == 2 and state.memory == memory_after((0, GOOD), (5, GOOD))


def test_a_reset_card_is_new() -> None:
    state = replay(CARD, [fact(90, AGAIN), fact(91), fact(91, None, events.SUSPEND), fact(92, None, events.RESET)])
    assert state == CardState(CARD)
    apply(state, fact(92, EASY))
    assert state.introduced == 92 and state.memory == memory_after((0, EASY)) and state.repetitions == 1


@pytest.mark.parametrize("kind", ["teleport", "answered", "import", events.VOID, events.NOTE, events.MARK, ""])
def test_kinds_that_are_unknown_or_about_nothing_else_change_nothing(kind: str) -> None:
    before, state = answers((100, AGAIN)), answers((100, AGAIN))
    for rating in (None, *Rating):
        apply(state, fact(101, rating, kind))
    assert state == before


def test_an_answer_without_a_known_grade_changes_nothing() -> None:
    before, state = answers((100, AGAIN)), answers((100, AGAIN))
    apply(state, fact(101, None))
    assert state == before


# --- Odd clocks --------------------------------------------------------------------------------------


def test_a_flight_west_does_not_give_a_second_review_on_a_day(tmp_path: Path) -> None:
    """Wrong on two days in Tokyo; in Los Angeles, where the second has not begun, it is the first day once more."""
    clock = Clock(datetime.fromisoformat("2026-11-23T10:00:00+09:00"), offset=9 * 60)
    log = open_log(tmp_path / "log.sqlite", clock)
    log.append(answer(CARD, AGAIN))
    clock.move(days=1)
    log.append(answer(CARD, AGAIN))
    there = log.state(CARD)
    clock.move(hours=9)
    clock.offset = -8 * 60
    event = log.append(answer(CARD, GOOD))
    assert event.day == DAY
    state = log.state(CARD)
    assert scheduled(state) == scheduled(there) and (state.repetitions, state.last) == (2, DAY + 1)
    clock.move(days=1)
    assert log.append(answer(CARD, GOOD)).day == DAY + 1
    assert scheduled(log.state(CARD)) == scheduled(there)
    clock.move(days=1)
    log.append(answer(CARD, GOOD))
    assert log.state(CARD).memory == memory_after((0, AGAIN), (1, AGAIN), (1, GOOD))
    log.close()


def test_a_flight_east_over_a_night_is_one_day() -> None:
    state = answers((100, GOOD), (102, GOOD))
    assert state.memory == memory_after((0, GOOD), (2, GOOD))


def test_a_clock_set_back_counts_no_negative_days() -> None:
    state = answers((100, GOOD), (90, GOOD))
    assert state.memory == memory_after((0, GOOD), (0, GOOD))
    assert state.last == 100 and state.due is not None and state.due > 100


@pytest.mark.parametrize("days", [1, 2, 4, 7, 30])
def test_a_clock_set_back_gives_no_day_a_second_review(days: int) -> None:
    """Answered every day for so many days, then the clock goes back to the first of them and runs again."""
    forward = [(100 + day, AGAIN) for day in range(days)]
    assert scheduled(answers(*forward, *forward)) == scheduled(answers(*forward))


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Rating)), max_size=25))
def test_no_study_day_has_two_reviews_whatever_the_clock_does(given_: list[tuple[int, Rating]]) -> None:
    state = answers(*given_)
    assert state.repetitions == len({day for day, _ in given_})


def test_replay_is_the_same_whether_at_once_or_one_by_one(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log.sqlite", clock)
    kinds = [events.BURY, events.RESET, events.SUSPEND, events.UNSUSPEND]
    for step in range(60):
        rating = Rating(step * 7 % 4 + 1)
        log.append(Draft(kinds[step % 4], CARD) if step % 9 == 8 else answer(CARD, rating))
        assert [log.state(CARD)] == list(log.replayed())
        clock.move(hours=step * 5 % 31)
    log.close()
