"""Experiments with a demo: what a person types, and the tables and plots that come of it."""

from __future__ import annotations

import pytest

from quizcli.errors import UsageError
from quizcli.lab.catalog import Catalog, Demo
from quizcli.lab.evidence import Claim, Measure, Plot
from quizcli.lab.experiments import (
    MOST_VALUES,
    Findings,
    beside,
    describe,
    find_claim,
    find_watched,
    gather,
    overlaid,
    read_changes,
    read_sweep,
    swept,
    watched_in,
)
from tests.banks import DEMOS


@pytest.fixture
def demo() -> Demo:
    return Catalog(DEMOS).find("averaging")


def found(spread: float, root: float, centered: float = 0.0, *plots: Plot) -> Findings:
    claims = [Claim("root-n", root, between=(0.75, 1.25)), Claim("centered", centered, at_most=0.2)]
    return gather([Measure("scaled-spread", spread), *plots, *claims])


# --- What is typed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("count=4", {"count": 4}),
        ("count=4, shift=0.5", {"count": 4, "shift": 0.5}),
        ("count = 4 shift=.5", {"count": 4, "shift": 0.5}),
        ("--Count=4,mistake=SUM", {"count": 4, "mistake": "sum"}),
        ("clip=yes seed=3", {"clip": True, "seed": 3}),
        ("  ", {}),
    ],
)
def test_changes_are_read_as_people_type_them(demo: Demo, typed: str, read: dict[str, object]) -> None:
    assert read_changes(demo, typed) == read


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("cuont=4", r"no parameter 'cuont' \(did you mean 'count'\?\)"),
        ("zzz=4", "no parameter 'zzz'; there are count, shift, mistake, clip, seed"),
        ("count=400", "--count 400: must be a whole number from 2 to 64"),
        ("count", "'count': write NAME=VALUE, such as count=16"),
        ("mistake=typo", "--mistake typo: must be one of none, sum"),
    ],
)
def test_changes_that_cannot_be_read_say_what_can(demo: Demo, typed: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_changes(demo, typed)


def test_a_sweep_is_read_without_its_repetitions(demo: Demo) -> None:
    over = read_sweep(demo, "count = 2, 4,8 4")
    assert over.parameter.name == "count" and over.values == (2, 4, 8)
    assert read_sweep(demo, "mistake=none,sum").values == ("none", "sum")


@pytest.mark.parametrize(
    "typed", ["count=4", "count=", "count", "count=2,900", f"seed={','.join(map(str, range(MOST_VALUES + 1)))}"]
)
def test_a_sweep_that_cannot_be_run_is_refused(demo: Demo, typed: str) -> None:
    with pytest.raises(UsageError):
        read_sweep(demo, typed)


def test_claims_and_measures_are_found_by_forgiving_names(demo: Demo) -> None:
    assert find_claim(demo, "Root_N").name == "root-n"
    assert find_watched(demo, "scaled_spread") == "scaled-spread"
    with pytest.raises(UsageError, match=r"no claim 'rootn' \(did you mean 'root-n'"):
        find_claim(demo, "rootn")
    with pytest.raises(UsageError, match="no measure or claim 'spread'"):
        find_watched(demo, "spread")


# --- What comes of it --------------------------------------------------------------------------------


def test_two_settings_stand_side_by_side(demo: Demo) -> None:
    table = beside(demo, [("defaults", found(1.0, 1.0)), (describe({"mistake": "sum"}), found(16.0, 16.0))])
    assert table.columns == ["", "defaults", "mistake=sum"]
    assert table.rows == [
        ["scaled-spread", "1", "16"],
        ["root-n", "✓ 1", "✗ 16"],
        ["centered", "✓ 0", "✓ 0"],
    ]


def test_what_only_one_run_measured_is_left_open_on_the_other_side(demo: Demo) -> None:
    table = beside(demo, [("a", found(1.0, 1.0)), ("b", Findings())])
    assert ["scaled-spread", "1", "-"] in table.rows


def test_the_curves_of_two_runs_share_a_plot() -> None:
    one, two = (Plot("loss", {"mean": ([1, 2], [3.0, y])}, x_label="step", log_y=True) for y in (4.0, 5.0))
    (plot,) = overlaid([("a", found(1, 1, 0, one)), ("b", found(1, 1, 0, two))])
    assert plot.series == {"a": ([1, 2], [3.0, 4.0]), "b": ([1, 2], [3.0, 5.0])}
    assert plot.x_label == "step" and plot.log_y


def test_too_many_curves_are_drawn_one_below_the_other() -> None:
    many = Plot("loss", {name: ([1], [1.0]) for name in "abc"})
    plots = overlaid([("x", found(1, 1, 0, many)), ("y", found(1, 1, 0, many))])
    assert [plot.name for plot in plots] == ["loss, x", "loss, y"]
    assert all(list(plot.series) == ["a", "b", "c"] for plot in plots)


def test_a_sweep_watches_what_the_prediction_asks_then_what_changes_most(demo: Demo) -> None:
    runs = [found(1.0, 1.0, 0.1), found(1.1, 9.0, 0.1)]
    assert watched_in(demo, runs) == ["scaled-spread", "root-n"]
    assert watched_in(demo, [found(1.0, 1.0), found(1.0, 2.0)]) == ["root-n"]
    assert watched_in(demo, [found(1.0, 1.0), found(1.0, 1.0)]) == []


def test_a_sweep_is_a_table_the_claims_it_breaks_and_a_curve_for_each_quantity(demo: Demo) -> None:
    over = read_sweep(demo, "count=2,8,64")
    table, broken, plots = swept(demo, over, [found(1, 1), found(10, 10), found(500, 500)], ["scaled-spread", "root-n"])
    assert table.rows == [[2, "1", "✓ 1", 0], [8, "10", "✗ 10", 1], [64, "500", "✗ 500", 1]]
    assert broken is not None and "`root-n` fails at 8, 64" in broken.text
    assert [plot.series for plot in plots] == [
        {"scaled-spread": ([2.0, 8.0, 64.0], [1.0, 10.0, 500.0])},
        {"root-n": ([2.0, 8.0, 64.0], [1.0, 10.0, 500.0])},
    ]
    assert plots[0].log_x and plots[0].log_y and plots[0].x_label == "count"


def test_a_sweep_over_words_is_drawn_as_bars_and_breaks_nothing_where_all_holds(demo: Demo) -> None:
    over = read_sweep(demo, "mistake=none,sum")
    _, broken, (plot,) = swept(demo, over, [found(1, 1), found(1, 1.1)], ["root-n"])
    assert broken is None and plot.style == "bars"
    assert plot.series == {"root-n": (["none", "sum"], [1.0, 1.1])}
