"""When a card comes back, against the engine, against py-fsrs and Anki, and against closed forms."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import fsrs
import fsrs.scheduler as py_fsrs
import fsrs_rs_python
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli import scheduling
from quizcli.scheduling import (
    LONGEST,
    Memory,
    Scheduler,
    day_as_date,
    default_weights,
    fuzz_bounds,
    fuzzed,
    study_day,
    whole_days,
)
from quizcli.vocabulary import Rating

START = datetime(2026, 1, 1, tzinfo=UTC)
RETENTIONS = st.floats(0.70, 0.97)
MEMORIES = st.builds(Memory, st.floats(0.015625, 36_500, width=32), st.floats(1, 10, width=32))
INTERVALS = st.floats(0, 50_000)
CHANCES = st.integers(0, 10**6).map(random.Random)


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip("this system has no time zone data")


def some_weights(chance: random.Random) -> tuple[float, ...]:
    """Weights around the defaults, inside FSRS's bounds."""
    bounds = zip(py_fsrs.LOWER_BOUNDS_PARAMETERS, py_fsrs.UPPER_BOUNDS_PARAMETERS, strict=True)
    return tuple(
        min(high, max(low, weight * math.exp(chance.gauss(0, 0.3))))
        for weight, (low, high) in zip(py_fsrs.DEFAULT_PARAMETERS, bounds, strict=True)
    )


# --- The same as others ------------------------------------------------------------------------------


@given(st.none() | MEMORIES, st.sampled_from(Rating), st.integers(0, 3000), RETENTIONS, CHANCES)
def test_a_review_is_what_the_engine_makes_of_it(
    memory: Memory | None, rating: Rating, elapsed: int, retention: float, chance: random.Random
) -> None:
    weights = chance.choice([None, some_weights(chance)])
    engine = fsrs_rs_python.FSRS(list(weights or fsrs_rs_python.DEFAULT_PARAMETERS))
    before = None if memory is None else fsrs_rs_python.MemoryState(memory.stability, memory.difficulty)
    state = getattr(engine.next_states(before, retention, elapsed), rating.name.lower())
    ours = Scheduler(weights, retention).review(memory, rating, elapsed, "dl:a/b", 0)
    assert (ours.memory.stability, ours.memory.difficulty) == (state.memory.stability, state.memory.difficulty)
    assert ours.exact == state.interval
    assert fuzz_bounds(ours.exact)[0] <= ours.days <= fuzz_bounds(ours.exact)[1]


def test_thousands_of_histories_are_scheduled_as_py_fsrs_does() -> None:
    """Two differences are known: the engine ends stability at 36,500 days (such histories end there), and its floats
    are of 32 bits, so that an interval within their error of a half may be rounded the other way."""
    reviews, ended, halves = 0, 0, 0
    for seed in range(2500):
        chance = random.Random(seed)
        weights = None if seed % 2 else some_weights(chance)
        retention = chance.choice([0.70, 0.80, 0.90, 0.95, 0.97, chance.uniform(0.70, 0.97)])
        ours = Scheduler(weights, retention)
        theirs = fsrs.Scheduler(weights or py_fsrs.DEFAULT_PARAMETERS, retention, (), (), LONGEST, False)
        card, memory, day, days = fsrs.Card(), None, 0, 0
        for repetition in range(chance.randint(1, 12)):
            elapsed = 0 if memory is None else chance.choice([days, chance.randint(0, 2 * days), chance.randint(1, 4)])
            day += elapsed
            rating = chance.choice([*Rating, Rating.GOOD, Rating.GOOD])
            card, _ = theirs.review_card(card, fsrs.Rating(int(rating)), START + timedelta(days=day))
            assert card.stability is not None and card.difficulty is not None and card.last_review is not None
            if card.stability > LONGEST:
                ended += 1
                break
            found = ours.review(memory, rating, elapsed, "dl:a/b", repetition)
            reviews += 1
            assert found.memory.stability == pytest.approx(card.stability, rel=5e-5)
            assert found.memory.difficulty == pytest.approx(card.difficulty, rel=5e-5)
            days, expected = whole_days(found.exact), (card.due - card.last_review).days
            if days != expected:
                assert abs(found.exact % 1 - 0.5) < 5e-5 * found.exact and abs(days - expected) == 1
                halves += 1
            memory = found.memory
    assert reviews > 12_000 and ended < 150 and halves <= 10


def test_first_intervals_are_the_published_ones() -> None:
    """FSRS-6's default weights: first stabilities of 0.212, 1.2931, 2.3065 and 8.2956 days."""
    first = [Scheduler().review(None, rating, 0, "dl:a/b", 0) for rating in Rating]
    assert [round(found.memory.stability, 4) for found in first] == [0.212, 1.2931, 2.3065, 8.2956]
    assert [whole_days(found.exact) for found in first] == [1, 1, 2, 8]
    assert len(default_weights()) == 21


