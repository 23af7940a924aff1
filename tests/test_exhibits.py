"""Plots of questions, kept once they are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.chart import Paper, Shown
from quizcli.lab.evidence import Plot
from quizcli.lab.exhibits import Exhibits
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
