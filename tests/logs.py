"""Logs for tests: a clock that stands until it is moved, drafts of answers, and all that a log holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quizcli.progress import events
from quizcli.progress.events import Draft, Event, Moment
from quizcli.progress.log import Log
from quizcli.progress.progress import Progress
from quizcli.scheduling import RETENTION
from quizcli.vocabulary import Rating

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = (NOON.date() - datetime(1970, 1, 1).date()).days
"""The study day of noon, UTC."""


@dataclass
class Clock:
    """A clock at noon of a Monday; it moves when a test says so."""

    now: datetime = NOON
    offset: int = 0

    def __call__(self) -> Moment:
        return Moment(round(self.now.timestamp() * 1000), self.offset)

    def move(self, days: float = 0, **more: float) -> None:
        self.now += timedelta(days=days, **more)


def answer(card: str, rating: Rating = Rating.GOOD, retention: float = RETENTION) -> Draft:
    return Draft(events.ANSWER, card, rating, retention=retention)


def open_log(path: Path, clock: Clock | None = None) -> Log:
    return Log(path, clock or Clock())


def small_log(path: Path, answers: int = 400) -> list[Event]:
    """A closed log with so many events, in one file."""
    log = open_log(path)
    clock = Clock()
    source = open_log(path.with_suffix(".source"), clock)
    with source.writing():
        for number in range(answers):
            source._insert(answer(f"dl:t/q{number % 60}", Rating(number % 4 + 1)), 4)
            clock.move(hours=5)
    log.merge(all_events(source))
    found = all_events(log)
    source.close()
    log.close()
    for suffix in (".source", ".source-wal", ".source-shm"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    assert not path.with_name(path.name + "-wal").exists()
    return found


def all_events(log: Log) -> list[Event]:
    return list(log.events(in_force=False))


def card_rows(log: Log) -> list[str]:
    """The rows of the table of card states, to the byte."""
    return [repr(row) for row in log.db.execute("SELECT * FROM card ORDER BY card")]


def live(log: Log) -> list[str]:
    """The card states that are kept."""
    return [repr(state.row()) for state in log.states("1 ORDER BY card")]


def replayed(log: Log) -> list[str]:
    """The card states that the events lead to."""
    return [repr(state.row()) for state in log.replayed()]


def holdings(log: Log) -> dict[str, Any]:
    """All that follows from the events: card states, what the bank's cards are marked with, the settings in force."""
    progress = Progress(log)
    return {
        "cards": card_rows(log),
        "bank": log.db.execute("SELECT * FROM bank_card ORDER BY card").fetchall(),
        "former": log.db.execute("SELECT * FROM alias ORDER BY old").fetchall(),
        "settings": (progress.values, progress.weights),
    }


def is_sound(log: Log) -> bool:
    """Whether SQLite finds the file sound."""
    return bool(log.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
