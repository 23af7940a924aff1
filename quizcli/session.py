"""A quiz as a state machine: which question stands, what was answered, what comes next. No input, no output.

    next ──> asking ──submit──> judging ──accept──> next
              │  ^                 │
              │  └──── undo ───────┤
              └─ skip, withdraw    └─ void

Nothing is stored here. A `Keeper` may be passed: it is told of each action as it happens, before the next question can
be asked, and of each that is taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from quizcli.drawing import draw
from quizcli.grading import collides, grade, grade_ticks, may_rate
from quizcli.listening import Heard, listen
from quizcli.model import Answer, Asked, Computed, DontKnow, Measured, Number, Question, Response, Said, Verdict
from quizcli.vocabulary import Rating, Settings

AFTER_OTHERS: Final = 5
"""A question that comes again comes after so many others, where there are as many."""

Outcome = Literal["answered", "skipped", "voided", "withdrawn", "buried", "suspended"]


@dataclass(frozen=True, slots=True)
class Record:
    """One accepted answer, with all that is needed to know later what it was an answer to."""

    asked: Asked
    response: Response
    verdict: Verdict
    rating: Rating
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one asked question; `receipt` is what the keeper gave for it, to take it back by."""

    asked: Asked
    outcome: Outcome
    record: Record | None = None
    reason: str = ""
    receipt: object = None


class Keeper(Protocol):
    """Keeps what a session does. What it returns is given back to it when the action is undone."""

    def wants(self, question: str) -> bool:
        """Whether the question is still to be asked: another session may have asked it meanwhile."""
        ...

    def answered(self, record: Record) -> object: ...

    def voided(self, asked: Asked, response: Response | None, seconds: float) -> object: ...

    def put_away(self, asked: Asked, outcome: Outcome) -> object: ...

    def take_back(self, receipt: object) -> None: ...

    def take_back_older(self) -> tuple[str, Settings, tuple[int, ...]] | None:
        """Undo an action of an earlier session; the question with its drawn values and order, None at the beginning."""
        ...

    def as_before(self, question: str) -> tuple[Settings, tuple[int, ...]] | None:
        """The drawn values and the order of a question whose newest answer was taken back; None for any other."""
        ...

    def asks_again(self, question: str) -> bool:
        """Whether a question that was just answered is to come again in this session."""
        ...


@dataclass(slots=True)
class _Standing:
    """The question that stands: asked, and once it is submitted, judged."""

    asked: Asked
    since: float
    hints: int = 0
    guessed: bool = False
    sure: float | None = None
    response: Response | None = None
    heard: Heard | None = None
    verdict: Verdict | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers counted: how many, how many right, and the sum of their scores."""

    answers: int = 0
    right: int = 0

    def plus(self, right: bool) -> Tally:
        return Tally(self.answers + 1, self.right + right)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a session comes to: scores by topic and by skill, and what to repeat, in the order it was met."""

    total: Tally
    topics: dict[str, Tally]
    skills: dict[str, Tally]
    repeat: tuple[str, ...]
    skipped: tuple[str, ...]
    withdrawn: tuple[tuple[str, str], ...]
    left: int


