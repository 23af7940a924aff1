"""One visual language: what is right, wrong, new or aside. Never color alone: a sign or a word says it too."""

from __future__ import annotations

import os

from rich.theme import Theme

DARK = Theme(
    {
        "right": "bold green",
        "wrong": "bold red",
        "partly": "bold yellow",
        "code": "cyan",
        "key": "bold",
        "matched": "underline green",
        "heading": "bold",
    }
)

LIGHT = Theme({**DARK.styles, **Theme({"partly": "bold magenta", "code": "blue"}, inherit=False).styles})
"""Yellow and cyan are hardly seen on white."""


def theme_of(name: str) -> Theme:
    """The theme of that name; `auto` goes by what the terminal says of its colors: dark where it says nothing."""
    if name == "auto":
        name = "light" if _background() in ("7", "15") else "dark"
    return LIGHT if name == "light" else DARK


def _background() -> str:
    """The number of the background color, as many terminals tell it: `COLORFGBG=0;15`."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2]
