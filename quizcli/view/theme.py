"""One visual language: what is right, wrong, new or aside. Never color alone: a sign or a word says it too."""

from __future__ import annotations

from rich.theme import Theme

THEME = Theme(
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
