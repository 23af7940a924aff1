"""Which questions a session asks, and in which order."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quizcli.bank.library import Entry, Selection
from quizcli.choosing import apart, choose, share
from tests.banks import Bank

DEMOS = st.lists(st.sampled_from("abcd"), max_size=7)


def entries(demos: list[str]) -> list[Entry]:
    return [Entry(f"t/{place}", "t", "a", "open", "core", "recall", 1, demo) for place, demo in enumerate(demos)]


def neighbors(demos: list[str] | tuple[str, ...]) -> int:
    """How many demos follow themselves."""
    return sum(first == second for first, second in pairwise(demos))


@given(DEMOS)
@settings(max_examples=200)
def test_demos_follow_themselves_as_seldom_as_any_order_allows(demos: list[str]) -> None:
    moved = [entry.demo for entry in apart(entries(demos))]
    assert moved[:1] == demos[:1]
    assert neighbors(moved) == min(neighbors((*demos[:1], *rest)) for rest in set(permutations(demos[1:])))


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40))
def test_moving_apart_loses_and_doubles_nothing(demos: list[str]) -> None:
    assert sorted(apart(entries(demos)), key=lambda entry: entry.id) == sorted(
        entries(demos), key=lambda entry: entry.id
    )


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40))
def test_many_questions_stand_apart_wherever_they_can(demos: list[str]) -> None:
    # k places of a demo among n - k others have at most n - k + 1 gaps, one fewer where another demo comes first.
    gaps = {demo: len(demos) - times + (demo == demos[0]) for demo, times in Counter(demos).items()}
    forced = max((times - gaps[demo] for demo, times in Counter(demos).items()), default=0)
    assert neighbors([entry.demo for entry in apart(entries(demos))]) == max(0, forced)


@given(DEMOS)
def test_what_stands_apart_is_not_moved(demos: list[str]) -> None:
    if neighbors(demos) == 0:
        assert apart(entries(demos)) == entries(demos)


@given(DEMOS)
def test_questions_of_one_demo_keep_their_order(demos: list[str]) -> None:
    moved = apart(entries(demos))
    for demo in set(demos):
        assert [e.id for e in moved if e.demo == demo] == [e.id for e in entries(demos) if e.demo == demo]


SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 6))


@given(SIZES, st.integers(0, 40), st.integers())
@settings(max_examples=150)
def test_topics_share_evenly(sizes: dict[str, int], count: int, seed: int) -> None:
    shares = share(sizes, count, random.Random(seed))
    assert sum(shares.values()) == min(count, sum(sizes.values()))
    assert all(0 < shares[topic] <= sizes[topic] for topic in shares)
    most = max(shares.values(), default=0)
    hungry = [shares.get(topic, 0) for topic in sizes if shares.get(topic, 0) < sizes[topic]]
    assert all(given_ >= most - 1 for given_ in hungry)


@given(SIZES, st.integers(0, 40), st.integers())
def test_shares_stand_in_the_order_of_topics(sizes: dict[str, int], count: int, seed: int) -> None:
    shares = share(sizes, count, random.Random(seed))
    assert list(shares) == [topic for topic in sizes if topic in shares]


def test_chance_decides_evenly_which_topic_gives_the_last_question() -> None:
    # 600 draws over 3 topics: 200 each, standard deviation 11.5; five of them are 58.
    given_ = Counter(next(iter(share({"a": 5, "b": 5, "c": 5}, 1, random.Random(seed)))) for seed in range(600))
    assert all(abs(times - 200) < 58 for times in given_.values())


@given(st.integers(0, 12), st.integers(0, 10**6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_session_has_as_many_questions_as_asked_for(bank: Bank, count: int, seed: int) -> None:
    library = bank.opened[0] if bank.opened else bank.open()
    ids = choose(library, Selection(), count, random.Random(seed))
    assert len(ids) == len(set(ids)) == min(count, library.count())
    assert set(ids) <= {entry.id for entry in library.entries()}


def test_the_same_chance_chooses_the_same_questions(bank: Bank) -> None:
    library = bank.open()
    assert choose(library, Selection(), 6, random.Random(3)) == choose(library, Selection(), 6, random.Random(3))


def test_topics_come_after_what_they_need_and_by_priority(bank: Bank) -> None:
    # Demos apart from each other everywhere, so that nothing has to be moved.
    bank.change("pooling", "    demo: conv_shape", "    demo: averaging")
    library = bank.open()
    by_id = {entry.id: entry for entry in library.entries()}
    ids = choose(library, Selection(), 3, random.Random(1))
    assert [by_id[name].topic for name in ids] == ["averaging", "convolution", "pooling"]
    assert [by_id[name].priority for name in ids] == [1, 1, 3]


def test_a_session_opens_with_a_question_that_needs_no_waiting(bank: Bank) -> None:
    library = bank.open()
    kinds = {entry.id: entry.kind for entry in library.entries()}
    for seed in range(10):
        ids = choose(library, Selection(topics=("convolution", "pooling")), 4, random.Random(seed))
        assert kinds[ids[0]] != "number"


def test_filters_hold(bank: Bank) -> None:
    library = bank.open()
    ids = choose(library, Selection(kind="number", level="core"), 10, random.Random(1))
    assert sorted(ids) == ["convolution/output-size", "pooling/halves"]


def test_named_questions_come_first_as_named(bank: Bank) -> None:
    library = bank.open()
    named = ("pooling/halves", "averaging/root-n")
    assert choose(library, Selection(questions=named), 10, random.Random(1)) == list(named)
    ids = choose(library, Selection(topics=("convolution",), questions=named), 4, random.Random(1))
    assert tuple(ids[:2]) == named
    assert [name.split("/")[0] for name in ids[2:]] == ["convolution", "convolution"]


@pytest.mark.parametrize("seed", range(3))
def test_a_question_named_and_in_a_named_topic_counts_once(bank: Bank, seed: int) -> None:
    selection = Selection(topics=("convolution",), questions=("convolution/sharing", "convolution/padding"))
    ids = choose(bank.open(), selection, 5, random.Random(seed))
    assert len(ids) == len(set(ids)) == 5


def test_nothing_that_fits_is_an_empty_session(bank: Bank) -> None:
    assert choose(bank.open(), Selection(kind="order", level="deep"), 10, random.Random(1)) == []
