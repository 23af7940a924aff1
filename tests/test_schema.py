"""The log's file in other versions: a newer one is left as it is, an older one is led up, or nothing changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quizcli.progress import schema
from quizcli.progress.log import BankCard, DamagedLogError, Log, LogError
from quizcli.progress.replay import COLUMNS
from quizcli.progress.schema import FORMAT
from tests.banks import FIXTURES
from tests.logs import Clock, all_events, live, open_log, replayed, small_log


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    small_log(path, 10)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
        db.execute("ALTER TABLE event ADD COLUMN mood TEXT")
    before = path.read_bytes()
    with pytest.raises(
        LogError, match=rf"log\.sqlite: written by a newer dlquiz \(format {FORMAT + 1}, .*: update dlquiz"
    ) as refused:
        open_log(path)
    assert not isinstance(refused.value, DamagedLogError)
    assert path.read_bytes() == before


def test_a_newer_file_that_needs_no_wal_is_left_as_it_is(tmp_path: Path) -> None:
    """Its journal mode is the newer version's business."""
    path = tmp_path / "log.sqlite"
    small_log(path, 10)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
        db.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    with pytest.raises(LogError, match="newer"):
        open_log(path)
    assert path.read_bytes() == before


def test_a_migration_is_preceded_by_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.sqlite"
    written = small_log(path, 10)
    seen: list[Any] = []

    def back_up(found: Path) -> None:
        with closing(sqlite3.connect(found)) as db:
            seen.append((found, db.execute("PRAGMA user_version").fetchone()))

    monkeypatch.setattr(schema, "FORMAT", FORMAT + 2)
    steps: dict[int, Callable[[sqlite3.Connection], Any]] = {
        FORMAT: lambda db: db.execute("ALTER TABLE event ADD COLUMN mood TEXT"),
        FORMAT + 1: lambda db: db.execute("UPDATE event SET mood = 'calm'"),
    }
    monkeypatch.setattr(schema, "_MIGRATIONS", steps)
    log = Log(path, Clock(), back_up)
    assert seen == [(path, (FORMAT,))]
    assert log.db.execute("SELECT DISTINCT mood FROM event").fetchall() == [("calm",)]
    assert log.db.execute("PRAGMA user_version").fetchone() == (FORMAT + 2,) and all_events(log) == written
    log.close()
    Log(path, Clock(), back_up).close()
    assert len(seen) == 1


def test_a_log_of_format_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """Written by the version that had it: answers under a former id, a card that is gone, something undone."""
    path = tmp_path / "log.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FIXTURES / "progress-format-1.sql").read_text(encoding="utf-8"))
        states = db.execute(f"SELECT {', '.join(COLUMNS)} FROM card ORDER BY card").fetchall()
        written = db.execute("SELECT id FROM event ORDER BY clock, machine, sequence").fetchall()
    log = Log(path, Clock())
    assert [state.row() for state in log.states("1 ORDER BY card")] == states
    assert live(log) == replayed(log)
    assert log.query("SELECT id FROM event ORDER BY clock, machine, sequence") == written
    cards = [BankCard(f"dl:t/q{number}", "t", "open", 0, 1, 1) for number in range(3)]
    log.adopt("next", lambda: cards, lambda: {"dl:t/old": "dl:t/q0"})
    assert log.query("SELECT card, kind FROM card ORDER BY card") == [
        ("dl:gone/q9", None),
        ("dl:t/q0", "open"),
        ("dl:t/q1", "open"),
    ]
    fresh = open_log(tmp_path / "new.sqlite")
    tables = "SELECT type, name, replace(sql, '\"', '') FROM sqlite_master ORDER BY name"
    assert log.query(tables) == fresh.query(tables)
    log.close()
    fresh.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.sqlite"
    written = small_log(path, 10)
    steps: dict[int, Callable[[sqlite3.Connection], Any]] = {
        FORMAT: lambda db: db.execute("ALTER TABLE event ADD COLUMN mood TEXT"),
        FORMAT + 1: lambda db: db.execute("SELECT no_such_function()"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(schema, "FORMAT", FORMAT + 2)
        patch.setattr(schema, "_MIGRATIONS", steps)
        with pytest.raises(LogError, match="no_such_function"):
            open_log(path)
    log = open_log(path)
    assert all_events(log) == written
    log.close()
