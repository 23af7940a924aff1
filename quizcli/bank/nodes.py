"""A bank file as a tree of nodes that know their lines: YAML read as data, nothing else.

The events of libyaml are read one by one, so neither deep nesting nor aliases can cost more than the file's
size. Aliases, tags and duplicate keys are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from quizcli.errors import BankError, Problem

LARGEST = 1_000_000
"""Bytes: a larger file is no topic."""

LARGEST_NUMBER = 10**18
"""A whole number beyond this is text: nothing here counts so far."""

DEEPEST = 20
"""Levels of nesting."""


@dataclass(slots=True)
class Node:
    """One value of a file. A scalar's `value` is None, bool, int, float or str; `raw` is how it is written."""

    kind: Literal["scalar", "list", "map"]
    line: int = 0
    value: bool | int | float | str | None = None
    raw: str = ""
    items: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """Its kind in words, for messages."""
        if self.kind == "list":
            return "a list"
        if self.kind == "map":
            return "a mapping"
        if self.value is None:
            return "nothing"
        if isinstance(self.value, bool):
            return f"the truth value {self.raw}"
        return f"the number {self.raw}" if isinstance(self.value, int | float) else "text"

    def plain(self) -> Any:
        """The node as JSON holds it."""
        if self.kind == "list":
            return [item.plain() for item in self.items]
        if self.kind == "map":
            return {key: node.plain() for key, node in self.fields.items()}
        return self.value

    @classmethod
    def of(cls, data: Any) -> Node:
        """The node that `plain` came from, without its lines."""
        if isinstance(data, list):
            return cls("list", items=[cls.of(item) for item in data])
        if isinstance(data, dict):
            return cls("map", fields={str(key): cls.of(value) for key, value in data.items()})
        return cls("scalar", value=data, raw=str(data))


def read_file(path: Path, shown: str) -> Node:
    """The tree of a YAML file; `shown` names it in messages. Raises BankError with every problem found."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            limit = f"{LARGEST / 1e6:.0f} MB"
            raise BankError(
                [Problem(shown, 0, f"the file has {size / 1e6:.1f} MB, more than {limit}: split the topic")]
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BankError([Problem(shown, 0, f"cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise BankError(
            [Problem(shown, line, f"not UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8")]
        ) from error
    return read_text(text, shown)


def read_text(text: str, shown: str) -> Node:
    """The tree of a YAML text."""
    import yaml

    try:
        builder = _Builder(shown)
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BankError(
            [Problem(shown, mark.line + 1 if mark else 0, f"broken YAML: {error.problem or error.context}")]
        ) from error
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes, the parser written in Python characters.
        read = text.encode()[: error.position] if hasattr(yaml, "CSafeLoader") else text[: error.position].encode()
        line = read.count(b"\n") + 1
        character = chr(error.character) if isinstance(error.character, int) else str(error.character)
        what = f"YAML does not allow the character {character!r}: delete it"
        raise BankError([Problem(shown, line, what)]) from error
    except yaml.YAMLError as error:
        raise BankError([Problem(shown, 0, f"broken YAML: {error}")]) from error
    if builder.problems:
        raise BankError(builder.problems)
    if builder.root is None:
        raise BankError([Problem(shown, 0, "the file is empty: a bank begins with `format: 1`")])
    return builder.root


def _events(text: str) -> Iterator[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return iter(yaml.parse(text, Loader=loader))


class _Builder:
    """Turns a stream of YAML events into a tree, without recursion."""

    def __init__(self, shown: str) -> None:
        import yaml

        self.shown = shown
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._open: list[Node] = []
        self._keys: list[str | None] = []
        self._resolver: Any = yaml.resolver.Resolver()
        self._scalar_types: Any = yaml.constructor.SafeConstructor()

    def problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.shown, line, message))

    def take(self, event: Any) -> None:
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise BankError(
                [*self.problems, Problem(self.shown, line, "aliases (*name) are not read in banks: write the text out")]
            )
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise BankError(
                [
                    *self.problems,
                    Problem(self.shown, line, "a second document (---) in one file: a file holds one topic"),
                ]
            )
        if isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent) and (
            event.anchor or event.tag not in (None, "!")
        ):
            self.problem(line, f"anchors and tags are not read in banks: delete '{event.tag or f'&{event.anchor}'}'")
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, line))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._descend(Node("list", line))
        elif isinstance(event, yaml.MappingStartEvent):
            self._descend(Node("map", line))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._open.pop()
            self._keys.pop()

    def _descend(self, node: Node) -> None:
        if len(self._open) >= DEEPEST:
            raise BankError([*self.problems, Problem(self.shown, node.line, f"nested more than {DEEPEST} levels deep")])
        self._add(node)
        self._open.append(node)
        self._keys.append(None)

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if parent.kind == "list":
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            if node.kind != "scalar":
                raise BankError([*self.problems, Problem(self.shown, node.line, "a key must be a word")])
            self._keys[-1] = node.raw
            if node.raw in parent.fields:
                self.problem(node.line, f"duplicate key '{node.raw}' (first on line {parent.key_lines[node.raw]})")
            parent.key_lines.setdefault(node.raw, node.line)
            return
        parent.fields.setdefault(key, node)
        self._keys[-1] = None

    def _scalar(self, event: Any, line: int) -> Node:
        """A plain scalar as YAML 1.1 reads it, where that is a number, a truth value or nothing; else its text."""
        import yaml

        value: Any = event.value
        if event.implicit[0] and not event.style:
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, (True, False))
            kind = tag.rsplit(":", 1)[-1]
            if kind in ("null", "bool", "int", "float"):
                try:
                    value = getattr(self._scalar_types, f"construct_yaml_{kind}")(yaml.ScalarNode(tag, event.value))
                except (ValueError, OverflowError):
                    value = event.value
                if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
                    value = event.value
        return Node("scalar", line, value, event.value)
