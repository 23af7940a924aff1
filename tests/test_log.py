"""The log on disk: what follows from it is exact, logs merge, and a file that cannot be used is left as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quizcli.errors import QuizError
from quizcli.progress import events
from quizcli.progress.events import Draft, Event
from quizcli.progress.log import BankCard, Log, LogError
from quizcli.progress.progress import SETTINGS, Progress
from quizcli.scheduling import default_weights, study_day
from quizcli.vocabulary import Rating
from tests.logs import (
    DAY,
    NOON,
    Clock,
    all_events,
    answer,
    card_rows,
    holdings,
    is_sound,
    live,
    open_log,
    replayed,
    small_log,
)

CARDS: Final = ("dl:a/one", "dl:a/two", "dl:b/three", "dl:b/removed")
FORMER: Final = {"dl:a/first": "dl:a/one", "dl:z/second": "dl:a/two", "dl:z/deux": "dl:a/two"}
NAMES: Final = (*CARDS, *FORMER, "mine:x/y")
BANKS: Final = (
    ("no renames", CARDS, {}),
    ("renamed", CARDS[:3], FORMER),
    ("renamed once", CARDS, {"dl:a/first": "dl:a/one"}),
    ("merged", CARDS[:2], {**FORMER, "dl:b/three": "dl:a/one"}),
)


def adopt(log: Log, bank: int) -> None:
    """Make the log aware of one of the banks."""
    stamp, cards, former = BANKS[bank]
    log.adopt(
        stamp,
        lambda: [BankCard(card, card[3:4], "choice", rank, 1, 0) for rank, card in enumerate(cards)],
        lambda: former,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    opened = open_log(tmp_path / "log.sqlite", clock)
    yield opened
    opened.close()


# --- Any sequence of actions -------------------------------------------------------------------------


class Logs(RuleBasedStateMachine):
    """A laptop and a desktop, both used as it comes. Of each: what its state was before each action since the last
    merge, so that undo can be compared with it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dlquiz-logs-"))
        self.clock = Clock()
        self.logs = [open_log(self.folder / f"{number}.sqlite", self.clock) for number in range(2)]
        self.before: list[list[dict[str, Any]]] = [[], []]
        self.bank = 0

    def teardown(self) -> None:
        try:
            self.ends_the_same_everywhere()
        finally:
            for log in self.logs:
                log.close()
            shutil.rmtree(self.folder)

    def ends_the_same_everywhere(self) -> None:
        """Both ways round: the same events, the same states, and nothing new the second time."""
        one, two = self.logs
        for _ in range(2):
            one.merge(all_events(two))
            two.merge(all_events(one))
        assert one.merge(all_events(two)) == two.merge(all_events(one)) == 0
        assert all_events(one) == all_events(two)
        assert holdings(one) == holdings(two)
        for log in self.logs:
            kept = holdings(log)
            assert log.rebuild() == 0
            adopt(log, self.bank)
            assert holdings(log) == kept and is_sound(log)

    @contextmanager
    def acting(self, which: int) -> Iterator[Progress]:
        self.before[which].append(holdings(self.logs[which]))
        yield Progress(self.logs[which])

    @initialize(bank=st.integers(0, len(BANKS) - 1))
    def begin(self, bank: int) -> None:
        self.take_another_bank(bank)

    @rule(hours=st.integers(-200, 300), offset=st.sampled_from([-480, 0, 0, 345, 540]))
    def time_passes_or_the_clock_is_set_back(self, hours: int, offset: int) -> None:
        self.clock.move(hours=hours)
        self.clock.offset = offset

    @rule(which=st.integers(0, 1), card=st.sampled_from(NAMES), rating=st.sampled_from(Rating))
    def answers(self, which: int, card: str, rating: Rating) -> None:
        with self.acting(which) as progress:
            values = {"retention": progress.values["retention"], "weights": progress.weights}
            progress.log.append(Draft(events.ANSWER, card, rating, body={"drawn": {"k": 3}}, **values))

    @rule(
        which=st.integers(0, 1),
        card=st.sampled_from(NAMES),
        kind=st.sampled_from([*events.CARD_KINDS[1:], "teleport"]),
    )
    def acts_on_a_card(self, which: int, card: str, kind: str) -> None:
        with self.acting(which) as progress:
            progress.log.append(Draft(kind, card, body={"text": "é\n{x}"}))

    @rule(which=st.integers(0, 1), retention=st.sampled_from([0.7, 0.85, 0.97]), new=st.integers(0, 30))
    def changes_settings(self, which: int, retention: float, new: int) -> None:
        for name, value in (("retention", retention), ("new", float(new))):
            with self.acting(which) as progress:
                progress.set(SETTINGS[name], value)

    @rule(which=st.integers(0, 1), factor=st.sampled_from([None, 0.9, 1.2]))
    def changes_parameters(self, which: int, factor: float | None) -> None:
        with self.acting(which) as progress:
            weights = None if factor is None else [weight * factor for weight in default_weights()[:4]]
            progress.set_weights(weights and [*weights, *default_weights()[4:]], {"reviews": 1000})

    @rule(
        which=st.integers(0, 1),
        cards=st.sets(st.sampled_from(NAMES), min_size=1),
        retention=st.sampled_from([0.7, 0.95]),
    )
    def reschedules_cards_as_one_action(self, which: int, cards: set[str], retention: float) -> None:
        with self.acting(which) as progress:
            kinds = (events.RESCHEDULE, events.SUSPEND)
            drafts = [Draft(kinds[len(card) % 2], card, retention=retention) for card in sorted(cards)]
            assert len(progress.log.append_all(drafts)) == len(cards)

    @rule(which=st.integers(0, 1), times=st.integers(1, 6))
    def undoes(self, which: int, times: int) -> None:
        log = self.logs[which]
        for _ in range(times):
            expected = log.newest_action()
            undone = Progress(log).undo()
            assert undone == expected
            if undone is not None:
                assert undone.machine == log.machine
            if self.before[which]:
                assert undone is not None and holdings(log) == self.before[which].pop()

    @rule(which=st.integers(0, 1))
    def restarts(self, which: int) -> None:
        log = self.logs[which]
        kept, kept_events = holdings(log), all_events(log)
        log.close()
        self.logs[which] = log = open_log(log.path, self.clock)
        assert (holdings(log), all_events(log)) == (kept, kept_events)

    @rule(into=st.integers(0, 1), share=st.sampled_from([1.0, 1.0, 0.5]))
    def merges(self, into: int, share: float) -> None:
        """The other log's events, all of them or any half, in any order."""
        others = all_events(self.logs[1 - into])
        chance = random.Random(len(others))
        some = chance.sample(others, round(share * len(others)))
        known = {event.id for event in all_events(self.logs[into])}
        assert self.logs[into].merge(some) == len({event.id for event in some} - known)
        self.before[into].clear()

    @rule()
    def merging_is_commutative_and_idempotent(self) -> None:
        copies = [open_log(self.copied(log), self.clock) for log in self.logs]
        for one, other in zip(copies, reversed(self.logs), strict=True):
            one.merge(all_events(other))
            merged = holdings(one), all_events(one)
            assert one.merge(all_events(other)) == 0 and (holdings(one), all_events(one)) == merged
        assert all_events(copies[0]) == all_events(copies[1])
        assert holdings(copies[0]) == holdings(copies[1])
        for log in copies:
            log.close()

    def copied(self, log: Log) -> Path:
        path = log.path.with_suffix(".copy")
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as copy:
            log.db.backup(copy)
        return path

    @rule(bank=st.integers(0, len(BANKS) - 1))
    def take_another_bank(self, bank: int) -> None:
        """The app was updated, on both machines: cards have new names, or are gone."""
        self.bank = bank
        for which, log in enumerate(self.logs):
            counted = len(all_events(log))
            adopt(log, bank)
            assert len(all_events(log)) == counted
            self.before[which].clear()

    @invariant()
    def replay_gives_the_state_that_is_live(self) -> None:
        for log in self.logs:
            assert replayed(log) == live(log)

    @invariant()
    def the_bank_knows_which_cards_are_new(self) -> None:
        for log in self.logs:
            met = {state.card for state in log.states("introduced IS NOT NULL")}
            marked = log.db.execute("SELECT card, introduced FROM bank_card")
            assert all(introduced == (card in met) for card, introduced in marked)
            kinds = dict(log.db.execute("SELECT card, kind FROM card"))
            assert kinds == {card: "choice" if card in BANKS[self.bank][1] else None for card in kinds}


