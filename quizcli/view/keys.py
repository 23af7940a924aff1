"""Single keys from the keyboard, on Linux, macOS and Windows."""

from __future__ import annotations

import os
import select
import signal
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from importlib import import_module
from itertools import chain
from types import TracebackType
from typing import Any

NAMES = {
    "KEY_ENTER": "enter",
    "KEY_BACKSPACE": "backspace",
    "KEY_DELETE": "backspace",
    "KEY_ESCAPE": "escape",
    "KEY_TAB": "tab",
}

_PARTS = ("ssl", "asyncio", "wcwidth", "blessed")
"""What the import of the library that knows the keys consists of: a key waits for one part of it at most."""


class ResizedError(Exception):
    """The terminal has another size now: what stands on it was set for the old one."""


class Keyboard:
    """While it is open, keys arrive one by one and are not echoed; `line()` gives the line editor back for a while.

    Opening it is quick: the library that knows the keys of three platforms is imported while nothing is pressed, or
    when a first key is read, and what was typed until then is not lost. Ctrl-C raises KeyboardInterrupt as always;
    Ctrl-D raises EOFError.
    """

    def __init__(self) -> None:
        self._terminal: Any = None
        self._ahead: deque[str] = deque()
        self._stack = ExitStack()

    def __enter__(self) -> Keyboard:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, *, tells_of_size: bool = False) -> str:
        """The next key: a character, or one of `enter`, `backspace`, `escape`, `tab`; other keys are empty.

        With `tells_of_size` a ResizedError is raised where the terminal changes its size while nothing is pressed.
        """
        if self._ahead:
            return self._ahead.popleft()
        if (early := self._early()) is not None:
            return self._named(early)
        keys = self._keys()
        with _told_of_new_size() if tells_of_size else nullcontext():
            return self._named(keys.inkey())

    def until_pressed(self, work: Iterable[object]) -> None:
        """Do some work, in short steps, and get ready to know all keys, as long as none is pressed."""
        steps = chain(work, map(_import_part, _PARTS))
        while not _is_pressed():
            if next(steps, steps) is steps:
                self._keys()
                break

    def stops(self) -> bool:
        """Whether Escape or `q` was pressed by now; other keys wait until they are read."""
        while pressed := self._keys().inkey(timeout=0):
            key = self._named(pressed)
            if key in ("escape", "q"):
                return True
            self._ahead.append(key)
        return False

    def _early(self) -> str | None:
        """A key that was pressed before the library was there, where it is one that anybody knows."""
        if self._terminal is not None or not _is_pressed():
            return None
        descriptor = sys.stdin.fileno()
        first = os.read(descriptor, 1)
        if not first:
            raise EOFError
        if first.isascii() and first != b"\x1b":
            return first.decode()
        rest = os.read(descriptor, 1024) if _is_pressed() else b""
        self._keys().ungetch((first + rest).decode(errors="replace"))
        return None

    @staticmethod
    def _named(key: Any) -> str:
        if getattr(key, "is_sequence", False):
            return NAMES.get(key.name or "", "")
        text = str(key)
        if text in ("\r", "\n"):
            return "enter"
        if text in ("\x7f", "\x08"):
            return "backspace"
        if text == "\t":
            return "tab"
        if text == "\x04":
            raise EOFError
        return text

    def line(self, prompt: str) -> str:
        """A line typed in the line editor (with history and cursor keys where the platform has them).

        What was typed ahead is its beginning. Ctrl-C and Ctrl-D raise what they raise everywhere.
        """
        keys = self._keys()
        waiting = "".join("\n" if key == "enter" else key for key in self._ahead if key == "enter" or len(key) == 1)
        ahead = waiting + keys.flushinp().replace("\r", "\n")
        self._ahead.clear()
        first, newline, rest = ahead.partition("\n")
        if newline:
            keys.ungetch(rest)
            print(prompt + first)
            return str(first)
        self._stack.close()
        try:
            with _typed_already(first):
                return input(prompt)
        except (KeyboardInterrupt, EOFError):
            print()
            raise
        finally:
            self._stack = ExitStack()
            self._open()

    def _open(self) -> None:
        self._stack.enter_context(_unechoed())
        if self._terminal is not None:
            self._stack.enter_context(self._terminal.cbreak())

    def _keys(self) -> Any:
        if self._terminal is None:
            with warnings.catch_warnings():
                # An unknown kind of terminal is no reason to complain: keys work all the same.
                warnings.simplefilter("ignore")
                import blessed

                self._terminal = blessed.Terminal()
            self._stack.enter_context(self._terminal.cbreak())
        return self._terminal


def _import_part(name: str) -> None:
    """Import a part ahead; where a platform or a release of the library has none, the library itself knows better."""
    with suppress(ImportError):
        import_module(name)


def _is_pressed() -> bool:
    """Whether a key waits to be read; False where the platform cannot tell of a terminal."""
    with suppress(OSError, ValueError):
        return bool(select.select([sys.stdin], [], [], 0)[0])
    return False


@contextmanager
def _told_of_new_size() -> Iterator[None]:
    """Let a new size of the terminal end the wait for a key, where the platform tells of it."""
    signal_of_size = getattr(signal, "SIGWINCH", None)
    if signal_of_size is None:
        yield
        return

    def tell(*_: object) -> None:
        raise ResizedError

    before = signal.signal(signal_of_size, tell)
    try:
        yield
    finally:
        signal.signal(signal_of_size, before)


@contextmanager
def _unechoed() -> Iterator[None]:
    """The terminal at once without echo and lines, where the platform has termios; what is typed ahead stays."""
    try:
        import termios
        import tty
    except ImportError:
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _typed_already(text: str) -> Iterator[None]:
    """Let the line editor begin with a text, where there is one that can."""
    with suppress(ImportError):
        import readline

        def insert() -> None:
            readline.insert_text(text)
            readline.redisplay()

        readline.set_pre_input_hook(insert if text else None)
    try:
        yield
    finally:
        with suppress(ImportError):
            import readline

            readline.set_pre_input_hook(None)
