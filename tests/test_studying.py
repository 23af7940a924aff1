"""Which cards a day asks and in which order."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations
from pathlib import Path

import fsrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli import studying
from quizcli.bank.library import Selection
from quizcli.keeping import ProgressKeeper
from quizcli.model import Choice, Chosen
from quizcli.progress import events
from quizcli.progress.progress import card_of
from quizcli.scheduling import Memory
from quizcli.session import Session
from quizcli.studying import (
    APART,
    SECONDS,
    Counts,
    counts,
    missed_questions,
    next_due,
    siblings_apart,
)
from quizcli.vocabulary import Rating
from tests.logs import DAY
from tests.studies import Q, Study, plain

Begin = Callable[..., Study]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Begins a study of topics, given as `topic=(needs, questions)`."""
    begun: list[Study] = []

    def make(**topics: tuple[str, Sequence[Q]]) -> Study:
        begun.append(Study(tmp_path / str(len(begun)), topics))
        return begun[-1]

    yield make
    for study in begun:
        study.close()


def names(study: Study, **limits: int | None) -> list[str]:
    return list(study.plan(**limits).new)


# --- New cards ---------------------------------------------------------------------------------------


def test_topics_come_after_what_they_need(begin: Begin) -> None:
    """Alphabetically they would come the other way round."""
    study = begin(a=("b", plain(2)), b=("c", plain(2)), c=("d", plain(2)), d=("", plain(2)))
    order = [name.split("/")[0] for name in names(study, new=8)]
    assert sorted(order) == sorted("aabbccdd")
    assert list(dict.fromkeys(order)) == ["d", "c", "b", "a"]


def test_within_a_topic_priority_comes_first_and_then_level(begin: Begin) -> None:
    levels = ("deep", "warm-up", "core")
    questions = [Q(f"p{p}-{level}", priority=p, level=level) for p in (3, 1, 2) for level in levels]
    assert names(begin(t=("", questions)), new=9) == [
        f"t/p{priority}-{level}" for priority in (1, 2, 3) for level in ("warm-up", "core", "deep")
    ]


def test_among_equals_the_order_of_the_file_holds(begin: Begin) -> None:
    questions = [Q(name) for name in ("zebra", "ant", "mole", "bee")]
    assert names(begin(t=("", questions)), new=4) == ["t/zebra", "t/ant", "t/mole", "t/bee"]


def test_two_topics_are_introduced_side_by_side(begin: Begin) -> None:
    study = begin(a=("", plain(3)), b=("", plain(3)), c=("", plain(3)), d=("", plain(3)))
    assert [name.split("/")[0] for name in names(study, new=12)] == list("ababab" + "cdcdcd")


def test_the_third_topic_waits_for_one_of_the_two(begin: Begin) -> None:
    study = begin(a=("", plain(5)), b=("", plain(2)), c=("", plain(2)))
    order = [name.split("/")[0] for name in names(study, new=9)]
    assert order[:4] == list("abab") and order.index("c") < 7 and Counter(order) == {"a": 5, "b": 2, "c": 2}


def test_tomorrow_goes_on_where_today_ended(begin: Begin) -> None:
    study, met = begin(a=("", plain(4)), b=("a", plain(4)), c=("b", plain(4))), list[str]()
    study.set("new", 4)
    for _ in range(3):
        for name in names(study):
            study.answer(name)
            met.append(name)
        assert names(study) == []
        study.clock.move(days=1)
    assert sorted(met) == sorted(f"{topic}/q00{number}" for topic in "abc" for number in range(4))
    # Each topic waits for the one it needs.
    assert [name[0] for name in met] == list("aaaabbbbcccc")


def test_siblings_are_not_introduced_on_one_day(begin: Begin) -> None:
    questions = [Q("one", proof="root-n"), Q("two", proof="root-n"), Q("three"), Q("four", follows="three"), Q("five")]
    study = begin(t=("", questions), u=("t", [Q("far", proof="root-n"), Q("near")]))
    found = set(names(study, new=7))
    assert len(found) == 4 and {"t/five", "u/near"} < found
    assert len(found & {"t/one", "t/two", "u/far"}) == len(found & {"t/three", "t/four"}) == 1


def test_a_sibling_of_what_was_met_today_waits_until_tomorrow(begin: Begin) -> None:
    study = begin(t=("", [Q("q1", proof="root-n"), Q("q2", proof="root-n"), Q("q3")]))
    study.answer("t/q1")
    assert names(study) == ["t/q3"]
    study.clock.move(days=1)
    assert names(study) == ["t/q2", "t/q3"]


