"""Any sequence of a session's actions: nothing is lost, nothing doubled, and undo restores exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quizcli.model import Asked, DontKnow
from quizcli.session import (
    AFTER_OTHERS,
    Outcome,
)
from quizcli.vocabulary import Rating
from tests.sittings import BANK, Memory, right_answer, session, waiting


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
