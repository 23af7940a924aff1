"""The terminal: what it can show, and text that can do it no harm."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 100
"""Characters: longer lines are hard to read, whatever the terminal's width."""

_SPELLED = {
    "−": "-", "–": "-", "—": "--", "×": "x", "·": "*", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'",
    "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "±": "+-", "√": "sqrt", "∞": "inf",
    "Σ": "sum", "∑": "sum", "∏": "prod", "∂": "d", "∇": "grad", "∈": "in", "⊙": "*", "ᵀ": "^T", "✓": "+", "✗": "x",
    "•": "*", "█": "#", "▓": "#", "▒": "+", "░": ".", "│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+",
    "▸": ">", "◆": "*", "○": "o", "●": "*", "▀": "#", "▄": "#", "▁": "_", "━": "=", "²": "^2", "³": "^3", "⁻": "^-",
}  # fmt: skip


def spell(error: UnicodeError) -> tuple[str, int]:
    """What stands in for characters that a terminal cannot show: σ becomes `sigma`, ≤ becomes `<=`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_spelled(character) for character in error.object[error.start : error.end]), error.end


def _spelled(character: str) -> str:
    if character in _SPELLED:
        return _SPELLED[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK ") and " LETTER " in name:
        letter = name.split(" LETTER ")[1].split(" ")[0].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"


def prepare_streams() -> None:
    """Let nothing that is printed fail for its characters."""
    codecs.register_error("dlquiz-spell", spell)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="dlquiz-spell")
    if hasattr(sys.stdin, "reconfigure"):
        # A line that cannot be decoded is one unreadable line, and costs no other.
        sys.stdin.reconfigure(errors="surrogateescape")


def finish(code: int) -> int:
    """Write out what is still buffered; an exit code of 0 where the reader of a pipe has left before."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def make_console(stream: TextIO | None = None) -> Console:
    """A console on a stream (standard output): markup is never read, nothing is highlighted by guess.

    `NO_COLOR` and `COLUMNS` are honored; where the output is no terminal it is 80 columns wide.
    """
    from rich.console import Console, ConsoleDimensions

    from quizcli.config import config
    from quizcli.view.theme import theme_of

    class OwnConsole(Console):
        """Lines no wider than can be read well, at whatever size the terminal has now."""

        plain = config().plain

        @property
        def size(self) -> ConsoleDimensions:
            found = super().size
            return ConsoleDimensions(min(found.width, WIDEST), found.height)

        @size.setter
        def size(self, new: tuple[int, int]) -> None:
            self._width, self._height = new

        def on_broken_pipe(self) -> None:
            # Rich leaves with exit code 1 when the reader of a pipe is gone; here that is nobody's fault.
            raise BrokenPipeError

    console = OwnConsole(
        file=stream, theme=theme_of(config().theme), markup=False, highlight=False, emoji=False, soft_wrap=False
    )
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 80
    return console


def is_plain(console: Console) -> bool:
    """Whether a screen reader reads what is printed: no lines drawn, no pictures, nothing written over."""
    return bool(getattr(console, "plain", False))


def knows_unicode(console: Console) -> bool:
    return console.encoding.lower().replace("-", "").startswith("utf")


def inert(text: str) -> str:
    """A text whose control characters are shown instead of obeyed: ESC becomes ␛."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    code = ord(character)
    if code < 32:
        return chr(0x2400 + code)
    if code == 127:
        return "␡"
    # C1 controls, and marks that reorder or hide what is read.
    if 128 <= code < 160 or unicodedata.category(character) in ("Cf", "Cs", "Co", "Zl", "Zp"):
        return f"\\u{code:04x}"
    return character
