"""Typed reading of nodes: every problem is noted with its line, and reading goes on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from quizcli.bank.nodes import Node
from quizcli.errors import Problem, suggest
from quizcli.vocabulary import Scalar

T = TypeVar("T")

ID = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\Z")

LinkKind = Literal["demo", "settings", "claim", "measure", "plot", "question", "topic", "misconception"]


@dataclass(frozen=True, slots=True)
class Link:
    """Something that a bank file names and that must exist elsewhere, with the settings it is used under."""

    kind: LinkKind
    name: str
    path: str
    line: int
    settings: tuple[dict[str, Scalar], ...] = ()


@dataclass(slots=True)
class Report:
    """What reading one file found: problems, and links to be followed when all files are read."""

    path: str
    problems: list[Problem] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.path, line, message))

    def link(self, kind: LinkKind, name: str, line: int, settings: Iterable[dict[str, Scalar]] = ()) -> None:
        if name:
            self.links.append(Link(kind, name, self.path, line, tuple(settings)))


class Fields:
    """One mapping of a bank, read key by key. A value that does not fit is a problem, and a neutral one is returned."""

    def __init__(self, report: Report, node: Node, known: Sequence[str], what: str) -> None:
        self.report = report
        self.node = node
        self.what = what
        if node.kind != "map":
            report.problem(node.line, f"{what} must be a mapping, not {node.what}")
        for key in node.fields:
            if key not in known:
                report.problem(node.key_lines.get(key, node.line), f"{what}: unknown key '{key}'{suggest(key, known)}")

    def line(self, key: str) -> int:
        return self.node.key_lines.get(key, self.node.line)

    def has(self, key: str) -> bool:
        return key in self.node.fields

    def problem(self, key: str, message: str) -> None:
        self.report.problem(self.line(key), f"{self.what}: {message}")

    def required(self, key: str) -> Node | None:
        found = self.node.fields.get(key)
        if found is None and self.node.kind == "map":
            self.report.problem(self.node.line, f"{self.what}: '{key}' is missing")
        return found

    def text(self, key: str, *, required: bool = True, at_most: int = 20_000) -> str:
        """A text, stripped; an absent optional one is empty."""
        node = self.required(key) if required else self.node.fields.get(key)
        if node is None:
            return ""
        text = self.words(node, f"'{key}'")
        if len(text) > at_most:
            self.problem(key, f"'{key}' has {len(text)} characters, more than {at_most}")
        return text

    def words(self, node: Node, name: str) -> str:
        """A node's text; numbers and truth values must be quoted to be text."""
        if not isinstance(node.value, str) or node.kind != "scalar":
            quoted = f'; quote it: "{node.raw}"' if node.kind == "scalar" and node.value is not None else ""
            self.report.problem(node.line, f"{self.what}: {name} must be text, not {node.what}{quoted}")
            return ""
        text = node.value.strip()
        if not text:
            self.report.problem(node.line, f"{self.what}: {name} is empty")
        self.check_characters(node, name)
        return text

    def check_characters(self, node: Node, name: str) -> None:
        """Note control characters: a terminal would obey them."""
        text = str(node.value)
        bad = next((c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160), None)
        if bad is not None:
            self.report.problem(node.line, f"{self.what}: {name} holds the control character {bad!r}: delete it")

    def id(self, key: str) -> str:
        text = self.text(key)
        if text and not ID.match(text):
            self.problem(key, f"'{key}' must be small letters, digits and hyphens, not '{text}'")
        return text

    def one_of(self, key: str, known: Sequence[T], default: T | None = None) -> T:
        """One of several words or numbers."""
        if default is not None and not self.has(key):
            return default
        node = self.required(key)
        if node is None:
            return known[0]
        for value in known:
            if node.kind == "scalar" and node.value == value and type(node.value) is type(value):
                return value
        shown = node.raw if node.kind == "scalar" else node.what
        near = suggest(shown, [str(value) for value in known])
        self.problem(key, f"'{key}' must be one of {', '.join(map(str, known))}, not '{shown}'{near}")
        return known[0]

    def flag(self, key: str, default: bool) -> bool:
        node = self.node.fields.get(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.problem(key, f"'{key}' must be true or false, not {node.what}")
            return default
        return node.value

    def number(self, key: str) -> float:
        node = self.required(key)
        value = None if node is None else as_number(node)
        if node is not None and value is None:
            self.problem(key, f"'{key}' must be a number, not {node.what}")
        return 0.0 if value is None else float(value)

    def items(self, key: str, *, required: bool = True, least: int = 0, most: int = 1000) -> list[Node]:
        """The nodes of a list, whose length is checked."""
        node = self.required(key) if required else self.node.fields.get(key)
        if node is None:
            return []
        if node.kind != "list":
            self.problem(key, f"'{key}' must be a list, not {node.what}")
            return []
        if not least <= len(node.items) <= most:
            wanted = f"at least {least}" if len(node.items) < least else f"at most {most}"
            self.problem(key, f"'{key}' has {len(node.items)} entries; it needs {wanted}")
        return node.items

    def texts(self, key: str, *, most: int = 1000) -> tuple[str, ...]:
        return tuple(self.words(item, f"'{key}'") for item in self.items(key, required=False, most=most))

    def settings(self, key: str) -> dict[str, Scalar]:
        """A mapping of parameter names to single values."""
        node = self.node.fields.get(key)
        return {} if node is None else self.settings_of(node, f"'{key}'")

    def settings_of(self, node: Node, name: str) -> dict[str, Scalar]:
        if node.kind != "map":
            self.report.problem(node.line, f"{self.what}: {name} must be a mapping of parameters, not {node.what}")
            return {}
        found = {}
        for parameter, value in node.fields.items():
            scalar = as_scalar(value)
            if scalar is None:
                self.report.problem(
                    value.line, f"{self.what}: {name}: '{parameter}' must be one value, not {value.what}"
                )
            else:
                found[parameter] = scalar
        return found


def as_number(node: Node) -> int | float | None:
    """A finite number, also in forms that YAML 1.1 takes for text (`1e-3`)."""
    value: Any = node.value
    if isinstance(value, str) and node.kind == "scalar" and NUMBER.match(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def as_scalar(node: Node) -> Scalar | None:
    """A value of a demo's parameter."""
    if node.kind != "scalar" or node.value is None:
        return None
    if isinstance(node.value, bool):
        return node.value
    number = as_number(node)
    return node.raw if number is None else number


def distinct(report: Report, entries: Iterable[tuple[str, int]], message: Callable[[str, int], str]) -> None:
    """Note every text that stands twice, with the line of its first place."""
    first: dict[str, int] = {}
    for text, line in entries:
        if text and text in first:
            report.problem(line, message(text, first[text]))
        first.setdefault(text, line)
