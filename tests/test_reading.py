"""What a person types as an answer, read."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quizcli.model import Arranged, Chosen, Debug, DontKnow, Given, Open, Order, Pointed, Said
from quizcli.reading import Unreadable, example_order, read_answer, read_grade, read_lines, read_number, read_places
from quizcli.vocabulary import LETTERS, Rating
from tests.questions import asked, choice, constant

NUMBERS = st.one_of(
    st.integers(0, 9999).map(str),
    st.tuples(st.integers(0, 999), st.integers(0, 999)).map(lambda parts: f"{parts[0]}.{parts[1]:03d}"),
    st.tuples(st.integers(1, 9), st.integers(-5, 5)).map(lambda parts: f"{parts[0]}e{parts[1]}"),
)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.integers(0, 3)).map(lambda parts: f"({parts[0]})**{parts[1]}"),
    ),
    max_leaves=8,
)


def by_python(text: str) -> float:
    """Python's own value of an arithmetic expression."""
    return float(eval(text, {"__builtins__": {}}))


@given(EXPRESSIONS)
@settings(max_examples=200)
def test_an_expression_has_the_value_that_python_gives_it(text: str) -> None:
    assume(len(text) <= 200)
    try:
        wanted = by_python(text)
    except (ZeroDivisionError, OverflowError):
        with pytest.raises(Unreadable):
            read_number(text)
        return
    assert math.isclose(read_number(text), wanted, rel_tol=1e-9, abs_tol=1e-9)


@given(EXPRESSIONS)
def test_typographic_signs_mean_what_plain_ones_mean(text: str) -> None:
    fancy = text.replace("**", "^").replace("*", "×").replace("-", "−").replace("/", "÷")
    try:
        wanted = read_number(text)
    except Unreadable:
        with pytest.raises(Unreadable):
            read_number(fancy)
    else:
        assert read_number(fancy) == wanted


@given(st.integers(-(10**14), 10**14))
def test_thousands_commas_change_nothing(value: int) -> None:
    assert read_number(f"{value:,}") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_from_its_own_text(value: float) -> None:
    assert read_number(repr(value)) == value


@given(st.text(max_size=30) | st.text("0123456789.,+-*/()eE%_ ", max_size=30))
@settings(max_examples=300)
@example("9" * 200)
@example("9**9**9**9")
@example("(" * 200)
@example("-" * 200)
@example("1(2)")
@example("(-8)**(1/3)")
@example("0**-1")
def test_any_line_is_a_finite_number_or_unreadable(text: str) -> None:
    try:
        value = read_number(text, "%")
    except Unreadable as error:
        assert "type a number" in str(error) or "decimal point" in str(error)
    else:
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0.25", 0.25), ("1/4", 0.25), ("2.5e-1", 0.25), ("25%", 0.25), ("25 %", 0.25), (".25", 0.25)),
        *(
            ("1,024", 1024),
            ("1,024.5", 1024.5),
            ("12,345,678", 12345678),
            ("1,000,000", 1e6),
            ("(28-5)/1+1", 24),
            ("2^10", 1024),
        ),
        *(("-2**2", -4), ("~ 7", 7), ("= 7", 7), ("≈7", 7), ("1\u00a0+\u202f1", 2), ("+3", 3), ("1e3", 1000)),
        *(("100%", 1), ("1/4%", 0.0025), ("−3", -3)),
    ],
)
def test_a_number_may_be_written_as_people_write_it(text: str, value: float) -> None:
    assert read_number(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", " ", "x", "1,5", "0,25", "1,02", "1,0245", "10,24,000", "1 000", "1,000,5", "1.024,500", "3 4", "1//2"]
)
def test_what_could_mean_two_numbers_is_asked_again(text: str) -> None:
    with pytest.raises(Unreadable):
        read_number(text)


@pytest.mark.parametrize("text", ["1/0", "0**-1", "1/(2-2)"])
def test_a_division_by_zero_is_named(text: str) -> None:
    with pytest.raises(Unreadable, match="divides by zero"):
        read_number(text)


@pytest.mark.parametrize("text", ["1e999", "10**300*10**300", "1e999-1e999"])
def test_a_value_that_no_float_holds_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_number(text)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "(1).real", "True", "1j", "[1]", "1if 1else 2", "0x10", "1;2", "a"]
)
def test_code_is_no_number(text: str) -> None:
    with pytest.raises(Unreadable):
        read_number(text)


@pytest.mark.parametrize(
    ("text", "unit"), [("12 MB", "MB"), ("12mb", "MB"), ("12", "MB"), ("1,2e1 %", "%"), ("12%", "%")]
)
def test_the_unit_may_follow(text: str, unit: str) -> None:
    assert read_number(text.replace(",", "."), unit) == pytest.approx(12)


