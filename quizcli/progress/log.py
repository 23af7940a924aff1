"""The log on disk: one SQLite file, events only ever added, card states kept beside them as a cache.

Every action is one transaction with one flush to disk (WAL, synchronous=FULL): when `append` returns, it is kept.
Events are ordered by the running maximum of their machine's clock, then machine, then sequence, so that logs of several
machines merge to the same order everywhere.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from quizcli.errors import QuizError
from quizcli.progress import events, schema
from quizcli.progress.events import Clock, Draft, Event
from quizcli.progress.replay import COLUMNS, CardState, Fact, replay
from quizcli.progress.schema import ORDER
from quizcli.scheduling import DAY_START, RETENTION, Scheduler, study_day
from quizcli.storage import transaction
from quizcli.vocabulary import Rating

WAIT = 20.0
"""Seconds to wait for another session that writes."""

_EVENT = "id, machine, sequence, clock, at, offset, day, kind, card, rating, target, retention, weights, body"
_NEWEST = "clock DESC, machine DESC, sequence DESC"

_IN_FORCE = "kind != 'undo' AND NOT EXISTS (SELECT 1 FROM event u WHERE u.target = e.id AND u.kind = 'undo')"
"""What was not undone, of events called e."""


class LogError(QuizError):
    """The log cannot be used as it is."""


class DamagedLogError(LogError):
    """The log's file is damaged; it is left as it is."""


@dataclass(frozen=True, slots=True)
class BankCard:
    """A card as the bank has it: the kind of its question, where its topic stands in the order of needs, its priority,
    its level (0 to 2), and its place in its file."""

    card: str
    topic: str
    kind: str
    rank: int
    priority: int
    level: int
    place: int = 0