@pytest.mark.skipif("DLQUIZ_ANKI" not in os.environ, reason="DLQUIZ_ANKI names a Python that has anki installed")
def test_histories_are_scheduled_as_anki_does(tmp_path: Path) -> None:
    """Memories to the bit. Three differences of days are known: Anki asks again within the day where FSRS's interval is
    below half a day, keeps Good a day above Hard and Easy a day above Good, and keeps the last interval where fuzz
    could have led up to it."""
    chance = random.Random(1)
    histories = [
        (
            [
                (chance.choice([1, 2, 5, 20, 60]) if place else 0, chance.choice([1, 2, 3, 3, 4]))
                for place in range(chance.randint(1, 8))
            ],
            chance.choice([1, 3, 10, 40, 200]),
        )
        for _ in range(500)
    ]
    script = str(Path(__file__).parent / "anki_schedule.py")
    run = subprocess.run(
        [os.environ["DLQUIZ_ANKI"], script, str(tmp_path)],
        input=json.dumps(histories),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    scheduler, compared = Scheduler(), 0
    for (reviews, since), anki in zip(histories, json.loads(run.stdout), strict=True):
        memory = None
        for repetition, (elapsed, grade) in enumerate(reviews):
            memory = scheduler.review(memory, Rating(grade), elapsed, "dl:a/b", repetition).memory
        assert memory is not None and [memory.stability, memory.difficulty] == anki["memory"]
        least = 1
        for rating in Rating:
            ours = scheduler.review(Memory(*anki["kept"]), rating, since, "dl:a/b", 0)
            stability, difficulty, days = anki["after"][rating.name.lower()]
            assert (ours.memory.stability, ours.memory.difficulty) == (stability, difficulty)
            if rating is Rating.AGAIN:
                assert days == (whole_days(ours.exact) if ours.exact >= 0.5 else pytest.approx(ours.exact, abs=1e-4))
            else:
                within_reach = since <= fuzz_bounds(ours.exact)[1]
                assert days == max(least, whole_days(ours.exact), since if within_reach else 1)
                least = days + 1
            compared += 1
    assert compared == 2000


# --- Fuzz --------------------------------------------------------------------------------------------


def bounds_of_py_fsrs(days: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """What py-fsrs's own fuzz chooses by the lowest and the highest chance; the latter is a day above its bound."""
    found = []
    for chance in (0.0, 1 - 1e-12):
        monkeypatch.setattr(py_fsrs, "random", lambda chance=chance: chance)
        found.append(fsrs.Scheduler()._get_fuzzed_interval(interval=timedelta(days=days)).days)
    low, over = found
    return (low, over) if days < 3 else (low, min(LONGEST, over) - (over < LONGEST))


def test_fuzz_has_the_bounds_of_py_fsrs(monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (*range(1, 400), *range(400, 34_000, 97)):
        assert fuzz_bounds(float(days)) == bounds_of_py_fsrs(days, monkeypatch), days


@given(INTERVALS, st.text(max_size=20), st.integers(0, 100))
def test_fuzz_stays_in_its_bounds_around_the_interval(exact: float, card: str, repetition: int) -> None:
    low, high = fuzz_bounds(exact)
    assert 1 <= low <= fuzzed(exact, card, repetition) <= high <= LONGEST
    assert low <= whole_days(exact) <= high
    if exact < 2.5:
        assert low == high


def test_fuzz_is_the_same_for_the_same_card_and_repetition_everywhere() -> None:
    """Replay rests on it: these values hold for ever, on every machine and in every Python."""
    places = [("dl:zero-initialization/symmetry", 0), ("dl:zero-initialization/symmetry", 1), ("dl:softmax/shift", 0)]
    assert [[fuzzed(exact, *place) for place in places] for exact in (8.3, 30.0, 365.0)] == [
        [9, 10, 8],
        [32, 31, 29],
        [373, 384, 361],
    ]


def test_fuzz_leaves_the_global_generator_alone() -> None:
    before = random.getstate()
    fuzzed(100.0, "dl:a/b", 3)
    assert random.getstate() == before


def test_fuzz_spreads_cards_evenly() -> None:
    low, high = fuzz_bounds(30.0)
    places = high - low + 1
    for seeds in ([(f"dl:a/q{number}", 2) for number in range(4000)], [("dl:a/b", number) for number in range(4000)]):
        days = Counter(fuzzed(30.0, *seed) for seed in seeds)
        assert set(days) == set(range(low, high + 1))
        assert all(abs(count - 4000 / places) < 5 * math.sqrt(4000 / places) for count in days.values())
    assert statistics.fmean(fuzzed(30.0, f"dl:a/q{number}", 0) for number in range(4000)) == pytest.approx(30, abs=0.2)


def test_cards_that_were_learned_together_come_apart() -> None:
    scheduler, memory = Scheduler(), Memory(30.0, 5.0)
    days = {scheduler.review(memory, Rating.GOOD, 30, f"dl:a/q{number}", 3).days for number in range(40)}
    assert len(days) >= 8


# --- Guards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retention", [0.0, 0.69, 0.699999, 0.9700001, 1.0, 1.5, -0.9, math.inf, math.nan])
def test_a_retention_out_of_range_is_refused(retention: float) -> None:
    with pytest.raises(ValueError, match=r"desired retention must be 0\.7 to 0\.97"):
        Scheduler(retention=retention)


def test_the_ends_of_the_range_of_retention_are_allowed() -> None:
    days = [
        Scheduler(retention=retention).review(Memory(10.0, 5.0), Rating.GOOD, 10, "dl:a/b", 0).exact
        for retention in (0.70, 0.97)
    ]
    assert days[0] > days[1] > 0


@pytest.mark.parametrize(
    "weights",
    [
        (),
        fsrs_rs_python.DEFAULT_PARAMETERS[:19],
        fsrs_rs_python.DEFAULT_PARAMETERS[:20],
        [*fsrs_rs_python.DEFAULT_PARAMETERS, 1.0],
        [*fsrs_rs_python.DEFAULT_PARAMETERS[:20], math.nan],
        [math.inf, *fsrs_rs_python.DEFAULT_PARAMETERS[1:]],
        [*fsrs_rs_python.DEFAULT_PARAMETERS[:5], -math.inf, *fsrs_rs_python.DEFAULT_PARAMETERS[6:]],
    ],
)
def test_weights_of_another_number_or_not_finite_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="21 finite weights"):
        Scheduler(tuple(weights))


def test_negative_elapsed_days_are_refused() -> None:
    with pytest.raises(ValueError, match="elapsed days cannot be negative: -1"):
        Scheduler().review(Memory(1.0, 5.0), Rating.GOOD, -1, "dl:a/b", 1)


@pytest.mark.parametrize(
    ("stability", "difficulty", "interval"),
    [
        (math.nan, 5.0, 1.0),
        (math.inf, 5.0, 1.0),
        (0.0, 5.0, 1.0),
        (-1.0, 5.0, 1.0),
        (1.0, math.nan, 1.0),
        (1.0, 5.0, math.inf),
        (1.0, 5.0, math.nan),
        (1.0, 5.0, -3.0),
    ],
)
def test_nonsense_from_the_engine_is_refused(
    stability: float, difficulty: float, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        memory = Memory(stability, difficulty)
        good = property(lambda self: self)

        def __init__(self) -> None:
            self.interval = interval

        def next_states(self, *_: object) -> Model:
            return self

    monkeypatch.setattr(scheduling, "_engine", lambda _weights: scheduling._Engine(Model(), Memory))
    with pytest.raises(ValueError, match="FSRS gave the"):
        Scheduler().review(None, Rating.GOOD, 0, "dl:a/b", 0)


@pytest.mark.parametrize(
    ("exact", "days"),
    [(0.0, 1), (0.4, 1), (1.49, 1), (1.5, 2), (2.5, 3), (3.5, 4), (36_500.4, LONGEST), (4e5, LONGEST)],
)
def test_intervals_are_rounded_half_up_to_at_least_one_day(exact: float, days: int) -> None:
    assert whole_days(exact) == days


# --- Recall ------------------------------------------------------------------------------------------


@given(MEMORIES, st.floats(0, 10_000), CHANCES)
def test_recall_is_the_closed_form(memory: Memory, elapsed: float, chance: random.Random) -> None:
    """(1 + f·t/S)^-w, with f such that recall is 0.9 at t = S."""
    weights = some_weights(chance)
    power = weights[20]
    expected = (1 + (0.9 ** (-1 / power) - 1) * elapsed / memory.stability) ** -power
    assert Scheduler(weights).recall(memory, elapsed) == pytest.approx(expected, rel=1e-9)
    assert Scheduler(weights).recall(memory, memory.stability) == pytest.approx(0.9, rel=1e-9)


@given(MEMORIES, st.integers(0, 400), RETENTIONS, CHANCES)
def test_recall_at_the_exact_interval_is_the_desired_retention(
    memory: Memory, elapsed: int, retention: float, chance: random.Random
) -> None:
    scheduler = Scheduler(chance.choice([None, some_weights(chance)]), retention)
    found = scheduler.review(memory, Rating.GOOD, elapsed, "dl:a/b", 1)
    assert scheduler.recall(found.memory, found.exact) == pytest.approx(retention, abs=2e-5)


def test_recall_is_certain_at_first_and_only_falls() -> None:
    scheduler, memory = Scheduler(), Memory(5.0, 5.0)
    falling = [scheduler.recall(memory, day) for day in range(1000)]
    assert falling[0] == 1 and all(later < earlier for earlier, later in pairwise(falling))
    assert scheduler.recall(memory, -3) == 1 and falling[-1] > 0


@pytest.mark.parametrize("power", [0.01, 0.95])
def test_a_weight_that_the_engine_bounds_is_refused_or_bounded_for_recall_too(power: float) -> None:
    """The engine silently takes 0.1 to 0.8 for the power of forgetting; recall has to be on the same curve."""
    try:
        scheduler = Scheduler((*default_weights()[:20], power), 0.8)
    except ValueError:
        return
    found = scheduler.review(Memory(10.0, 5.0), Rating.GOOD, 10, "dl:a/b", 1)
    assert scheduler.recall(found.memory, found.exact) == pytest.approx(0.8, abs=2e-5)


# --- Study days --------------------------------------------------------------------------------------


def day_at(moment: datetime, day_start: int = 4) -> str:
    """The study day, as a date, of a time with a zone."""
    offset = moment.utcoffset()
    assert offset is not None
    day = study_day(round(moment.timestamp() * 1000), int(offset.total_seconds() // 60), day_start)
    return day_as_date(day)


@pytest.mark.parametrize(
    "name", ["UTC", "America/Los_Angeles", "Asia/Tokyo", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
)
@pytest.mark.parametrize(
    ("hour", "minute", "date"),
    [(0, 0, "2026-11-22"), (3, 59, "2026-11-22"), (4, 0, "2026-11-23"), (12, 0, "2026-11-23"), (23, 59, "2026-11-23")],
)
def test_a_study_day_begins_at_four_local_time(name: str, hour: int, minute: int, date: str) -> None:
    assert day_at(datetime(2026, 11, 23, hour, minute, tzinfo=zone(name))) == date


@pytest.mark.parametrize("start", [0, 1, 4, 12, 23])
def test_a_study_day_begins_at_the_hour_that_was_set(start: int) -> None:
    begin = datetime(2026, 11, 23, start, tzinfo=UTC)
    assert day_at(begin, start) == "2026-11-23"
    assert day_at(begin - timedelta(milliseconds=1), start) == "2026-11-22"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29)),
        ("Europe/Berlin", datetime(2026, 10, 25)),
        ("America/New_York", datetime(2026, 3, 8)),
        ("America/New_York", datetime(2026, 11, 1)),
        ("Australia/Lord_Howe", datetime(2026, 4, 5)),
        ("America/Santiago", datetime(2026, 9, 6)),
    ],
)
def test_daylight_saving_leaves_the_study_day_at_four_by_the_wall_clock(name: str, change: datetime) -> None:
    """Every half hour around the change: the date of the wall clock four hours ago, never earlier than before."""
    local = zone(name)
    time = (change - timedelta(days=1)).replace(tzinfo=local).astimezone(UTC)
    seen = []
    for _ in range(150):
        wall = time.astimezone(local).replace(tzinfo=None)
        assert day_at(time.astimezone(local)) == (wall - timedelta(hours=4)).date().isoformat()
        seen.append(day_at(time.astimezone(local)))
        time += timedelta(minutes=30)
    assert seen == sorted(seen) and len(set(seen)) in (4, 5)


def test_a_flight_west_leads_back_to_the_day_before() -> None:
    morning = datetime(2026, 11, 23, 9, tzinfo=zone("Asia/Tokyo"))
    assert day_at(morning) == "2026-11-23"
    assert day_at(morning.astimezone(zone("America/Los_Angeles"))) == "2026-11-22"


@given(st.integers(-(10**12), 4 * 10**12), st.integers(-14 * 60, 14 * 60), st.integers(0, 23), st.integers(1, 10**11))
def test_a_clock_set_back_never_gives_a_later_study_day(at: int, offset: int, start: int, back: int) -> None:
    day = study_day(at, offset, start)
    assert study_day(at - back, offset, start) <= day
    assert study_day(at + 86_400_000, offset, start) == day + 1


@given(st.integers(-50_000, 50_000))
def test_a_study_day_is_a_date(day: int) -> None:
    """Days before 1970 included, where the system's own functions may refuse."""
    assert day_as_date(day) == (datetime(1970, 1, 1) + timedelta(days=day)).date().isoformat()
