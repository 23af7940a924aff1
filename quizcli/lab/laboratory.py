"""A session's demos, run in a process of their own: a demo that hangs or dies costs the quiz nothing."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quizcli.errors import QuizError
from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.chart import Paper
from quizcli.lab.evidence import Evidence, Measure
from quizcli.lab.runner import DemoRunError
from quizcli.lab.wire import dumps, from_data

PATIENCE = 60.0
"""Seconds without a word after which a demo counts as hanging."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of evidence, and how it is drawn where it is a plot."""

    item: Evidence
    drawing: str = ""


class Laboratory:
    """Runs demos of one catalog in a worker process, which is started when it is first needed.

    Requests are answered in their order. `prepare` asks for measures ahead of time; `measures` waits for them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._worker: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._asked: list[str] = []
        self._ready: dict[str, dict[str, float] | QuizError] = {}

    def prepare(self, demo: str, settings: Mapping[str, Any], names: Iterable[str]) -> None:
        """Start computing measures that will be wanted soon."""
        key = _key(demo, settings, names)
        if key in self._ready or key in self._asked:
            return
        try:
            self._send(self.catalog.find(demo), settings, sorted(names), None)
        except QuizError as error:
            self._ready[key] = error
        else:
            self._asked.append(key)

    def measures(self, demo: str, settings: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
        """The named measures of a run under these settings; a QuizError where they cannot be had."""
        names = sorted(names)
        key = _key(demo, settings, names)
        self.prepare(demo, settings, names)
        while key not in self._ready:
            # A demo that died took the requests behind it along.
            self.prepare(demo, settings, names)
            if key in self._asked:
                self._collect()
        found = self._ready[key]
        if isinstance(found, QuizError):
            raise found
        missing = [name for name in names if name not in found]
        if missing:
            raise DemoRunError(f"demo {demo} ended without the measure {', '.join(missing)}")
        return found

    def run(self, demo: str, settings: Mapping[str, Any], paper: Paper) -> Iterator[Shown]:
        """All evidence of a run, as it is computed. Leaving early, or Ctrl-C, stops the worker."""
        while self._asked:
            self._collect()
        self._send(self.catalog.find(demo), settings, [], paper)
        finished = False
        try:
            while True:
                answer = self._answer()
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

    def close(self) -> None:
        """Stop the worker at once. What was asked of it and not yet collected will be asked again when wanted."""
        worker, self._worker = self._worker, None
        self._asked.clear()
        if worker is None:
            return
        worker.kill()
        worker.wait()
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue

    def _collect(self) -> None:
        """Read the answer to the oldest request for measures."""
        key = self._asked[0]
        found: dict[str, float] = {}
        try:
            while "done" not in (answer := self._answer()):
                if "error" in answer:
                    raise DemoRunError(answer["error"])
                item = from_data(answer["evidence"])
                if isinstance(item, Measure):
                    found[item.name] = item.value
        except QuizError as error:
            self._ready[key] = error
        else:
            self._ready[key] = found
        if key in self._asked:
            self._asked.remove(key)

    def _send(self, demo: Demo, settings: Mapping[str, Any], until: list[str], paper: Paper | None) -> None:
        request = {
            "folder": str(self.catalog.folder),
            "demo": demo.name,
            "settings": dict(settings),
            "until": until,
            "paper": None if paper is None else {"width": paper.width, "color": paper.color, "unicode": paper.unicode},
        }
        worker = self._started()
        assert worker.stdin is not None
        try:
            worker.stdin.write(dumps(request) + "\n")
            worker.stdin.flush()
        except OSError as error:
            self.close()
            raise DemoRunError(f"demo {demo.name} cannot be run: its process ended") from error

    def _started(self) -> subprocess.Popen[str]:
        if self._worker is None:
            self._lines = queue.Queue()
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "quizcli.lab.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
            threading.Thread(target=_listen, args=(self._worker, self._lines), daemon=True).start()
        return self._worker

    def _answer(self) -> dict[str, Any]:
        """The next line of the worker."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            self.close()
            raise DemoRunError(f"a demo said nothing for {PATIENCE:.0f} seconds and was stopped") from None
        except KeyboardInterrupt:
            self.close()
            raise
        if line is None:
            self.close()
            raise DemoRunError("the demo's process ended before the demo did")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _listen(worker: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Pass a worker's lines on; None says that it ended."""
    assert worker.stdout is not None
    try:
        for line in worker.stdout:
            lines.put(line)
    except ValueError:
        pass
    lines.put(None)


def _key(demo: str, settings: Mapping[str, Any], names: Iterable[str]) -> str:
    return json.dumps([demo, dict(settings), sorted(names)], sort_keys=True)
