"""Sessions for tests: a small bank, a clock, a keeper, and answers that are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from quizcli.model import Answer, Asked, Chosen, DontKnow, Given, Measured, Open, Question, Response, Said
from quizcli.session import (
    Outcome,
    Record,
    Session,
)
from quizcli.vocabulary import Rating, Settings
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

    def as_before(self, question: str) -> tuple[Settings, tuple[int, ...]] | None:  # noqa: ARG002
        return None

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
