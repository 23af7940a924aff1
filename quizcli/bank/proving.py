"""Running what a bank claims: its demos' claims and falsifiers, its drawn values, its misconceptions."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from quizcli.bank.check import Reading
from quizcli.errors import Problem
from quizcli.grading import collides
from quizcli.lab.catalog import Catalog
from quizcli.lab.proof import DemoProof, Found, Job, Wanted, work_all
from quizcli.model import Computed, Measured, Misconception, Number, Question

QUICK = 0.2
"""Seconds within which a demo yields the right value of a question that is graded as soon as it is answered."""


@dataclass
class BankProof:
    """The proofs of all demos of a bank, and how many runs its questions took."""

    demos: list[DemoProof] = field(default_factory=list)
    computed: int = 0


def prove_bank(
    reading: Reading, catalog: Catalog, names: Iterable[str], seeds: int, progress: Callable[[str, int, int], None]
) -> BankProof:
    """Run all that the demos and the questions on them promise; what fails is noted in `reading`."""
    wanted: dict[str, list[Wanted]] = defaultdict(list)
    for question in reading.questions:
        for demo, want in _draws_of(question):
            wanted[demo].append(want)
    for entry in reading.misconceptions.values():
        if entry.settings:
            want = Wanted(_key_of(entry), entry.settings, claim=entry.refuted_by.claim)
            wanted[entry.refuted_by.demo].append(want)
    known = set(catalog.names)
    jobs = [Job(catalog.folder, name, seeds, tuple(wanted[name])) for name in sorted(set(names) & known)]
    proof = BankProof()
    found: dict[str, list[Found]] = defaultdict(list)
    for done, (demo_proof, results) in enumerate(work_all(jobs, min(4, os.cpu_count() or 1)), 1):
        progress(demo_proof.demo, done, len(jobs))
        proof.demos.append(demo_proof)
        proof.computed += len(results)
        path = catalog.find(demo_proof.demo).path
        reading.problems += [Problem(f"{path.parent.name}/{path.name}", 0, text) for text in demo_proof.problems]
        for result in results:
            found[result.wanted.key].append(result)
    for question in reading.questions:
        if question.id in found:
            _judge_draws(reading, question, found[question.id])
    for entry in reading.misconceptions.values():
        for result in found[_key_of(entry)]:
            if not result.holds:
                why = result.error or f"claim {entry.refuted_by} does not hold under {dict(entry.settings)}"
                line = reading.misconception_lines[entry.id]
                reading.problems.append(Problem(reading.misconception_path, line, f"misconception '{entry.id}': {why}"))
    proof.demos.sort(key=lambda demo: demo.demo)
    return proof


def _key_of(entry: Misconception) -> str:
    return f"misconception {entry.id}"


def _draws_of(question: Question) -> list[tuple[str, Wanted]]:
    """A run for each combination of a number question's values."""
    body = question.body
    if not isinstance(body, Number) or not isinstance(body.source, Computed):
        return []
    names = frozenset([body.source.measure, *(mistake.measure for mistake in body.mistakes)])
    return [(body.source.demo, Wanted(question.id, settings, names)) for settings in body.source.draws]


def _judge_draws(reading: Reading, question: Question, found: list[Found]) -> None:
    """At least two right values, at least one draw that no mistake answers, and all of it in time."""
    body = question.body
    assert isinstance(body, Number) and isinstance(body.source, Computed)
    for result in found:
        if result.error:
            reading.problem(question, f"with {dict(result.wanted.settings)}: {result.error}")
    good = [result for result in found if not result.error]
    if not good:
        return
    values = [result.measures[body.source.measure] for result in good]
    if len(values) > 1 and len(set(values)) < 2:
        reading.problem(question, f"every combination has the same right value, {values[0]:g}")
    if len(values) == 1:
        reading.problem(question, "one combination only: draw values (`given` or `cases`), or give a `value`")
    measured = [
        Measured(result.measures[body.source.measure], tuple(result.measures[m.measure] for m in body.mistakes))
        for result in good
    ]
    if all(collides(body, entry) for entry in measured):
        reading.problem(question, "in every combination a mistake gives the right value, so it can never be asked")
    for place, mistake in enumerate(body.mistakes):
        if all(body.within.accepts(entry.mistakes[place] or 0.0, entry.right) for entry in measured):
            reading.problem(question, f"mistake '{mistake.measure}' gives the right value in every combination")
    quickest = min(result.seconds for result in good)
    if not question.runs_after and quickest > QUICK:
        reading.problem(
            question, f"its right value takes {quickest:.2f} s, more than {QUICK} s: yield the measure earlier"
        )