TestLogs = Logs.TestCase
TestLogs.settings = settings(
    max_examples=30 if settings.default.max_examples < 100 else 500, stateful_step_count=25, deadline=None
)


# --- Undo --------------------------------------------------------------------------------------------


def test_undo_goes_back_to_the_beginning_across_restarts(tmp_path: Path, clock: Clock) -> None:
    path, states = tmp_path / "log.sqlite", []
    for step in range(12):
        log = open_log(path, clock)
        adopt(log, 0)
        states.append(holdings(log))
        log.append(answer(CARDS[step % 3], Rating(step % 4 + 1)) if step % 5 else Draft(events.SUSPEND, CARDS[0]))
        log.close()
        clock.move(hours=11)
    for state in reversed(states):
        log = open_log(path, clock)
        assert log.undo() is not None
        assert holdings(log) == state
        log.close()
    log = open_log(path, clock)
    assert log.undo() is None and len(all_events(log)) == 24 and not list(log.events())
    log.close()


def test_undo_takes_back_this_machines_actions_only(tmp_path: Path, log: Log, clock: Clock) -> None:
    other = open_log(tmp_path / "other.sqlite", clock)
    mine = log.append(answer(CARDS[0]))
    clock.move(hours=1)
    theirs = other.append(answer(CARDS[0], Rating.AGAIN))
    log.merge(all_events(other))
    assert log.undo() == mine
    assert log.undo() is None
    assert list(log.events()) == [theirs]
    other.close()


