"""From a bank's nodes to topics and questions; every problem of a file is found in one reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quizcli.bank.fields import ID, Fields, Report, distinct
from quizcli.bank.kinds import KIND_KEYS, READERS
from quizcli.bank.nodes import Node, read_file
from quizcli.errors import BankError, suggest
from quizcli.model import Aside, Citation, Exhibit, KeyPoint, Misconception, Onward, Phrase, Proof, Question, Topic
from quizcli.vocabulary import KINDS, LEVELS, SKILLS, Kind, Scalar

TOPIC_KEYS = ("format", "area", "topic", "title", "needs", "references", "questions")
QUESTION_KEYS = (
    *("id", "was", "kind", "level", "skill", "priority", "prompt", "short", "answer", "key_points"),
    *("hints", "follow_ups", "as_of", "demo", "exhibit"),
)
LONGEST_SHORT = 160


@dataclass(frozen=True, slots=True)
class ParsedTopic:
    """A topic, its questions' nodes, the lines of its references, and what it names elsewhere."""

    topic: Topic
    report: Report
    nodes: tuple[Node, ...]
    reference_lines: dict[str, int]
    needs_line: int

    def line(self, question: Question) -> int:
        return self.nodes[self.topic.questions.index(question)].line


def parse_topic(path: Path, shown: str) -> ParsedTopic:
    """The topic of one file. Raises BankError with all of its problems."""
    report = Report(shown)
    root = read_file(path, shown)
    fields = Fields(report, root, TOPIC_KEYS, "topic")
    fields.one_of("format", (1,))
    area, name = fields.id("area"), fields.id("topic")
    if area and area != path.parent.name:
        fields.problem("area", f"'area' is '{area}', but the folder is '{path.parent.name}'")
    if name and name != path.stem:
        fields.problem("topic", f"'topic' is '{name}', but the file is '{path.name}'")
    needs = fields.texts("needs")
    for need in needs:
        report.link("topic", need, fields.line("needs"))
    needs_line = fields.line("needs")
    references = _references(fields)
    nodes = fields.items("questions", least=1)
    questions = tuple(_question(report, node, name, references) for node in nodes)
    distinct(
        report,
        [(question.id.split("/")[-1], node.line) for question, node in zip(questions, nodes, strict=True)],
        lambda text, line: f"question id '{text}' stands twice (first on line {line})",
    )
    topic = Topic(name, area, fields.text("title"), needs, references, questions)
    if report.problems:
        raise BankError(report.problems)
    lines = root.fields["references"].key_lines if references else {}
    return ParsedTopic(topic, report, tuple(nodes), lines, needs_line)


def parse_question(node: Node, topic: str) -> Question:
    """One question from its node alone, for a node that has been read without problems before."""
    report = Report(topic)
    question = _question(report, node, topic, None)
    if report.problems:
        raise BankError(report.problems)
    return question


def parse_misconceptions(path: Path, shown: str) -> tuple[dict[str, Misconception], dict[str, int], Report]:
    """The misconceptions of a bank by id, with the line of each; raises BankError."""
    report = Report(shown)
    root = read_file(path, shown)
    if root.kind != "list":
        report.problem(root.line, "misconceptions must be a list of mappings")
    found: dict[str, Misconception] = {}
    lines: dict[str, int] = {}
    for node in root.items:
        fields = Fields(report, node, ("id", "says", "refuted_by", "with"), "misconception")
        name, says = fields.id("id"), fields.text("says")
        settings = fields.settings("with")
        proof = _proof(fields, "refuted_by", settings)
        if name in found:
            fields.problem("id", f"misconception '{name}' stands twice (first on line {lines[name]})")
        found[name] = Misconception(name, says, proof or Proof("", ""), settings)
        lines[name] = node.line
    if report.problems:
        raise BankError(report.problems)
    return found, lines, report


def _references(fields: Fields) -> dict[str, str]:
    node = fields.node.fields.get("references")
    if node is None:
        return {}
    if node.kind != "map":
        fields.problem("references", f"'references' must be a mapping of keys to texts, not {node.what}")
        return {}
    return {key: fields.words(value, f"reference '{key}'") for key, value in node.fields.items()}


def _question(report: Report, node: Node, topic: str, references: dict[str, str] | None) -> Question:
    named = node.fields.get("id")
    what = f"question '{named.raw}'" if named is not None and named.raw else "question"
    shape = Fields(Report(""), node, tuple(node.fields), what)
    kind: Kind = shape.one_of("kind", KINDS)
    known = (*QUESTION_KEYS, *KIND_KEYS[kind]) if not shape.report.problems else tuple(node.fields)
    fields = Fields(report, node, known, what)
    fields.one_of("kind", KINDS)
    name = fields.id("id")
    body = READERS[kind](fields)
    demo = fields.text("demo")
    report.link("demo", demo, fields.line("demo"))
    short = fields.text("short", at_most=LONGEST_SHORT)
    if "\n" in short:
        fields.problem("short", "'short' must be one line")
    return Question(
        id=f"{topic}/{name}",
        kind=kind,
        level=fields.one_of("level", LEVELS),
        skill=fields.one_of("skill", SKILLS),
        priority=fields.one_of("priority", (1, 2, 3)),
        prompt=fields.text("prompt"),
        short=short,
        answer=fields.text("answer"),
        key_points=_key_points(fields, kind, references),
        demo=demo.replace("-", "_"),
        body=body,
        hints=fields.texts("hints", most=5),
        follow_ups=_follow_ups(fields, topic),
        was=_former_ids(fields, topic),
        as_of=fields.text("as_of", required=False),
        exhibit=_exhibit(fields),
    )


