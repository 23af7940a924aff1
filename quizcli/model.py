"""What a question is, what a person answers, and what the app says of it: plain values, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from quizcli.vocabulary import Kind, Level, Rating, Scalar, Settings, Skill

# --- Questions ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """A claim of a demo, written `demo/claim`."""

    demo: str
    claim: str

    def __str__(self) -> str:
        return f"{self.demo}/{self.claim}"


@dataclass(frozen=True, slots=True)
class Citation:
    """A reference of the topic, with the place in it where it matters."""

    ref: str
    at: str = ""


Phrase = tuple[str, ...]
"""Synonyms; each is one or more words that begin adjacent words of the answer."""


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """What an interviewer listens for. Any entry of `listen_for` earns it; an entry needs all of its phrases."""

    id: str
    says: str
    must: bool = True
    listen_for: tuple[tuple[Phrase, ...], ...] = ()
    contradicted_by: tuple[Phrase, ...] = ()
    proof: Proof | None = None
    cites: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer as people give it, and the key points that its words earn."""

    text: str
    earns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a choice; `holds` names the misconception of who picks it."""

    says: str
    why: str
    correct: bool = False
    holds: str | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong value with a name: what a measure gives for those who make it."""

    measure: str
    why: str
    holds: str | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How near an answer must come: `exact`, `absolute`, `relative`, or `factor` (within x3, say)."""

    kind: Literal["exact", "absolute", "relative", "factor"]
    size: float = 0.0

    def accepts(self, answer: float, right: float) -> bool:
        """Whether an answer counts as the right value. Exact means equal integers, else 1e-9 relative."""
        if self.kind == "exact":
            if float(right).is_integer():
                # The rounding of an expression such as 0.1*30 is no wrong answer.
                return abs(answer - right) <= min(1e-6, 1e-12 * abs(right))
            return abs(answer - right) <= 1e-9 * abs(right)
        if self.kind == "absolute":
            return abs(answer - right) <= self.size * (1 + 1e-9)
        if self.kind == "relative":
            return abs(answer - right) <= self.size * abs(right) * (1 + 1e-9)
        if right == 0 or answer == 0 or (answer > 0) != (right > 0):
            return answer == right
        return 1 / self.size <= answer / right * (1 + 1e-9) and answer / right <= self.size * (1 + 1e-9)

    def __str__(self) -> str:
        return {
            "exact": "exactly",
            "absolute": f"within {self.size:g}",
            "relative": f"within {100 * self.size:g}%",
            "factor": f"within a factor of {self.size:g}",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A plot of a demo that is shown with the question."""

    demo: str
    plot: str
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Onward:
    """The interviewer's next question: one of the bank."""

    ask: str


@dataclass(frozen=True, slots=True)
class Aside:
    """The interviewer's next question, with its answer at hand."""

    says: str
    answer: str


@dataclass(frozen=True, slots=True)
class Open:
    """Answered in one's own words; graded by ticking key points."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One option is right; with `several`, two or more are."""

    options: tuple[Option, ...]
    several: bool = False
    keep_order: bool = False

    @property
    def right(self) -> frozenset[int]:
        return frozenset(index for index, option in enumerate(self.options) if option.correct)


@dataclass(frozen=True, slots=True)
class Constant:
    """A right value that stands in the bank."""

    value: float


@dataclass(frozen=True, slots=True)
class Computed:
    """A right value that a demo measures, under one of several drawn settings."""

    demo: str
    measure: str
    draws: tuple[Settings, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """Answered by one number."""

    source: Constant | Computed
    within: Tolerance
    unit: str = ""
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Steps to be put in order; the steps of an inner tuple may come in any order among themselves."""

    groups: tuple[tuple[str, ...], ...]

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(step for group in self.groups for step in group)

    def rank(self, step: int) -> int:
        """The place of a step's group."""
        for place, group in enumerate(self.groups):
            if step < len(group):
                return place
            step -= len(group)
        raise IndexError(step)


@dataclass(frozen=True, slots=True)
class Debug:
    """A faulty line of code to be named. Where several lines are listed, mending any one of them mends the fault."""

    code: str
    wrong_lines: frozenset[int]


Body = Open | Choice | Number | Order | Debug


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a bank; its id is `<topic>/<name>`."""

    id: str
    kind: Kind
    level: Level
    skill: Skill
    priority: int
    prompt: str
    short: str
    answer: str
    key_points: tuple[KeyPoint, ...]
    demo: str
    body: Body
    hints: tuple[str, ...] = ()
    follow_ups: tuple[Onward | Aside, ...] = ()
    was: tuple[str, ...] = ()
    as_of: str = ""
    exhibit: Exhibit | None = None

    @property
    def topic(self) -> str:
        return self.id.split("/")[0]

    @property
    def musts(self) -> frozenset[str]:
        return frozenset(point.id for point in self.key_points if point.must)

    @property
    def runs_after(self) -> bool:
        """A prediction: its demo runs before the learner's eyes once the answer is given."""
        return self.skill == "prediction" and isinstance(self.body, Number) and isinstance(self.body.source, Computed)


@dataclass(frozen=True, slots=True)
class Topic:
    """One file of a bank."""

    name: str
    area: str
    title: str
    needs: tuple[str, ...]
    references: Mapping[str, str]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Misconception:
    """What people wrongly believe, and the claim (under settings) that refutes it."""

    id: str
    says: str
    refuted_by: Proof
    settings: Settings


# --- Asking and answering ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it stands before the learner: its options in the order shown, its values drawn."""

    question: Question
    order: tuple[int, ...] = ()
    drawn: Settings = field(default_factory=dict)

    def fill(self, text: str, answer: float | None = None) -> str:
        """A text with the drawn values, and the right value where it is known, in place of `{name}`."""
        for name, value in self.drawn.items():
            text = text.replace("{" + name + "}", show_number(value))
        return text if answer is None else text.replace("{answer}", show_number(answer))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Options, by their index in the bank."""

    options: frozenset[int]


@dataclass(frozen=True, slots=True)
class Given:
    """A number, and how it was typed."""

    value: float
    typed: str


@dataclass(frozen=True, slots=True)
class Arranged:
    """Steps in the learner's order, by their index in the bank."""

    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pointed:
    """Lines of code, counted from 1."""

    lines: frozenset[int]


@dataclass(frozen=True, slots=True)
class Said:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class DontKnow:
    """No answer."""


Answer = Chosen | Given | Arranged | Pointed | Said | DontKnow


@dataclass(frozen=True, slots=True)
class Response:
    """An answer and what led to it."""

    answer: Answer
    guessed: bool = False
    hints: int = 0
    sure: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the demo gave for a number question: the right value, and each mistake's, None where it is not known."""

    right: float
    mistakes: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an answer: right or not, the share earned (0 to 1), the grade proposed, and the details."""

    right: bool
    score: float
    proposed: Rating
    earned: frozenset[str] = frozenset()
    mistake: Mistake | None = None
    measured: Measured | None = None


def show_number(value: Scalar) -> str:
    """A number as people write it: no trailing zeros, six digits."""
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value)}"
    return f"{value:.6g}"