def test_an_undo_that_arrives_before_its_answer_holds(tmp_path: Path, log: Log, clock: Clock) -> None:
    other = open_log(tmp_path / "other.sqlite", clock)
    other.append(answer(CARDS[0]))
    other.undo()
    done, undone = all_events(other)
    log.merge([undone])
    log.merge([done])
    assert live(log) == [] and list(log.events()) == []
    other.close()


def test_undone_events_stay_in_the_log(log: Log) -> None:
    done = log.append(answer(CARDS[0]))
    log.undo()
    kept = all_events(log)
    assert kept[0] == done and (kept[1].kind, kept[1].target) == (events.UNDO, done.id)


def test_an_unknown_kind_is_kept_and_ignored_whatever_it_points_at(log: Log) -> None:
    """A newer version's event may name another one for its own reasons: that is no undo."""
    done = log.append(answer(CARDS[0]))
    before = live(log)
    odd = log.append(Draft("comment", CARDS[0], target=done.id, body={"text": "new in version 9"}))
    assert live(log) == replayed(log) == before
    assert list(log.events()) == [done, odd]
    assert log.rebuild() == 0 and live(log) == before
    assert log.undo() == odd and log.undo() == done


# --- Order and time ----------------------------------------------------------------------------------


def test_events_keep_their_order_when_the_clock_is_set_back(log: Log, clock: Clock) -> None:
    written = []
    for hours in (0, 5, -72, 1, 1, 100, -3):
        clock.move(hours=hours)
        written.append(log.append(answer(CARDS[0])))
    assert all_events(log) == written
    assert [event.sequence for event in written] == [1, 2, 3, 4, 5, 6, 7]
    times = [event.at for event in written]
    assert [event.clock for event in written] == [max(times[: place + 1]) for place in range(7)]
    assert times != sorted(times)


def test_an_event_says_when_by_whose_clock(log: Log, clock: Clock) -> None:
    clock.now, clock.offset = datetime(2026, 11, 23, 18, 30, 0, 125000, tzinfo=UTC), 570
    event = log.append(answer(CARDS[0]), day_start=5)
    assert (event.at, event.offset) == (1795458600125, 570)
    assert event.day == DAY and event.machine == log.machine
    assert log.append(answer(CARDS[0])).day == DAY + 1


def test_ids_and_machines_are_unique(tmp_path: Path, clock: Clock) -> None:
    logs = [open_log(tmp_path / f"{number}.sqlite", clock) for number in range(20)]
    found = [log.append(answer(CARDS[0])).id for log in logs for _ in range(5)]
    assert len(set(found)) == 100 and len({log.machine for log in logs}) == 20
    for log in logs:
        log.close()


