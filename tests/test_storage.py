"""Transactions: all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from quizcli.storage import transaction


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    connection.execute("CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    yield connection
    connection.close()


def rows(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM parent").fetchone()[0])


def test_what_raises_inside_leaves_nothing(db: sqlite3.Connection) -> None:
    with pytest.raises(KeyboardInterrupt), transaction(db):
        db.execute("INSERT INTO parent VALUES (1)")
        raise KeyboardInterrupt
    assert rows(db) == 0 and not db.in_transaction


def test_a_commit_that_fails_leaves_nothing_and_the_next_transaction_works(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError), transaction(db):
        db.execute("INSERT INTO parent VALUES (1)")
        db.execute("INSERT INTO child VALUES (9)")
    assert rows(db) == 0 and not db.in_transaction
    with transaction(db):
        db.execute("INSERT INTO parent VALUES (2)")
    assert rows(db) == 1
