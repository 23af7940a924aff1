"""From an answer to a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.grading import collides, grade, grade_ticks, may_rate, propose
from quizcli.model import (
    Answer,
    Arranged,
    Asked,
    Body,
    Chosen,
    Debug,
    DontKnow,
    Given,
    Measured,
    Number,
    Open,
    Pointed,
    Response,
    Said,
    Tolerance,
    Verdict,
)
from quizcli.vocabulary import Rating
from tests.questions import asked, choice, computed, constant, order, point, question

FINITE = st.floats(-1e9, 1e9)


def judge(body: Body, answer: Answer, measured: Measured | None = None) -> Verdict:
    return grade(asked(body), Response(answer), measured)


def subsets(count: int) -> Iterable[tuple[int, ...]]:
    return chain.from_iterable(combinations(range(count), size) for size in range(count + 1))


@given(st.integers(2, 6), st.data())
def test_a_choice_is_right_for_its_one_right_option_only(count: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, count - 1))
    for pick in range(count):
        verdict = judge(choice([right], count), Chosen(frozenset({pick})))
        assert (verdict.right, verdict.score) == (pick == right, float(pick == right))


@pytest.mark.parametrize("right", [(0, 1), (1, 2, 4)])
def test_the_share_of_options_is_the_share_judged_rightly_above_one_half(right: tuple[int, ...]) -> None:
    for picked in subsets(5):
        verdict = judge(choice(right, 5, several=True), Chosen(frozenset(picked)))
        agreeing = sum((option in picked) == (option in right) for option in range(5))
        assert verdict.right == (set(picked) == set(right))
        assert verdict.score == pytest.approx(max(0.0, (agreeing - 2.5) / 2.5))


@given(st.lists(st.integers(1, 2), min_size=2, max_size=3))
def test_an_order_is_right_where_no_step_stands_before_one_of_an_earlier_group(sizes: list[int]) -> None:
    groups = [tuple(f"{group}.{place}" for place in range(size)) for group, size in enumerate(sizes)]
    group_of = [group for group, size in enumerate(sizes) for _ in range(size)]
    apart = [(a, b) for a, b in combinations(range(len(group_of)), 2) if group_of[a] != group_of[b]]
    for steps in permutations(range(len(group_of))):
        verdict = judge(order(*groups), Arranged(steps))
        kept = sum(steps.index(a) < steps.index(b) for a, b in apart)
        assert verdict.right == (kept == len(apart))
        assert verdict.score == pytest.approx(max(0.0, 2 * kept / len(apart) - 1))


@pytest.mark.parametrize(
    ("lines", "right"), [({2}, True), ({4}, True), ({2, 4}, True), ({3}, False), ({2, 3}, False), ({1, 2, 3, 4}, False)]
)
def test_a_line_is_right_where_only_wrong_lines_are_named(lines: set[int], right: bool) -> None:
    assert judge(Debug("a\nb\nc\nd", frozenset({2, 4})), Pointed(frozenset(lines))).right == right


@given(st.integers(-(2**52), 2**52), st.integers(-3, 3))
def test_integers_are_right_exactly(right: int, off: int) -> None:
    assert judge(constant(float(right)), Given(float(right + off), "typed")).right == (off == 0)


@given(st.floats(1e-6, 1e6).filter(lambda value: not value.is_integer()), st.sampled_from([-1, 1]))
def test_other_numbers_are_exact_to_a_billionth(right: float, side: int) -> None:
    assert judge(constant(right), Given(right * (1 + side * 0.9e-9), "typed")).right
    assert not judge(constant(right), Given(right * (1 + side * 1.1e-9), "typed")).right


def test_the_rounding_of_an_expression_is_no_wrong_answer() -> None:
    assert judge(constant(3.0), Given(0.1 * 30, "0.1*30")).right
    assert judge(constant(0.3), Given(0.1 + 0.2, "0.1+0.2")).right


@given(FINITE, FINITE, st.floats(1e-3, 1e6))
def test_an_absolute_tolerance_is_a_distance(right: float, answer: float, size: float) -> None:
    distance = abs(Fraction(answer) - Fraction(right)) / Fraction(size)
    if not math.isclose(distance, 1, rel_tol=1e-6):
        assert Tolerance("absolute", size).accepts(answer, right) == (distance < 1)


@given(FINITE, FINITE, st.floats(1e-3, 0.9))
def test_a_relative_tolerance_is_a_share_of_the_right_value(right: float, answer: float, size: float) -> None:
    slack = abs(Fraction(right)) * Fraction(size)
    distance = abs(Fraction(answer) - Fraction(right))
    if not math.isclose(distance, slack, rel_tol=1e-6):
        assert Tolerance("relative", size).accepts(answer, right) == (distance < slack)


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.floats(1.01, 100), st.sampled_from([-1, 1]))
def test_a_factor_is_a_distance_of_logarithms(right: float, answer: float, size: float, sign: int) -> None:
    distance = abs(math.log(answer) - math.log(right))
    if not math.isclose(distance, math.log(size), rel_tol=1e-6):
        assert Tolerance("factor", size).accepts(sign * answer, sign * right) == (distance < math.log(size))
        assert not Tolerance("factor", size).accepts(-sign * answer, sign * right)


@pytest.mark.parametrize(("kind", "size"), [("absolute", 0.1), ("relative", 0.1), ("factor", 3.0)])
def test_the_bound_itself_is_accepted(kind: str, size: float) -> None:
    edge = {"absolute": 0.3 + 0.1, "relative": 0.3 * 1.1, "factor": 0.9}[kind]
    assert Tolerance(kind, size).accepts(edge, 0.3)  # type: ignore[arg-type]


def test_only_zero_is_within_a_factor_of_zero() -> None:
    assert Tolerance("factor", 3.0).accepts(0.0, 0.0)
    assert not Tolerance("factor", 3.0).accepts(1e-300, 0.0)
    assert not Tolerance("factor", 3.0).accepts(0.0, 1e-300)


def test_a_measured_number_is_graded_by_what_was_measured() -> None:
    body = computed([{"kernel": 3}])
    assert judge(body, Given(28.0, "28"), Measured(28.0)).right
    with pytest.raises(ValueError, match="measured"):
        judge(body, Given(28.0, "28"))


def test_a_wrong_value_is_called_by_the_first_mistake_that_gives_it() -> None:
    body = computed([{"kernel": 3}], ["no-padding", "no-stride"])
    measured = Measured(28.0, (26.0, 14.0))
    named = judge(body, Given(14.0, "14"), measured).mistake
    assert named is not None and named.measure == "no-stride"
    assert judge(body, Given(13.0, "13"), measured).mistake is None
    assert judge(body, Given(28.0, "28"), measured).mistake is None


def test_a_mistake_whose_value_is_not_known_is_never_named() -> None:
    body = computed([{"kernel": 3}], ["no-padding"])
    assert judge(body, Given(0.0, "0"), Measured(28.0, (None,))).mistake is None


def test_a_draw_collides_where_a_mistake_would_be_right() -> None:
    body = computed([{"kernel": 3}], ["a", "b"], Tolerance("absolute", 1.0))
    assert collides(body, Measured(28.0, (10.0, 28.5)))
    assert not collides(body, Measured(28.0, (10.0, 30.0)))
    assert not collides(body, Measured(28.0, (None, None)))


BODIES: list[tuple[Body, Answer]] = [
    (choice([0], 3), Chosen(frozenset({0}))),
    (choice([0, 1], 3, several=True), Chosen(frozenset({0, 1}))),
    (constant(7.0), Given(7.0, "7")),
    (order(("a",), ("b",), ("c",)), Arranged((0, 1, 2))),
    (Debug("a\nb", frozenset({2})), Pointed(frozenset({2}))),
]


@pytest.mark.parametrize(("body", "answer"), BODIES)
def test_i_dont_know_is_wrong_with_nothing_earned(body: Body, answer: Answer) -> None:
    assert judge(body, answer).right
    verdict = judge(body, DontKnow())
    assert (verdict.right, verdict.score, verdict.proposed) == (False, 0.0, Rating.AGAIN)


@pytest.mark.parametrize(("body", "answer"), BODIES)
def test_an_answer_of_another_kind_is_a_fault_of_the_caller(body: Body, answer: Answer) -> None:
    with pytest.raises(TypeError, match="Said"):
        judge(body, Said(str(answer)))


OPEN = question(Open(()), key_points=[point("a"), point("b"), point("bonus", must=False)], hints=["one", "two"])


@pytest.mark.parametrize("ticked", list(subsets(3)))
def test_every_must_point_ticked_is_right(ticked: tuple[int, ...]) -> None:
    names = {"a": 0, "b": 1, "bonus": 2}
    verdict = grade_ticks(OPEN, Response(Said("words")), {name for name, place in names.items() if place in ticked})
    assert verdict.right == (0 in ticked and 1 in ticked)
    assert verdict.score == len({0, 1} & set(ticked)) / 2


def test_ticks_for_an_answer_that_was_not_given_earn_nothing() -> None:
    verdict = grade_ticks(OPEN, Response(DontKnow()), {"a", "b"})
    assert (verdict.right, verdict.score, verdict.earned) == (False, 0.0, frozenset())


@pytest.mark.parametrize(
    ("right", "guessed", "hints", "proposed"),
    [
        (True, False, 0, Rating.GOOD),
        (True, False, 1, Rating.HARD),
        (True, False, 2, Rating.AGAIN),  # the last hint may give it away
        (True, True, 0, Rating.AGAIN),
        (True, True, 1, Rating.AGAIN),
        (False, False, 0, Rating.AGAIN),
        (False, True, 2, Rating.AGAIN),
    ],
)
def test_the_proposed_grade_follows_from_right_hints_and_guess(
    right: bool, guessed: bool, hints: int, proposed: Rating
) -> None:
    assert propose(OPEN, Response(Said("words"), guessed, hints), right) is proposed


def test_the_only_hint_is_the_last_one() -> None:
    assert propose(question(Open(()), hints=["one"]), Response(Said("words"), hints=1), True) is Rating.AGAIN


def test_without_hints_a_right_answer_is_good() -> None:
    assert propose(question(Open(())), Response(Said("words")), True) is Rating.GOOD


@given(st.sampled_from(Rating), st.booleans())
def test_a_wrong_answer_cannot_be_graded_up(rating: Rating, right: bool) -> None:
    assert may_rate(Verdict(right, float(right), Rating.GOOD), rating) == (right or rating == Rating.AGAIN)


def test_grading_a_question_does_not_depend_on_the_order_shown() -> None:
    body = choice([2], 4)
    for places in permutations(range(4)):
        assert grade(Asked(question(body), places), Response(Chosen(frozenset({2})))).right


def test_a_constant_needs_nothing_measured() -> None:
    body = constant(9.0, Tolerance("absolute", 0.5))
    assert isinstance(body, Number)
    assert judge(body, Given(9.4, "9.4")).measured == Measured(9.0)
