"""Ctrl-C anywhere: at a prompt it leaves after the summary, in a demo it goes back to where one was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Open, Start
from .program import CTRL_C, ENTER, TROUBLE, with_demos

if os.name != "posix":
    pytest.skip("signals and terminals as POSIX has them", allow_module_level=True)

HANG = "while True:\n    time.sleep(0.05)"


@pytest.mark.parametrize("keys", ["", " ", "\r"])
def test_ctrl_c_leaves_with_130_after_the_summary(open_terminal: Open, keys: str) -> None:
    """At the question, in the line editor, and before the grade."""
    terminal = open_terminal("practice", "shares/bug", "shares/why-shift")
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for_status("Say it aloud")
    terminal.press(keys)
    terminal.wait_for_status({"": "Say it aloud", " ": ">", "\r": "Enter 1 Again"}[keys])
    if keys == " ":
        terminal.press("half a line")
        terminal.wait_for_status("> half a line")
    terminal.press(CTRL_C)
    assert terminal.wait_for_end() == 130
    assert "Right: 1 of 1" in terminal.seen
    assert "Traceback" not in terminal.seen
    assert "? keys" not in terminal.seen


def test_ctrl_c_at_a_line_leaves_with_130_after_the_summary(start: Start) -> None:
    quiz = start("practice", "shares/bug", "shares/factor")
    quiz.wait_for("Which line is wrong?", 2)
    quiz.send("2\n")
    quiz.wait_for("One of these is right.")
    quiz.interrupt()
    assert quiz.wait_for_end() == 130
    assert "Traceback" not in quiz.seen
    assert "Right: 1 of 1" in quiz.seen


def test_ctrl_c_in_a_demo_goes_back_to_the_question(open_terminal: Open, mishap: Callable[[str], Path]) -> None:
    folder = mishap(HANG)
    terminal = open_terminal("practice", "trouble/pick", bank=TROUBLE, command=with_demos(folder))
    terminal.wait_for_status("Space shows")
    terminal.press(" a" + ENTER)
    for times in (1, 2):
        terminal.wait_for_status("Enter 3 Good")
        terminal.press("d" + ENTER)
        terminal.wait_for("The mishap has begun.", times)
        terminal.wait_until_idle()
        terminal.press(CTRL_C)
        terminal.wait_for("The demo was stopped.", times)
    terminal.wait_for_status("Enter 3 Good")
    terminal.press(ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert terminal.wait_for_end() == 0
    assert "Traceback" not in terminal.seen


def test_ctrl_c_in_a_demo_between_lines_goes_back_to_the_question(start: Start, mishap: Callable[[str], Path]) -> None:
    quiz = start("practice", "trouble/pick", bank=TROUBLE, command=with_demos(mishap(HANG)))
    quiz.send("a")
    quiz.send(":d")
    quiz.wait_for("The mishap has begun.")
    quiz.interrupt()
    quiz.wait_for("The demo was stopped.")
    quiz.send("")
    assert quiz.wait_for_end() == 0
    assert "Right: 1 of 1" in quiz.seen


@pytest.mark.parametrize("question", ["computed", "foreseen"])
def test_ctrl_c_while_a_value_is_measured_withdraws_the_question(
    open_terminal: Open, mishap: Callable[[str], Path], question: str
) -> None:
    ids = (f"trouble/{question}", "trouble/pick")
    terminal = open_terminal("practice", *ids, bank=TROUBLE, command=with_demos(mishap(HANG)))
    terminal.wait_for_status("A number, exactly.")
    terminal.press("2")
    terminal.wait_for_status("> 2 ")
    terminal.press(ENTER)
    if question == "foreseen":
        terminal.wait_for("The mishap has begun.")
    else:
        terminal.wait_until(lambda: "A number" not in terminal.status, "the answer's being taken")
    terminal.wait_until_idle()
    terminal.press(CTRL_C)
    terminal.wait_for("This question is withdrawn and not scored")
    terminal.wait_for_status("Space shows")
    terminal.press(" a" + ENTER + ENTER)
    assert terminal.wait_for_end() == 0
    assert "Right: 1 of 1" in terminal.seen
    assert f"Withdrawn, not scored: trouble/{question}" in terminal.seen


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_ctrl_c_in_the_demo_command_leaves_with_130(
    start: Start, mishap: Callable[[str], Path], flag: tuple[str, ...]
) -> None:
    demo = start("demo", "mishap", *flag, command=with_demos(mishap('sys.stderr.write("running")\n' + HANG)))
    demo.wait_for("running")
    demo.interrupt()
    assert demo.wait_for_end() == 130
    assert "Traceback" not in demo.seen


def test_ctrl_c_at_the_prediction_leaves_with_130(open_terminal: Open) -> None:
    terminal = open_terminal("demo", "softmax")
    terminal.wait_for("Your prediction?")
    terminal.press(CTRL_C)
    assert terminal.wait_for_end() == 130
    assert "Traceback" not in terminal.seen


def test_terminate_leaves_without_a_traceback(start: Start) -> None:
    quiz = start("practice", "shares/bug")
    quiz.wait_for("Which line is wrong?", 2)
    os.kill(quiz.process.pid, signal.SIGTERM)
    quiz.wait_for_end()
    assert "Traceback" not in quiz.seen