class Log:
    """The log of one learner on this machine."""

    def __init__(self, path: Path, clock: Clock, before_migration: Callable[[Path], None] | None = None) -> None:
        """Open the log, made where there is none. Raises LogError with what to do where it cannot be used."""
        self.path = path
        self.clock = clock
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            try:
                self._refuse_newer()
                self._use_wal()
                self.db.execute("PRAGMA synchronous = FULL")
                # An answer fills some ten pages: at SQLite's thousand every hundredth would wait for a checkpoint, too.
                self.db.execute("PRAGMA wal_autocheckpoint = 4000")
                self._bring_up_to_date(before_migration)
                self.machine = str(self.db.execute("SELECT id FROM machine").fetchone()[0])
            except BaseException:
                self.db.close()
                raise

    def close(self) -> None:
        self.db.close()

    # --- Writing -------------------------------------------------------------------------------------

    def append(self, draft: Draft, day_start: int = DAY_START) -> Event:
        """Write one event and the state that follows from it, durably."""
        with self._explained(), self.writing():
            return self._insert(draft, day_start)

    def append_all(self, drafts: Sequence[Draft], day_start: int = DAY_START) -> list[Event]:
        """Write several events as one action: all or none, and `undo` takes them back together.

        The last one stands for the action; its body says under `events` how many belong to it.
        """
        if not drafts:
            return []
        last = replace(drafts[-1], body={**drafts[-1].body, "events": len(drafts)})
        with self._explained(), self.writing():
            return [self._insert(draft, day_start) for draft in (*drafts[:-1], last)]

    def undo(self) -> Event | None:
        """Undo the newest action of this machine that is still in force; returns it, or None where there is none."""
        with self._explained(), self.writing():
            target = self.newest_action()
            if target is None:
                return None
            for event in self._whole(target):
                self._insert(Draft(events.UNDO, card=event.card, target=event.id), DAY_START)
            return target

    def merge(self, others: Iterable[Event]) -> int:
        """Add the events of another log that are not here yet; returns how many were."""
        with self._explained(), self.writing():
            before = self.db.total_changes
            cards: set[str] = set()
            for event in others:
                _refuse_unreadable(event)
                if self._store(event) and event.card is not None:
                    cards.add(event.card)
            added = self.db.total_changes - before
            for card in cards:
                self._refresh(card)
            return added

    def rebuild(self) -> int:
        """Replay every card from its events; returns how many states were not as the events have it."""
        with self._explained(), self.writing():
            kept = {row[0]: row for row in self.db.execute(f"SELECT {', '.join(COLUMNS)}, back FROM card")}
            fresh = {state.card: (*state.row(), state.back) for state in self.replayed()}
            self.db.execute("DELETE FROM card")
            self.db.executemany(_INSERT_CARD, ((*row, card) for card, row in fresh.items()))
            self.db.execute("DELETE FROM bank")
            return sum(kept.get(card) != fresh.get(card) for card in kept.keys() | fresh.keys())

    def adopt(
        self, stamp: str, cards: Callable[[], Iterable[BankCard]], former: Callable[[], Mapping[str, str]]
    ) -> None:
        """Take note of the bank: which cards it has, in which order new ones come, and their former ids.

        Nothing is done, and nothing asked, where the stamp is that of the last time.
        """
        with self._explained():
            if self.db.execute("SELECT stamp FROM bank").fetchone() == (stamp,):
                return
            with self.writing():
                self.db.execute("DELETE FROM bank_card")
                self.db.executemany("INSERT INTO bank_card VALUES (?, ?, ?, ?, ?, ?, ?, 0)", map(astuple, cards()))
                known, names = dict(self.db.execute("SELECT old, card FROM alias")), dict(former())
                self.db.execute("DELETE FROM alias")
                self.db.executemany("INSERT INTO alias VALUES (?, ?)", names.items())
                for old, card in known.items() ^ names.items():
                    self._refresh(old)
                    self._refresh(card)
                self.db.execute(f"UPDATE card SET kind = {_KIND_IN_BANK}")
                self.db.execute(
                    "UPDATE bank_card SET introduced = 1"
                    " WHERE card IN (SELECT card FROM card WHERE introduced IS NOT NULL)"
                )
                self.db.execute("DELETE FROM bank")
                self.db.execute("INSERT INTO bank VALUES (?)", (stamp,))

    # --- Reading -------------------------------------------------------------------------------------

    def today(self, day_start: int = DAY_START) -> int:
        """The study day it is now."""
        now = self.clock()
        return study_day(now.at, now.offset, day_start)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the log; a DamagedLogError where the file cannot be read."""
        with self._explained():
            return self.db.execute(sql, values).fetchall()

    def state(self, card: str) -> CardState:
        """A card's state; a card without events is new."""
        rows = self.query(f"SELECT {', '.join(COLUMNS)} FROM card WHERE card = ?", card)
        return CardState(*rows[0]) if rows else CardState(card)

    def states(self, where: str = "1", *values: object) -> list[CardState]:
        """Card states that fit a condition on their columns."""
        rows = self.query(f"SELECT {', '.join(COLUMNS)} FROM card WHERE {where}", *values)
        return [CardState(*row) for row in rows]

    def events(self, where: str = "1", *values: object, in_force: bool = True) -> Iterator[Event]:
        """Events in the log's order, without those that were undone (and the undoing) unless they are wanted too."""
        force = f" AND {_IN_FORCE}" if in_force else ""
        for row in self.query(f"SELECT {_EVENT} FROM event e WHERE ({where}){force} ORDER BY {ORDER}", *values):
            yield _event(row)

    def newest_action(self) -> Event | None:
        """The newest action of this machine that was not undone."""
        rows = self.query(
            f"SELECT {_EVENT} FROM event e WHERE machine = ? AND {_IN_FORCE} ORDER BY sequence DESC LIMIT 1",
            self.machine,
        )
        return _event(rows[0]) if rows else None

    def newest_of(self, card: str) -> Event | None:
        """The newest event about a card, taken back or not."""
        rows = self.query(f"SELECT {_EVENT} FROM event WHERE card = ? ORDER BY {_NEWEST} LIMIT 1", card)
        return _event(rows[0]) if rows else None

    def replayed(self) -> Iterator[CardState]:
        """Every card's state from its events alone, cards in order."""
        for card, facts in self.facts():
            yield replay(card, facts)

    def facts(self) -> Iterator[tuple[str, list[Fact]]]:
        """Every card with its events in force, those of its former ids among them; cards in order."""
        rows = self.query(
            "SELECT coalesce(a.card, e.card) AS owner, e.card, kind, day, rating, retention, weights FROM event e"
            " LEFT JOIN alias a ON a.old = e.card WHERE e.card IS NOT NULL"
            f" AND {_IN_FORCE} ORDER BY owner, {ORDER}"
        )
        current, facts = None, list[Fact]()
        for owner, card, kind, day, rating, retention, weights in rows:
            if owner != current:
                if current is not None:
                    yield current, facts
                current, facts = owner, []
            facts.append(_fact(card, kind, day, rating, retention, weights))
        if current is not None:
            yield current, facts

    def writing(self) -> AbstractContextManager[None]:
        """One transaction: all of it is kept, or nothing."""
        return transaction(self.db)

    # --- Inside --------------------------------------------------------------------------------------

    def _insert(self, draft: Draft, day_start: int) -> Event:
        now = self.clock()
        last = self.db.execute(
            "SELECT sequence, clock FROM event WHERE machine = ? ORDER BY sequence DESC LIMIT 1", (self.machine,)
        ).fetchone()
        sequence, clock = (1, now.at) if last is None else (last[0] + 1, max(last[1], now.at))
        event = Event(
            *(os.urandom(12).hex(), self.machine, sequence, clock, now.at, now.offset),
            *(study_day(now.at, now.offset, day_start), draft.kind, draft.card, draft.rating, draft.target),
            *(draft.retention, draft.weights, draft.body),
        )
        self._store(event)
        if event.card is not None:
            self._refresh(event.card)
        return event

    def _whole(self, last: Event) -> list[Event]:
        """The events in force of the action that one stands for, itself among them."""
        if "events" not in last.body:
            return [last]
        first = last.sequence - int(last.body["events"]) + 1
        return list(self.events("machine = ? AND sequence BETWEEN ? AND ?", last.machine, first, last.sequence))

    def _store(self, event: Event) -> bool:
        """Insert an event unless it is there; a LogError where another one stands in its place."""
        row = (
            *(event.id, event.machine, event.sequence, event.clock, event.at, event.offset, event.day, event.kind),
            *(event.card, event.rating, event.target, event.retention),
            None if event.weights is None else json.dumps(event.weights),
            json.dumps(dict(event.body), ensure_ascii=False),
        )
        if self.db.execute("SELECT 1 FROM event WHERE id = ?", (event.id,)).fetchone() is not None:
            return False
        twin = self.db.execute(
            "SELECT id FROM event WHERE machine = ? AND sequence = ?", (event.machine, event.sequence)
        ).fetchone()
        if twin is not None:
            raise LogError(
                f"two different events are number {event.sequence} of machine {event.machine}: these logs do not merge"
            )
        self.db.execute(f"INSERT INTO event ({_EVENT}) VALUES ({', '.join('?' * len(row))})", row)
        return True

    def _refresh(self, card: str) -> None:
        """A card's state anew from its events: they are few, and may have come in any order."""
        owner = self.db.execute("SELECT card FROM alias WHERE old = ?", (card,)).fetchone()
        if owner is not None:
            self.db.execute("DELETE FROM card WHERE card = ?", (card,))
            card = owner[0]
        names = [card, *(old for (old,) in self.db.execute("SELECT old FROM alias WHERE card = ?", (card,)))]
        held = ", ".join("?" * len(names))
        rows = self.db.execute(
            f"SELECT card, kind, day, rating, retention, weights FROM event e WHERE card IN ({held})"
            f" AND {_IN_FORCE} ORDER BY {ORDER}",
            names,
        ).fetchall()
        introduced = 0
        if rows:
            state = replay(card, [_fact(*row) for row in rows])
            introduced = int(state.introduced is not None)
            self.db.execute(_INSERT_CARD, (*state.row(), state.back, card))
        else:
            self.db.execute("DELETE FROM card WHERE card = ?", (card,))
        # Every page that is touched is written to the disk before the answer counts: what stands already stays.
        self.db.execute(
            "UPDATE bank_card SET introduced = ? WHERE card = ? AND introduced != ?", (introduced, card, introduced)
        )

    def _use_wal(self) -> None:
        """Switch the file to WAL. SQLite does not wait for other sessions that do the same, so it is done here."""
        patience = time.monotonic() + WAIT
        while True:
            try:
                self.db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > patience:
                    raise
                time.sleep(0.01)
            else:
                return

    def _refuse_newer(self) -> None:
        """A file of a newer version is not touched, its journal mode neither."""
        version = schema.version(self.db)
        if version > schema.FORMAT:
            known = f"format {version}, this one knows {schema.FORMAT}"
            raise LogError(f"{self.path}: written by a newer dlquiz ({known}): update dlquiz")

    def _bring_up_to_date(self, before_migration: Callable[[Path], None] | None) -> None:
        version = schema.version(self.db)
        if version == schema.FORMAT:
            return
        if version and before_migration is not None:
            before_migration(self.path)
        with self.writing():
            schema.bring_up_to_date(self.db)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's and the system's errors in one line that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise LogError(f"{self.path}: {_advice(str(error))}") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            message = (
                f"{self.path}: the file is damaged ({error}); it was left as it is: dlquiz doctor shows the way back"
            )
            raise DamagedLogError(message) from error
        except OSError as error:
            raise LogError(
                f"{self.path}: {error.strerror or error}; set DLQUIZ_HOME to a folder that can be written"
            ) from error


