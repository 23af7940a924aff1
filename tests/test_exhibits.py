"""Plots of questions, kept once they are drawn."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from quizcli.bank.library import Library
from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.chart import Paper, Shown
from quizcli.lab.evidence import Plot
from quizcli.lab.exhibits import Exhibits
from quizcli.places import demo_folder
from quizcli.session import Session
from quizcli.view.examiner import Examiner
from tests.banks import DEMOS

PLOT = Shown(Plot("means", {"mean": ([1, 2], [0.5, float("nan")])}, x_label="x", log_x=True), "┌──┐\n\x1b[34m·")


@pytest.fixture
def demo() -> Demo:
    return Catalog(DEMOS).find("averaging")


def test_what_was_kept_is_had_again(tmp_path: Path, demo: Demo) -> None:
    kept = Exhibits(tmp_path / "exhibits")
    assert kept.get(demo, "means", {}, Paper()) is None
    kept.keep(demo, "means", {}, Paper(), PLOT)
    again = Exhibits(tmp_path / "exhibits").get(demo, "means", {"count": 16}, Paper())
    assert again is not None and again.drawing == PLOT.drawing
    assert isinstance(again.item, Plot) and repr(again.item) == repr(PLOT.item)


def test_another_demo_plot_setting_or_paper_is_another_exhibit(tmp_path: Path, demo: Demo) -> None:
    kept = Exhibits(tmp_path)
    kept.keep(demo, "means", {}, Paper(), PLOT)
    (tmp_path / "averaging.py").write_text(demo.source + "\n# changed\n")
    assert kept.get(replace(demo, path=tmp_path / "averaging.py"), "means", {}, Paper()) is None
    assert kept.get(demo, "others", {}, Paper()) is None
    assert kept.get(demo, "means", {"count": 4}, Paper()) is None
    assert kept.get(demo, "means", {}, Paper(width=120)) is None
    assert kept.get(demo, "means", {}, Paper(plain=True)) is None
    assert kept.get(demo, "means", {}, Paper()) is not None


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff", b"[]", b'{"plot": {"type": "text", "text": "x"}, "drawing": ""}']
)
def test_what_cannot_be_read_is_drawn_anew(tmp_path: Path, demo: Demo, damage: bytes) -> None:
    kept = Exhibits(tmp_path)
    kept.keep(demo, "means", {}, Paper(), PLOT)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert kept.get(demo, "means", {}, Paper()) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, demo: Demo) -> None:
    (tmp_path / "file").write_text("")
    kept = Exhibits(tmp_path / "file" / "exhibits")
    kept.keep(demo, "means", {}, Paper(), PLOT)
    assert kept.get(demo, "means", {}, Paper()) is None


class Drawing:
    """Stands for a laboratory: keeps what it was asked to prepare, and draws one plot."""

    def __init__(self) -> None:
        self.catalog = Catalog(demo_folder())
        self.prepared: list[tuple[str, dict[str, object], list[str], int]] = []

    def prepare(self, demo: str, settings: dict[str, object], names: list[str], paper: Paper) -> None:
        self.prepared.append((demo, dict(settings), names, paper.height))

    def plot(self, *_: object) -> Shown:
        return PLOT


@pytest.mark.parametrize(("rows", "height"), [(24, 8), (40, 14)])
def test_exhibit_of_the_next_question_is_prepared_once_and_fits_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, height: int
) -> None:
    monkeypatch.setenv("DLQUIZ_HOME", str(tmp_path))
    library = Library(Path(__file__).parent / "e2e" / "bank", tmp_path / "cache")
    wanted = ("softmax", {"classes": 10}, ["entropy-over-temperature"], height)
    for prepared in ([wanted], []):
        laboratory = Drawing()
        console = Console(file=StringIO(), force_terminal=True, width=80, height=rows)
        session = Session(("shares/bug", "shares/curve"), library.question, "seed", lambda: 0.0)
        examiner = Examiner(console, session, library, nullcontext(laboratory).__enter__)
        bug = session.next()
        assert bug is not None
        examiner.prepare(bug)
        assert laboratory.prepared == prepared
        session.withdraw("")
        curve = session.next()
        assert curve is not None
        examiner.present(curve, with_choices=True)
        assert "┌──┐" in console.file.getvalue()
