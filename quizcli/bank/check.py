"""Reading a whole bank, or some files of it, and finding everything that is wrong in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quizcli.bank.fields import Link
from quizcli.bank.index import MISCONCEPTIONS, bank_files, shown_path
from quizcli.bank.parse import ParsedTopic, parse_misconceptions, parse_topic
from quizcli.errors import BankError, Problem, QuizError, UsageError, suggest
from quizcli.lab.catalog import Catalog, Demo, DemoError
from quizcli.model import Misconception, Question

RETIRED = "retired.txt"
MISCONCEPTIONS_NAME = MISCONCEPTIONS.removesuffix(".yaml")


@dataclass
class Reading:
    """What the files of a bank hold, as far as they could be read, and every problem."""

    topics: dict[str, ParsedTopic] = field(default_factory=dict)
    misconceptions: dict[str, Misconception] = field(default_factory=dict)
    misconception_lines: dict[str, int] = field(default_factory=dict)
    misconception_path: str = ""
    links: list[Link] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    @property
    def questions(self) -> list[Question]:
        return [question for parsed in self.topics.values() for question in parsed.topic.questions]

    def place(self, question: Question) -> tuple[str, int]:
        parsed = self.topics[question.topic]
        return parsed.report.path, parsed.line(question)

    def problem(self, question: Question, message: str) -> None:
        path, line = self.place(question)
        self.problems.append(Problem(path, line, f"question '{question.id.split('/')[1]}': {message}"))


def read_bank(files: Iterable[tuple[Path, str]]) -> Reading:
    """All that the files hold; what cannot be read is left out and noted."""
    reading = Reading()
    for path, shown in files:
        try:
            if path.name == MISCONCEPTIONS:
                found, lines, report = parse_misconceptions(path, shown)
                reading.misconceptions |= found
                reading.misconception_lines |= lines
                reading.misconception_path = shown
                reading.links += report.links
                continue
            parsed = parse_topic(path, shown)
        except BankError as error:
            reading.problems += error.problems
            reading.broken.add(path.stem)
            continue
        twin = reading.topics.get(parsed.topic.name)
        if twin is not None:
            message = f"topic '{parsed.topic.name}' stands in {twin.report.path} too: rename one of them"
            reading.problems.append(Problem(shown, 0, message))
            continue
        reading.topics[parsed.topic.name] = parsed
        reading.links += parsed.report.links
    return reading


def files_of(folder: Path, chosen: Sequence[Path]) -> tuple[list[tuple[Path, str]], set[str]]:
    """The files to read, and the names (as shown) of those to report on: the chosen ones, or all of the bank."""
    whole = {file.path.resolve(): file.shown for file in bank_files(folder)}
    if not chosen:
        return list(whole.items()), set(whole.values())
    files = dict(whole)
    wanted: set[str] = set()
    for path in chosen:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        for found in sorted(path.rglob("*.yaml")) if path.is_dir() else [path]:
            shown = whole.get(found.resolve(), str(found))
            if found.resolve() not in whole:
                # A file from elsewhere stands for the bank's own of that name.
                files = {other: name for other, name in files.items() if other.name != found.name or name in wanted}
            files[found.resolve()] = shown
            wanted.add(shown)
    return list(files.items()), wanted


def check_links(reading: Reading, catalog: Catalog) -> None:
    """Follow everything that is named elsewhere: topics, questions, demos, claims, measures, plots, misconceptions."""
    ids = {question.id for question in reading.questions}
    demos = _Demos(catalog)
    for link in reading.links:
        if link.kind == "topic":
            message = _unknown("topic", link.name, {*reading.topics, *reading.broken})
        elif link.kind == "question":
            broken = link.name.split("/")[0] in reading.broken
            message = "" if broken else _unknown("question", link.name, ids)
        elif link.kind == "misconception":
            broken = MISCONCEPTIONS_NAME in reading.broken
            message = "" if broken else _unknown("misconception", link.name, reading.misconceptions)
        else:
            message = demos.wrong_with(link)
        if message:
            reading.problems.append(Problem(link.path, link.line, message))
    held = {link.name for link in reading.links if link.kind == "misconception"}
    for name, line in reading.misconception_lines.items():
        if name not in held and not reading.broken:
            message = f"misconception '{name}' is held by no option: use it (`holds: {name}`) or delete it"
            reading.problems.append(Problem(reading.misconception_path, line, message))
    _check_references(reading)
    _check_cycle(reading)


def check_ids(reading: Reading, retired: Mapping[str, int], shown: str) -> None:
    """Ids are stable for ever: a retired or former one is never used again."""
    ids = {question.id for question in reading.questions}
    former: dict[str, str] = {}
    for question in reading.questions:
        if question.id in retired:
            reading.problem(question, f"its id was retired ({shown}:{retired[question.id]}): choose another")
        for old in question.was:
            if old in ids:
                reading.problem(question, f"'was' names '{old}', which is a question of the bank")
            if old in former:
                reading.problem(question, f"'was' names '{old}', as does '{former[old]}'")
            former[old] = question.id


def read_retired(folder: Path) -> dict[str, int]:
    """Retired ids with their lines; `#` begins a comment."""
    path = folder / RETIRED
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuizError(f"{shown_path(path, folder)}: cannot be read: {error}") from error
    named = [(line.split("#")[0].strip(), number) for number, line in enumerate(lines, 1)]
    return {name: number for name, number in named if name}


def _check_references(reading: Reading) -> None:
    for parsed in reading.topics.values():
        cited = {
            cite.ref for question in parsed.topic.questions for point in question.key_points for cite in point.cites
        }
        for key, line in parsed.reference_lines.items():
            if key not in cited:
                message = f"reference '{key}' is named by no key point: cite it or delete it"
                reading.problems.append(Problem(parsed.report.path, line, message))


def _check_cycle(reading: Reading) -> None:
    """Note each topic that needs itself in the end; what merely needs such a topic is not to blame."""
    needs = {name: set(parsed.topic.needs) for name, parsed in reading.topics.items()}
    for name, parsed in reading.topics.items():
        through = next((need for need in parsed.topic.needs if name in _reached(needs, need)), None)
        if through is not None:
            message = f"topic '{name}' needs '{through}', which in turn needs it: `needs` may have no cycle"
            reading.problems.append(Problem(parsed.report.path, parsed.needs_line, message))


def _reached(needs: Mapping[str, set[str]], start: str) -> set[str]:
    """A topic, all that it needs, all that they need, and so on."""
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += needs.get(name, ())
    return reached


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    return "" if name in names else f"unknown {kind} '{name}'{suggest(name, names)}"


class _Demos:
    """Judges links into the lab."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.names = catalog.names

    def wrong_with(self, link: Link) -> str:
        """What is wrong with a link to a demo, a claim, a measure or a plot; empty where nothing is."""
        name, _, part = link.name.partition("/")
        if link.kind == "demo":
            name = link.name
        plain = name.replace("-", "_")
        if any(mark in name for mark in "/\\."):
            return f"'{name}' looks like a path; a demo is called by its name"
        if plain not in self.names:
            return f"unknown demo '{name}'{suggest(plain, self.names)}"
        try:
            demo = self.catalog.find(plain)
        except DemoError as error:
            return f"demo '{name}' cannot be described: {error}"
        if link.kind in ("claim", "measure", "plot"):
            known = self._parts(demo, link)
            if part not in known:
                return f"demo {name} has no {link.kind} '{part}'{suggest(part, known)}"
        for settings in link.settings:
            try:
                demo.settings(settings)
            except UsageError as error:
                return str(error)
        return ""

    def _parts(self, demo: Demo, link: Link) -> Iterable[str]:
        return {"claim": demo.claims, "measure": demo.measures, "plot": demo.plots}[link.kind]
