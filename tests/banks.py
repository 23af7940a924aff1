"""A small bank on disk that tests copy, change and check, and its demos."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from quizcli.bank.check import Reading, check_ids, check_links, files_of, read_bank, read_retired
from quizcli.bank.library import Library
from quizcli.bank.lint import lint_questions
from quizcli.bank.parse import parse_topic
from quizcli.errors import Problem
from quizcli.lab.catalog import Catalog
from quizcli.model import Question

FIXTURES = Path(__file__).parent / "fixtures"
DEMOS = FIXTURES / "demos"
AREAS = {"averaging": "basics", "convolution": "vision", "pooling": "vision"}


@dataclass(frozen=True)
class Bank:
    """A copy of the fixture bank that a test may change."""

    folder: Path
    cache: Path
    opened: list[Library] = field(default_factory=list)

    @classmethod
    def copied_to(cls, place: Path) -> Bank:
        shutil.copytree(FIXTURES / "bank", place / "bank")
        return cls(place / "bank", place / "cache")

    def path(self, name: str) -> Path:
        """The file of a topic, or another file of the bank by its whole name."""
        return self.folder / AREAS[name] / f"{name}.yaml" if name in AREAS else self.folder / name

    def shown(self, name: str) -> str:
        """How messages name that file."""
        return f"bank/{self.path(name).relative_to(self.folder).as_posix()}"

    def text(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace what stands in a file exactly once."""
        text = self.text(name)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def line(self, name: str, words: str) -> int:
        """The line (from 1) of words that stand in a file exactly once."""
        found = [number for number, line in enumerate(self.text(name).splitlines(), 1) if words in line]
        assert len(found) == 1, f"{words!r} stands on lines {found} of {name}"
        return found[0]

    def read(self, *chosen: Path) -> Reading:
        return read_bank(files_of(self.folder, chosen)[0])

    def problems(self) -> list[Problem]:
        """Everything that checking the whole bank finds, proofs aside."""
        reading = self.read()
        check_links(reading, Catalog(DEMOS))
        check_ids(reading, read_retired(self.folder), "bank/retired.txt")
        lint_questions(reading)
        return sorted(set(reading.problems))

    def open(self, cache: Path | None = None) -> Library:
        library = Library(self.folder, cache or self.cache)
        self.opened.append(library)
        return library

    def close(self) -> None:
        """Close every library that was opened."""
        for library in self.opened:
            library._index.db.close()

    def index_file(self) -> Path:
        """The one file in the cache."""
        (found,) = self.cache.glob("*.sqlite")
        return found


QUESTIONS: dict[str, Question] = {
    question.id: question
    for name, area in AREAS.items()
    for question in parse_topic(FIXTURES / "bank" / area / f"{name}.yaml", name).topic.questions
}


def assert_whole(library: Library) -> None:
    """Every question of the fixture bank can be had, as its file has it."""
    assert {entry.id for entry in library.entries()} == set(QUESTIONS)
    assert {name: library.question(name) for name in QUESTIONS} == QUESTIONS
    assert [topic.name for topic in library.topics()] == ["averaging", "convolution", "pooling"]


def assert_rebuilt(bank: Bank, parsed: list[str]) -> None:
    """The bank can be read whole, and the next to open it finds an index that needs no work."""
    assert_whole(bank.open())
    parsed.clear()
    assert_whole(bank.open())
    assert parsed == []