def test_a_day_has_no_more_new_cards_than_were_set(begin: Begin) -> None:
    study = begin(t=("", plain(40)))
    assert len(names(study)) == 15
    study.set("new", 6)
    assert len(names(study)) == 6
    for name in names(study)[:4]:
        study.answer(name)
    assert len(names(study)) == 2
    study.set("new", 3)
    assert names(study) == []


def test_a_new_card_that_was_practiced_counts_as_one_of_today(begin: Begin) -> None:
    study = begin(t=("", plain(10)))
    study.set("new", 4)
    study.answer("t/q009")
    assert names(study) == ["t/q000", "t/q001", "t/q002"]


def test_an_undone_introduction_frees_its_place(begin: Begin) -> None:
    study = begin(t=("", plain(10)))
    study.set("new", 2)
    before = names(study)
    study.answer(before[0])
    study.progress.undo()
    assert names(study) == before


@pytest.mark.parametrize(("wanted", "found"), [(0, 0), (1, 1), (20, 20), (100, 40)])
def test_new_replaces_what_is_left_for_today(begin: Begin, wanted: int, found: int) -> None:
    assert len(names(begin(t=("", plain(40))), new=wanted)) == found


def test_suspended_and_buried_new_cards_are_left_out(begin: Begin) -> None:
    study = begin(t=("", plain(4)))
    study.note(events.SUSPEND, "t/q000")
    study.note(events.BURY, "t/q001")
    assert names(study) == ["t/q002", "t/q003"]
    study.clock.move(days=1)
    assert names(study) == ["t/q001", "t/q002", "t/q003"]
    study.note(events.UNSUSPEND, "t/q000")
    assert names(study)[0] == "t/q000"


def test_new_cards_are_of_the_selection(begin: Begin) -> None:
    study = begin(a=("", [*plain(3), Q("num", kind="number", skill="computation")]), b=("a", plain(3, level="deep")))
    assert {name[0] for name in study.plan(Selection(("b",))).new} == {"b"}
    assert study.plan(Selection(questions=("a/q002",))).new == ("a/q002",)
    assert study.plan(Selection(kind="number")).new == ("a/num",)
    assert study.plan(Selection(skill="computation")).new == ("a/num",)
    assert len(study.plan(Selection(level="deep")).new) == 3


# --- The order of a day ------------------------------------------------------------------------------


def overdue(study: Study, count: int, seed: int = 0) -> dict[str, Memory]:
    """So many cards in all kinds of states, all due; their memories."""
    chance, found = random.Random(seed), {}
    with study.log.writing():
        for name in [entry.id for entry in study.library.entries("t")][:count]:
            memory = Memory(round(chance.lognormvariate(2, 1.2), 3) + 0.1, round(chance.uniform(1, 10), 3))
            found[name] = memory
            ago = max(1, round(memory.stability * chance.uniform(1, 4)))
            study.remember(name, memory.stability, ago, ago - max(1, round(memory.stability)), memory.difficulty)
    return found


def elapsed(study: Study, name: str) -> int:
    last = study.progress.state(name).last
    assert last is not None
    return study.progress.today() - last


def test_reviews_come_before_new_cards_and_most_at_risk_first(begin: Begin) -> None:
    study = begin(t=("", plain(60)))
    memories = overdue(study, 50)
    today = study.plan()
    assert set(today.reviews) == set(memories) and len(today.new) == 10 and not today.backlog
    assert today.ids == [*today.reviews, *today.new]
    risks = [study.progress.scheduler.recall(memories[name], elapsed(study, name)) for name in today.reviews]
    assert risks == sorted(risks) and risks[0] < 0.85 < risks[-1]


def test_what_was_wrong_today_comes_first(begin: Begin) -> None:
    study = begin(t=("", plain(10)))
    study.remember("t/q001", 3.0, 9, 5)
    study.answer("t/q005", Rating.AGAIN)
    assert study.plan().ids[:2] == ["t/q005", "t/q001"]


def test_cards_that_are_not_due_suspended_buried_or_gone_are_not_reviewed(begin: Begin) -> None:
    study = begin(t=("", plain(6)))
    for number in range(5):
        study.remember(f"t/q00{number}", 3.0, 9, -1 if number == 4 else 5)
    study.log.db.execute("UPDATE card SET suspended = 1 WHERE card = 'dl:t/q000'")
    study.log.db.execute(f"UPDATE card SET buried = {DAY + 1} WHERE card = 'dl:t/q001'")
    study.log.db.execute("UPDATE card SET kind = NULL WHERE card = 'dl:t/q002'")
    assert study.plan(new=0).ids == ["t/q003"]
    assert next_due(study.progress, Selection()) == DAY + 1