def test_an_empty_line_is_i_dont_know() -> None:
    for body in (
        choice([0], 3),
        constant(1.0),
        Open(()),
        Order((("a",), ("b",), ("c",))),
        Debug("x\ny", frozenset({1})),
    ):
        assert read_answer(asked(body), "  \n") == DontKnow()


@given(st.permutations(range(6)), st.integers(0, 5))
def test_a_letter_names_the_option_in_the_order_shown(places: list[int], pick: int) -> None:
    shown = asked(choice([0], 6), places=places)
    for text in (LETTERS[pick], LETTERS[pick].upper(), str(pick + 1), f"({LETTERS[pick]})", f" {LETTERS[pick]}. "):
        assert read_answer(shown, text) == Chosen(frozenset({places[pick]}))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), st.sampled_from(["", ",", ", ", " ", ";", "-"])
)
def test_letters_and_digits_name_the_same_places(places: list[int], between: str) -> None:
    letters, digits = (between.join(marks[place] for place in places) for marks in (LETTERS, "123456"))
    assert read_places(letters, 6, several=True) == places
    assert read_places(digits, 6, several=True) == places


def test_words_between_letters_are_no_letters() -> None:
    assert read_places("a and c", 4, several=True) == [0, 2]


@pytest.mark.parametrize("text", ["e", "5", "0", "aa", "a1", "x", "ab c d a", "7", "é", "-", "and"])
def test_places_that_are_not_there_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable, match="a to d"):
        read_places(text, 4, several=True)


def test_one_of_several_letters_is_unreadable_where_one_is_right() -> None:
    with pytest.raises(Unreadable, match="one letter from a to d"):
        read_places("ab", 4, several=False)


def test_every_order_of_letters_is_read_as_it_stands() -> None:
    shown = asked(Order((("p", "q"), ("r",))), places=(2, 0, 1))
    for letters in permutations("abc"):
        steps = tuple((2, 0, 1)["abc".index(letter)] for letter in letters)
        assert read_answer(shown, "".join(letters)) == Arranged(steps)


@pytest.mark.parametrize("text", ["ab", "abca", "abb"])
def test_an_order_names_each_step_once(text: str) -> None:
    with pytest.raises(Unreadable):
        read_answer(asked(Order((("p",), ("q",), ("r",)))), text)


@given(st.integers(3, 6))
def test_the_example_of_an_order_can_be_typed_and_is_another_order(count: int) -> None:
    places = read_places(example_order(count), count, several=True)
    assert sorted(places) == list(range(count)) != places


@pytest.mark.parametrize("text", ["3", "line 3", "L3", "l3", "Line 3,", "3 "])
def test_a_line_may_be_named_in_words(text: str) -> None:
    assert read_answer(asked(Debug("a\nb\nc\n", frozenset({3}))), text) == Pointed(frozenset({3}))


def test_several_lines_may_be_named() -> None:
    assert read_lines("lines 1, 3 and 12", 12) == {1, 3, 12}


@pytest.mark.parametrize("text", ["0", "4", "-1", "two", "1.5", "line", "1-3"])
def test_a_line_that_is_not_there_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable, match="1 to 3"):
        read_lines(text, 3)


def test_words_are_taken_as_they_are() -> None:
    assert read_answer(asked(Open(())), "  σ(x) saturates ") == Said("σ(x) saturates")


def test_a_number_keeps_how_it_was_typed() -> None:
    assert read_answer(asked(constant(0.25)), "1/4") == Given(0.25, "1/4")


@given(st.none() | st.sets(st.integers(0, 4)), st.none() | st.sampled_from(Rating), st.booleans())
def test_a_line_of_grading_is_read_back(ticked: set[int] | None, rating: Rating | None, digit_first: bool) -> None:
    letters = "" if ticked is None else "".join(LETTERS[place] for place in sorted(ticked)) or "-"
    digit = "" if rating is None else str(int(rating))
    text = f"{digit} {letters}" if digit_first else f"{letters} {digit}"
    assert read_grade(text, 5, ticks=True) == (None if ticked is None else frozenset(ticked), rating)


@pytest.mark.parametrize("text", ["5", "12", "aa", "d", "0", "a-", "--", "a?", "3 3"])
def test_a_grade_that_cannot_be_read_is_asked_again(text: str) -> None:
    with pytest.raises(Unreadable, match=r"letters a to c .* 1 to 4"):
        read_grade(text, 3, ticks=True)


@pytest.mark.parametrize("text", ["a", "-", "a 3", "- 3"])
def test_ticks_are_unreadable_where_there_is_nothing_to_tick(text: str) -> None:
    with pytest.raises(Unreadable, match="1 to 4"):
        read_grade(text, 3, ticks=False)


@given(st.text(max_size=8), st.integers(1, 5), st.booleans())
def test_any_line_of_grading_is_read_or_unreadable(text: str, count: int, ticks: bool) -> None:
    try:
        ticked, _ = read_grade(text, count, ticks=ticks)
    except Unreadable:
        return
    assert ticked is None or (ticks and ticked <= set(range(count)))
