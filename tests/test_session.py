"""The quiz as a state machine: what each action does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.model import Asked, DontKnow, Measured, Said
from quizcli.session import (
    AFTER_OTHERS,
    Session,
    can_be_asked,
    measured_from,
    measures_wanted,
)
from quizcli.vocabulary import Rating
from tests.questions import choice, computed, constant, question
from tests.sittings import BANK, Clock, Memory, answer, right_answer, session, waiting


@given(st.text(max_size=3), st.integers(1, 4))
def test_undo_brings_back_the_same_drawn_values(seed: str, back: int) -> None:
    sitting = session(seed=seed)
    asked = [answer(sitting) for _ in range(4)]
    for _ in range(back):
        assert sitting.undo()
    assert [sitting.next(), sitting.left] == [asked[4 - back], back - 1]


@given(st.text(max_size=3))
def test_a_voided_question_comes_again_at_the_end_with_other_values(seed: str) -> None:
    sitting = session("t/number", "t/choice", seed=seed)
    first = sitting.next()
    assert first is not None
    sitting.submit(DontKnow(), Measured(1.0))
    sitting.void()
    answer(sitting)
    again = sitting.next()
    assert again is not None
    assert (again.question, again.drawn == first.drawn) == (first.question, False)
    assert sitting.done == 1


def test_questions_come_in_the_order_of_the_list() -> None:
    sitting = session()
    assert [answer(sitting).question.id for _ in BANK] == list(BANK)
    assert sitting.next() is None


def test_the_next_question_waits_for_the_standing_one() -> None:
    sitting = session()
    sitting.next()
    with pytest.raises(RuntimeError, match="still stands"):
        sitting.next()


def test_nothing_can_be_accepted_before_it_is_submitted() -> None:
    sitting = session()
    sitting.next()
    with pytest.raises(RuntimeError, match="submitted"):
        sitting.accept()


def test_an_answer_is_kept_before_the_next_question_can_be_asked() -> None:
    keeper = Memory()
    asked = answer(session(keeper=keeper))
    assert keeper.kept == [("answered", asked)]


def test_an_answer_that_cannot_be_kept_still_stands() -> None:
    keeper = Memory(full=True)
    sitting = session(keeper=keeper)
    asked = sitting.next()
    assert asked is not None
    sitting.submit(*right_answer(asked))
    with pytest.raises(OSError, match="disk full"):
        sitting.accept()
    assert sitting.done == 0
    keeper.full = False
    assert sitting.accept().asked == asked


def test_an_undo_that_cannot_be_kept_changes_nothing() -> None:
    keeper = Memory()
    sitting = session(keeper=keeper)
    answer(sitting)
    before = waiting(sitting)
    keeper.full = True
    with pytest.raises(OSError, match="disk full"):
        sitting.undo()
    assert (sitting.done, waiting(sitting)) == (1, before)


def test_a_wrong_answer_comes_again_after_five_others() -> None:
    names = [f"u/{number}" for number in range(8)]
    bank = {name: question(choice([0], 2), name=name) for name in names}
    sitting = Session(names, bank.__getitem__, "seed", Clock(), Memory(again=1))
    first, *later = (answer(sitting, wrong=number == 0).question.id for number in range(9))
    assert later.index(first) == AFTER_OTHERS == 5
    assert sitting.next() is None


def test_a_question_that_is_no_longer_wanted_is_passed_over() -> None:
    keeper = Memory()
    sitting = session("t/choice", "t/number", keeper=keeper)
    keeper.unwanted = {"t/choice"}
    assert answer(sitting).question.id == "t/number"
    assert sitting.next() is None


def test_a_question_that_was_brought_back_is_asked_though_no_longer_wanted() -> None:
    keeper = Memory()
    sitting = session("t/choice", "t/number", keeper=keeper)
    asked = answer(sitting)
    keeper.unwanted = {"t/choice"}
    sitting.undo()
    assert sitting.next() == asked


def test_undo_goes_on_into_earlier_sessions() -> None:
    keeper = Memory(older=[("u/open", {}, ()), ("t/number", {"kernel": 5}, ())])
    sitting = session("t/choice", keeper=keeper)
    answer(sitting)
    assert [sitting.undo(), sitting.undo()] == [True, True]
    asked = sitting.next()
    assert asked is not None
    assert (asked.question.id, asked.drawn) == ("t/number", {"kernel": 5})
    assert [sitting.undo(), sitting.undo()] == [True, False]
    assert waiting(sitting) == ["u/open", "t/number", "t/choice"]


@pytest.mark.parametrize("order", [(), (0, 1), (0, 1, 2, 9), (3, 2, 1, 0, 4)])
def test_an_older_question_whose_options_changed_since_shows_all_of_them(order: tuple[int, ...]) -> None:
    sitting = session("u/open", keeper=Memory(older=[("t/choice", {}, order)]))
    sitting.undo()
    asked = sitting.next()
    assert asked is not None
    assert sorted(asked.order) == [0, 1, 2, 3]


def test_an_older_question_that_is_to_come_anyway_is_asked_once() -> None:
    sitting = session("u/open", "t/choice", keeper=Memory(older=[("t/choice", {}, (0, 1, 2, 3))]))
    sitting.undo()
    assert waiting(sitting) == ["t/choice", "u/open"]


def test_a_wrong_answer_is_not_graded_up_and_still_stands() -> None:
    sitting = session()
    sitting.next()
    sitting.submit(DontKnow())
    assert [rating for rating in Rating if sitting.may_rate(rating)] == [Rating.AGAIN]
    with pytest.raises(ValueError, match="graded up"):
        sitting.accept(Rating.GOOD)
    assert sitting.accept(Rating.AGAIN).rating is Rating.AGAIN


def test_hints_come_in_order_filled_and_count() -> None:
    sitting = session("t/number")
    asked = sitting.next()
    assert asked is not None
    kernel = asked.drawn["kernel"]
    assert [sitting.hint(), sitting.hint(), sitting.hint()] == [f"the kernel is {kernel}", f"really {kernel}", None]
    verdict = sitting.submit(*right_answer(asked))
    assert (verdict.right, verdict.proposed, sitting.accept().response.hints) == (True, Rating.AGAIN, 2)


def test_hints_of_one_question_do_not_count_for_the_next() -> None:
    sitting = session("t/choice", "t/number")
    sitting.next()
    sitting.hint()
    sitting.skip()
    asked = sitting.next()
    assert asked is not None
    assert sitting.submit(*right_answer(asked)).proposed is Rating.GOOD


def test_a_guess_is_marked_and_unmarked() -> None:
    sitting = session("t/choice")
    asked = sitting.next()
    assert asked is not None
    assert [sitting.mark_guess(), sitting.mark_guess(), sitting.mark_guess(True)] == [True, False, True]
    verdict = sitting.submit(*right_answer(asked))
    assert (verdict.right, verdict.proposed) == (True, Rating.AGAIN)


def test_not_knowing_is_no_guess() -> None:
    sitting = session("t/choice")
    sitting.next()
    sitting.mark_guess()
    sitting.submit(DontKnow())
    assert not sitting.accept().response.guessed


def test_ticks_replace_what_the_words_matched() -> None:
    sitting = session("u/open")
    sitting.next()
    assert not sitting.submit(Said("the same")).right
    assert set(sitting.heard.earned) == {"a"}
    assert sitting.tick(["a", "b"]).right
    assert sitting.accept().rating is Rating.GOOD


def test_seconds_run_from_asking_to_submitting() -> None:
    clock = Clock()
    sitting = session("t/choice", clock=clock)
    clock.now = 1000.0
    asked = sitting.next()
    assert asked is not None
    clock.now = 1012.5
    sitting.submit(*right_answer(asked))
    clock.now = 2000.0
    assert sitting.accept().seconds == 12.5


def test_a_redrawn_question_has_its_next_values() -> None:
    sitting = session("t/number")
    first = sitting.next()
    assert first is not None
    kernels = {first.drawn["kernel"], sitting.redraw().drawn["kernel"], sitting.redraw().drawn["kernel"]}
    assert kernels == {3, 5, 7}


def test_the_summary_counts_by_topic_and_skill_and_names_what_to_repeat() -> None:
    sitting = session("t/number", "u/open", "t/choice", "u/constant")
    answer(sitting, wrong=True)
    answer(sitting)
    answer(sitting, wrong=True)
    sitting.next()
    sitting.withdraw("torch is missing")
    summary = sitting.summary()
    assert (summary.total.answers, summary.total.right, summary.left) == (3, 1, 0)
    assert {name: (tally.answers, tally.right) for name, tally in summary.topics.items()} == {"t": (2, 0), "u": (1, 1)}
    assert summary.skills["computation"].answers == 1
    assert summary.repeat == ("t/number", "t/choice")
    assert summary.withdrawn == (("u/constant", "torch is missing"),)


def test_only_computed_numbers_want_measures() -> None:
    plain = Asked(question(constant(1.0)))
    body = computed([{"kernel": 3}], ["no-padding", "no-padding", "output-size"])
    assert measures_wanted(plain) is None
    assert measures_wanted(Asked(question(body))) == ("conv_shape", ("output-size", "no-padding"))


def test_measured_values_go_to_their_mistakes() -> None:
    asked = Asked(question(computed([{"kernel": 3}], ["b", "missing", "a"])))
    assert measured_from(asked, {"output-size": 1.0, "a": 2.0, "b": 3.0}) == Measured(1.0, (3.0, None, 2.0))


def test_a_draw_in_which_a_mistake_is_right_cannot_be_asked() -> None:
    asked = Asked(question(computed([{"kernel": 3}], ["a"])))
    assert not can_be_asked(asked, Measured(7.0, (7.0,)))
    assert can_be_asked(asked, Measured(7.0, (8.0,)))
