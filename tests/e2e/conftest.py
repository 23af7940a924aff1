"""What end-to-end tests share: the program run on a small bank, in a home folder that only this test has."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.vocabulary import Rating
from tests.logs import Clock, all_events, open_log

from .program import BANK, DLQUIZ, PATIENCE, TROUBLE, Piped, Terminal, environment

MISHAP = '''"""A demo in which [something] goes wrong.

Source: a test.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, Text, main

claims = {"small": {"says": "the [value] is small", "false_when": {"value": 5.0}}}
measures = {"value": "what [was] given"}
predict = {"ask": "How large is the [value]?", "measure": "value", "choices": {"small": [0, 1], "large": [1, 10]}}


def run(*, value: Annotated[float, Range(0.0, 10.0), "the value"] = 0.5, seed: int = 0) -> Iterator[Evidence]:
    yield Text("The mishap has begun.")
BODY
    yield Plot("line", {"line": ([0, 1], [0, value])})
    yield Measure("value", value)
    yield Claim("small", measured=value, at_most=1.0)


if __name__ == "__main__":
    main(run)
'''


class Run(Protocol):
    """Runs the program to its end on lines of input."""

    def __call__(
        self,
        *arguments: str,
        stdin: str | bytes = "",
        bank: Path = BANK,
        changes: Mapping[str, str] | None = None,
        command: Sequence[str] = DLQUIZ,
    ) -> subprocess.CompletedProcess[str]: ...


class Open(Protocol):
    """Starts the program on a terminal."""

    def __call__(
        self,
        *arguments: str,
        columns: int = 80,
        rows: int = 24,
        answers: bool = True,
        bank: Path = BANK,
        changes: Mapping[str, str] | None = None,
        command: Sequence[str] = DLQUIZ,
    ) -> Terminal: ...


class Start(Protocol):
    """Starts the program between two pipes."""

    def __call__(self, *arguments: str, bank: Path = BANK, command: Sequence[str] = DLQUIZ) -> Piped: ...


class Learner:
    """Runs commands one after the other in one home folder, in UTC; none of them may end in a traceback."""

    def __init__(self, run: Run, home: Path) -> None:
        self.run = run
        self.path = home / "data" / "progress.sqlite"

    def __call__(self, command: str, *lines: str, code: int = 0, bank: Path = BANK) -> str:
        """What a command prints that ends with this exit code."""
        return self.ended(command, *lines, code=code, bank=bank).stdout

    def refused(self, command: str, *lines: str, code: int = 1) -> str:
        """The one line with which a command ends that cannot do what it should."""
        (line,) = self.ended(command, *lines, code=code).stderr.splitlines()
        return line

    def ended(self, command: str, *lines: str, code: int, bank: Path = BANK) -> subprocess.CompletedProcess[str]:
        stdin = "".join(f"{line}\n" for line in lines)
        done = self.run(*command.split(), stdin=stdin, changes={"TZ": "UTC"}, bank=bank)
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        if code == 0:
            assert done.stderr == ""
        return done

    def data(self, command: str) -> Any:
        """What a command prints as JSON: strict, and on one line."""
        (line,) = self(f"{command} --json").splitlines()
        return json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    def answer(self, question: str, *lines: str) -> str:
        """Practice one question; without lines it is not known."""
        return self(f"practice {question} --seed 1", *(lines or ("", "")))

    def earlier(self, days: float, card: str, rating: Rating = Rating.GOOD, **body: Any) -> None:
        """An answer of so many days ago."""
        log = open_log(self.path, Clock(datetime.now(UTC) - timedelta(days=days)))
        log.append(Draft(events.ANSWER, f"dl:{card}", rating, retention=0.9, body=body))
        log.close()

    def kept(self) -> list[tuple[str, str | None]]:
        """All events of the log: kind and question."""
        log = open_log(self.path)
        try:
            return [(event.kind, event.card and event.card.removeprefix("dl:")) for event in all_events(log)]
        finally:
            log.close()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose cache holds the compiled banks of these tests, as any second command finds them."""
    home = tmp_path_factory.mktemp("compiled")
    for bank in (BANK, TROUBLE):
        subprocess.run([*DLQUIZ, "topics"], stdout=subprocess.DEVNULL, env=environment(home, bank), timeout=PATIENCE)
    return home


@pytest.fixture
def home(tmp_path: Path, compiled: Path) -> Path:
    """The user's folder for data and caches, of this test alone."""
    return Path(shutil.copytree(compiled, tmp_path / "home"))


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    def run(
        *arguments: str,
        stdin: str | bytes = "",
        bank: Path = BANK,
        changes: Mapping[str, str] | None = None,
        command: Sequence[str] = DLQUIZ,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*command, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environment(home, bank, changes),
            timeout=PATIENCE,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def learner(run: Run, home: Path) -> Learner:
    return Learner(run, home)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be closed when the test is over."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_terminal(tmp_path: Path, home: Path, stack: ExitStack) -> Open:
    def open_terminal(
        *arguments: str,
        columns: int = 80,
        rows: int = 24,
        answers: bool = True,
        bank: Path = BANK,
        changes: Mapping[str, str] | None = None,
        command: Sequence[str] = DLQUIZ,
    ) -> Terminal:
        env = environment(home, bank, changes)
        return stack.enter_context(
            closing(Terminal([*command, *arguments], env, tmp_path, columns, rows, answers=answers))
        )

    return open_terminal


@pytest.fixture
def start(tmp_path: Path, home: Path, stack: ExitStack) -> Start:
    def start(*arguments: str, bank: Path = BANK, command: Sequence[str] = DLQUIZ) -> Piped:
        return stack.enter_context(closing(Piped([*command, *arguments], environment(home, bank), tmp_path)))

    return start


@pytest.fixture
def mishap(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the demo `mishap`, in which these lines run before its value is yielded; the folder it lies in."""

    def write(lines: str) -> Path:
        folder = tmp_path / "demos"
        folder.mkdir(exist_ok=True)
        body = "\n".join(f"    {line}" for line in lines.splitlines())
        (folder / "mishap.py").write_text(MISHAP.replace("BODY", body), encoding="utf-8")
        return folder

    return write
