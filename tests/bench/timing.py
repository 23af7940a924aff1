"""Whole processes timed in turn, so that the ratios of one run hold on a machine whose speed drifts."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Command:
    """A command to be timed: to its end, or until a line of its output holds `until`."""

    argv: Sequence[str]
    until: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def seconds(self) -> float:
        """One run's duration."""
        start = time.perf_counter()
        process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self.until else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**ENVIRONMENT, **self.environment},
        )
        if not self.until:
            process.communicate()
            taken = time.perf_counter() - start
            if process.returncode != 0:
                raise RuntimeError(f"{' '.join(self.argv)} ended with exit code {process.returncode}")
            return taken
        assert process.stdout is not None and process.stdin is not None
        for line in process.stdout:
            if self.until.encode() in line:
                taken = time.perf_counter() - start
                break
        else:
            raise RuntimeError(f"{' '.join(self.argv)} never printed '{self.until}'")
        process.kill()
        process.communicate()
        return taken


def measure(commands: Mapping[str, Command], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each command in each round; every round runs all of them, in an order of chance."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + warm_up):
        for name in random.sample(list(commands), len(commands)):
            seconds = commands[name].seconds()
            if number >= warm_up:
                taken[name].append(seconds)
    return taken


def ratio(taken: Mapping[str, Sequence[float]], name: str, base: str) -> float:
    """The median of the ratios round by round."""
    return statistics.median(one / other for one, other in zip(taken[name], taken[base], strict=True))


def peak_megabytes(argv: Sequence[str], environment: Mapping[str, str], typed: str) -> float:
    """Peak resident memory of a command that is fed some lines; processes it starts itself are not counted."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**ENVIRONMENT, **environment}, text=True
    )
    assert process.stdin is not None
    process.stdin.write(typed)
    process.stdin.close()
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss / 1024
