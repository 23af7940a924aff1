"""Does a demo prove what it claims, and a bank what it computes?"""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.bank.check import Reading
from quizcli.bank.proving import prove_bank
from quizcli.lab import runner
from quizcli.lab.catalog import Catalog, describe
from quizcli.lab.evidence import Claim
from quizcli.lab.proof import ClaimProof, DemoProof, Job, Wanted, prove, work, work_all
from tests.banks import DEMOS, Bank

SEEDS = 12


def proven(folder: Path, *changes: tuple[str, str], seeds: int = SEEDS) -> DemoProof:
    """The proof of a demo like the fixture's, with some text replaced."""
    text = (DEMOS / "averaging.py").read_text(encoding="utf-8").replace("range(400)", "range(100)")
    text = text.replace("range(20)", "range(5)").replace("Progress(done, 400)", "Progress(done, 100)")
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    # A name of its own: a demo once loaded from a file is not loaded from it again.
    path = folder / f"{folder.name.replace('-', '_')}_{len(list(folder.iterdir()))}.py"
    path.write_text(text, encoding="utf-8")
    return prove(describe(path), seeds)


@pytest.mark.parametrize("name", ["averaging", "conv_shape"])
def test_a_demo_that_keeps_its_promises_has_no_problem(catalog: Catalog, name: str) -> None:
    proof = prove(catalog.find(name), SEEDS)
    assert proof.problems == []
    assert [claim.name for claim in proof.claims] == list(catalog.find(name).claims)
    assert {(claim.broken, claim.tried) for claim in proof.claims} == {(SEEDS, SEEDS)}


def test_every_seed_is_run_and_measured(catalog: Catalog) -> None:
    demo = catalog.find("averaging")
    (claim,) = [claim for claim in prove(demo, 4).claims if claim.name == "root-n"]
    runs = [{c.name: c for c in runner.run(demo, {"seed": seed}) if isinstance(c, Claim)} for seed in range(4)]
    assert claim.measured == tuple(run["root-n"].measured for run in runs)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8), st.floats(-20, 20), st.floats(0, 20))
def test_the_margin_is_the_distance_to_the_nearer_bound_in_deviations(
    values: list[float], low: float, width: float
) -> None:
    claim = ClaimProof("c", tuple(values), (low, low + width), 0, 0)
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    distance = min(mean - low, low + width - mean)
    if deviation > 1e-6:
        assert claim.margin == pytest.approx(distance / deviation, rel=1e-6, abs=1e-6)


def test_what_never_varies_is_far_from_any_bound_it_keeps() -> None:
    assert ClaimProof("c", (1.0, 1.0), (-math.inf, 1.0), 0, 0).margin == math.inf
    assert ClaimProof("c", (1.0, 1.0), (-math.inf, 0.9), 0, 0).margin == -math.inf
    assert ClaimProof("c", (1.0,), (0.0, 2.0), 0, 0).margin == math.inf


def test_a_claim_that_fails_at_its_defaults_is_named_with_its_seed(tmp_path: Path) -> None:
    proof = proven(
        tmp_path, ("measured=spread, between=(0.75, 1.25)", "measured=spread + (seed == 7), between=(0.5, 1.5)")
    )
    assert any("'root-n' fails at its defaults for seed 7" in problem for problem in proof.problems)


def test_the_seed_is_the_right_one_where_a_claim_is_not_always_yielded(tmp_path: Path) -> None:
    old = '    yield Claim("root-n", measured=spread, between=(0.75, 1.25))'
    new = '    if seed > 2:\n        yield Claim("root-n", measured=spread + (seed == 7), between=(0.5, 1.5))'
    problems = proven(tmp_path, (old, new)).problems
    assert any("for seed 7" in problem for problem in problems)
    assert any("claim 'root-n' is announced, but" in problem for problem in problems)


def test_a_bound_nearer_than_three_deviations_is_a_problem(tmp_path: Path) -> None:
    measured = next(claim.measured for claim in proven(tmp_path).claims if claim.name == "root-n")
    bound = max(measured) + 1e-6
    margin = (bound - statistics.fmean(measured)) / statistics.stdev(measured)
    assert margin < 3
    (problem,) = proven(tmp_path, ("between=(0.75, 1.25)", f"between=(0.0, {bound})")).problems
    assert f"'root-n': its bound is only {margin:.1f} standard deviations from the mean" in problem


def test_few_seeds_are_not_judged_by_their_deviation(tmp_path: Path) -> None:
    measured = next(claim.measured for claim in proven(tmp_path, seeds=4).claims if claim.name == "root-n")
    assert proven(tmp_path, ("between=(0.75, 1.25)", f"between=(0.0, {max(measured)})"), seeds=4).problems == []


def test_a_falsifier_that_falsifies_nothing_is_a_problem(tmp_path: Path) -> None:
    (problem,) = proven(tmp_path, ('"false_when": {"shift": 1.0}', '"false_when": {"clip": True}')).problems
    assert f"'centered' still holds in {SEEDS} of {SEEDS} runs under its falsifier {{'clip': True}}" in problem


def test_a_falsifier_must_work_for_every_seed(tmp_path: Path) -> None:
    (problem,) = proven(
        tmp_path, ("values = [random.gauss(shift", "values = [random.gauss(shift * (seed != 5)")
    ).problems
    assert f"'centered' still holds in 1 of {SEEDS} runs" in problem


