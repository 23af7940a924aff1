"""What `dlquiz bank check` prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from quizcli.bank.check import Reading, check_ids, check_links, files_of, read_bank, read_retired
from quizcli.bank.guessing import ENOUGH_ITEMS, GuessingResult, guess, items_of
from quizcli.bank.lint import Support, lint_questions, support
from quizcli.bank.proving import BankProof, prove_bank
from quizcli.errors import Problem
from quizcli.lab.catalog import Catalog
from quizcli.lab.wire import dumps
from quizcli.places import bank_folder, demo_folder
from quizcli.view.terminal import inert

MOST_SHOWN = 200


def check_bank(paths: Sequence[Path], *, prove: bool, seeds: int, figures: bool, as_json: bool) -> int:
    """Check a bank and print what was found; exit code 1 where there is a problem."""
    start = time.perf_counter()
    folder, catalog = bank_folder(), Catalog(demo_folder())
    files, wanted = files_of(folder, paths)
    reading = read_bank(files)
    check_links(reading, catalog)
    check_ids(reading, read_retired(folder), f"{folder.name}/retired.txt")
    lint_questions(reading)
    questions = [question for question in reading.questions if reading.place(question)[0] in wanted]
    guessing = guess(items_of(reading.questions))
    if not paths:
        reading.problems += [Problem(folder.name, 0, text) for text in guessing.problems]
    proof = None
    if prove:
        names = catalog.names if not paths else {question.demo for question in questions}
        proof = prove_bank(reading, catalog, names, seeds, _progress)
    problems = _of_interest(reading, wanted, whole=not paths)
    if as_json:
        typer.echo(dumps(_data(problems, support(questions), guessing, proof, len(questions))))
    else:
        for problem in problems[:MOST_SHOWN]:
            typer.echo(inert(str(problem)))
        if len(problems) > MOST_SHOWN:
            typer.echo(f"... and {len(problems) - MOST_SHOWN} more")
        if figures and proof is not None:
            _print_figures(proof)
        _print_summary(len(questions), support(questions), guessing, proof, len(problems), time.perf_counter() - start)
    return 1 if problems else 0


def _of_interest(reading: Reading, wanted: set[str], whole: bool) -> list[Problem]:
    """All problems, or those of the chosen files and of the demos they use."""
    problems = sorted(set(reading.problems))
    return (
        problems
        if whole
        else [problem for problem in problems if problem.path in wanted or problem.path.startswith("demos/")]
    )


def _progress(demo: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(
            f"\r\x1b[Kproving: {done} of {total} demos done ({demo})" + ("\r\x1b[K" if done == total else "")
        )
        sys.stderr.flush()


def _print_figures(proof: BankProof) -> None:
    """Every claim: mean and deviation of what was measured, its bound, the margin in deviations, its falsifier."""
    for demo in proof.demos:
        typer.echo(f"{demo.demo} ({demo.seconds:.2f} s with imports)")
        for claim in demo.claims:
            low, high = claim.interval
            typer.echo(
                f"  {claim.name}: {claim.mean:.4g} ± {claim.deviation:.2g}, bound [{low:.4g}, {high:.4g}],"
                f" margin {claim.margin:.3g} sd, falsified {claim.broken}/{claim.tried}"
            )


def _print_summary(
    questions: int, stands_on: Support, guessing: GuessingResult, proof: BankProof | None, problems: int, seconds: float
) -> None:
    typer.echo(
        f"{questions} questions; {stands_on.points} key points: {stands_on.proven} proven ({stands_on.share:.0%}),"
        f" {stands_on.cited} cited"
    )
    few = "" if guessing.items >= ENOUGH_ITEMS else f" (too few to judge: {ENOUGH_ITEMS} are needed)"
    typer.echo(f"guessing over {guessing.items} choice questions{few}:")
    for cue in guessing.cues:
        typer.echo(
            f"  {cue.name}: {cue.hits} of {cue.items} right, chance {cue.expected:.1f}, p = {cue.probability:.2g}"
        )
    typer.echo(f"  classifier, cross-validated: {guessing.classifier:.0%}, chance {guessing.chance:.0%}")
    if proof is not None:
        claims = [claim for demo in proof.demos for claim in demo.claims]
        runs = sum(claim.tried for claim in claims)
        typer.echo(
            f"{len(proof.demos)} demos, {len(claims)} claims, {runs} falsified runs, {proof.computed} drawn values"
        )
    typer.echo(f"{'no problem' if not problems else f'{problems} problems'} in {seconds:.1f} s")


def _data(
    problems: Sequence[Problem], stands_on: Support, guessing: GuessingResult, proof: BankProof | None, questions: int
) -> dict[str, object]:
    cues = {
        cue.name: {"hits": cue.hits, "items": cue.items, "expected": cue.expected, "p": cue.probability}
        for cue in guessing.cues
    }
    data: dict[str, object] = {
        "questions": questions,
        "problems": [{"path": p.path, "line": p.line, "message": p.message} for p in problems],
        "key_points": {"all": stands_on.points, "proven": stands_on.proven, "cited": stands_on.cited},
        "guessing": {
            "items": guessing.items,
            "cues": cues,
            "classifier": guessing.classifier,
            "chance": guessing.chance,
        },
    }
    if proof is not None:
        data["claims"] = [
            {
                "demo": demo.demo,
                "claim": claim.name,
                "mean": claim.mean,
                "deviation": claim.deviation,
                "low": _finite(claim.interval[0]),
                "high": _finite(claim.interval[1]),
                "margin": _finite(claim.margin),
                "falsified": claim.broken,
                "tried": claim.tried,
            }
            for demo in proof.demos
            for claim in demo.claims
        ]
    return data


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None
