"""The compiled bank: a SQLite file in the cache, made anew only for bank files that changed.

A damaged index, one of another version, or one that cannot be written is no error: it is rebuilt, in memory if
need be. Two processes may build at once: the second waits, then finds the work done.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quizcli import __version__
from quizcli.errors import BankError, Problem, QuizError
from quizcli.storage import transaction

if TYPE_CHECKING:
    from quizcli.model import Question

SCHEMA = f"5 {__version__}"
WAIT = 30.0
"""Seconds to wait for another process that builds."""

MISCONCEPTIONS = "misconceptions.yaml"

_TABLES = """
CREATE TABLE version (schema TEXT NOT NULL);
CREATE TABLE file (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, topic TEXT UNIQUE) WITHOUT ROWID;
CREATE TABLE topic (
    name TEXT PRIMARY KEY, area TEXT NOT NULL, title TEXT NOT NULL, needs TEXT NOT NULL, refs TEXT NOT NULL,
    rank INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE question (
    id TEXT PRIMARY KEY, topic TEXT NOT NULL, area TEXT NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL,
    level TEXT NOT NULL, skill TEXT NOT NULL, priority INTEGER NOT NULL, demo TEXT NOT NULL, chance INTEGER NOT NULL,
    line INTEGER NOT NULL, data TEXT NOT NULL, checksum INTEGER NOT NULL
);
CREATE INDEX by_topic ON question (topic, kind, level, skill, priority, chance);
CREATE TABLE tie (tie TEXT NOT NULL, question TEXT NOT NULL, PRIMARY KEY (question, tie)) WITHOUT ROWID;
CREATE INDEX by_tie ON tie (tie);
CREATE TABLE former (old TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE misconception (id TEXT PRIMARY KEY, says TEXT NOT NULL, proof TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (id UNINDEXED, title, body, tokenize = "porter unicode61 remove_diacritics 2");
"""


class DamagedIndexError(Exception):
    """The index holds something that was never written to it."""


@dataclass(frozen=True, slots=True)
class BankFile:
    """A file of the bank, as a look at the folder gives it."""

    path: Path
    shown: str
    stamp: str


def bank_files(folder: Path) -> list[BankFile]:
    """The YAML files of the areas of a bank, and its misconceptions; a QuizError where there is no bank."""
    if not folder.is_dir():
        raise QuizError(
            f"{folder}: no bank folder there; set DLQUIZ_BANK to a folder of banks, or install dlquiz again"
        )
    found = []
    with suppress(FileNotFoundError):
        found.append(_file(folder / MISCONCEPTIONS, (folder / MISCONCEPTIONS).stat(), folder))
    with os.scandir(folder) as areas:
        for area in sorted(areas, key=lambda entry: entry.name):
            if area.is_dir() and not area.name.startswith((".", "_")):
                with os.scandir(area.path) as topics:
                    found += [
                        _file(Path(entry.path), entry.stat(), folder)
                        for entry in topics
                        if entry.name.endswith(".yaml") and entry.is_file()
                    ]
    return sorted(found, key=lambda file: file.shown)


def shown_path(path: Path, folder: Path) -> str:
    """A bank file's path as messages name it: with the bank's folder, `questions/neurons/softmax.yaml`."""
    return f"{folder.name}/{path.relative_to(folder).as_posix()}"


def _file(path: Path, stat: os.stat_result, folder: Path) -> BankFile:
    return BankFile(path, shown_path(path, folder), f"{stat.st_mtime_ns} {stat.st_size}")


class Index:
    """A connection to a fresh compiled bank."""

    def __init__(self, folder: Path, cache: Path) -> None:
        """Open the index of a bank folder, brought up to date; raises BankError with every problem of the bank."""
        self.folder = folder
        key = zlib.crc32(str(folder.resolve()).encode())
        self.path: Path | None = cache / f"bank-{key:08x}.sqlite"
        self.db = sqlite3.connect(":memory:")
        try:
            self._open()
            self._refresh()
        except (sqlite3.DatabaseError, DamagedIndexError):
            self.rebuild()
        except BaseException:
            self.db.close()
            raise

    def rebuild(self) -> None:
        """Start from nothing: in a new file, else in memory."""
        try:
            self.db.close()
            if self.path is not None:
                for suffix in ("", "-journal"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._open()
            self._refresh()
        except (sqlite3.DatabaseError, OSError):
            self.path = None
            self._open()
            self._refresh()
        except BaseException:
            self.db.close()
            raise

    def _open(self) -> None:
        """Connect to the file, or to memory where there can be none. A file that is no database raises."""
        self.db.close()
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
                # A lost index is rebuilt, so nothing waits for the disk.
                self.db.execute("PRAGMA synchronous = OFF")
            except (OSError, sqlite3.OperationalError):
                self.db.close()
                self.path = None
        if self.path is None:
            self.db = sqlite3.connect(":memory:", isolation_level=None)

    def _refresh(self) -> None:
        files = bank_files(self.folder)
        self.stamp = f"{SCHEMA} {zlib.crc32(repr([(file.shown, file.stamp) for file in files]).encode()):08x}"
        if self._is_fresh(files):
            return
        problems: list[Problem] = []
        try:
            with transaction(self.db):
                self._ensure_tables()
                problems = self._update(files)
        except sqlite3.OperationalError:
            if self.path is None:
                raise
            # Read-only, or no room: work without the file.
            self.path = None
            self._open()
            with transaction(self.db):
                self._ensure_tables()
                problems = self._update(files)
        if problems:
            raise BankError(problems)

    def _is_fresh(self, files: list[BankFile]) -> bool:
        try:
            if self.db.execute("SELECT schema FROM version").fetchone() != (SCHEMA,):
                return False
            known = dict(self.db.execute("SELECT path, stamp FROM file").fetchall())
        except sqlite3.OperationalError:
            return False
        return known == {file.shown: file.stamp for file in files}

    def _ensure_tables(self) -> None:
        tables = {name for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "version" in tables and self.db.execute("SELECT schema FROM version").fetchone() == (SCHEMA,):
            return
        if tables:
            raise DamagedIndexError("an index of another version")
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                self.db.execute(statement)
        self.db.execute("INSERT INTO version VALUES (?)", (SCHEMA,))

    def _update(self, files: list[BankFile]) -> list[Problem]:
        """Compile what changed since the stamps were taken. A file with problems is left out, so it is read again."""
        known = dict(self.db.execute("SELECT path, stamp FROM file").fetchall())
        problems: list[Problem] = []
        for path in set(known) - {file.shown for file in files}:
            self._forget(path)
        for file in files:
            if known.get(file.shown) == file.stamp:
                continue
            self._forget(file.shown)
            try:
                if file.path.name == MISCONCEPTIONS:
                    self._store_misconceptions(file)
                else:
                    self._store_topic(file)
            except BankError as error:
                problems += error.problems
        self._rank()
        return problems

    def _forget(self, path: str) -> None:
        row = self.db.execute("SELECT topic FROM file WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        if row[0] is None:
            self.db.execute("DELETE FROM misconception")
        else:
            self.db.execute("DELETE FROM words WHERE rowid IN (SELECT rowid FROM question WHERE topic = ?)", row)
            self.db.execute("DELETE FROM tie WHERE question IN (SELECT id FROM question WHERE topic = ?)", row)
            self.db.execute("DELETE FROM former WHERE id IN (SELECT id FROM question WHERE topic = ?)", row)
            self.db.execute("DELETE FROM question WHERE topic = ?", row)
            self.db.execute("DELETE FROM topic WHERE name = ?", row)
        self.db.execute("DELETE FROM file WHERE path = ?", (path,))

    def _store_misconceptions(self, file: BankFile) -> None:
        from quizcli.bank.parse import parse_misconceptions

        found = parse_misconceptions(file.path, file.shown)[0]
        self.db.executemany(
            "INSERT INTO misconception VALUES (?, ?, ?)",
            [(entry.id, entry.says, str(entry.refuted_by)) for entry in found.values()],
        )
        self.db.execute("INSERT INTO file VALUES (?, ?, NULL)", (file.shown, file.stamp))

    def _store_topic(self, file: BankFile) -> None:
        from quizcli.bank.parse import parse_topic

        parsed = parse_topic(file.path, file.shown)
        topic = parsed.topic
        twin = self.db.execute("SELECT path FROM file WHERE topic = ?", (topic.name,)).fetchone()
        if twin is not None:
            raise BankError(
                [Problem(file.shown, 0, f"topic '{topic.name}' stands in {twin[0]} too: rename one of them")]
            )
        self.db.execute("INSERT INTO file VALUES (?, ?, ?)", (file.shown, file.stamp, topic.name))
        self.db.execute(
            "INSERT INTO topic (name, area, title, needs, refs) VALUES (?, ?, ?, ?, ?)",
            (topic.name, topic.area, topic.title, json.dumps(topic.needs), json.dumps(dict(topic.references))),
        )
        for place, (node, question) in enumerate(zip(parsed.nodes, topic.questions, strict=True)):
            data = json.dumps(node.plain(), ensure_ascii=False)
            row = self.db.execute(
                "INSERT INTO question VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(question.id, topic.name, topic.area, place, question.kind, question.level, question.skill),
                    *(
                        question.priority,
                        question.demo,
                        zlib.crc32(question.id.encode()),
                        node.line,
                        data,
                        checksum(question.id, topic.name, data),
                    ),
                ),
            )
            self.db.executemany("INSERT INTO tie VALUES (?, ?)", [(tie, question.id) for tie in ties(question)])
            body = "\n".join([question.prompt, question.short, question.answer, *(p.says for p in question.key_points)])
            self.db.execute(
                "INSERT INTO words (rowid, id, title, body) VALUES (?, ?, ?, ?)",
                (row.lastrowid, question.id, f"{topic.title} {question.id}", body),
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO former VALUES (?, ?)", [(old, question.id) for old in question.was]
            )

    def _rank(self) -> None:
        """Number the topics so that each comes after what it needs; topics in a cycle come last."""
        needs = {
            name: json.loads(needs) for name, needs in self.db.execute("SELECT name, needs FROM topic ORDER BY name")
        }
        self.db.executemany("UPDATE topic SET rank = ? WHERE name = ?", list(enumerate(in_order_of_needs(needs))))


def ties(question: Question) -> set[str]:
    """What makes questions siblings: a proof in common, or that one follows up the other."""
    proofs = {f"proof {point.proof}" for point in question.key_points if point.proof is not None}
    from quizcli.model import Onward

    asks = [follow.ask for follow in question.follow_ups if isinstance(follow, Onward)]
    return proofs | {f"follow {question.id}"} | {f"follow {ask}" for ask in asks}


def in_order_of_needs(needs: Mapping[str, list[str]]) -> list[str]:
    """Topics by depth of what they need, then by name; those of a cycle last. Unknown needs do not count."""
    depth: dict[str, int] = {}
    left = dict(needs)
    while left:
        ready = [name for name, wanted in left.items() if not any(need in left for need in wanted)]
        if not ready:
            return [*sorted(depth, key=lambda name: (depth[name], name)), *sorted(left)]
        for name in ready:
            depth[name] = max((depth[need] + 1 for need in left[name] if need in depth), default=0)
        for name in ready:
            del left[name]
    return sorted(depth, key=lambda name: (depth[name], name))


def checksum(question: str, topic: str, data: str) -> int:
    """What tells a row from a damaged one."""
    return zlib.crc32("\0".join((question, topic, data)).encode())
