"""The pictures and the command reference of the README, made from the running program: `python -m tests.readme.make`.

A test makes them anew and compares, so that they cannot lie.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.e2e.program import DLQUIZ, ENTER, Terminal, environment

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- reference -->", "<!-- end of reference -->"
COMMANDS = (
    "practice", "study", "due", "undo", "demo", "explain", "topics", "search", "stats", "cards", "suspend", "unsuspend",
    "reset", "config", "optimize", "doctor", "bank check",
)  # fmt: skip


# --- Pictures ----------------------------------------------------------------------------------------


def question(home: Path) -> Terminal:
    """A question of the bank, answered wrong."""
    terminal = _open(home, 30, "practice", "softmax/temperature-limits", "--seed", "1", "--no-record")
    terminal.wait_for_status("Space shows")
    terminal.press(" ")
    terminal.wait_for_status("One of these")
    wrong = next(line for line in terminal.shown.splitlines() if "Uniform sampling at T → 0" in line).split()[0]
    terminal.press(wrong + ENTER)
    terminal.wait_for_status("everything")
    return terminal


def demo(home: Path) -> Terminal:
    """The end of a demo, with what was predicted."""
    terminal = _open(home, 34, "demo", "cnn")
    terminal.wait_for("Your prediction?")
    terminal.press("a")
    terminal.wait_for("Enter leaves")
    return terminal


def sweep(home: Path) -> Terminal:
    """What is measured against one parameter."""
    terminal = _open(home, 36, "demo", "softmax", "--sweep", "gap=-4,-2,0,2,4", "--watch", "two-class")
    terminal.wait_for_end()
    return terminal


PICTURES: dict[str, Callable[[Path], Terminal]] = {"question": question, "demo": demo, "sweep": sweep}


def picture(name: str) -> str:
    """One picture as SVG."""
    with tempfile.TemporaryDirectory() as folder, closing(PICTURES[name](Path(folder))) as terminal:
        return _svg(terminal, name)


def words(svg: str) -> str:
    """The words of a picture, every number as `#`: what a demo measures differs in its last digits between machines."""
    lines = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    text = " ".join(lines).replace("&#160;", " ")
    return " ".join(re.sub(r"\d[\d.]*(e[+-]?\d+)?", "#", text).split())


def _open(home: Path, rows: int, *arguments: str) -> Terminal:
    told = environment(home, ROOT / "questions", {"COLORTERM": "truecolor", "COLORFGBG": "15;0"})
    return Terminal([*DLQUIZ, *arguments], told, ROOT, 80, rows)


def _svg(terminal: Terminal, name: str) -> str:
    screen = terminal.screen
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    console = Console(file=stream, record=True, width=screen.columns, color_system="truecolor", force_terminal=True)
    rows = max(row for row in range(screen.lines) if screen.display[row].strip()) + 1
    for row in range(rows):
        line = Text()
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            look = Style(color=_color(cell.fg), bgcolor=_color(cell.bg), bold=cell.bold, underline=cell.underscore)
            line.append(cell.data or " ", look)
        console.print(line)
    svg = console.export_svg(title="dlquiz", unique_id=f"dlquiz-{name}")
    # Fonts of the reader's own machine: a picture loads nothing.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")


def _color(name: str) -> str | None:
    """A color of the screen emulator in Rich's words."""
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


# --- The reference -----------------------------------------------------------------------------------


def reference() -> str:
    """What `--help` says of each command."""
    parts = [_help()] + [_help(*command.split()) for command in COMMANDS]
    return "```text\n" + "\n".join(parts) + "```"


def _help(*command: str) -> str:
    told = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([*DLQUIZ, *command, "--help"], capture_output=True, env=told, check=True)
    text = done.stdout.decode("utf-8").replace("\r\n", "\n").strip("\n")
    shown = "\n".join(line.rstrip() for line in text.splitlines())
    return f"$ {' '.join(('dlquiz', *command, '--help'))}\n{shown}\n"


def readme_with_reference(readme: str) -> str:
    """The README with the reference as the program gives it now."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def main() -> None:
    for name in PICTURES:
        (HERE / f"{name}.svg").write_text(picture(name), encoding="utf-8")
    path = ROOT / "README.md"
    path.write_text(readme_with_reference(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
