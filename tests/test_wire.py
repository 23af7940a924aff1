"""Evidence as JSON, there and back."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Table, Text
from quizcli.lab.wire import dumps, from_data, to_data

NAMES = st.text(max_size=5)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY = st.floats()
BOUNDS = st.one_of(
    FINITE.map(lambda bound: {"at_most": bound}),
    FINITE.map(lambda bound: {"at_least": bound}),
    st.tuples(FINITE, FINITE).map(lambda bounds: {"between": bounds}),
    st.tuples(FINITE, FINITE).map(lambda bounds: {"near": bounds}),
)


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    count = draw(st.integers(0, 4))
    bars = draw(st.booleans())
    xs = st.lists(NAMES if bars else ANY, min_size=count, max_size=count)
    ys = st.lists(ANY, min_size=count, max_size=count)
    series = draw(st.dictionaries(NAMES, st.tuples(xs, ys), max_size=2))
    return Plot(draw(NAMES), series, draw(NAMES), draw(NAMES), "bars" if bars else "points", draw(st.booleans()))


@st.composite
def images(draw: st.DrawFn) -> Image:
    width = draw(st.integers(1, 3))
    rows = st.lists(st.lists(ANY, min_size=width, max_size=width), min_size=1, max_size=3)
    return Image(draw(NAMES), draw(st.dictionaries(NAMES, rows, max_size=2)))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(NAMES, max_size=3))
    cells = st.one_of(NAMES, ANY, st.integers(-(10**6), 10**6))
    rows = st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=3)
    return Table(draw(NAMES), columns, draw(rows))


EVIDENCE: st.SearchStrategy[Evidence] = st.one_of(
    st.builds(Text, NAMES),
    st.builds(Progress, st.integers(0, 9), st.integers(1, 9)),
    st.builds(Measure, NAMES, FINITE, st.booleans()),
    st.tuples(NAMES, FINITE, BOUNDS).map(lambda parts: Claim(parts[0], parts[1], **parts[2])),
    *(plots(), images(), tables()),
)


def same(one: object, other: object) -> bool:
    """Equality in which NaN equals itself, and 1 and 1.0 are two."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(EVIDENCE)
@example(Table("t", ["a"], [[math.nan]]))
@example(Plot("p", {"a": ([math.inf], [math.nan])}))
def test_evidence_comes_back_as_it_was(item: Evidence) -> None:
    back = from_data(json.loads(dumps(to_data(item))))
    assert type(back) is type(item)
    for field in fields(item):
        assert same(getattr(back, field.name), getattr(item, field.name)), field.name


@given(EVIDENCE)
def test_a_line_of_json_is_one_line_and_strict(item: Evidence) -> None:
    line = dumps(to_data(item))
    assert "\n" not in line

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    assert json.loads(line, parse_constant=refuse)["type"] == type(item).__name__.lower()


@given(BOUNDS, FINITE)
def test_a_claim_says_whether_it_holds_and_only_its_own_bound(bound: dict[str, float], measured: float) -> None:
    claim = Claim("c", measured, **bound)  # type: ignore[arg-type]
    data = to_data(claim)
    assert data["holds"] == claim.holds
    assert {"at_most", "at_least", "between", "near"} & set(data) == set(bound)
    again = from_data(json.loads(dumps(data)))
    assert isinstance(again, Claim)
    assert (again.holds, again.interval, again.bound) == (claim.holds, claim.interval, claim.bound)


def test_equal_claims_are_equal_after_the_way() -> None:
    claim = Claim("c", 1.0, between=(0.0, 2.0))
    assert from_data(json.loads(dumps(to_data(claim)))) == claim


def test_numbers_that_are_not_finite_go_by_their_names() -> None:
    data = to_data(Plot("p", {"a": ([1.0, 2.0, 3.0], [math.nan, math.inf, -math.inf])}))
    assert data["series"]["a"][1] == ["nan", "inf", "-inf"]


def test_what_is_no_evidence_is_refused() -> None:
    with pytest.raises(KeyError):
        from_data({"type": "secret"})
