"""The quiz as a state machine: nothing is lost, nothing doubled, and undo restores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quizcli.model import (
    Answer,
    Asked,
    Chosen,
    DontKnow,
    Given,
    Measured,
    Open,
    Question,
    Rating,
    Response,
    Said,
    Settings,
)
from quizcli.session import (
    AFTER_OTHERS,
    Outcome,
    Record,
    Session,
    can_be_asked,
    measured_from,
    measures_wanted,
)
from tests.questions import choice, computed, constant, point, question

BANK: dict[str, Question] = {
    "t/choice": question(choice([0], 4), name="t/choice", hints=["one", "{kernel} two"]),
    "t/number": question(
        computed([{"kernel": 3}, {"kernel": 5}, {"kernel": 7}]),
        name="t/number",
        hints=["the kernel is {kernel}", "really {kernel}"],
        skill="computation",
    ),
    "u/open": question(
        Open(()), name="u/open", key_points=[point("a", "same"), point("b", "equal"), point("c", "x", must=False)]
    ),
    "u/constant": question(constant(9.0), name="u/constant"),
}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Memory:
    """A keeper that remembers what is in force, and asks a wrong answer again as often as it is told to."""

    again: int = 0
    older: list[tuple[str, Settings, tuple[int, ...]]] = field(default_factory=list)
    unwanted: set[str] = field(default_factory=set)
    full: bool = False
    kept: list[tuple[str, Asked]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def wants(self, question: str) -> bool:
        return question not in self.unwanted

    def answered(self, record: Record) -> object:
        self.records.append(record)
        return self._keep("answered", record.asked)

    def voided(self, asked: Asked, response: Response | None, seconds: float) -> object:
        assert seconds >= 0
        return self._keep("voided", asked) if response is not None else None

    def put_away(self, asked: Asked, outcome: Outcome) -> object:
        return self._keep(outcome, asked)

    def take_back(self, receipt: object) -> None:
        if self.full:
            raise OSError("disk full")
        assert self.kept.pop() is receipt

    def take_back_older(self) -> tuple[str, Settings, tuple[int, ...]] | None:
        return self.older.pop() if self.older else None

    def asks_again(self, question: str) -> bool:
        answers = [asked for outcome, asked in self.kept if outcome == "answered" and asked.question.id == question]
        return self.records[-1].rating is Rating.AGAIN and len(answers) <= self.again

    def _keep(self, outcome: str, asked: Asked) -> object:
        if self.full:
            raise OSError("disk full")
        receipt = (outcome, asked)
        self.kept.append(receipt)
        return receipt


def session(
    *names: str, clock: Callable[[], float] | None = None, keeper: Memory | None = None, seed: str = "seed"
) -> Session:
    return Session(names or tuple(BANK), BANK.__getitem__, seed, clock or Clock(), keeper)


def right_answer(asked: Asked) -> tuple[Answer, Measured | None]:
    """An answer that is right, and what its demo measures where it has one."""
    name = asked.question.id
    if name == "t/number":
        kernel = float(asked.drawn["kernel"])
        return Given(30 - kernel, "typed"), Measured(30 - kernel)
    if name == "u/open":
        return Said("the same and equal"), None
    return (Given(9.0, "9"), None) if name == "u/constant" else (Chosen(frozenset({0})), None)


def answer(sitting: Session, *, wrong: bool = False) -> Asked:
    """Ask the next question and answer it."""
    asked = sitting.next()
    assert asked is not None
    said, measured = right_answer(asked)
    sitting.submit(DontKnow() if wrong else said, measured)
    sitting.accept()
    return asked


def waiting(sitting: Session) -> list[str]:
    """The ids still to come, in order."""
    return [entry if isinstance(entry, str) else entry.question.id for entry in sitting._waiting]


class Sitting(RuleBasedStateMachine):
    """Any sequence of actions, beside a naive model: a list of ids to come, and a stack of states to go back to."""

    @initialize(seed=st.text(max_size=3), names=st.permutations(list(BANK)), again=st.integers(0, 3))
    def begin(self, seed: str, names: Sequence[str], again: int) -> None:
        self.names = list(names)
        self.keeper = Memory(again)
        self.session = session(*names, keeper=self.keeper, seed=seed)
        self.to_come = list(names)
        self.standing: Asked | None = None
        self.submitted = False
        self.past: list[tuple[str, Asked, list[str], bool]] = []
        self.must_return: Asked | None = None

    @precondition(lambda self: self.standing is None)
    @rule()
    def ask(self) -> None:
        asked = self.session.next()
        if not self.to_come:
            assert asked is None
            return
        assert asked is not None
        assert asked.question.id == self.to_come.pop(0)
        if self.must_return is not None:
            assert asked == self.must_return
        self.must_return = None
        self.standing, self.submitted = asked, False

    @rule()
    def look_ahead(self) -> None:
        ahead = self.session.peek()
        assert (ahead is None) == (not self.to_come)
        if ahead is not None:
            assert ahead.question.id == self.to_come[0]
            assert ahead == self.session.peek()

    @precondition(lambda self: self.standing is not None and not self.submitted)
    @rule(wrong=st.booleans())
    def submit(self, wrong: bool) -> None:
        assert self.standing is not None
        said, measured = right_answer(self.standing)
        verdict = self.session.submit(DontKnow() if wrong else said, measured)
        assert verdict.right == (not wrong)
        self.submitted = True

    @precondition(lambda self: self.submitted)
    @rule(rating=st.sampled_from([None, Rating.AGAIN]))
    def accept(self, rating: Rating | None) -> None:
        assert self.standing is not None
        record = self.session.accept(rating)
        assert record.asked == self.standing
        assert self.keeper.records[-1] is record
        earlier = [each.question.id for outcome, each, *_ in self.past if outcome == "answered"]
        again = earlier.count(self.standing.question.id) < self.keeper.again and record.rating is Rating.AGAIN
        self._done("answered", AFTER_OTHERS if again else None)

    @precondition(lambda self: self.submitted)
    @rule()
    def void(self) -> None:
        self.session.void()
        self._done("voided", len(self.to_come))

    @precondition(lambda self: self.standing is not None and not self.submitted)
    @rule(outcome=st.sampled_from(["skipped", "withdrawn", "buried", "suspended"]))
    def leave(self, outcome: Outcome) -> None:
        if outcome == "skipped":
            self.session.skip()
        elif outcome == "withdrawn":
            self.session.withdraw("its demo cannot run")
        else:
            assert outcome in ("buried", "suspended")
            self.session.put_away(outcome)
        self._done(outcome)

    @rule()
    def undo(self) -> None:
        undone = self.session.undo()
        if self.submitted:
            assert undone
            assert self.standing is not None
            self.to_come.insert(0, self.standing.question.id)
            self.must_return = self.standing
        elif self.past:
            assert undone
            _, asked, to_come, _ = self.past.pop()
            self.to_come = [asked.question.id, *to_come]
            self.must_return = asked
        else:
            assert not undone
            return
        self.standing, self.submitted = None, False

    @invariant()
    def the_same_questions_are_to_come(self) -> None:
        assert waiting(self.session) == self.to_come
        assert self.session.left == len(self.to_come)

    @invariant()
    def what_is_kept_is_what_is_in_force(self) -> None:
        in_force = [(outcome, asked) for outcome, asked, *_ in self.past if outcome not in ("skipped", "withdrawn")]
        assert self.keeper.kept == in_force
        assert [(step.outcome, step.asked) for step in self.session.steps] == [step[:2] for step in self.past]

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        settled = [asked.question.id for _, asked, _, comes_again in self.past if not comes_again]
        standing = [self.standing.question.id] if self.standing is not None else []
        assert sorted([*settled, *standing, *self.to_come]) == sorted(self.names)

    @invariant()
    def the_summary_counts_the_same(self) -> None:
        summary = self.session.summary()
        outcomes = Counter(outcome for outcome, *_ in self.past)
        assert summary.total.answers == self.session.done == outcomes["answered"]
        assert summary.left == len(self.to_come) + (self.standing is not None)

    def _done(self, outcome: str, again_after: int | None = None) -> None:
        """One more action, with the ids that were to come when it was done; the question may come again."""
        assert self.standing is not None
        self.past.append((outcome, self.standing, list(self.to_come), again_after is not None))
        if again_after is not None:
            self.to_come.insert(again_after, self.standing.question.id)
        self.standing, self.submitted = None, False


TestSitting = Sitting.TestCase
TestSitting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


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