MEASURE = 'yield Measure("scaled-spread", spread)'
ROOT_N = '    yield Claim("root-n", measured=spread'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'yield Claim("centered"',
            'yield Claim("center"',
            ["claim 'center' is yielded, but", "'centered' is announced"],
        ),
        (MEASURE, 'yield Measure("other", spread)', ["'other' is yielded, but", "'scaled-spread' is announced, but"]),
        (MEASURE, MEASURE.replace("yield ", "yield from [") + "] * 2", ["measure 'scaled-spread' is yielded twice"]),
        (ROOT_N, f"    for _ in range(2):\n    {ROOT_N}", ["claim 'root-n' is yielded twice"]),
        ('"more": [1.3, 100]', '"less": [0, 0.1]', []),
        ('[0.7, 1.3], "more"', '[2, 3], "more"', ["none of its choices holds for the measured"]),
        ("    yield Plot(", "    if count < 0:\n        yield Plot(", ["plot or image 'means' is announced, but"]),
    ],
)
def test_a_default_run_yields_what_is_announced_once_each(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    text = " ".join(proven(tmp_path, (old, new), seeds=2).problems)
    assert [word for word in words if word not in text] == []
    assert bool(text) == bool(words)


def test_a_demo_that_raises_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (problem,) = proven(tmp_path, ("    random.seed(seed)\n", "    random.seed(seed)\n    1 / (seed - 1)\n")).problems
    assert "ZeroDivisionError" in problem


def test_work_computes_measures_and_tries_claims() -> None:
    wanted = (
        Wanted("a", {"kernel": 5}, frozenset({"output-size", "no-padding"})),
        Wanted("b", {}, claim="formula-counts"),
        Wanted("c", {"mistake": "no-padding"}, claim="formula-counts"),
        Wanted("d", {}, claim="nothing"),
        Wanted("e", {"kernel": 99}, frozenset({"output-size"})),
        Wanted("f", {}, frozenset({"nothing"})),
    )
    proof, found = work(Job(DEMOS, "conv_shape", 2, wanted))
    assert proof.problems == []
    assert found[0].measures == {"output-size": 26.0, "no-padding": 24.0}
    assert [each.holds for each in found[1:4]] == [True, False, False]
    assert "from 1 to 7" in found[4].error
    assert "without the measure nothing" in found[5].error


def test_all_jobs_are_done_in_processes_of_their_own() -> None:
    jobs = [Job(DEMOS, name, 1, ()) for name in ("conv_shape", "averaging")]
    assert sorted(proof.demo for proof, _ in work_all(jobs, 2)) == ["averaging", "conv_shape"]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prove without other processes, which only cost time here."""
    monkeypatch.setattr("quizcli.bank.proving.work_all", lambda jobs, _: map(work, jobs))


def prove_whole(bank: Bank, seeds: int = 1) -> tuple[Reading, int]:
    reading = bank.read()
    catalog = Catalog(DEMOS)
    proof = prove_bank(reading, catalog, catalog.names, seeds, lambda *_: None)
    return reading, proof.computed


@pytest.mark.usefixtures("in_this_process")
def test_every_combination_and_every_misconception_is_run(bank: Bank) -> None:
    reading, computed = prove_whole(bank)
    assert reading.problems == []
    # Six combinations of kernel and stride, two cases of pooling, one misconception under settings of its own.
    assert computed == 6 + 2 + 1


CASES = "cases: [{stride: 2, kernel: 2, padding: 0}, {stride: 4, kernel: 2, padding: 0}]"
GIVEN = "given: {kernel: [3, 5], stride: [1, 2, 3]}"


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("pooling", CASES, "cases: [{stride: 2, kernel: 1}, {stride: 2, kernel: 2}]", "the same right value, 15"),
        ("pooling", CASES, "cases: [{stride: 2}]", "one combination only"),
        ("convolution", GIVEN, "given: {kernel: [3, 5], padding: [0]}", "gives the right value in every combination"),
        (
            "convolution",
            GIVEN,
            "given: {kernel: [3, 5], padding: [0]}",
            "in every combination a mistake gives the right",
        ),
        ("convolution", GIVEN, "given: {kernel: [3, 9]}", "from 1 to 7"),
        ("misconceptions.yaml", "with: {count: 4}", "with: {mistake: sum}", "averaging/root-n does not hold under"),
    ],
)
def test_what_cannot_be_proven_names_its_line(bank: Bank, name: str, old: str, new: str, words: str) -> None:
    bank.change(name, old, new)
    at = {"pooling": "- id: halves", "convolution": "- id: output-size"}.get(name, "id: spread-stays")
    problems = prove_whole(bank)[0].problems
    named = {(problem.path, problem.line) for problem in problems if words in problem.message}
    assert named == {(bank.shown(name), bank.line(name, at))}, problems


@pytest.mark.usefixtures("in_this_process")
def test_two_different_right_values_are_enough(bank: Bank) -> None:
    bank.change("pooling", CASES, "cases: [{stride: 2, kernel: 1}, {stride: 2, kernel: 2}, {stride: 2, kernel: 4}]")
    assert prove_whole(bank)[0].problems == []


@pytest.mark.usefixtures("in_this_process")
def test_a_value_that_takes_too_long_is_a_problem_only_where_it_is_waited_for(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quizcli.bank.proving.QUICK", -1.0)
    problems = prove_whole(bank)[0].problems
    assert [problem.line for problem in problems] == [bank.line("convolution", "- id: output-size")]
    assert "yield the measure earlier" in problems[0].message