def _advice(message: str) -> str:
    """An operational error of SQLite with what to do about it."""
    if "locked" in message:
        return "another session is writing; try again in a moment"
    if "full" in message:
        return "the disk is full; the answer was not kept: make room and answer again"
    if "readonly" in message or "unable to open" in message:
        return f"cannot be written ({message}); set DLQUIZ_HOME to a folder that can be written"
    return f"{message}; dlquiz doctor shows what is wrong"


_KIND_IN_BANK = "(SELECT kind FROM bank_card b WHERE b.card = card.card)"
_INSERT_CARD = (
    f"INSERT OR REPLACE INTO card ({', '.join(COLUMNS)}, back, kind)"
    f" VALUES ({', '.join('?' * len(COLUMNS))}, ?, (SELECT kind FROM bank_card WHERE card = ?))"
)


def _refuse_unreadable(event: Event) -> None:
    """An event from elsewhere that this version could not replay is refused, and the whole merge with it."""
    try:
        if event.rating is not None:
            Rating(event.rating)
        Scheduler(event.weights, RETENTION if event.retention is None else event.retention)
    except ValueError as error:
        raise LogError(
            f"event {event.sequence} of machine {event.machine} cannot be read: {error}; update dlquiz"
        ) from error


def _fact(card: str, kind: str, day: int, rating: int | None, retention: float | None, weights: str | None) -> Fact:
    known = None if rating is None or not 1 <= rating <= 4 else Rating(rating)
    return Fact(card, kind, day, known, retention, _weights(weights))


_weights_read: dict[str, tuple[float, ...]] = {}


def _weights(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    if text not in _weights_read:
        _weights_read[text] = tuple(json.loads(text))
    return _weights_read[text]


def _event(row: tuple[Any, ...]) -> Event:
    identity, machine, sequence, clock, at, offset, day, kind, card, rating, target, retention, weights, body = row
    known = None if rating is None else Rating(rating)
    when = (sequence, clock, at, offset, day)
    return Event(identity, machine, *when, kind, card, known, target, retention, _weights(weights), json.loads(body))
