"""The tables of the log's file, their version, and the way there from older versions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

from quizcli.progress.replay import COLUMNS

FORMAT = 2
"""The file's version, in `PRAGMA user_version`; migrations lead up to it."""

ORDER = "clock, machine, sequence"
"""The order of events, the same on every machine."""

_EVENT_TABLES = f"""
CREATE TABLE machine (id TEXT NOT NULL);
CREATE TABLE event (
    id TEXT NOT NULL UNIQUE, machine TEXT NOT NULL, sequence INTEGER NOT NULL, clock INTEGER NOT NULL,
    at INTEGER NOT NULL, offset INTEGER NOT NULL, day INTEGER NOT NULL, kind TEXT NOT NULL, card TEXT,
    rating INTEGER, target TEXT, retention REAL, weights TEXT, body TEXT NOT NULL,
    UNIQUE (machine, sequence)
);
CREATE INDEX event_of_card ON event (card, {ORDER}) WHERE card IS NOT NULL;
CREATE INDEX event_undone ON event (target) WHERE target IS NOT NULL;
CREATE INDEX event_of_day ON event (day, kind);
CREATE INDEX event_setting ON event (kind) WHERE kind IN ('setting', 'parameters')
"""

_CACHE_TABLES = """
CREATE TABLE alias (old TEXT PRIMARY KEY, card TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX alias_of_card ON alias (card);
CREATE TABLE card (
    card TEXT PRIMARY KEY, stability REAL, difficulty REAL, repetitions INTEGER NOT NULL, lapses INTEGER NOT NULL,
    introduced INTEGER, last INTEGER, due INTEGER, reviewed TEXT NOT NULL, failed INTEGER NOT NULL, day INTEGER,
    tries INTEGER NOT NULL, passed INTEGER NOT NULL, suspended INTEGER NOT NULL, buried INTEGER NOT NULL,
    back INTEGER, kind TEXT
) WITHOUT ROWID;
CREATE TABLE bank (stamp TEXT NOT NULL);
CREATE TABLE bank_card (
    card TEXT PRIMARY KEY, topic TEXT NOT NULL, kind TEXT NOT NULL, rank INTEGER NOT NULL, priority INTEGER NOT NULL,
    level INTEGER NOT NULL, place INTEGER NOT NULL, introduced INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX bank_card_new ON bank_card (introduced, rank, priority, level, place);
CREATE INDEX card_back ON card (kind, back, suspended, buried, day, last, stability);
CREATE INDEX card_introduced ON card (introduced);
CREATE INDEX card_day ON card (day)
"""
"""What follows from the events and from the bank. `back` is the state's own; a card's `kind` is that of its question,
NULL where the bank does not have it. (With a generated column in it, SQLite takes no index for a covering one.)"""


def _make(db: sqlite3.Connection, tables: str) -> None:
    for statement in tables.strip().split(";\n"):
        db.execute(statement)


def _learn_kinds(db: sqlite3.Connection) -> None:
    """Format 1 knew whether the bank has a card, but not the kind of its question."""
    db.execute("ALTER TABLE card RENAME TO card_1")
    for index in ("alias_of_card", "bank_card_new", "card_back", "card_introduced", "card_day"):
        db.execute(f"DROP INDEX {index}")
    db.execute("ALTER TABLE alias RENAME TO alias_1")
    db.execute("DROP TABLE bank_card")
    db.execute("DROP TABLE bank")
    _make(db, _CACHE_TABLES)
    states = ", ".join(COLUMNS)
    db.execute(f"INSERT INTO card ({states}, back) SELECT {states}, back FROM card_1")
    db.execute("INSERT INTO alias SELECT * FROM alias_1")
    db.execute("DROP TABLE card_1")
    db.execute("DROP TABLE alias_1")


_MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _learn_kinds}
"""From a version to the next."""


def version(db: sqlite3.Connection) -> int:
    """The version of a file; 0 where it is new."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Make the tables in a new file, or lead an older one up to FORMAT; inside a transaction of the caller's.

    The version is asked anew: another session may have done it while this one waited for its turn.
    """
    found = version(db)
    if found == 0:
        _make(db, _EVENT_TABLES)
        _make(db, _CACHE_TABLES)
        db.execute("INSERT INTO machine VALUES (?)", (os.urandom(8).hex(),))
        found = FORMAT
    while found < FORMAT:
        _MIGRATIONS[found](db)
        found += 1
    db.execute(f"PRAGMA user_version = {FORMAT}")
