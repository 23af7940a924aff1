"""The real program, driven from outside: by pipes, and on a pseudo-terminal with a screen emulator."""

from __future__ import annotations

import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

HERE = Path(__file__).parent
BANK = HERE / "bank"
TROUBLE = HERE / "trouble"
"""A bank whose questions all stand on a demo named `mishap`, which each test writes for itself."""

PATIENCE = 20.0
"""Seconds after which something that should have happened counts as failed; nothing waits so long to pass."""

DLQUIZ = (sys.executable, "-m", "quizcli")

_WITH_DEMOS = """
import sys
from pathlib import Path
from quizcli import places

folder = Path(sys.argv.pop(1))
places.demo_folder = lambda: folder
from quizcli.__main__ import main

main()
"""

_OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal on standard input the one whose Ctrl-C interrupts, then becomes the program."""

_DEVICE_CONTROL = re.compile(rb"\x1bP.*?\x1b\\", re.DOTALL)
"""Strings for the device, which most terminals take without a trace; pyte would print them."""

_TOLD = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""What changes how a program prints; only a test may say so."""

CTRL_C, CTRL_D, BACKSPACE, ENTER = "\x03", "\x04", "\x7f", "\r"


def with_demos(folder: Path) -> tuple[str, ...]:
    """The command of the program with another catalog of demos than its own."""
    return (sys.executable, "-c", _WITH_DEMOS, str(folder))


def environment(home: Path, bank: Path = BANK, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the program is told: its folders, UTF-8, and nothing of the machine that changes how it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in _TOLD}
    kept |= {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color", "INPUTRC": os.devnull}
    return kept | {"DLQUIZ_HOME": str(home), "DLQUIZ_BANK": str(bank)} | dict(changes or {})


def letters_of(shown: str, among: Sequence[str]) -> dict[str, str]:
    """The letter under which each of some options or steps is shown."""
    found = {}
    for line in shown.splitlines():
        matched = re.match(r" ([a-f]) (.*\S)", line)
        if matched is not None and matched[2] in among:
            found[matched[2]] = matched[1]
    assert sorted(found) == sorted(among), shown
    return found


class _Driven:
    """A running program, its output read as it comes."""

    process: subprocess.Popen[bytes]
    raw: bytes

    def __init__(self, output: int) -> None:
        self._output = output
        self.raw = b""

    @property
    def seen(self) -> str:
        """All that the program has written."""
        return self.raw.decode()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until a text has been written so many times."""
        self.wait_until(lambda: self.seen.count(text) >= times, f"{text!r}, {times} times")

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            if not self._read(deadline):
                raise AssertionError(f"the program ended without {what}:\n{self.seen}")

    def wait_for_end(self) -> int:
        """Wait until the program has left; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def wait_until_idle(self) -> None:
        """Wait until the program itself waits for something: what it wrote last lies behind it."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # Linux tells whether a process sleeps; elsewhere half a second of silence has to do.
            if not select.select([self._output], [], [], 0.01 if stat.exists() else 0.5)[0]:
                if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "S":
                    return
            elif not self._read(deadline):
                return

    def interrupt(self) -> None:
        """What Ctrl-C does: SIGINT to the program and to what it has started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _read(self, deadline: float) -> bool:
        """Take what comes next; False when there will be nothing more."""
        if not select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"nothing more came, and that was not all:\n{self.seen}")
        try:
            data = os.read(self._output, 65_536)
        except OSError:  # Linux says so when nobody holds the other end of a terminal any more.
            data = b""
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        self.raw += data


class Piped(_Driven):
    """A program between two pipes, to which lines are sent one by one."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
        assert self.process.stdout is not None
        super().__init__(self.process.stdout.fileno())

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()


class Terminal(_Driven):
    """A program on a terminal of its own: keys go in, and what stands on its screen can be read."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        columns: int = 80,
        rows: int = 24,
        answers: bool = True,
    ) -> None:
        """`answers`: whether the terminal tells where its cursor stands when it is asked, as nearly all do."""
        import fcntl
        import pty
        import termios

        self.keyboard, theirs = pty.openpty()
        super().__init__(self.keyboard)
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=1)
        # The same without a right edge: what wraps on the screen is here one line that is too long.
        self._edgeless = pyte.HistoryScreen(2_000, rows, history=10_000, ratio=1)
        self._streams = [pyte.ByteStream(self.screen), pyte.ByteStream(self._edgeless)]
        self._held = b""
        self._seen = 0, ""
        if answers:
            self.screen.write_process_input = self.press  # type: ignore[method-assign, assignment]
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", _OWN_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
        os.close(theirs)

    def press(self, keys: str) -> None:
        """Send keys, all at once."""
        os.write(self.keyboard, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as a person does who drags its corner."""
        import fcntl
        import termios

        self.screen.resize(rows, columns)
        self._edgeless.resize(rows, 2_000)
        fcntl.ioctl(self.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for_status(self, *texts: str) -> None:
        """Wait until the line in which the cursor stands holds all these texts."""
        self.wait_until(lambda: all(text in self.status for text in texts), f"a last line with {texts}")

    @property
    def status(self) -> str:
        """The line in which the cursor stands."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    @property
    def shown(self) -> str:
        """What stands on the screen now."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    @property
    def seen(self) -> str:
        """All lines as they stand now, those that were scrolled off the screen first."""
        if self._seen[0] != len(self.raw):
            self._seen = len(self.raw), _lines(self.screen)
        return self._seen[1]

    @property
    def too_wide(self) -> list[str]:
        """Lines that were longer than the screen is wide."""
        return [line for line in _lines(self._edgeless).splitlines() if len(line) > self.screen.columns]

    def close(self) -> None:
        super().close()
        os.close(self.keyboard)

    def _take(self, data: bytes) -> None:
        super()._take(data)
        self._held = _DEVICE_CONTROL.sub(b"", self._held + data)
        whole, begun, rest = self._held.partition(b"\x1bP")
        self._held = begun + rest
        for stream in self._streams:
            stream.feed(whole)


def _lines(screen: pyte.HistoryScreen) -> str:
    """All lines of a screen; a line knows only the cells that were written to."""
    lines = [*screen.history.top, *(screen.buffer[row] for row in range(screen.lines))]
    texts = ("".join(line[column].data for column in range(max(line, default=-1) + 1)) for line in lines)
    return "\n".join(text.rstrip() for text in texts).rstrip()
