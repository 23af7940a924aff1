"""Backups of the log, and the way back from a damaged one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from quizcli.progress.log import LogError

KEPT = 10
"""Backups that are kept: the newest ones."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy of the log: its file, its study day as a date, and how many events it holds (None: not readable)."""

    path: Path
    date: str
    events: int | None


def backup_folder(path: Path) -> Path:
    return path.parent / "backups"


def back_up(path: Path, date: str) -> Path | None:
    """Copy the log as it is now, with SQLite's own backup, unless today's copy is there; keep the newest ten.

    Returns the copy's path, or None where there was nothing to do. Raises LogError where it cannot be written.
    """
    target = backup_folder(path) / f"progress-{date}.sqlite"
    if not path.exists() or target.exists():
        return None
    partial = target.with_suffix(".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        if count_events(partial) is None:
            raise sqlite3.DatabaseError("the log is damaged: dlquiz doctor shows the way back")
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise LogError(f"{target}: the backup could not be written: {error}") from error
    for old in sorted(backup_folder(path).glob("progress-*.sqlite"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def backups(path: Path) -> list[Backup]:
    """All backups, the newest first, with what they hold."""
    found = sorted(backup_folder(path).glob("progress-*.sqlite"), reverse=True)
    return [Backup(file, file.stem.removeprefix("progress-"), count_events(file)) for file in found]


def count_events(path: Path) -> int | None:
    """How many events a log holds; None where its file is damaged."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return None
            return int(db.execute("SELECT count(*) FROM event").fetchone()[0])
    except sqlite3.Error:
        return None


def set_aside(path: Path, date: str) -> list[Path]:
    """Move a damaged log out of the way, whole: its file and what SQLite keeps beside it. Returns where it went."""
    moved = []
    number = 1
    while (folder := path.parent / f"damaged-{date}-{number}").exists():
        number += 1
    folder.mkdir(parents=True)
    for file in _parts(path):
        if file.exists():
            file.replace(folder / file.name)
            moved.append(folder / file.name)
    return moved


def restore(backup: Backup, path: Path, date: str) -> list[Path]:
    """Put a backup in the log's place; what was there is set aside whole. Returns where it went.

    The copy gets a machine id of its own, so that its new events never take the place of ones that the damaged log may
    still hold.
    """
    if backup.events is None:
        raise LogError(f"{backup.path}: this backup is damaged too")
    partial = path.with_suffix(".partial")
    kept = f"{backup.path.resolve().as_uri()}?mode=ro"
    try:
        partial.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(kept, uri=True)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("UPDATE machine SET id = lower(hex(randomblob(8)))")
            copy.commit()
        moved = set_aside(path, date) if any(file.exists() for file in _parts(path)) else []
        partial.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise LogError(f"{path}: the backup could not be put in place: {error}") from error
    return moved


def _parts(path: Path) -> Iterable[Path]:
    return (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