def test_an_event_comes_back_as_it_was_written(tmp_path: Path, clock: Clock) -> None:
    body = {
        "drawn": {"kernel": 3, "rate": 0.1, "init": "zero"},
        "said": "σ(Wx)\n\x00'\"",
        "order": [2, 0, 1],
        "value": 1e-300,
    }
    log = open_log(tmp_path / "log.sqlite", clock)
    draft = Draft(events.ANSWER, CARDS[0], Rating.HARD, None, 0.8123456789, tuple(default_weights()), body)
    written = log.append(draft)
    log.close()
    log = open_log(tmp_path / "log.sqlite", clock)
    (found,) = all_events(log)
    assert found == written and dict(found.body) == body and found.weights == default_weights()
    log.close()


def test_today_follows_the_clock_and_the_day_start(log: Log, clock: Clock) -> None:
    clock.now = NOON.replace(hour=2)
    assert (log.today(), log.today(0), log.today(2)) == (DAY - 1, DAY, DAY)


# --- Merging -----------------------------------------------------------------------------------------


def test_answers_of_two_machines_are_one_history(tmp_path: Path, log: Log, clock: Clock) -> None:
    """A review on each of them, three days apart: as if both had been answered on one."""
    other, single = open_log(tmp_path / "other.sqlite", clock), open_log(tmp_path / "single.sqlite", clock)
    for which, rating in ((log, Rating.GOOD), (other, Rating.HARD), (log, Rating.AGAIN)):
        which.append(answer(CARDS[0], rating))
        single.append(answer(CARDS[0], rating))
        clock.move(days=3)
    log.merge(all_events(other))
    other.merge(all_events(log))
    assert live(log) == live(other) == live(single)
    other.close()
    single.close()


def test_logs_in_which_two_events_have_one_place_do_not_merge(tmp_path: Path, log: Log, clock: Clock) -> None:
    """The data folder was copied to another machine: nothing is taken over, and nothing is lost."""
    log.append(answer(CARDS[0]))
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        log.db.backup(copy)
    copied = open_log(tmp_path / "copy.sqlite", clock)
    log.append(answer(CARDS[1]))
    copied.append(answer(CARDS[2]))
    copied.append(answer(CARDS[2]))
    before = all_events(log), card_rows(log)
    with pytest.raises(LogError, match=f"number 2 of machine {log.machine}: these logs do not merge"):
        log.merge(reversed(all_events(copied)))
    assert (all_events(log), card_rows(log)) == before and is_sound(log)
    copied.close()


def test_a_merge_that_is_interrupted_leaves_nothing(tmp_path: Path, log: Log, clock: Clock) -> None:
    other = open_log(tmp_path / "other.sqlite", clock)
    for card in CARDS:
        other.append(answer(card))

    def some() -> Iterator[Event]:
        yield from all_events(other)[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.merge(some())
    assert all_events(log) == [] and live(log) == []
    assert log.merge(all_events(other)) == 4
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        {"rating": 9},
        {"rating": 0},
        {"retention": 0.2},
        {"retention": 7.0},
        {"weights": (1.0, 2.0)},
        {"body": {"x": None}},
    ],
    ids=str,
)
def test_an_event_with_values_from_elsewhere_can_be_kept_and_read(log: Log, change: dict[str, Any]) -> None:
    """Another version may grade or weigh otherwise. Its events must not make the log unusable: they are refused whole
    with a LogError, or kept and read."""
    plain = Event("id", "elsewhere", 1, 1, 1, 0, DAY, events.ANSWER, CARDS[0], Rating.GOOD, None, 0.9, None, {})
    odd = replace(plain, **change)
    log.append(answer(CARDS[0]))
    try:
        log.merge([odd])
    except QuizError:
        assert len(all_events(log)) == 1
        return
    assert len(all_events(log)) == 2
    log.append(answer(CARDS[0]))
    assert live(log) == replayed(log)


# --- The bank ----------------------------------------------------------------------------------------


