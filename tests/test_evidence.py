"""What a demo yields."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.lab.evidence import Claim, Image, Measure, Plot, Range, Table

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS)
def test_a_bound_from_above_holds_up_to_it(measured: float, bound: float) -> None:
    assert Claim("c", measured, at_most=bound).holds == (measured <= bound)


@given(NUMBERS, NUMBERS)
def test_a_bound_from_below_holds_from_it_on(measured: float, bound: float) -> None:
    assert Claim("c", measured, at_least=bound).holds == (measured >= bound)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_claim_between_two_bounds_holds_on_both(measured: float, low: float, high: float) -> None:
    assert Claim("c", measured, between=(low, high)).holds == (low <= measured <= high)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(0, 100))
def test_a_claim_near_a_value_holds_within_its_tolerance(measured: int, value: int, tolerance: int) -> None:
    assert Claim("c", measured, near=(value, tolerance)).holds == (abs(measured - value) <= tolerance)


@pytest.mark.parametrize(
    "bounds",
    [{}, {"at_most": 1, "at_least": 0}, {"between": (0, 1), "near": (0, 1)}, {"at_most": 0.0, "near": (0.0, 0.0)}],
)
def test_a_claim_has_exactly_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Claim("c", 0.5, **bounds)  # type: ignore[arg-type]


def test_a_bound_of_zero_is_a_bound() -> None:
    assert Claim("c", 0.0, at_most=0).holds
    assert not Claim("c", 0.1, at_most=0).holds


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.array(np.inf)])
def test_a_measured_number_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="claim c is"):
        Claim("c", value, at_most=1.0)
    with pytest.raises(ValueError, match="measure m is"):
        Measure("m", value)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3), np.array(3), np.array([3.0]).sum()])
def test_a_measured_number_is_a_float_of_python(value: float) -> None:
    assert type(Measure("m", value).value) is float
    assert type(Claim("c", value, at_least=3).measured) is float


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_range_is_closed(low: float, high: float, value: float) -> None:
    assert (value in Range(low, high)) == (low <= value <= high)
    assert math.nan not in Range(low, high)


def test_a_range_is_said_in_words() -> None:
    assert str(Range(2, 64)) == "2 to 64"
    assert str(Range(0.001, 1)) == "0.001 to 1"


def test_arrays_become_lists() -> None:
    plot = Plot("p", {"a": (np.arange(3), np.array([0.5, 1.5, 2.5], dtype=np.float32))})
    assert plot.series == {"a": ([0.0, 1.0, 2.0], [0.5, 1.5, 2.5])}
    assert Image("i", {"a": np.eye(2)}).pictures == {"a": [[1.0, 0.0], [0.0, 1.0]]}
    table = Table("t", ("a", "b"), np.array([[1, 2], [3, 4]]))
    assert [list(row) for row in table.rows] == [[1, 2], [3, 4]]


def test_what_is_yielded_does_not_change_with_its_array() -> None:
    values = np.zeros(3)
    plot, image = Plot("p", {"a": (values, values)}), Image("i", {"a": values.reshape(1, 3)})
    values += 1
    assert plot.series["a"][1] == [0.0, 0.0, 0.0]
    assert image.pictures["a"] == [[0.0, 0.0, 0.0]]


def test_bars_have_names() -> None:
    assert Plot("p", {"a": (["one", "two"], [1, 2])}, style="bars").series["a"][0] == ["one", "two"]


def test_curves_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="plot p, series a: 2 x values for 3 y values"):
        Plot("p", {"a": ([1, 2], [1, 2, 3])})


@pytest.mark.parametrize("rows", [[[1.0], [1.0, 2.0]], [[]], []])
def test_a_picture_is_a_filled_rectangle(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="picture a: not a filled rectangle"):
        Image("i", {"a": rows})


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="table t: a row of 1 cells under 2 columns"):
        Table("t", ["a", "b"], [["x", 1.0], ["y"]])


@pytest.mark.parametrize(
    ("claim", "bound"),
    [
        (Claim("c", 0, at_most=1e-5), "at most 1e-05"),
        (Claim("c", 0, at_least=0.25), "at least 0.25"),
        (Claim("c", 0, between=(0.9, 1.1)), "0.9 to 1.1"),
        (Claim("c", 0, near=(2, 0.01)), "2 ± 0.01"),
    ],
)
def test_a_bound_is_said_in_words(claim: Claim, bound: str) -> None:
    assert claim.bound == bound
