"""Pictures in the terminal: half blocks, colored characters, shades."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from quizcli.lab.catalog import Catalog
from quizcli.lab.evidence import Image
from quizcli.view.evidence import LONGEST_LABEL, show_evidence
from quizcli.view.theme import DARK
from tests.banks import DEMOS


def drawn(item: Image, colors: str | None = "truecolor", encoding: str = "utf-8", width: int = 80) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(
        file=stream, width=width, force_terminal=True, color_system=colors, theme=DARK, legacy_windows=False
    )  # type: ignore[arg-type]
    show_evidence(console, Catalog(DEMOS).find("averaging"), item)
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding)


def grays(text: str) -> list[list[tuple[int, ...]]]:
    """The gray levels of each half block, upper and (where there is one) lower, line by line."""
    found = []
    for line in text.splitlines():
        styles = [re.findall(r"[34]8;2;(\d+);\d+;\d+", style) for style in re.findall(r"\x1b\[([\d;]+)m▀+", line)]
        counts = [len(blocks) for blocks in re.findall(r"▀+", line)]
        if counts:
            found.append([tuple(map(int, s)) for s, count in zip(styles, counts, strict=True) for _ in range(count)])
    return found


def test_two_rows_of_pixels_share_a_line_of_half_blocks() -> None:
    wide = [[column / 15 for column in range(16)], [1.0] * 16, [0.0] * 16]
    lines = grays(drawn(Image("i", {"a": wide})))
    assert len(lines) == 2
    assert [upper for upper, _ in lines[0]] == [round(20 + 225 * column / 15) for column in range(16)]
    assert {lower for _, lower in lines[0]} == {245}
    assert set(lines[1]) == {(20,)}


def test_a_small_picture_is_enlarged_by_whole_pixels() -> None:
    lines = grays(drawn(Image("i", {"a": [[0.0, 1.0], [1.0, 0.0]]})))
    assert len(lines) == 8 and all(len(line) == 16 for line in lines)
    assert lines[0] == [(20, 20)] * 8 + [(245, 245)] * 8
    assert lines[4] == [(245, 245)] * 8 + [(20, 20)] * 8


def test_a_large_picture_is_shown_by_the_means_of_its_squares() -> None:
    checked = [[float((row + column) % 2) for column in range(128)] for row in range(4)]
    lines = grays(drawn(Image("i", {"a": [*checked, [0.0] * 128, [1.0] * 128]})))
    assert len(lines) == 2 and all(len(line) == 64 for line in lines)
    assert {upper for line in lines for upper, *_ in line} == {round(20 + 225 * 0.5)}


def test_all_pictures_of_one_item_share_a_scale() -> None:
    shown = drawn(Image("i", {"a": [[0.0] * 16] * 2, "b": [[2.0] * 16] * 2, "c": [[1.0] * 16] * 2}))
    ((*levels,),) = [[upper for upper, _ in line] for line in grays(shown)]
    assert levels == [20] * 16 + [245] * 16 + [132] * 16
    assert "(dark 0 to bright 2)" in shown


@pytest.mark.parametrize(("colors", "encoding"), [(None, "utf-8"), ("truecolor", "latin-1")])
def test_without_color_or_unicode_a_pixel_takes_two_characters(colors: str | None, encoding: str) -> None:
    shown = drawn(Image("i", {"a": [[0.0, 0.5, 1.0]]}), colors, encoding)
    assert "▀" not in shown
    last = shown.splitlines()[-1]
    assert last.rstrip() == "  ▒▒██" if colors is None else re.findall(r"48;2;(\d+)", last) == ["20", "132", "245"]


def test_pictures_that_do_not_fit_side_by_side_go_below() -> None:
    pictures = {f"picture {number}": [[float(number)] * 40] * 2 for number in range(3)}
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in drawn(Image("i", pictures)).splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[-1] for line in lines if "picture" in line] == ["0", "1", "2"]


def test_a_name_is_read_whole_though_its_picture_is_narrow() -> None:
    shown = drawn(Image("i", {"a training picture": [[0.0, 1.0]], "x" * 40: [[1.0, 0.0]]}))
    assert "a training picture" in shown and "x" * (LONGEST_LABEL - 1) + "…" in shown
