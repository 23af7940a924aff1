"""Studies for tests: a learner's progress over a bank made for the test, with a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quizcli.bank.library import Library, Selection
from quizcli.progress.progress import SETTINGS, Progress, card_of
from quizcli.progress.replay import COLUMNS, CardState
from quizcli.studying import (
    Plan,
    adopt_bank,
    plan,
)
from quizcli.vocabulary import Rating
from tests.logs import Clock, answer, open_log

HEAD = """format: 1
area: {area}
topic: {topic}
title: {topic}
needs: [{needs}]
references:
  book: "Author (2020). Book. Publisher."
questions:
"""
QUESTION = """  - id: {name}
    kind: {kind}
    level: {level}
    skill: {skill}
    priority: {priority}
    prompt: What is {name}?
{body}    short: Short.
    answer: Answer.
    key_points:
      - {{id: a, says: A., listen_for: [a], {proof}}}
      - {{id: b, says: B., listen_for: [b], cite: [book]}}
{follow}    demo: averaging
"""
BODIES = {
    "choice": "    options: [{says: One, correct: true, why: So.}, {says: Two, why: No.}, {says: Three, why: No.}]\n",
    "number": "    value: 1\n    within: 0\n",
    "open": "    samples: [{text: an a, earns: [a]}, {text: an e, earns: []}]\n",
}


@dataclass(frozen=True)
class Q:
    """A question of a test's bank: those with one proof are siblings, and so are those that follow each other."""

    name: str
    priority: int = 1
    level: str = "core"
    kind: str = "choice"
    skill: str = "recall"
    proof: str = ""
    follows: str = ""


@dataclass
class Study:
    """A learner's progress over a bank, with a clock of its own."""

    folder: Path
    topics: Mapping[str, tuple[str, Sequence[Q]]]
    clock: Clock = field(default_factory=Clock)
    stamp: int = 0

    def __post_init__(self) -> None:
        for topic, (needs, questions) in self.topics.items():
            path = self.folder / "bank" / "area" / f"{topic}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                HEAD.format(area="area", topic=topic, needs=needs)
                + "".join(
                    QUESTION.format(
                        name=q.name,
                        kind=q.kind,
                        level=q.level,
                        skill=q.skill,
                        priority=q.priority,
                        body=BODIES[q.kind],
                        proof=f"proof: averaging/{q.proof}" if q.proof else "cite: [book]",
                        follow=f"    follow_ups: [{{ask: {q.follows}}}]\n" if q.follows else "",
                    )
                    for q in questions
                ),
                encoding="utf-8",
            )
        (self.folder / "bank" / "misconceptions.yaml").write_text("[]\n")
        self.library = Library(self.folder / "bank", self.folder / "cache")
        self.log = open_log(self.folder / "log.sqlite", self.clock)
        self.progress = Progress(self.log)
        adopt_bank(self.progress, self.library)

    def close(self) -> None:
        self.log.close()
        self.library._index.db.close()

    def set(self, name: str, value: float) -> None:
        self.progress.set(SETTINGS[name], value)

    def answer(self, name: str, rating: Rating = Rating.GOOD) -> None:
        self.log.append(answer(card_of(name), rating, self.progress.values["retention"]))

    def note(self, kind: str, name: str) -> None:
        self.progress.note(kind, name)

    def plan(self, selection: Selection | None = None, **limits: int | None) -> Plan:
        return plan(self.progress, self.library, selection or Selection(), **limits)

    def remember(self, name: str, stability: float, ago: int, overdue: int = 0, difficulty: float = 5.0) -> None:
        """Put a card into a state, without the reviews that lead to it."""
        day = self.progress.today()
        met, last, due = day - 99, day - ago, day - overdue
        state = CardState(card_of(name), stability, difficulty, 3, 0, met, last, due, day=last, passed=1)
        values = ", ".join("?" * len(COLUMNS))
        self.log.db.execute(
            f"INSERT OR REPLACE INTO card ({', '.join(COLUMNS)}, back) VALUES ({values}, ?)", (*state.row(), state.back)
        )
        self.log.db.execute("UPDATE bank_card SET introduced = 1 WHERE card = ?", (state.card,))
        self.log.db.execute(
            "UPDATE card SET kind = (SELECT kind FROM bank_card b WHERE b.card = card.card) WHERE card = ?",
            (state.card,),
        )


def plain(count: int, **more: str) -> list[Q]:
    """Questions without siblings."""
    return [Q(f"q{number:03}", **more) for number in range(count)]  # type: ignore[arg-type]
