"""What is wrong with the content of a bank, as far as a program can see it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise

from quizcli.bank.check import Reading
from quizcli.listening import listen
from quizcli.model import Choice, Computed, Number, Open, Question

NEAR = 0.8
"""Two prompts that share this share of their word pairs are near-duplicates."""


@dataclass(frozen=True, slots=True)
class Support:
    """On what the key points of a bank stand."""

    points: int
    proven: int
    cited: int

    @property
    def share(self) -> float:
        return self.proven / self.points if self.points else 0.0


def support(questions: Iterable[Question]) -> Support:
    """How many key points stand on a proof, and how many on a citation alone."""
    points = [point for question in questions for point in question.key_points]
    proven = sum(point.proof is not None for point in points)
    return Support(len(points), proven, sum(point.proof is None and bool(point.cites) for point in points))


def lint_questions(reading: Reading) -> None:
    """Note every question whose content does not keep its own promises."""
    for question in reading.questions:
        _support(reading, question)
        _samples(reading, question)
        _placeholders(reading, question)
    _duplicates(reading)


def _support(reading: Reading, question: Question) -> None:
    for point in question.key_points:
        if point.proof is None and not point.cites:
            reading.problem(question, f"key point '{point.id}' stands on neither a proof nor a citation")


def _samples(reading: Reading, question: Question) -> None:
    body = question.body
    if not isinstance(body, Open):
        return
    for sample in body.samples:
        earned = frozenset(listen(sample.text, question.key_points).earned)
        if earned != sample.earns:
            found, wanted = _names(earned), _names(sample.earns)
            reading.problem(question, f"sample “{_cut(sample.text)}” earns {found}, but should earn {wanted}")
    if not any(question.musts <= sample.earns for sample in body.samples):
        reading.problem(question, "no sample earns every `must`: add a good answer")
    if all(question.musts <= sample.earns for sample in body.samples):
        reading.problem(question, "every sample earns every `must`: add one that should not")


def _placeholders(reading: Reading, question: Question) -> None:
    """A drawn value that the prompt does not show cannot be answered for."""
    body = question.body
    if isinstance(body, Number) and isinstance(body.source, Computed):
        for name in body.source.draws[0]:
            if "{" + name + "}" not in question.prompt:
                reading.problem(question, f"the drawn value '{name}' does not stand in the prompt as {{{name}}}")


def _duplicates(reading: Reading) -> None:
    pairs = {question.id: _word_pairs(question) for question in reading.questions}
    for first, second in combinations(reading.questions, 2):
        one, other = pairs[first.id], pairs[second.id]
        if one and other and len(one & other) >= NEAR * min(len(one), len(other)):
            how = "the same" if one == other else "nearly the same"
            reading.problem(second, f"asks {how} as '{first.id}'")


def _word_pairs(question: Question) -> frozenset[tuple[str, str]]:
    """Adjacent words of the prompt, and of the options where there are any: long enough to tell questions apart."""
    text = question.prompt
    if isinstance(question.body, Choice):
        text += " " + " ".join(option.says for option in question.body.options)
    words = re.findall(r"\w+", text.casefold())
    return frozenset(pairwise(words))


def _names(ids: frozenset[str]) -> str:
    return "[" + ", ".join(sorted(ids)) + "]"


def _cut(text: str) -> str:
    return text if len(text) <= 50 else text[:49] + "…"
