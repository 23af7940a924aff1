"""Questions and topics, looked up in the compiled bank."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from quizcli.bank.index import DamagedIndexError, Index, checksum
from quizcli.errors import UsageError, suggest
from quizcli.vocabulary import LEVELS, Kind, Level, Skill

if TYPE_CHECKING:
    from quizcli.model import Question

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as lists show it."""

    name: str
    area: str
    title: str
    needs: tuple[str, ...]
    references: dict[str, str]
    rank: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A question as lists show it."""

    id: str
    topic: str
    area: str
    kind: Kind
    level: Level
    skill: Skill
    priority: int
    demo: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which questions are meant: topics (all of them where none is named) and questions by id, filtered."""

    topics: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    kind: Kind | None = None
    level: Level | None = None
    skill: Skill | None = None

    def condition(self) -> tuple[str, list[str]]:
        """The filters as SQL."""
        wanted = [("kind", self.kind), ("level", self.level), ("skill", self.skill)]
        given = [(column, value) for column, value in wanted if value is not None]
        return "".join(f" AND {column} = ?" for column, _ in given), [value for _, value in given]


_ENTRY = "id, topic, area, kind, level, skill, priority, demo"
_ENTRY_OF_Q = "q.id, q.topic, q.area, q.kind, q.level, q.skill, q.priority, q.demo"


