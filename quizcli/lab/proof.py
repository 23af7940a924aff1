"""Does a demo prove what it claims? Its claims over many seeds, and each claim's falsifier."""

from __future__ import annotations

import json
import math
import os
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from quizcli.errors import QuizError
from quizcli.lab import runner
from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.evidence import Claim, Image, Measure, Plot

DEVIATIONS = 3.0
"""How many standard deviations a bound keeps from the mean over the seeds."""

ENOUGH_SEEDS = 10
"""Fewer seeds than this say too little of a standard deviation to judge a margin by."""


@dataclass(frozen=True, slots=True)
class ClaimProof:
    """One claim over the seeds: its measured values at the defaults, and how often its falsifier broke it."""

    name: str
    measured: tuple[float, ...]
    interval: tuple[float, float]
    broken: int
    tried: int

    @property
    def mean(self) -> float:
        return statistics.fmean(self.measured)

    @property
    def deviation(self) -> float:
        return statistics.stdev(self.measured) if len(self.measured) > 1 else 0.0

    @property
    def margin(self) -> float:
        """Distance from the mean to the nearer bound in standard deviations; infinite where nothing varies."""
        low, high = self.interval
        distance = min(self.mean - low, high - self.mean)
        if self.deviation == 0:
            return math.inf if distance >= 0 else -math.inf
        return distance / self.deviation


@dataclass
class DemoProof:
    """What proving one demo found; `problems` is empty when it keeps its promises."""

    demo: str
    seconds: float = 0.0
    claims: list[ClaimProof] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def prove(demo: Demo, seeds: int) -> DemoProof:
    """Run a demo at its defaults and under every falsifier for seeds 0 to `seeds` - 1."""
    proof = DemoProof(demo.name)
    try:
        defaults = [_default_run(demo, seed, proof) for seed in range(seeds)]
        falsified = _falsified_runs(demo, seeds)
    except QuizError as error:
        proof.problems.append(str(error))
        return proof
    for name, spec in demo.claims.items():
        claims = [run[name] for run in defaults if name in run]
        if not claims:
            continue
        under = [run.get(name) for run in falsified[_key(spec.false_when)]]
        broken = sum(1 for claim in under if claim is not None and not claim.holds)
        found = ClaimProof(name, tuple(c.measured for c in claims), claims[0].interval, broken, len(under))
        proof.claims.append(found)
        failing = [seed for seed, run in enumerate(defaults) if name in run and not run[name].holds]
        if failing:
            first = defaults[failing[0]][name]
            proof.problems.append(
                f"claim '{name}' fails at its defaults for seed {failing[0]}:"
                f" measured {first.measured:.6g}, bound {first.bound}"
            )
        if len(claims) >= ENOUGH_SEEDS and found.margin < DEVIATIONS:
            proof.problems.append(
                f"claim '{name}': its bound is only {found.margin:.1f} standard deviations from the mean"
                f" (measured {found.mean:.6g} ± {found.deviation:.2g}, bound {claims[0].bound})"
            )
        if broken < len(under):
            proof.problems.append(
                f"claim '{name}' still holds in {len(under) - broken} of {len(under)} runs under its falsifier"
                f" {dict(spec.false_when)}"
            )
    return proof


def _default_run(demo: Demo, seed: int, proof: DemoProof) -> dict[str, Claim]:
    """The claims of a run with default parameters, everything that it yields checked against what it announces."""
    start = time.perf_counter()
    claims: dict[str, Claim] = {}
    measures: dict[str, float] = {}
    pictures: set[str] = set()
    problems: list[str] = []
    for item in runner.run(demo, {"seed": seed}):
        if isinstance(item, Claim):
            if item.name in claims:
                problems.append(f"claim '{item.name}' is yielded twice")
            claims[item.name] = item
        elif isinstance(item, Measure):
            if item.name in measures:
                problems.append(f"measure '{item.name}' is yielded twice")
            measures[item.name] = item.value
        elif isinstance(item, Plot | Image):
            pictures.add(item.name)
    proof.seconds = max(proof.seconds, time.perf_counter() - start)
    for kind, announced, yielded in (
        ("claim", set(demo.claims), set(claims)),
        ("measure", set(demo.measures), set(measures)),
        ("plot or image", set(demo.pictures), pictures),
    ):
        problems += [
            f"{kind} '{name}' is announced, but a default run does not yield it" for name in sorted(announced - yielded)
        ]
        problems += [f"{kind} '{name}' is yielded, but not announced" for name in sorted(yielded - announced)]
    predicted = measures.get(demo.prediction.measure)
    if predicted is not None and demo.prediction.matching(predicted) is None:
        problems.append(f"prediction: none of its choices holds for the measured {predicted:.6g} (seed {seed})")
    proof.problems += [problem for problem in problems if problem not in proof.problems]
    return claims


def _falsified_runs(demo: Demo, seeds: int) -> dict[str, list[dict[str, Claim]]]:
    """The claims under each different falsifier, seed by seed; claims that share a falsifier share its runs."""
    settings = {_key(spec.false_when): spec.false_when for spec in demo.claims.values()}
    return {
        key: [runner.claims_of(runner.run(demo, {"seed": seed, **given})) for seed in range(seeds)]
        for key, given in settings.items()
    }


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Measures to be computed under some settings, for the question or misconception called `key`."""

    key: str
    settings: Mapping[str, Any]
    measures: frozenset[str] = frozenset()
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run gave: measures and the seconds they took, or whether a claim held; or what went wrong."""

    wanted: Wanted
    measures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    holds: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """All that is to be run of one demo."""

    folder: Path
    demo: str
    seeds: int
    wanted: tuple[Wanted, ...]


def work(job: Job) -> tuple[DemoProof, list[Found]]:
    """Prove one demo and compute what is wanted of it; runs in a process of its own."""
    demo = Catalog(job.folder).find(job.demo)
    return prove(demo, job.seeds), [_compute(demo, wanted) for wanted in job.wanted]


def work_all(jobs: Sequence[Job], processes: int) -> Iterator[tuple[DemoProof, list[Found]]]:
    """The results of all jobs, as they are done."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


def _begin() -> None:
    """Make ready a process of the pool: one thread for the sums, one that waits for the end of the parent."""
    runner.one_thread_environment()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells its pool nothing, which would go on for as long as there are jobs."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compute(demo: Demo, wanted: Wanted) -> Found:
    start = time.perf_counter()
    try:
        if wanted.claim:
            claims = runner.claims_of(runner.run(demo, wanted.settings))
            return Found(wanted, holds=wanted.claim in claims and claims[wanted.claim].holds)
        measures = runner.measures_of(demo, wanted.settings, set(wanted.measures))
    except QuizError as error:
        return Found(wanted, error=str(error))
    return Found(wanted, measures, time.perf_counter() - start)