@dataclass
class Session:
    """One sitting over a list of questions.

    `load` turns an id into its question, `clock` gives seconds, `seed` decides the order of options and drawn values.
    """

    ids: Sequence[str]
    load: Callable[[str], Question]
    seed: str
    clock: Callable[[], float]
    keeper: Keeper | None = None
    steps: list[Step] = field(default_factory=list)
    _waiting: deque[Asked | str] = field(default_factory=deque)
    _turns: dict[str, int] = field(default_factory=dict)
    _certain: set[str] = field(default_factory=set)
    _standing: _Standing | None = None

    def __post_init__(self) -> None:
        self._waiting.extend(self.ids)

    # --- Asking --------------------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """Questions still to come, the standing one not counted."""
        return len(self._waiting)

    @property
    def done(self) -> int:
        """Questions answered."""
        return sum(step.outcome == "answered" for step in self.steps)

    def next(self) -> Asked | None:
        """The next question, or None at the end. The standing one must have been dealt with."""
        if self._standing is not None:
            raise RuntimeError("a question still stands")
        while self._waiting:
            waiting = self._waiting.popleft()
            name = _name(waiting)
            if self.keeper is not None and name not in self._certain and not self.keeper.wants(name):
                continue
            self._certain.discard(name)
            asked = self._drawn(waiting)
            self._standing = _Standing(asked, self.clock())
            return asked
        return None

    def peek(self) -> Asked | None:
        """The question after the standing one, drawn already, so that its values can be computed meanwhile."""
        if not self._waiting:
            return None
        asked = self._drawn(self._waiting[0])
        self._waiting[0] = asked
        return asked

    def redraw(self) -> Asked:
        """The standing question with its next values, for a draw that cannot be asked."""
        standing = self._stand()
        standing.asked = self._drawn(standing.asked.question.id)
        standing.since = self.clock()
        return standing.asked

    def hint(self) -> str | None:
        """The next hint; None when all have been given."""
        standing = self._stand()
        hints = standing.asked.question.hints
        if standing.hints >= len(hints):
            return None
        standing.hints += 1
        return standing.asked.fill(hints[standing.hints - 1])

    def mark_guess(self, guessed: bool | None = None) -> bool:
        """Mark the coming answer as a guess, or take the mark back; returns whether it is one now."""
        standing = self._stand()
        standing.guessed = (not standing.guessed) if guessed is None else guessed
        return standing.guessed

    def mark_sure(self, sure: float | None) -> None:
        """Say how sure one is of the coming answer: the chance, from 0 to 1, that it is right."""
        self._stand().sure = sure

    # --- Judging -------------------------------------------------------------------------------------

    def submit(self, answer: Answer, measured: Measured | None = None) -> Verdict:
        """Grade an answer. An open one is judged by the key points that its words match until it is ticked."""
        standing = self._stand()
        question = standing.asked.question
        standing.seconds = self.clock() - standing.since
        known = not isinstance(answer, DontKnow)
        standing.response = Response(
            answer, standing.guessed and known, standing.hints, standing.sure if known else None
        )
        if question.kind == "open":
            text = answer.text if isinstance(answer, Said) else ""
            standing.heard = listen(text, question.key_points)
            standing.verdict = grade_ticks(question, standing.response, standing.heard.earned)
        else:
            standing.verdict = grade(standing.asked, standing.response, measured)
        return standing.verdict

    @property
    def heard(self) -> Heard:
        """What the words of the submitted open answer match."""
        heard = self._stand().heard
        if heard is None:
            raise RuntimeError("no open answer was submitted")
        return heard

    def tick(self, key_points: Iterable[str]) -> Verdict:
        """Judge an open answer by the learner's own ticks."""
        standing = self._stand()
        if standing.response is None:
            raise RuntimeError("nothing was submitted")
        standing.verdict = grade_ticks(standing.asked.question, standing.response, key_points)
        return standing.verdict

    def may_rate(self, rating: Rating) -> bool:
        """Whether the judged answer may be graded so: a wrong one cannot be graded up."""
        verdict = self._stand().verdict
        return verdict is not None and may_rate(verdict, rating)

    def accept(self, rating: Rating | None = None) -> Record:
        """Take the judged answer into the session, with the proposed grade or another."""
        standing = self._stand()
        verdict, response = standing.verdict, standing.response
        if verdict is None or response is None:
            raise RuntimeError("nothing was submitted")
        chosen = verdict.proposed if rating is None else rating
        if not may_rate(verdict, chosen):
            raise ValueError("a wrong answer cannot be graded up")
        record = Record(standing.asked, response, verdict, chosen, standing.seconds)
        receipt = self.keeper.answered(record) if self.keeper is not None else None
        self._finish(Step(standing.asked, "answered", record, receipt=receipt))
        name = standing.asked.question.id
        if self.keeper is not None and self.keeper.asks_again(name):
            self._waiting.insert(min(AFTER_OTHERS, len(self._waiting)), name)
        return record

    # --- Ways out ------------------------------------------------------------------------------------

    def void(self) -> None:
        """Misread or mistyped: the answer does not count, and the question comes again at the end, drawn anew."""
        standing = self._stand()
        asked, receipt = standing.asked, None
        if self.keeper is not None:
            receipt = self.keeper.voided(asked, standing.response, standing.seconds)
        self._finish(Step(asked, "voided", receipt=receipt))
        self._waiting.append(asked.question.id)

    def put_away(self, outcome: Literal["buried", "suspended"]) -> None:
        """Bury the question until tomorrow, or suspend it until further notice; needs a keeper."""
        asked = self._stand().asked
        if self.keeper is None:
            raise RuntimeError("nothing keeps what is put away")
        self._finish(Step(asked, outcome, receipt=self.keeper.put_away(asked, outcome)))

    def skip(self) -> None:
        """Leave the question for now."""
        self._finish(Step(self._stand().asked, "skipped"))

    def withdraw(self, reason: str) -> None:
        """Take back a question that cannot be asked; it is not scored."""
        self._finish(Step(self._stand().asked, "withdrawn", reason=reason))

    def undo(self) -> bool:
        """Take back the newest action; the question then comes next, with the same drawn values.

        While an answer is being judged, that answer is taken back. False when there is nothing to undo.
        """
        standing = self._standing
        if standing is not None and standing.response is not None:
            self._waiting.appendleft(standing.asked)
            self._standing = None
            return True
        earlier = None
        if not self.steps:
            earlier = None if self.keeper is None else self.keeper.take_back_older()
            if earlier is None:
                return False
        elif self.keeper is not None and self.steps[-1].receipt is not None:
            self.keeper.take_back(self.steps[-1].receipt)
        if standing is not None:
            self._waiting.appendleft(standing.asked)
            self._standing = None
        if earlier is not None:
            name, drawn, order = earlier
            self._forget_waiting(name)
            self._put_first(self._with_values(name, drawn, order))
            return True
        step = self.steps.pop()
        if step.outcome in ("voided", "answered"):
            self._take_back_repeat(step)
        self._put_first(step.asked)
        return True

    def summary(self) -> Summary:
        """The session so far."""
        total = Tally()
        topics: dict[str, Tally] = {}
        skills: dict[str, Tally] = {}
        repeat: dict[str, None] = {}
        for record in (step.record for step in self.steps if step.record is not None):
            question, right = record.asked.question, record.verdict.right
            total = total.plus(right)
            topics[question.topic] = topics.get(question.topic, Tally()).plus(right)
            skills[question.skill] = skills.get(question.skill, Tally()).plus(right)
            if record.rating is Rating.AGAIN:
                repeat[question.id] = None
        skipped = dict.fromkeys(step.asked.question.id for step in self.steps if step.outcome == "skipped")
        withdrawn = tuple((step.asked.question.id, step.reason) for step in self.steps if step.outcome == "withdrawn")
        left = len(self._waiting) + (self._standing is not None)
        return Summary(total, topics, skills, tuple(repeat), tuple(skipped), withdrawn, left)

    # --- Inside --------------------------------------------------------------------------------------

    def _stand(self) -> _Standing:
        if self._standing is None:
            raise RuntimeError("no question stands")
        return self._standing

    def _finish(self, step: Step) -> None:
        self.steps.append(step)
        self._standing = None

    def _drawn(self, waiting: Asked | str) -> Asked:
        if isinstance(waiting, Asked):
            return waiting
        turn = self._turns.get(waiting, 0)
        self._turns[waiting] = turn + 1
        before = self.keeper.as_before(waiting) if self.keeper is not None and not turn else None
        if before is not None:
            return self._with_values(waiting, *before)
        return draw(self.load(waiting), self.seed, turn)

    def _with_values(self, name: str, drawn: Settings, order: tuple[int, ...]) -> Asked:
        """A question with values and an order that it had before. It may have been edited since: what does not fit any
        more is drawn anew."""
        question = self.load(name)
        fresh = draw(question, self.seed)
        fitting = drawn if drawn.keys() == fresh.drawn.keys() else fresh.drawn
        return Asked(question, order if sorted(order) == sorted(fresh.order) else fresh.order, fitting)

    def _put_first(self, asked: Asked) -> None:
        self._waiting.appendleft(asked)
        self._certain.add(asked.question.id)

    def _take_back_repeat(self, step: Step) -> None:
        """Remove the repetition that the step had put into the queue, where it is still there."""
        if step.outcome == "answered" and (step.record is None or step.record.rating is not Rating.AGAIN):
            return
        self._forget_waiting(step.asked.question.id)

    def _forget_waiting(self, name: str) -> None:
        """Remove the last place of a question in the queue, where it has one."""
        for place in reversed(range(len(self._waiting))):
            if _name(self._waiting[place]) == name:
                del self._waiting[place]
                return


def _name(waiting: Asked | str) -> str:
    return waiting if isinstance(waiting, str) else waiting.question.id


def measures_wanted(asked: Asked) -> tuple[str, tuple[str, ...]] | None:
    """The demo and the measures that a number question is graded by; None for other questions."""
    body = asked.question.body
    if not isinstance(body, Number) or not isinstance(body.source, Computed):
        return None
    names = dict.fromkeys([body.source.measure, *(mistake.measure for mistake in body.mistakes)])
    return body.source.demo, tuple(names)


def measured_from(asked: Asked, values: dict[str, float]) -> Measured:
    """The right value and the mistakes' values from what the demo measured."""
    body = asked.question.body
    assert isinstance(body, Number) and isinstance(body.source, Computed)
    mistakes = tuple(values.get(mistake.measure) for mistake in body.mistakes)
    return Measured(values[body.source.measure], mistakes)


def can_be_asked(asked: Asked, measured: Measured) -> bool:
    """Whether no named mistake would pass for right under these values."""
    body = asked.question.body
    return not isinstance(body, Number) or not collides(body, measured)