def test_a_renamed_card_keeps_its_history(tmp_path: Path, log: Log, clock: Clock) -> None:
    plain = open_log(tmp_path / "plain.sqlite", clock)
    for name, days in (("dl:a/first", 1), ("dl:a/first", 3), ("dl:a/first", 0)):
        log.append(answer(name, Rating.HARD))
        plain.append(answer(name, Rating.HARD))
        clock.move(days=days)
    old = log.state("dl:a/first")
    adopt(log, 1)
    renamed = log.state("dl:a/one")
    assert renamed.row()[1:] == old.row()[1:] and log.state("dl:a/first").memory is None
    assert [event.card for event in Progress(log).history("a/one")] == ["dl:a/first"] * 3
    for which, name in ((log, "dl:a/one"), (plain, "dl:a/first")):
        which.append(answer(name))
    assert log.state("dl:a/one").memory == plain.state("dl:a/first").memory
    plain.close()


def test_answers_under_old_and_new_names_are_one_history(log: Log, clock: Clock) -> None:
    """Another machine, not updated yet, still writes under the old name."""
    adopt(log, 1)
    for name in ("dl:a/two", "dl:z/second", "dl:z/deux", "dl:a/two"):
        log.append(answer(name))
        clock.move(days=2)
    (state,) = log.states()
    assert (state.card, state.repetitions) == ("dl:a/two", 4)
    assert log.db.execute("SELECT introduced FROM bank_card WHERE card = 'dl:a/two'").fetchone() == (1,)


def test_a_former_id_that_is_withdrawn_gives_the_history_back(log: Log) -> None:
    log.append(answer("dl:a/first"))
    before = live(log)
    adopt(log, 1)
    adopt(log, 0)
    assert live(log) == before


def test_a_card_that_left_the_bank_keeps_its_events_and_comes_back_with_them(log: Log) -> None:
    adopt(log, 0)
    log.append(answer("dl:b/removed"))
    before = log.state("dl:b/removed")
    adopt(log, 1)
    assert not log.states("kind IS NOT NULL") and len(all_events(log)) == 1
    adopt(log, 0)
    assert log.states("kind IS NOT NULL") == [before]


def test_a_bank_with_the_same_stamp_is_not_read_again(log: Log) -> None:
    adopt(log, 0)

    def unread() -> Any:
        raise AssertionError("the bank was read")

    log.adopt(BANKS[0][0], unread, unread)


def test_rebuilding_counts_and_mends_states_that_are_not_as_the_events_have_it(log: Log) -> None:
    for card in CARDS:
        log.append(answer(card))
    before = live(log)
    log.db.execute("UPDATE card SET due = due + 1 WHERE card = ?", (CARDS[0],))
    log.db.execute("DELETE FROM card WHERE card = ?", (CARDS[1],))
    log.db.execute("UPDATE card SET card = 'dl:no/such' WHERE card = ?", (CARDS[2],))
    assert log.rebuild() == 4
    assert live(log) == before and log.rebuild() == 0


def test_the_study_day_of_an_event_is_kept_as_it_was(log: Log, clock: Clock) -> None:
    """A day start that is changed later moves no answer of the past to another day."""
    clock.now = NOON.replace(hour=2)
    event = log.append(answer(CARDS[0]), day_start=4)
    Progress(log).set(SETTINGS["day-start"], 0)
    assert log.rebuild() == 0 and log.state(CARDS[0]).last == DAY - 1 == event.day
    assert study_day(event.at, event.offset, 0) == DAY


def steps(log: Log, work: Callable[[], Any]) -> int:
    """What the work costs SQLite, in hundreds of its instructions."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    log.db.set_progress_handler(count, 100)
    work()
    log.db.set_progress_handler(None, 0)
    return counted[0]


def test_opening_the_progress_answering_and_undoing_cost_no_more_with_many_events(tmp_path: Path) -> None:
    """A study with a million events begins as fast as one with a few."""
    costs = []
    for number in (200, 4000):
        path = tmp_path / f"{number}.sqlite"
        small_log(path, number)
        log = open_log(path)
        Progress(log).set(SETTINGS["new"], 5)
        work: list[Callable[[], Any]] = [
            lambda log=log: Progress(log),
            lambda log=log: log.append(answer("dl:u/new")),
            lambda log=log: log.undo(),
        ]
        costs.append([steps(log, one) for one in work])
        log.close()
    few, many = costs
    assert all(later <= 2 * earlier + 5 for earlier, later in zip(few, many, strict=True)), costs
