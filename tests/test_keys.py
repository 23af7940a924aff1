"""Keys of a pseudo-terminal, before and after the library that knows all of them is there."""

from __future__ import annotations

import os
import pty
import sys
import tty
from collections.abc import Callable, Iterator
from io import TextIOWrapper

import pytest

from quizcli.view import keys
from quizcli.view.keys import Keyboard

Press = Callable[[bytes], None]


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    """Types on the terminal that standard input is."""
    monkeypatch.setenv("TERM", "xterm-256color")
    hand, side = pty.openpty()
    tty.setraw(hand)
    with os.fdopen(side, "r+b", buffering=0) as both, TextIOWrapper(both, encoding="utf-8") as terminal:
        for name in ("stdin", "__stdin__", "__stdout__"):
            monkeypatch.setattr(sys, name, terminal)
        yield lambda typed: os.write(hand, typed) and None
    os.close(hand)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The library cannot be had; the list tells what was tried to import."""
    tried: list[str] = []
    monkeypatch.setattr(keys, "import_module", tried.append)
    monkeypatch.setitem(sys.modules, "blessed", None)
    return tried


@pytest.mark.parametrize(
    ("typed", "key"),
    [(b"x", "x"), (b"2", "2"), (b" ", " "), (b"\r", "enter"), (b"\n", "enter"), (b"\x7f", "backspace"), (b"\t", "tab")],
)
@pytest.mark.usefixtures("without_library")
def test_plain_key_needs_no_library(press: Press, typed: bytes, key: str) -> None:
    with Keyboard() as keyboard:
        press(typed)
        assert keyboard.read() == key


@pytest.mark.usefixtures("without_library")
def test_ctrl_d_needs_no_library(press: Press) -> None:
    with Keyboard() as keyboard:
        press(b"\x04")
        with pytest.raises(EOFError):
            keyboard.read()


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (b"\x1b[Ax", ["", "x"]),
        ("ü".encode(), ["ü"]),
        ("ab√\x1b[B2".encode(), ["a", "b", "√", "", "2"]),
        (b"\x1b[Z\r", ["", "enter"]),
    ],
)
def test_other_keys_pressed_early_are_what_they_are_later(press: Press, typed: bytes, named: list[str]) -> None:
    with Keyboard() as keyboard:
        press(typed)
        assert [keyboard.read() for _ in named] == named
        press(typed)
        assert [keyboard.read() for _ in named] == named


def test_work_is_done_while_nothing_is_pressed_and_goes_on_after_a_key(
    press: Press, without_library: list[str]
) -> None:
    done: list[str] = []

    def work() -> Iterator[str]:
        for step in ("one", "two", "three"):
            done.append(step)
            if step == "two":
                press(b"x")
            yield step

    steps = work()
    with Keyboard() as keyboard:
        keyboard.until_pressed(steps)
        assert done == ["one", "two"]
        assert keyboard.read() == "x"
        press(b"y")
        keyboard.until_pressed(steps)
        assert done == ["one", "two"]
        assert keyboard.read() == "y"
        with pytest.raises(ImportError):
            keyboard.until_pressed(steps)
    assert done == ["one", "two", "three"]
    assert without_library == list(keys._PARTS)


def test_part_that_a_platform_lacks_is_no_loss(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_PARTS", ("no_such_part", "blessed"))
    with Keyboard() as keyboard:
        keyboard.until_pressed(())
        press("é".encode())
        assert keyboard.read() == "é"


def test_library_is_there_after_a_while_without_keys(press: Press) -> None:
    with Keyboard() as keyboard:
        keyboard.until_pressed(())
        press("é".encode())
        assert keyboard.read() == "é"