@pytest.mark.parametrize("limit", [1, 2, 4, 7, 9, 30])
def test_a_limit_bounds_the_whole_and_takes_from_the_end(begin: Begin, limit: int) -> None:
    study = begin(t=("", plain(30)))
    overdue(study, 5)
    study.answer("t/q010", Rating.AGAIN)
    study.answer("t/q011", Rating.AGAIN)
    whole = study.plan(new=4)
    some = study.plan(limit=limit, new=4)
    assert len(whole.ids) == 2 + 5 + 4
    assert some.ids == whole.ids[:limit]


@pytest.mark.parametrize("backlog", [False, True])
def test_a_session_has_the_cards_most_at_risk_and_says_how_many_wait(
    begin: Begin, backlog: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studying, "SITTING", 8)
    monkeypatch.setattr(studying, "BACKLOG", 10 if backlog else 100)
    study = begin(t=("", plain(20)))
    for number in range(20):
        study.remember(f"t/q{number:03}", 5.0, 6 + number, 1)
    today = study.plan(new=0)
    assert today.backlog is backlog and today.waiting == 12
    assert sorted(today.reviews) == [f"t/q{number:03}" for number in range(12, 20)]
    assert study.plan(limit=3, new=0).waiting == 17
    assert counted(study).due == 20


def test_siblings_stand_apart_in_a_session(begin: Begin) -> None:
    """Twenty pairs, the two of each equally at risk."""
    study = begin(t=("", [Q(f"q{number:02}", proof=f"p{number // 2}") for number in range(40)]))
    with study.log.writing():
        for number in range(40):
            study.remember(f"t/q{number:02}", 5.0 + number // 2 * 0.1, 9, 3)
    order = study.plan(new=0).reviews
    places = {name: place for place, name in enumerate(order)}
    gaps = [abs(places[f"t/q{number:02}"] - places[f"t/q{number + 1:02}"]) for number in range(0, 40, 2)]
    assert len(order) == 40 and min(gaps) > APART
    assert all(abs(place - int(name[3:])) <= 4 for name, place in places.items())


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40))
def test_moving_siblings_apart_loses_and_doubles_nothing(groups: list[str]) -> None:
    questions = [f"{group}{place}" for place, group in enumerate(groups)]
    ties = {name: {name[0]} for name in questions}
    order = siblings_apart(questions, ties)
    assert sorted(order) == sorted(questions)
    for group in set(groups):
        assert [name for name in order if name[0] == group] == [name for name in questions if name[0] == group]
    if len(set(groups)) == len(groups):
        assert order == questions


@pytest.mark.parametrize("front", ["xyzuvwAA", "AxyzuvwA", "xyzuvwAAA", "xyzuvwpqAABB", "AAxyzBuvwB"])
def test_the_last_of_a_session_stand_apart_too(front: str) -> None:
    """Capitals are siblings; what stands between them comes from further in front."""
    questions = [f"{group}{place}" for place, group in enumerate(front)]
    ties = {name: {name[0]} for name in questions}
    order = siblings_apart(questions, ties)
    assert sorted(order) == sorted(questions)
    apart = [
        second - first
        for group in "AB"
        for first, second in pairwise(place for place, name in enumerate(order) if name[0] == group)
    ]
    assert min(apart) > APART


# --- A backlog ---------------------------------------------------------------------------------------


def saved_by_py_fsrs(memory: Memory, since: int, horizon: int = 30) -> float:
    """Days of recall that a review today saves over the horizon, by the reference: summed over each day."""
    scheduler = fsrs.Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    card = fsrs.Card(
        state=fsrs.State.Review,
        stability=memory.stability,
        difficulty=memory.difficulty,
        last_review=now - timedelta(days=since),
    )

    def total(of: fsrs.Card) -> float:
        return sum(scheduler.get_card_retrievability(of, now + timedelta(days=day)) for day in range(horizon))

    recall = scheduler.get_card_retrievability(card, now)
    good, bad = (scheduler.review_card(card, rating, now)[0] for rating in (fsrs.Rating.Good, fsrs.Rating.Again))
    return recall * total(good) + (1 - recall) * total(bad) - total(card)


def area(order: Iterable[str], worth: Mapping[str, float], cost: Mapping[str, float]) -> float:
    """What an order has saved, summed over every second of the session: more the earlier the better things come."""
    total = sum(cost[name] for name in worth)
    passed = saved = 0.0
    for name in order:
        passed += cost[name]
        saved += worth[name] * (total - passed + cost[name] / 2)
    return saved