class Library:
    """A bank, open for reading. A damaged index is rebuilt once, and the look-up done again."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self._index = Index(folder, cache)

    def _look(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return question(self._index.db)
        except (sqlite3.DatabaseError, DamagedIndexError, json.JSONDecodeError):
            self._index.rebuild()
            return question(self._index.db)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._look(lambda db: db.execute(sql, values).fetchall())

    def topics(self) -> list[TopicInfo]:
        """All topics, each after what it needs."""

        def read(db: sqlite3.Connection) -> list[TopicInfo]:
            rows = db.execute("SELECT name, area, title, needs, refs, rank FROM topic ORDER BY rank").fetchall()
            return [
                TopicInfo(name, area, title, tuple(json.loads(needs)), json.loads(references), rank)
                for name, area, title, needs, references, rank in rows
            ]

        return self._look(read)

    def topic(self, name: str) -> TopicInfo:
        return next(topic for topic in self.topics() if topic.name == name)

    def entries(self, topic: str | None = None) -> list[Entry]:
        """Questions in the bank's order, of one topic or of all."""
        sql = f"SELECT {_ENTRY_OF_Q} FROM question q JOIN topic t ON t.name = q.topic"
        where = " WHERE q.topic = ?" if topic else ""
        rows = self._rows(f"{sql}{where} ORDER BY t.rank, q.place", *([topic] if topic else []))
        return [Entry(*row) for row in rows]

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM question")[0][0])

    def question(self, name: str) -> Question:
        """The question of that id or of a former one; a UsageError with a near id where there is none."""
        plain = name.strip().lower().replace("_", "-")

        def read(db: sqlite3.Connection) -> Question | None:
            former = db.execute("SELECT id FROM former WHERE old = ?", (plain,)).fetchone()
            for name in (plain, *(former or ())):
                row = db.execute("SELECT topic, data, checksum FROM question WHERE id = ?", (name,)).fetchone()
                if row is not None:
                    break
            else:
                if former is not None:
                    raise DamagedIndexError(plain)
                return None
            topic, data, kept = row
            if checksum(name, topic, data) != kept:
                raise DamagedIndexError(name)
            from quizcli.bank.nodes import Node
            from quizcli.bank.parse import parse_question

            return parse_question(Node.of(json.loads(data)), topic)

        found = self._look(read)
        if found is None:
            raise UsageError(f"no question '{name}'{suggest(plain, self._ids())}; dlquiz topics lists what there is")
        return found

    def where(self, question: str) -> tuple[str, int]:
        """The file and the line of a question."""
        rows = self._rows(
            "SELECT f.path, q.line FROM question q JOIN file f ON f.topic = q.topic WHERE q.id = ?", question
        )
        return str(rows[0][0]), int(rows[0][1])

    def misconception(self, name: str) -> tuple[str, str]:
        """What a misconception says, and the claim that refutes it."""
        rows = self._rows("SELECT says, proof FROM misconception WHERE id = ?", name)
        return (str(rows[0][0]), str(rows[0][1])) if rows else (name, "")

    def select(self, names: Sequence[str]) -> Selection:
        """Areas, topics and question ids as a person types them; a UsageError names the one that is unknown."""
        topics = self.topics()
        areas = {topic.area for topic in topics}
        chosen: list[str] = []
        questions: list[str] = []
        for name in names:
            plain = name.strip().lower().replace("_", "-").strip("/")
            if "/" in plain and plain.split("/")[0] not in areas:
                questions.append(self.question(plain).id)
                continue
            plain = plain.split("/")[-1]
            found = [topic.name for topic in topics if plain in (topic.name, topic.area)]
            if not found:
                known = [*(topic.name for topic in topics), *areas]
                raise UsageError(f"no area or topic '{name}'{suggest(plain, known)}; dlquiz topics lists them")
            chosen += [topic for topic in found if topic not in chosen]
        return Selection(tuple(chosen), tuple(dict.fromkeys(questions)))

    def counts(self, selection: Selection) -> dict[str, int]:
        """Questions per topic of a selection, topics in the order of needs."""
        condition, values = selection.condition()
        rows = self._rows(f"SELECT topic, count(*) FROM question WHERE 1{condition} GROUP BY topic", *values)
        found = {str(topic): int(count) for topic, count in rows}
        return {
            topic.name: found[topic.name]
            for topic in self.topics()
            if topic.name in found and (not selection.topics or topic.name in selection.topics)
        }

    def draw(self, topic: str, selection: Selection, count: int, chance: random.Random) -> list[Entry]:
        """Questions of a topic: the first priority first, by chance among equals."""
        condition, values = selection.condition()
        factor, shift = chance.randrange(1, 2**31), chance.randrange(2**31)
        rows = self._rows(
            f"SELECT {_ENTRY} FROM question WHERE topic = ?{condition}"
            f" ORDER BY priority, ((chance % 2147483647) * {factor} + {shift}) % 2147483647 LIMIT ?",
            topic,
            *values,
            count,
        )
        return [Entry(*row) for row in rows]

    def search(self, words: str, limit: int = 20) -> list[Entry]:
        """Questions that hold all the words (beginnings count), best first; those with some, where none holds all."""
        terms = ["".join(c for c in word if c.isalnum() or c in "_") for word in words.replace("-", " ").split()]
        quoted = [f'"{term}"*' for term in terms if term]
        if not quoted:
            return []
        sql = (
            f"SELECT {_ENTRY_OF_Q} FROM words w"
            " JOIN question q ON q.id = w.id WHERE words MATCH ? ORDER BY bm25(words, 0, 4, 1) LIMIT ?"
        )
        for query in (" ".join(quoted), " OR ".join(quoted)):
            rows = self._rows(sql, query, limit)
            if rows:
                return [Entry(*row) for row in rows]
        return []

    @property
    def stamp(self) -> str:
        """Changes whenever a file of the bank does."""
        return self._index.stamp

    def in_learning_order(self) -> list[tuple[Entry, int]]:
        """Every question with the rank of its topic, in the order in which new ones come."""
        levels = " ".join(f"WHEN '{level}' THEN {place}" for place, level in enumerate(LEVELS))
        rows = self._rows(
            f"SELECT {_ENTRY_OF_Q}, t.rank FROM question q JOIN topic t ON t.name = q.topic"
            f" ORDER BY t.rank, q.priority, CASE q.level {levels} END, q.place"
        )
        return [(Entry(*row[:-1]), row[-1]) for row in rows]

    def former_ids(self) -> dict[str, str]:
        """Earlier ids of questions, and their present ones."""
        return {str(old): str(name) for old, name in self._rows("SELECT old, id FROM former")}

    def ties(self, questions: Sequence[str]) -> dict[str, set[str]]:
        """What ties each of some questions to its siblings."""
        found: dict[str, set[str]] = {name: set() for name in questions}
        for start in range(0, len(questions), 500):
            some = questions[start : start + 500]
            held = ", ".join("?" * len(some))
            for name, tie in self._rows(f"SELECT question, tie FROM tie WHERE question IN ({held})", *some):
                found[str(name)].add(str(tie))
        return found

    def entry(self, name: str) -> Entry | None:
        """A question as lists show it; None where the bank does not have it."""
        rows = self._rows(f"SELECT {_ENTRY} FROM question WHERE id = ?", name)
        return Entry(*rows[0]) if rows else None

    def _ids(self) -> list[str]:
        return [str(row[0]) for row in self._rows("SELECT id FROM question")]
