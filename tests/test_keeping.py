"""What a session asks its keeper, and what it leaves in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quizcli.keeping import STUCK, ProgressKeeper
from quizcli.model import Chosen, DontKnow
from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.progress.leases import LASTS, Leases
from quizcli.progress.progress import SETTINGS, card_of
from quizcli.session import Session
from quizcli.vocabulary import Rating
from tests.banks import QUESTIONS, Bank
from tests.learning import Learning
from tests.logs import live, replayed

ROOT, SHARING, SIZE = "averaging/root-n", "convolution/sharing", "convolution/output-size"
WEIGHTS, HALVES = "convolution/weights", "pooling/halves"


@pytest.fixture
def learning(bank: Bank, tmp_path: Path) -> Iterator[Learning]:
    learner = Learning(bank, tmp_path)
    yield learner
    learner.log.close()


def keeper(learner: Learning, leases: Leases | None = None, *, study: bool = True) -> ProgressKeeper:
    return ProgressKeeper(learner.progress, learner.library, leases, study=study)


def sitting(learner: Learning, *ids: str, study: bool = False, seed: str = "seed") -> Session:
    return Session(ids, learner.library.question, seed, learner.clock.now.timestamp, keeper(learner, study=study))


def fail(learner: Learning, question: str, days: int) -> None:
    """Miss a question on so many days in a row."""
    for _ in range(days):
        learner.answer(question, 1)
        learner.sleep()


# --- What is asked -----------------------------------------------------------------------------------


def test_study_wants_what_is_new_or_due_and_nothing_else(learning: Learning) -> None:
    kept = keeper(learning)
    assert kept.wants(ROOT)
    learning.answer(ROOT)
    assert not kept.wants(ROOT)
    due = learning.progress.state(ROOT).due
    assert due is not None and due > learning.today + 1
    learning.sleep(due - learning.today - 1)
    assert not kept.wants(ROOT)
    learning.sleep()
    assert kept.wants(ROOT)


def test_study_wants_a_wrong_card_again_until_it_is_right(learning: Learning) -> None:
    kept = keeper(learning)
    learning.answer(ROOT, 1)
    assert kept.wants(ROOT) and kept.asks_again(ROOT)
    learning.answer(ROOT, 3)
    assert not kept.wants(ROOT) and not kept.asks_again(ROOT)


def test_a_wrong_card_is_asked_again_three_times(learning: Learning) -> None:
    kept = keeper(learning)
    again = []
    for _ in range(5):
        learning.answer(ROOT, 1)
        again.append(kept.asks_again(ROOT))
    assert again == [True, True, True, False, False]


def test_study_does_not_want_what_another_session_answered_meanwhile(learning: Learning) -> None:
    session = sitting(learning, ROOT, WEIGHTS, study=True)
    learning.answer(ROOT)
    asked = session.next()
    assert asked is not None and asked.question.id == WEIGHTS


@pytest.mark.parametrize("kind", [events.SUSPEND, events.BURY])
def test_study_does_not_want_what_is_put_away_new_or_due(learning: Learning, kind: str) -> None:
    learning.answer(ROOT)
    learning.sleep(90)
    for question in (ROOT, WEIGHTS):
        assert keeper(learning).wants(question)
        learning.note(kind, question)
        assert not keeper(learning).wants(question)
    learning.sleep()
    for question in (ROOT, WEIGHTS):
        assert keeper(learning).wants(question) == (kind == events.BURY)


def test_practice_wants_everything_and_repeats_nothing(learning: Learning) -> None:
    kept = keeper(learning, study=False)
    learning.answer(ROOT, 1)
    learning.note(events.SUSPEND, WEIGHTS)
    assert kept.wants(ROOT) and kept.wants(WEIGHTS)
    assert not kept.asks_again(ROOT)


def test_what_another_session_holds_is_not_wanted_for_a_minute(learning: Learning, tmp_path: Path) -> None:
    one, two = (Leases(tmp_path / "leases.sqlite", lambda: learning.clock().at) for _ in range(2))
    here, there = keeper(learning, one), keeper(learning, two)
    assert here.wants(ROOT) and here.wants(ROOT)
    assert not there.wants(ROOT)
    assert there.wants(WEIGHTS)
    learning.clock.move(milliseconds=LASTS)
    assert there.wants(ROOT)
    for leases in (one, two):
        leases.close()


# --- What is said ------------------------------------------------------------------------------------


def test_what_next_says_when_the_question_comes_back(learning: Learning) -> None:
    kept = keeper(learning)
    assert kept.what_next(ROOT) == ""
    learning.answer(ROOT, 1)
    assert kept.what_next(ROOT) == "It comes again today."
    learning.answer(ROOT, 3)
    assert kept.what_next(ROOT) == "It comes back tomorrow (2026-11-24)."
    learning.answer(WEIGHTS, 4)
    back = learning.progress.state(WEIGHTS).back
    assert back is not None
    assert kept.what_next(WEIGHTS).startswith(f"It comes back in {back - learning.today} days (202")


def test_what_next_says_tomorrow_when_the_day_ended_wrong(learning: Learning) -> None:
    for _ in range(4):
        learning.answer(ROOT, 1)
    assert keeper(learning).what_next(ROOT) == "It comes back tomorrow (2026-11-24)."


def test_practice_does_not_promise_that_it_comes_again_today(learning: Learning) -> None:
    learning.answer(ROOT, 1)
    assert keeper(learning, study=False).what_next(ROOT) == "It comes back tomorrow (2026-11-24)."


def test_what_next_of_an_overdue_card_is_today(learning: Learning) -> None:
    learning.answer(ROOT)
    learning.sleep(60)
    assert keeper(learning).what_next(ROOT) == "It is due today."


def test_advice_comes_after_three_failed_days_in_a_row(learning: Learning) -> None:
    given = []
    for _ in range(4):
        given.append(keeper(learning).advice(QUESTIONS[SHARING]))
        fail(learning, SHARING, 1)
    assert STUCK == 3
    assert given[:3] == [None] * 3
    assert given[3] == (
        "Missed on 3 days or more in a row. Another way in: dlquiz demo conv-shape, or dlquiz explain averaging,"
        " or dlquiz practice convolution/padding"
    )


def test_advice_names_no_prerequisite_and_no_sibling_where_there_is_none(learning: Learning) -> None:
    fail(learning, "averaging/why-average", 3)
    given = keeper(learning).advice(QUESTIONS["averaging/why-average"])
    assert given is not None and "explain" not in given
    fail(learning, WEIGHTS, 3)
    given = keeper(learning).advice(QUESTIONS[WEIGHTS])
    assert given is not None and "practice" not in given


def test_the_sibling_that_is_advised_is_of_another_kind_and_tied(learning: Learning) -> None:
    fail(learning, SIZE, 3)
    given = keeper(learning).advice(QUESTIONS[SIZE])
    assert given is not None
    sibling = given.rpartition("dlquiz practice ")[2]
    assert QUESTIONS[sibling].kind != QUESTIONS[SIZE].kind
    assert sibling in {SHARING, "convolution/padding", "convolution/wrong-side"}  # The same proof.


def test_one_right_day_ends_the_advice(learning: Learning) -> None:
    fail(learning, SHARING, 3)
    learning.answer(SHARING, 2)
    assert keeper(learning).advice(QUESTIONS[SHARING]) is None


def test_several_misses_on_one_day_are_one_failed_day(learning: Learning) -> None:
    for _ in range(4):
        learning.answer(SHARING, 1)
    assert keeper(learning).advice(QUESTIONS[SHARING]) is None


def test_a_card_that_is_stuck_stays_in_the_study(learning: Learning) -> None:
    fail(learning, SHARING, 8)
    assert keeper(learning).advice(QUESTIONS[SHARING]) is not None
    assert not learning.progress.state(SHARING).suspended
    assert keeper(learning).wants(SHARING)


def test_notes_are_those_of_the_question_without_those_taken_back(learning: Learning) -> None:
    kept = keeper(learning)
    for text in ("one", "two", "three"):
        kept.note(ROOT, text)
    kept.note(WEIGHTS, "other")
    kept.mark(ROOT, "seems wrong")
    learning.progress.undo()
    learning.progress.undo()
    learning.progress.undo()
    assert kept.notes(ROOT) == ["one", "two"]


# --- What is taken back ------------------------------------------------------------------------------


def test_taking_back_older_actions_goes_to_the_beginning_newest_first(learning: Learning) -> None:
    session = sitting(learning, ROOT, WEIGHTS, SHARING)
    for _ in range(3):
        assert session.next() is not None
        session.submit(DontKnow())
        session.accept()
    fresh = keeper(learning)
    names = [None if older is None else older[0] for older in (fresh.take_back_older() for _ in range(4))]
    assert names == [SHARING, WEIGHTS, ROOT, None]
    assert learning.log.newest_action() is None
    assert live(learning.log) == replayed(learning.log) == []


@pytest.mark.parametrize("first", range(4))
def test_an_answer_taken_back_later_comes_with_the_same_values_and_order(learning: Learning, first: int) -> None:
    for name in (SIZE, "convolution/changes", "convolution/steps"):
        session = sitting(learning, name, seed=str(first))
        asked = session.next()
        assert asked is not None
        session.submit(DontKnow())
        session.accept()
        later = sitting(learning, ROOT, seed="another")
        assert later.next() is not None
        assert later.undo()
        again = later.next()
        assert again is not None
        assert (again.question.id, again.drawn, again.order) == (name, asked.drawn, asked.order)
        assert learning.progress.history(name) == []


def test_a_void_taken_back_later_comes_with_the_same_values(learning: Learning) -> None:
    session = sitting(learning, SIZE)
    asked = session.next()
    assert asked is not None
    session.submit(DontKnow())
    session.void()
    assert keeper(learning).take_back_older() == (SIZE, dict(asked.drawn), asked.order)


@pytest.mark.parametrize("outcome", ["buried", "suspended"])
def test_what_was_put_away_and_is_taken_back_later_can_be_asked(learning: Learning, outcome: str) -> None:
    session = sitting(learning, SIZE)
    asked = session.next()
    assert asked is not None
    session.put_away("buried" if outcome == "buried" else "suspended")
    later = sitting(learning, ROOT, seed="another")
    assert later.next() is not None and later.undo()
    again = later.next()
    assert again is not None and again.question.id == SIZE
    assert again.drawn == asked.drawn


@pytest.mark.parametrize("kind", [events.SUSPEND, events.NOTE])
def test_a_question_whose_older_action_had_no_values_is_drawn_anew(learning: Learning, kind: str) -> None:
    learning.note(kind, SIZE)
    later = sitting(learning, ROOT)
    assert later.next() is not None and later.undo()
    again = later.next()
    assert again is not None and set(again.drawn) == {"kernel", "stride"}


def test_a_setting_is_left_to_dlquiz_undo(learning: Learning) -> None:
    learning.answer(ROOT)
    learning.progress.set(SETTINGS["new"], 3)
    assert keeper(learning).take_back_older() is None
    assert learning.progress.values["new"] == 3
    learning.progress.undo()
    assert keeper(learning).take_back_older() == (ROOT, {}, ())


def test_an_action_on_a_question_that_left_the_bank_is_left_to_dlquiz_undo(learning: Learning) -> None:
    learning.answer(HALVES)
    learning.bank.path("pooling").unlink()
    learning.read_bank()
    assert keeper(learning).take_back_older() is None
    assert len(learning.progress.history(HALVES)) == 1


def test_an_answer_under_a_former_id_is_taken_back_as_the_question_of_now(learning: Learning) -> None:
    learning.answer("kernels/sharing")
    older = keeper(learning).take_back_older()
    assert older is not None and older[0] == SHARING
    assert learning.progress.history(SHARING) == []


def test_an_action_of_several_events_is_taken_back_whole_or_not_at_all(learning: Learning) -> None:
    for question in (ROOT, WEIGHTS):
        learning.answer(question)
    drafts = [Draft(events.RESCHEDULE, card_of(question), retention=0.8) for question in (ROOT, WEIGHTS)]
    learning.log.append_all(drafts)
    keeper(learning).take_back_older()
    left = [event for event in learning.log.events() if event.kind == events.RESCHEDULE]
    assert len(left) in (0, 2)


def test_a_session_takes_back_its_own_answer_and_leaves_the_older_one(learning: Learning) -> None:
    learning.answer(WEIGHTS)
    session = sitting(learning, ROOT)
    asked = session.next()
    assert asked is not None
    session.submit(Chosen(frozenset({1})))
    session.accept()
    assert learning.progress.history(ROOT)[0].rating is Rating.GOOD
    assert session.undo()
    assert learning.progress.history(ROOT) == []
    assert len(learning.progress.history(WEIGHTS)) == 1
