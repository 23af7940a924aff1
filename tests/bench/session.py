"""A session on a terminal: from the key to a demo's first output, and how long keys wait meanwhile."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from timing import ENVIRONMENT, Command

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.e2e.program import ENTER, Terminal

FIRST_OUTPUT = "parameters ="
"""What the demo of the LSTM prints first."""

READ = 6.0
"""Seconds for which the question is read: what a person needs for it, and the helper process for torch."""


def key_to_first_output(dlquiz: str, home: Path, rounds: int) -> tuple[float, float]:
    """Seconds (median) to the first output of a torch demo: from its key in a session, and from the shell."""
    in_session, from_shell = list[float](), list[float]()
    for _ in range(rounds):
        in_session.append(_in_session(dlquiz, home))
        from_shell.append(Command([dlquiz, "demo", "lstm"], FIRST_OUTPUT).seconds())
    return statistics.median(in_session), statistics.median(from_shell)


def longest_wait(dlquiz: str, home: Path) -> float:
    """The longest seconds from a key to its echo, while the helper process gets ready."""
    terminal = _open(dlquiz, home)
    waits = []
    try:
        terminal.wait_for_status("Space shows")
        for _ in range(100):
            start = time.perf_counter()
            times = terminal.raw.count(b"Think first")
            terminal.press("x")
            terminal.wait_until(lambda times=times: terminal.raw.count(b"Think first") > times, "the status again")
            waits.append(time.perf_counter() - start)
            time.sleep(0.02)
    finally:
        terminal.close()
    return max(waits)


def _open(dlquiz: str, home: Path) -> Terminal:
    environment = {**ENVIRONMENT, "DLQUIZ_HOME": str(home), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    command = [dlquiz, "practice", "lstm/while-waiting", "--no-record"]
    return Terminal(command, environment, home.parent)


def _in_session(dlquiz: str, home: Path) -> float:
    terminal = _open(dlquiz, home)
    try:
        terminal.wait_for_status("Space shows")
        time.sleep(READ)
        terminal.press(ENTER)
        terminal.wait_for_status("d demo")
        terminal.press("d")
        terminal.wait_for("Your prediction?")
        start = time.perf_counter()
        terminal.press(ENTER)
        terminal.wait_for(FIRST_OUTPUT)
        return time.perf_counter() - start
    finally:
        terminal.close()