def _former_ids(fields: Fields, topic: str) -> tuple[str, ...]:
    names = []
    for name in fields.texts("was"):
        if not all(ID.match(part) for part in name.split("/")) or name.count("/") > 1:
            fields.problem("was", f"'was' must be earlier ids, such as other-topic/name, not '{name}'")
        names.append(name if "/" in name else f"{topic}/{name}")
    return tuple(names)


def _key_points(fields: Fields, kind: Kind, references: dict[str, str] | None) -> tuple[KeyPoint, ...]:
    nodes = fields.items("key_points", least=2 if kind == "open" else 1, most=5)
    points = []
    for node in nodes:
        point = Fields(
            fields.report,
            node,
            ("id", "says", "must", "listen_for", "not", "proof", "cite"),
            f"{fields.what}: key point",
        )
        listen = tuple(_entry(point, item) for item in point.items("listen_for", required=False))
        if kind == "open" and not listen:
            fields.report.problem(node.line, f"{point.what}: 'listen_for' is missing: the words that earn it")
        cites = tuple(_citation(point, item, references) for item in point.items("cite", required=False))
        barred = tuple(_phrase(point, item) for item in point.items("not", required=False))
        points.append(
            KeyPoint(
                point.id("id"),
                point.text("says"),
                point.flag("must", True),
                listen,
                barred,
                _proof(point, "proof"),
                cites,
            )
        )
    distinct(
        fields.report,
        [(point.id, node.line) for point, node in zip(points, nodes, strict=True)],
        lambda text, line: f"{fields.what}: key point '{text}' stands twice (first on line {line})",
    )
    if points and not any(point.must for point in points):
        fields.problem("key_points", "at least one key point must be a `must`")
    return tuple(points)


def _entry(fields: Fields, node: Node) -> tuple[Phrase, ...]:
    """One way to earn a key point: a phrase, or a list of phrases that are all needed."""
    if node.kind == "list":
        if not node.items:
            fields.report.problem(node.line, f"{fields.what}: an empty list in 'listen_for'")
        return tuple(_phrase(fields, item) for item in node.items)
    return (_phrase(fields, node),)


def _phrase(fields: Fields, node: Node) -> Phrase:
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        # A number to listen for is meant as it is written: 0.10 is not 0.1.
        node.value = node.raw
        return (node.raw,)
    text = fields.words(node, "a phrase of 'listen_for' or 'not'")
    synonyms = tuple(part.strip() for part in text.split("|"))
    if text and not all(synonyms):
        fields.report.problem(node.line, f"{fields.what}: an empty synonym in '{text}'")
    return synonyms


def _citation(fields: Fields, node: Node, references: dict[str, str] | None) -> Citation:
    if node.kind == "map":
        precise = Fields(fields.report, node, ("ref", "at"), f"{fields.what}: citation")
        cite = Citation(precise.text("ref"), precise.text("at", required=False))
    else:
        cite = Citation(fields.words(node, "a citation"))
    if references is not None and cite.ref and cite.ref not in references:
        hint = suggest(cite.ref, references) or "; name it under 'references'"
        fields.report.problem(node.line, f"{fields.what}: unknown reference '{cite.ref}'{hint}")
    return cite


def _proof(fields: Fields, key: str, settings: dict[str, Scalar] | None = None) -> Proof | None:
    if key == "proof" and not fields.has(key):
        return None
    text = fields.text(key)
    demo, _, claim = text.partition("/")
    if text and (not demo or not claim or "/" in claim):
        fields.problem(key, f"'{key}' must be demo/claim, not '{text}'")
    proof = Proof(demo.replace("-", "_"), claim)
    fields.report.link("claim", str(proof), fields.line(key))
    if settings:
        fields.report.link("settings", proof.demo, fields.line("with"), [settings])
    return proof


def _follow_ups(fields: Fields, topic: str) -> tuple[Onward | Aside, ...]:
    found: list[Onward | Aside] = []
    for node in fields.items("follow_ups", required=False):
        entry = Fields(fields.report, node, ("ask", "says", "answer"), f"{fields.what}: follow-up")
        if entry.has("ask"):
            if entry.has("says") or entry.has("answer"):
                entry.problem("ask", "either 'ask', or 'says' with 'answer'")
            name = entry.text("ask")
            full = name if "/" in name else f"{topic}/{name}"
            fields.report.link("question", full if name else "", entry.line("ask"))
            found.append(Onward(full))
        else:
            found.append(Aside(entry.text("says"), entry.text("answer")))
    return tuple(found)


def _exhibit(fields: Fields) -> Exhibit | None:
    node = fields.node.fields.get("exhibit")
    if node is None:
        return None
    entry = Fields(fields.report, node, ("demo", "plot", "with"), f"{fields.what}: exhibit")
    exhibit = Exhibit(entry.text("demo").replace("-", "_"), entry.text("plot"), entry.settings("with"))
    fields.report.link("plot", f"{exhibit.demo}/{exhibit.plot}", node.line)
    if exhibit.settings:
        fields.report.link("settings", exhibit.demo, entry.line("with"), [dict(exhibit.settings)])
    return exhibit
