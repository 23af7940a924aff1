"""A session's demos, run in a process of their own: a demo that hangs or dies costs the quiz nothing."""

from __future__ import annotations

import dataclasses
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from quizcli.errors import QuizError
from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.chart import Paper, Shown
from quizcli.lab.evidence import Measure, Plot
from quizcli.lab.runner import DemoRunError
from quizcli.lab.wire import NOT_NEEDED, dumps, from_data, to_data

PATIENCE = 60.0
"""Seconds without a word after which a demo counts as hanging."""

IDLE = 300.0
"""Seconds without a request after which the worker ends: torch alone holds some 200 MB."""

GLANCE = 0.05
"""Seconds between two looks at the keyboard while a demo computes."""


class StoppedError(DemoRunError):
    """The learner stopped a demo."""


class Laboratory:
    """Runs demos of one catalog in a worker process, which is started when it is first needed.

    Requests are answered in their order. `load` lets the worker import what a demo needs before it is wanted; `prepare`
    asks for measures and plots ahead of time; `measures` and `plot` wait for them. A worker that nobody needs for a
    while ends by itself and gives its memory back; the next request starts another.
    """

    def __init__(self, catalog: Catalog, idle: float = IDLE) -> None:
        self.catalog = catalog
        self._idle = idle
        self._worker: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._unanswered: list[dict[str, Any]] = []
        self._loaded: set[str] = set()
        self._asked: list[str] = []
        self._ready: dict[str, dict[str, Shown] | QuizError] = {}

    def load(self, demo: str) -> None:
        """Let the worker import a demo, and what it imports, while nobody waits; problems show when it is run."""
        if demo in self._loaded:
            return
        with suppress(QuizError):
            self._send({"load": demo})
            self._asked.append("")
            self._loaded.add(demo)

    def prepare(self, demo: str, settings: Mapping[str, Any], names: Iterable[str], paper: Paper | None = None) -> None:
        """Start computing measures, or plots on a paper, that will be wanted soon."""
        names = sorted(names)
        key = _key(demo, settings, names, paper)
        if key in self._ready or key in self._asked:
            return
        try:
            self._request(self.catalog.find(demo), settings, names, paper)
        except QuizError as error:
            self._ready[key] = error
        else:
            self._asked.append(key)

    def measures(self, demo: str, settings: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
        """The named measures of a run under these settings; a QuizError where they cannot be had."""
        found = self._found(demo, settings, sorted(names), None)
        return {name: shown.item.value for name, shown in found.items() if isinstance(shown.item, Measure)}

    def plot(self, demo: str, settings: Mapping[str, Any], name: str, paper: Paper) -> Shown:
        """The named plot of a run under these settings, drawn; a QuizError where it cannot be had."""
        return self._found(demo, settings, [name], paper)[name]

    def _found(self, demo: str, settings: Mapping[str, Any], names: list[str], paper: Paper | None) -> dict[str, Shown]:
        key = _key(demo, settings, names, paper)
        self.prepare(demo, settings, names, paper)
        while key not in self._ready:
            # A demo that died took the requests behind it along.
            self.prepare(demo, settings, names, paper)
            if key in self._asked:
                self._collect()
        found = self._ready[key]
        if isinstance(found, QuizError):
            raise found
        missing = [name for name in names if name not in found]
        if missing:
            raise DemoRunError(f"demo {demo} ended without {', '.join(missing)}")
        return found

    def run(
        self, demo: str, settings: Mapping[str, Any], paper: Paper, stopped: Callable[[], bool] | None = None
    ) -> Iterator[Shown]:
        """All evidence of a run, as it is computed. Leaving early, or Ctrl-C, stops the worker.

        `stopped` is asked several times a second while nothing comes: where it says yes, a StoppedError ends the run.
        """
        while self._asked:
            self._collect()
        self._request(self.catalog.find(demo), settings, [], paper)
        finished = False
        try:
            while True:
                answer = self._answer(stopped)
                if "done" in answer:
                    finished = True
                    return
                if "error" in answer:
                    finished = True
                    raise DemoRunError(answer["error"])
                yield Shown(from_data(answer["evidence"]), answer.get("drawing", ""))
        finally:
            if not finished:
                self.close()

    def draw(self, plot: Plot, paper: Paper) -> str:
        """A plot as lines of text, drawn by the worker: it has NumPy at hand, the session has not."""
        while self._asked:
            self._collect()
        self._send({"draw": to_data(plot), "paper": dataclasses.asdict(paper)})
        drawing = ""
        while "done" not in (answer := self._answer()):
            if "error" in answer:
                raise DemoRunError(answer["error"])
            drawing = answer["drawing"]
        return drawing

    def close(self) -> None:
        """Stop the worker at once. What was asked of it and not yet collected will be asked again when wanted."""
        self._asked.clear()
        self._unanswered.clear()
        if self._worker is not None:
            self._worker.kill()
            self._discard()

    def _discard(self) -> None:
        """Let go of a worker that has ended, or is about to."""
        worker, self._worker = self._worker, None
        self._loaded.clear()
        if worker is None:
            return
        worker.wait()
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _collect(self) -> None:
        """Read the answer to the oldest request that was made ahead."""
        key = self._asked[0]
        found: dict[str, Shown] = {}
        try:
            while "done" not in (answer := self._answer()):
                if "error" in answer:
                    raise DemoRunError(answer["error"])
                item = from_data(answer["evidence"])
                if isinstance(item, Measure | Plot):
                    found[item.name] = Shown(item, answer.get("drawing", ""))
        except QuizError as error:
            self._ready[key] = error
        else:
            self._ready[key] = found
        if key in self._asked:
            self._asked.remove(key)

    def _request(self, demo: Demo, settings: Mapping[str, Any], until: list[str], paper: Paper | None) -> None:
        drawn_on = None if paper is None else dataclasses.asdict(paper)
        self._send({"demo": demo.name, "settings": dict(settings), "until": until, "paper": drawn_on})

    def _send(self, request: dict[str, Any]) -> None:
        request = {"folder": str(self.catalog.folder), **request}
        if self._worker is None:
            self._start(queue.Queue())
        self._unanswered.append(request)
        try:
            self._write(request)
        except OSError as error:
            left = self._lines_left()
            if not self._renewed(left):
                self.close()
                raise DemoRunError("the demo cannot be run: its process ended") from error

    def _write(self, request: dict[str, Any]) -> None:
        assert self._worker is not None and self._worker.stdin is not None
        self._worker.stdin.write(dumps(request) + "\n")
        self._worker.stdin.flush()

    def _start(self, lines: queue.Queue[str | None]) -> None:
        self._lines = lines
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "quizcli.lab.worker", str(self._idle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=_listen, args=(self._worker, lines), daemon=True).start()

    def _lines_left(self) -> list[str]:
        """What a worker that has ended said before."""
        left = []
        while (line := self._lines.get()) is not None:
            left.append(line)
        return left

    def _renewed(self, left: Sequence[str] = ()) -> bool:
        """Put another worker in the place of one that ended because nobody needed it; False for any other end.

        `left` are its answers that nobody has read yet. It may have missed requests: they go to the new one.
        """
        if self._worker is None or self._worker.wait() != NOT_NEEDED:
            return False
        self._discard()
        answered = sum(_ends(json.loads(line)) for line in left)
        lines: queue.Queue[str | None] = queue.Queue()
        for line in left:
            lines.put(line)
        self._start(lines)
        for request in self._unanswered[answered:]:
            self._write(request)
        return True

    def _answer(self, stopped: Callable[[], bool] | None = None) -> dict[str, Any]:
        """The next line of the worker."""
        try:
            line = self._next_line(stopped)
        except (KeyboardInterrupt, QuizError):
            self.close()
            raise
        if line is None:
            if self._renewed():
                return self._answer(stopped)
            self.close()
            raise DemoRunError("the demo's process ended before the demo did")
        answer: dict[str, Any] = json.loads(line)
        if _ends(answer):
            del self._unanswered[0]
        return answer

    def _next_line(self, stopped: Callable[[], bool] | None) -> str | None:
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                return self._lines.get(timeout=left if stopped is None else min(left, GLANCE))
            if stopped is not None and stopped():
                raise StoppedError("the demo was stopped")
        raise DemoRunError(f"a demo said nothing for {PATIENCE:.0f} seconds and was stopped")


def _listen(worker: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Pass a worker's lines on; None says that it ended."""
    assert worker.stdout is not None
    try:
        for line in worker.stdout:
            lines.put(line)
    except ValueError:
        pass
    lines.put(None)


def _ends(answer: dict[str, Any]) -> bool:
    """Whether a line is the last one of an answer."""
    return "done" in answer or "error" in answer


def _key(demo: str, settings: Mapping[str, Any], names: list[str], paper: Paper | None) -> str:
    drawn_on = None if paper is None else dataclasses.asdict(paper)
    return json.dumps([demo, dict(settings), names, drawn_on], sort_keys=True)
