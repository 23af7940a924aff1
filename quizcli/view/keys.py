"""Single keys from the keyboard, on Linux, macOS and Windows."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

NAMES = {
    "KEY_ENTER": "enter",
    "KEY_BACKSPACE": "backspace",
    "KEY_DELETE": "backspace",
    "KEY_ESCAPE": "escape",
    "KEY_TAB": "tab",
}


class Keyboard:
    """While it is open, keys arrive one by one and are not echoed; `typing()` gives the line editor back for a while.

    Ctrl-C raises KeyboardInterrupt as always; the end of input raises EOFError.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # An unknown kind of terminal is no reason to complain: keys work all the same.
            warnings.simplefilter("ignore")
            import blessed

            self._terminal: Any = blessed.Terminal()
        self._stack = ExitStack()

    def __enter__(self) -> Keyboard:
        self._stack.enter_context(self._terminal.cbreak())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self) -> str:
        """The next key: a character, or one of `enter`, `backspace`, `escape`, `tab`; other keys are empty."""
        key = self._terminal.inkey()
        if key.is_sequence:
            return NAMES.get(key.name or "", "")
        text = str(key)
        if text in ("\r", "\n"):
            return "enter"
        if text in ("\x7f", "\x08"):
            return "backspace"
        if text == "\x04":
            raise EOFError
        return text

    def line(self, prompt: str) -> str:
        """A line typed in the line editor (with history and cursor keys where the platform has them)."""
        self._stack.close()
        try:
            with suppress(ImportError):
                import readline  # noqa: F401 - its import gives `input` an editor
            return input(prompt)
        finally:
            self._stack = ExitStack()
            self._stack.enter_context(self._terminal.cbreak())