def kinds(count: int) -> list[Q]:
    return [Q(f"q{number:03}", kind=("choice", "open", "number")[number % 3]) for number in range(count)]


def worth_and_cost(study: Study, memories: Mapping[str, Memory]) -> tuple[dict[str, float], dict[str, float]]:
    worth = {name: saved_by_py_fsrs(memory, elapsed(study, name)) for name, memory in memories.items()}
    cost = {}
    for name in memories:
        entry = study.library.entry(name)
        assert entry is not None
        cost[name] = SECONDS[entry.kind]
    return worth, cost


@pytest.mark.parametrize("seed", range(6))
def test_of_all_orders_of_a_small_backlog_none_saves_more_recall_per_minute(
    begin: Begin, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """720 orders, valued by py-fsrs: what is planned comes within a percent of the best of them."""
    monkeypatch.setattr(studying, "BACKLOG", 3)
    study = begin(t=("", kinds(6)))
    memories = overdue(study, 6, seed)
    study.log.db.execute("UPDATE card SET back = ?", (DAY - 1,))
    worth, cost = worth_and_cost(study, memories)
    today = study.plan(new=0)
    assert today.backlog and set(today.reviews) == set(memories)
    areas = [area(order, worth, cost) for order in permutations(memories)]
    best, mean = max(areas), statistics.fmean(areas)
    assert area(today.reviews, worth, cost) >= best - 0.01 * (best - min(areas))
    assert area(today.reviews, worth, cost) > mean


def test_a_backlog_is_ordered_better_than_by_due_day_or_by_chance(begin: Begin) -> None:
    """After so many minutes of it, whenever one stops."""
    study = begin(t=("", kinds(150)))
    memories = overdue(study, 150, 1)
    with study.log.writing():
        for number, name in enumerate(memories):
            day = DAY - 1 - number % 40
            study.log.db.execute("UPDATE card SET due = ?, back = ? WHERE card = ?", (day, day, card_of(name)))
    worth, cost = worth_and_cost(study, memories)
    today = study.plan(new=0)
    assert today.backlog and sorted(today.reviews) == sorted(memories)

    def saved_within(order: Sequence[str], seconds: float) -> float:
        saved = 0.0
        for name in order:
            seconds -= cost[name]
            if seconds < 0:
                break
            saved += worth[name]
        return saved

    by_due = sorted(memories, key=lambda name: study.progress.state(name).due or 0)
    by_chance = [random.Random(seed).sample(sorted(memories), 150) for seed in range(20)]
    for minutes in (5, 10, 20, 40, 60):
        ours = saved_within(today.reviews, 60 * minutes)
        assert ours > 1.1 * saved_within(by_due, 60 * minutes)
        assert ours > 1.1 * max(saved_within(order, 60 * minutes) for order in by_chance)


@pytest.mark.parametrize(("count", "backlog"), [(100, False), (101, True)])
def test_more_than_a_hundred_overdue_cards_are_a_backlog(begin: Begin, count: int, backlog: bool) -> None:
    study = begin(t=("", plain(130)))
    with study.log.writing():
        for number in range(130):
            study.remember(f"t/q{number:03}", 3.0, 9, 5 if number < count else 0)
    assert study.plan(new=0).backlog is backlog


# --- Counts ------------------------------------------------------------------------------------------


def counted(study: Study) -> Counts:
    return counts(study.progress, study.library)


def assert_counts_are_the_plan(study: Study) -> None:
    found, today = counted(study), study.plan()
    assert (found.due, found.again, found.new) == (len(today.reviews), len(today.again), len(today.new))


def test_counts_are_those_of_the_plan_on_any_day(begin: Begin) -> None:
    study, chance = begin(a=("", plain(12)), b=("a", plain(12))), random.Random(3)
    study.set("new", 5)
    for _ in range(25):
        for name in study.plan().ids[: chance.randint(0, 12)]:
            study.answer(name, chance.choice([Rating.AGAIN, Rating.GOOD, Rating.EASY]))
            assert_counts_are_the_plan(study)
        study.clock.move(hours=chance.choice([8, 24, 50]))
        assert_counts_are_the_plan(study)


def test_counts_leave_out_reviews_that_are_put_away(begin: Begin) -> None:
    study = begin(t=("", plain(8)))
    for number in range(6):
        study.remember(f"t/q00{number}", 3.0, 9, 5)
    study.note(events.SUSPEND, "t/q006")
    study.log.db.execute("UPDATE card SET suspended = 1 WHERE card = 'dl:t/q000'")
    study.log.db.execute(f"UPDATE card SET buried = {DAY + 1} WHERE card = 'dl:t/q001'")
    assert counted(study).due == 4 == len(study.plan().reviews)


def test_counts_leave_out_new_cards_that_are_put_away(begin: Begin) -> None:
    study = begin(t=("", plain(4)))
    study.note(events.SUSPEND, "t/q000")
    study.note(events.BURY, "t/q001")
    assert_counts_are_the_plan(study)
    assert counted(study).new == 2


def test_counts_leave_out_siblings_that_wait_until_tomorrow(begin: Begin) -> None:
    study = begin(t=("", [Q(f"q{number}", proof="root-n") for number in range(4)]))
    assert_counts_are_the_plan(study)
    study.answer("t/q0")
    assert_counts_are_the_plan(study)


# --- Missed ------------------------------------------------------------------------------------------


def test_missed_questions_are_those_whose_newest_answer_was_wrong_the_newest_day_first(begin: Begin) -> None:
    study = begin(t=("", [*plain(5), Q("num", kind="number")]), u=("", plain(1)))
    for name, *ratings in (
        ("t/q000", 1),
        ("t/q001", 1, 3),
        ("t/q002", 3, 1),
        ("t/num", 1),
        ("u/q000", 1),
        ("t/q003", 3),
    ):
        for rating in ratings:
            study.answer(name, Rating(rating))
        study.clock.move(days=1)
    found = missed_questions(study.progress, study.library, Selection())
    assert found == ["u/q000", "t/num", "t/q002", "t/q000"]
    assert missed_questions(study.progress, study.library, Selection(("t",), kind="choice")) == ["t/q002", "t/q000"]


# --- A session ---------------------------------------------------------------------------------------


def sit(study: Study, wrong: Callable[[str, int], bool]) -> list[str]:
    """What is asked when today's plan is studied to its end; `wrong` is told how often a question was asked before."""
    keeper = ProgressKeeper(study.progress, study.library, None, study=True)
    session = Session(study.plan().ids, study.library.question, "seed", study.clock.now.timestamp, keeper)
    asked = list[str]()
    while (question := session.next()) is not None:
        name, body = question.question.id, question.question.body
        assert isinstance(body, Choice)
        session.submit(Chosen(frozenset({1}) if wrong(name, asked.count(name)) else body.right))
        session.accept()
        asked.append(name)
    return asked


def test_a_wrong_card_comes_again_after_five_others(begin: Begin) -> None:
    asked = sit(begin(t=("", plain(12))), lambda name, before: name == "t/q001" and before == 0)
    assert [place for place, name in enumerate(asked) if name == "t/q001"] == [1, 7] and len(asked) == 13


def test_a_wrong_card_comes_again_sooner_where_there_are_fewer_others(begin: Begin) -> None:
    asked = sit(begin(t=("", plain(3))), lambda name, before: name == "t/q001" and before == 0)
    assert asked == ["t/q000", "t/q001", "t/q002", "t/q001"]


def test_a_card_that_stays_wrong_comes_again_three_times_and_then_tomorrow(begin: Begin) -> None:
    study = begin(t=("", plain(4)))
    asked = sit(study, lambda name, _: name == "t/q001")
    assert Counter(asked) == {"t/q000": 1, "t/q001": 4, "t/q002": 1, "t/q003": 1}
    assert study.plan().ids == []
    study.clock.move(days=1)
    assert "t/q001" in study.plan().reviews


# --- A day that ended wrong --------------------------------------------------------------------------


def mature(study: Study, name: str) -> None:
    """Answer a card well on the days on which it is due, until it rests for years."""
    for _ in range(6):
        study.answer(name, Rating.EASY)
        due = study.progress.state(name).due
        assert due is not None
        study.clock.move(days=due - study.progress.today())


def test_a_mature_card_whose_day_ended_wrong_comes_back_tomorrow(begin: Begin) -> None:
    study = begin(t=("", plain(3)))
    mature(study, "t/q000")
    study.answer("t/q000", Rating.AGAIN)
    state = study.progress.state("t/q000")
    assert state.due is not None and state.due > study.progress.today() + 1, "FSRS alone would wait longer"
    study.clock.move(days=1)
    assert "t/q000" in study.plan(new=0).reviews


def test_a_right_answer_later_that_day_gives_the_card_its_interval(begin: Begin) -> None:
    study = begin(t=("", plain(3)))
    mature(study, "t/q000")
    study.answer("t/q000", Rating.AGAIN)
    study.answer("t/q000", Rating.GOOD)
    state = study.progress.state("t/q000")
    assert state.back == state.due
    study.clock.move(days=1)
    assert study.plan(new=0).reviews == ()
