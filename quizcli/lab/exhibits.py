"""Plots that stand in a question: drawn once by their demo, and from then on there at once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from quizcli.lab import runner
from quizcli.lab.catalog import Demo, Value
from quizcli.lab.chart import Paper, Shown, draw
from quizcli.lab.evidence import Plot
from quizcli.lab.wire import dumps, from_data, to_data


class Exhibits:
    """A folder of drawn plots. Each belongs to one demo as it is written now, its settings, and the paper; whatever
    cannot be read or written is drawn anew, and never an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, demo: Demo, plot: str, settings: Mapping[str, Value], paper: Paper) -> Shown | None:
        """The plot as it was drawn before; None where it was not."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(self._path(demo, plot, settings, paper).read_text(encoding="utf-8"))
            item = from_data(data["plot"])
            if isinstance(item, Plot) and isinstance(data["drawing"], str):
                return Shown(item, data["drawing"])
        return None

    def keep(self, demo: Demo, plot: str, settings: Mapping[str, Value], paper: Paper, shown: Shown) -> None:
        """Keep a drawn plot; two sessions may do so at once."""
        path = self._path(demo, plot, settings, paper)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(dumps({"plot": to_data(shown.item), "drawing": shown.drawing}), encoding="utf-8")
            partial.replace(path)

    def draw(self, demo: Demo, plot: str, settings: Mapping[str, Value], paper: Paper) -> Shown:
        """The plot as it was drawn before, or as a run in this process draws it, which is then kept.

        Raises a QuizError where the demo cannot be run that far.
        """
        if (shown := self.get(demo, plot, settings, paper)) is not None:
            return shown
        with closing(runner.run(demo, settings)) as evidence:
            for item in evidence:
                if isinstance(item, Plot) and item.name == plot:
                    shown = Shown(item, draw(item, paper))
                    self.keep(demo, plot, settings, paper, shown)
                    return shown
        raise runner.DemoRunError(f"demo {demo.name} ended without the plot {plot}")

    def _path(self, demo: Demo, plot: str, settings: Mapping[str, Value], paper: Paper) -> Path:
        what = [demo.source, plot, demo.settings(settings), dataclasses.asdict(paper)]
        return self.folder / f"{hashlib.sha256(dumps(what).encode()).hexdigest()[:32]}.json"
