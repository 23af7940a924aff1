"""What chance decides when a question is asked."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quizcli.drawing import draw, drawn_values
from tests.questions import choice, computed, constant, order, question

SEEDS = st.text(max_size=5)


def draws(count: int) -> list[dict[str, int | float | bool | str]]:
    return [{"kernel": place} for place in range(count)]


@given(SEEDS, st.integers(1, 12), st.integers(0, 5))
def test_no_value_returns_before_all_had_their_turn(seed: str, count: int, lap: int) -> None:
    number = question(computed(draws(count)))
    turns = [drawn_values(number, seed, lap * count + turn)["kernel"] for turn in range(count)]
    assert sorted(turns) == list(range(count))


@given(SEEDS, st.integers(0, 40))
def test_the_same_seed_and_turn_give_the_same_question(seed: str, turn: int) -> None:
    for body in (computed(draws(6)), choice([1], 5), order(("a",), ("b", "c"), ("d",))):
        assert draw(question(body), seed, turn) == draw(question(body), seed, turn)


def test_seeds_differ_in_the_order_of_values() -> None:
    number = question(computed(draws(6)))
    orders = {tuple(drawn_values(number, str(seed), turn)["kernel"] for turn in range(6)) for seed in range(50)}
    assert len(orders) > 40


def test_laps_differ_in_the_order_of_values() -> None:
    number = question(computed(draws(6)))
    laps = {tuple(drawn_values(number, "s", 6 * lap + turn)["kernel"] for turn in range(6)) for lap in range(20)}
    assert len(laps) > 15


def test_questions_of_one_session_are_drawn_apart() -> None:
    names = [f"topic/{place}" for place in range(50)]
    firsts = Counter(drawn_values(question(computed(draws(5)), name=name), "s", 0)["kernel"] for name in names)
    assert len(firsts) == 5


@given(SEEDS, st.integers(2, 6), st.integers(0, 9))
def test_options_are_shown_in_a_permutation(seed: str, count: int, turn: int) -> None:
    assert sorted(draw(question(choice([0], count)), seed, turn).order) == list(range(count))


def test_the_right_option_stands_at_every_place_equally_often() -> None:
    # 2000 draws over 4 places: 500 each, standard deviation 19.4; five of them are 97.
    places = Counter(draw(question(choice([2], 4)), str(seed)).order.index(2) for seed in range(2000))
    assert all(abs(places[place] - 500) < 97 for place in range(4))


@given(SEEDS)
def test_an_order_that_means_something_is_kept(seed: str) -> None:
    assert draw(question(choice([0], 5, keep_order=True)), seed).order == (0, 1, 2, 3, 4)


@given(SEEDS, st.lists(st.integers(1, 3), min_size=2, max_size=3), st.integers(0, 5))
def test_steps_never_stand_in_a_right_order(seed: str, sizes: list[int], turn: int) -> None:
    groups = [tuple(f"{group}.{place}" for place in range(size)) for group, size in enumerate(sizes)]
    shown = draw(question(order(*groups)), seed, turn)
    group_of = [group for group, size in enumerate(sizes) for _ in range(size)]
    assert sorted(shown.order) == list(range(sum(sizes)))
    shown_groups = [group_of[step] for step in shown.order]
    assert any(later < earlier for earlier, later in pairwise(shown_groups))


def test_a_constant_draws_nothing() -> None:
    shown = draw(question(constant(9)), "s")
    assert (shown.drawn, shown.order) == ({}, ())
