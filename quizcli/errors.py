"""What can go wrong, said in one line: where, what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class QuizError(Exception):
    """Something is wrong: a bank, a demo, the data. The command ends with exit code 1."""

    exit_code = 1


class UsageError(QuizError):
    """What was asked for does not exist or cannot be: a name, a range, an option. Exit code 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend in a bank or a demo, at a line of a file (0: the file as a whole)."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.message}"


class BankError(QuizError):
    """A bank that cannot be used, with every problem that was found in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def suggest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'answer'?)` where a known name is near, else nothing."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""
