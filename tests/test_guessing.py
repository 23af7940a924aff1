"""Does the surface of a choice question give its answer away?"""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.bank.guessing import (
    ENOUGH_ITEMS,
    GuessingResult,
    Item,
    cross_validated,
    fit_logistic,
    guess,
    items_of,
    two_sided,
)
from tests.questions import choice, constant, question


def item(options: list[str], right: int, prompt: str = "") -> Item:
    return Item(frozenset(prompt.split()), tuple(options), frozenset({right}))


def random_items(count: int, seed: int) -> list[Item]:
    """Options of random words, of which chance alone makes one right."""
    chance = random.Random(seed)
    words = [f"{chance.choice('abcdefgh')}{number}" for number in range(200)]
    return [
        item([" ".join(chance.sample(words, chance.randint(3, 9))) for _ in range(4)], chance.randrange(4))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def results_of_chance() -> list[GuessingResult]:
    return [guess(random_items(ENOUGH_ITEMS, seed)) for seed in range(3)]


@given(st.integers(1, 30), st.sampled_from([0.2, 0.25, 1 / 3, 0.5]), st.data())
def test_the_probability_is_that_of_the_exact_binomial_test(count: int, chance: float, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    masses = [math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(count + 1)]
    wanted = sum(mass for mass in masses if mass <= masses[hits] * (1 + 1e-6))
    assert two_sided(hits, [chance] * count) == pytest.approx(min(1.0, wanted))


@given(st.lists(st.sampled_from([0.2, 0.25, 1 / 3, 0.4, 0.5]), min_size=1, max_size=7), st.data())
def test_the_probability_is_that_of_all_outcomes_counted(chances: list[float], data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, len(chances)))
    masses = [0.0] * (len(chances) + 1)
    for outcome in product([False, True], repeat=len(chances)):
        masses[sum(outcome)] += math.prod(p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True))
    wanted = sum(mass for mass in masses if mass <= masses[hits] * (1 + 1e-6))
    assert two_sided(hits, chances) == pytest.approx(min(1.0, wanted))


def test_known_values_of_the_exact_test() -> None:
    assert two_sided(0, []) == 1.0
    assert two_sided(10, [0.5] * 10) == pytest.approx(2 / 1024)
    assert two_sided(5, [0.5] * 10) == pytest.approx(1.0)


def test_a_model_of_one_constant_gives_the_log_odds() -> None:
    rows = [([1.0], True)] * 3 + [([1.0], False)]
    (weight,) = fit_logistic(rows, steps=3000, ridge=0.0)
    assert weight == pytest.approx(math.log(3), rel=1e-3)


def test_the_fit_is_a_minimum_of_the_penalized_loss() -> None:
    chance = random.Random(5)
    rows = [([1.0, x := chance.gauss(0, 1)], chance.random() < 1 / (1 + math.exp(-x))) for _ in range(80)]

    def loss(weights: list[float]) -> float:
        total = 0.01 * sum(weight**2 for weight in weights)
        for row, right in rows:
            score = sum(weight * value for weight, value in zip(weights, row, strict=True))
            total += math.log1p(math.exp(-score if right else score)) / len(rows)
        return total

    weights = fit_logistic(rows, steps=1500, ridge=0.02)
    for place, shift in product(range(2), (-0.01, 0.01)):
        moved = [weight + shift * (place == other) for other, weight in enumerate(weights)]
        assert loss(moved) > loss(weights)


def test_the_longest_option_is_noticed_where_it_is_right() -> None:
    items = [item(["short", "brief", "a rather longer option than these"], 2) for _ in range(ENOUGH_ITEMS)]
    result = guess(items)
    longest = next(cue for cue in result.cues if cue.name == "longest")
    assert (longest.items, longest.hits, longest.expected) == (
        ENOUGH_ITEMS,
        ENOUGH_ITEMS,
        pytest.approx(ENOUGH_ITEMS / 3),
    )
    assert result.classifier == 1.0
    assert any("'longest'" in problem for problem in result.problems)
    assert any("classifier" in problem for problem in result.problems)


def test_an_option_that_is_never_the_longest_is_noticed_too() -> None:
    items = [item(["one two three", "a", "ab"], 1 + place % 2) for place in range(ENOUGH_ITEMS)]
    assert any("'longest' hits 0 of 60" in problem for problem in guess(items).problems)


@pytest.mark.parametrize(
    ("cue", "options", "prompt"),
    [
        ("most words shared with the prompt", ["the deep net", "other text", "more words"], "why is the deep net slow"),
        ("most absolute words", ["it is always so", "it is often so", "it may be  so"], ""),
        ("fewest absolute words", ["it is often so", "it is always so", "it is never so"], ""),
        ("shortest", ["a", "abc", "abcd"], ""),
    ],
)
def test_each_cue_is_noticed(cue: str, options: list[str], prompt: str) -> None:
    found = next(result for result in guess([item(options, 0, prompt)] * 10).cues if result.name == cue)
    assert (found.hits, found.items, found.probability) == (10, 10, pytest.approx(3.0**-10))


def test_an_item_in_which_a_cue_says_nothing_does_not_count() -> None:
    result = guess([item(["abc", "abd", "abe"], 0)])
    assert {cue.name: cue.items for cue in result.cues}["longest"] == 0


def test_items_of_chance_have_no_problem(results_of_chance: list[GuessingResult]) -> None:
    # Five cues at a hundredth each, and a classifier whose share has a deviation of 6%: a problem in one of 12 banks.
    assert sum(bool(result.problems) for result in results_of_chance) <= 1
    assert all(result.chance == pytest.approx(0.25) for result in results_of_chance)


def test_a_classifier_learns_nothing_from_items_of_chance(results_of_chance: list[GuessingResult]) -> None:
    # 180 items at a quarter: standard deviation 3%.
    shares = [result.classifier for result in results_of_chance]
    assert abs(sum(shares) / len(shares) - 0.25) < 0.13


def test_an_item_is_judged_by_what_the_others_teach() -> None:
    # Each of two items teaches the opposite of what is right in the other.
    assert cross_validated([item(["a", "a longer one"], 1), item(["a", "a longer one"], 0)]) == 0.0
    assert cross_validated([item(["a", "a longer one"], 1), item(["a longer one", "a"], 0)]) == 1.0


def test_few_items_are_not_judged() -> None:
    items = [item(["short", "a rather longer option"], 1) for _ in range(ENOUGH_ITEMS - 1)]
    assert guess(items).problems == []


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11])
def test_any_number_of_items_can_be_tried(count: int) -> None:
    result = guess(random_items(count, 1))
    assert result.items == count
    assert 0 <= result.classifier <= 1


def test_only_questions_with_options_are_items() -> None:
    found = items_of([question(choice([1], 3)), question(constant(1.0)), question(choice([0, 2], 4, several=True))])
    assert [(len(each.options), each.right, each.chance) for each in found] == [(3, {1}, 1 / 3), (4, {0, 2}, 0.5)]
