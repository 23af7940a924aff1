"""The two places where a demo is experimented with: this process, for a command, and a session's laboratory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quizcli.lab import runner
from quizcli.lab.catalog import Demo, Value
from quizcli.lab.chart import Paper, Shown, draw
from quizcli.lab.evidence import Plot

if TYPE_CHECKING:
    from quizcli.lab.laboratory import Laboratory


@dataclass(frozen=True, slots=True)
class OwnBench:
    """Runs a demo in this process."""

    demo: Demo
    paper: Paper

    def run(self, settings: Mapping[str, Value]) -> Iterator[Shown]:
        for item in runner.run(self.demo, settings):
            yield Shown(item, draw(item, self.paper) if isinstance(item, Plot) else "")

    def draw(self, plot: Plot) -> str:
        return draw(plot, self.paper)


@dataclass(frozen=True, slots=True)
class LaboratoryBench:
    """Runs a demo in a session's worker process."""

    demo: Demo
    paper: Paper
    laboratory: Laboratory
    stopped: Callable[[], bool] | None = None

    def run(self, settings: Mapping[str, Value]) -> Iterator[Shown]:
        return self.laboratory.run(self.demo.name, settings, self.paper, self.stopped)

    def draw(self, plot: Plot) -> str:
        return self.laboratory.draw(plot, self.paper)
