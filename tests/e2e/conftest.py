"""What end-to-end tests share: the program run on a small bank, in a home folder that only this test has."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

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
