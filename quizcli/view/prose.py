"""Bank text as Rich renderables: paragraphs, `-` lists, `code`, fenced code and **bold**; all else is literal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from quizcli.view.terminal import inert

if TYPE_CHECKING:
    from rich.table import Table

_INLINE = re.compile(r"`([^`\n]+)`|\*\*(\S(?:[^*\n]*\S)?)\*\*")
ITEM = re.compile(r"\s*- +")


def prose(text: str, style: str = "") -> RenderableType:
    """A text of a bank, reflowed to the console's width."""
    shown: list[RenderableType] = []
    for number, block in enumerate(blocks(inert(text))):
        if number:
            shown.append(Text(""))
        shown.append(_render(block, style))
    return Group(*shown)


def inline(text: str, style: str = "") -> Text:
    """One paragraph, with `code` and **bold**."""
    found = Text(style=style)
    for part, kind in spans(inert(text)):
        found.append(part, style=kind or None)
    return found


def spans(text: str) -> Iterator[tuple[str, str]]:
    """A paragraph in parts, each with `code`, `bold` or nothing as its style."""
    position = 0
    for match in _INLINE.finditer(text):
        yield text[position : match.start()], ""
        yield (match.group(1), "code") if match.group(1) is not None else (match.group(2), "bold")
        position = match.end()
    yield text[position:], ""


def code_block(code: str, numbered: bool = False) -> RenderableType:
    """Code as it is written, its lines numbered from 1 where they are asked about."""
    lines = inert(code).rstrip("\n").expandtabs(4).splitlines()
    width = len(str(len(lines)))
    shown = Text(no_wrap=False)
    for number, line in enumerate(lines, 1):
        if number > 1:
            shown.append("\n")
        if numbered:
            shown.append(f"{number:>{width}} ", style="dim")
        shown.append(line, style="code")
    return Padding(shown, (0, 0, 0, 2))


def blocks(text: str) -> Iterator[list[str]]:
    """Paragraphs, list items and fenced code, each as its lines; code keeps its opening fence as first line."""
    block: list[str] = []
    fenced = False
    for line in text.strip("\n").split("\n"):
        fence = line.strip().startswith("```")
        if fenced:
            if fence:
                yield block
                block, fenced = [], False
            else:
                block.append(line)
            continue
        if fence or not line.strip():
            if block:
                yield block
            block, fenced = (["```"], True) if fence else ([], False)
            continue
        block.append(line)
    if block:
        yield block


def _render(block: list[str], style: str) -> RenderableType:
    if block[0] == "```":
        return code_block("\n".join(block[1:]))
    if any(ITEM.match(line) for line in block):
        return Group(*(_item(lines, style) for lines in items(block)))
    return inline(" ".join(line.strip() for line in block), style)


def items(block: list[str]) -> list[list[str]]:
    """Lines of a block with list items, grouped into items (and what stands before the first)."""
    groups: list[list[str]] = []
    for line in block:
        if not groups or ITEM.match(line):
            groups.append([line])
        else:
            groups[-1].append(line)
    return groups


def _item(lines: list[str], style: str) -> RenderableType:
    text = " ".join(line.strip() for line in lines)
    if not ITEM.match(lines[0]):
        return inline(text, style)
    grid = two_columns(width=1)
    grid.add_row("•", inline(ITEM.sub("", text, count=1), style))
    return grid


def two_columns(width: int) -> Table:
    """A grid of a narrow column for signs and one for text; Rich's tables are imported when a first one is drawn."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(ratio=1)
    return grid
