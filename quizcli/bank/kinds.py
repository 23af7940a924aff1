"""The bodies of the six kinds of question, from their fields."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from quizcli.bank.fields import Fields, as_number, as_scalar, distinct
from quizcli.bank.nodes import Node
from quizcli.model import (
    Body,
    Choice,
    Computed,
    Constant,
    Debug,
    Mistake,
    Number,
    Open,
    Option,
    Order,
    Sample,
    Tolerance,
)
from quizcli.vocabulary import LETTERS, Kind, Scalar

KIND_KEYS: dict[Kind, tuple[str, ...]] = {
    "open": ("samples",),
    "choice": ("options", "keep_order"),
    "multi": ("options", "keep_order"),
    "number": ("measure", "given", "cases", "value", "within", "unit", "mistakes"),
    "order": ("steps",),
    "debug": ("code", "wrong_lines"),
}
MOST_DRAWS = 64
"""Combinations of drawn values: `bank check --prove` runs every one."""


def _open(fields: Fields) -> Open:
    nodes = fields.items("samples", least=2)
    points = fields.node.fields.get("key_points", Node("list"))
    known = [point.fields["id"].raw for point in points.items if "id" in point.fields]
    samples = []
    for node in nodes:
        entry = Fields(fields.report, node, ("text", "earns"), f"{fields.what}: sample")
        earns = frozenset(entry.texts("earns"))
        entry.required("earns")
        for name in sorted(earns - set(known)):
            entry.problem("earns", f"unknown key point '{name}'")
        samples.append(Sample(entry.text("text"), earns))
    return Open(tuple(samples))


def _choice(fields: Fields, several: bool = False) -> Choice:
    nodes = fields.items("options", least=2, most=len(LETTERS))
    options = []
    for node in nodes:
        entry = Fields(fields.report, node, ("says", "why", "correct", "holds"), f"{fields.what}: option")
        option = Option(
            entry.text("says"),
            entry.text("why"),
            entry.flag("correct", False),
            entry.text("holds", required=False) or None,
        )
        if option.holds:
            fields.report.link("misconception", option.holds, entry.line("holds"))
            if option.correct:
                entry.problem("holds", "a right option holds no misconception")
        options.append(option)
    distinct(
        fields.report,
        [(" ".join(option.says.casefold().split()), node.line) for option, node in zip(options, nodes, strict=True)],
        lambda text, line: f"{fields.what}: two equal options '{text}' (first on line {line})",
    )
    right = sum(option.correct for option in options)
    if options and several and (right < 2 or right == len(options)):
        fields.problem(
            "options",
            f"a multi question needs two or more right options and a wrong one; {right} of {len(options)} are right",
        )
    if options and not several and right != 1:
        fields.problem("options", f"a choice question needs one right option (`correct: true`); {right} are right")
    return Choice(tuple(options), several, fields.flag("keep_order", False))


def _multi(fields: Fields) -> Choice:
    return _choice(fields, several=True)


def _number(fields: Fields) -> Number:
    demo, source = "", _source(fields)
    if isinstance(source, Computed):
        demo = source.demo
    mistakes = []
    for node in fields.items("mistakes", required=False):
        entry = Fields(fields.report, node, ("measure", "why", "holds"), f"{fields.what}: mistake")
        mistake = Mistake(entry.text("measure"), entry.text("why"), entry.text("holds", required=False) or None)
        if mistake.holds:
            fields.report.link("misconception", mistake.holds, entry.line("holds"))
        if mistake.measure and isinstance(source, Computed):
            if mistake.measure.partition("/")[0].replace("-", "_") != demo:
                entry.problem("measure", f"a mistake's measure must come from the question's own demo, {demo}")
            fields.report.link("measure", mistake.measure, entry.line("measure"))
        mistakes.append(Mistake(mistake.measure.partition("/")[2], mistake.why, mistake.holds))
    if mistakes and isinstance(source, Constant):
        fields.problem("mistakes", "mistakes are computed by a demo, so they need 'measure' instead of 'value'")
    return Number(source, _tolerance(fields), fields.text("unit", required=False), tuple(mistakes))


def _source(fields: Fields) -> Constant | Computed:
    if fields.has("value"):
        for key in ("measure", "given", "cases"):
            if fields.has(key):
                fields.problem(key, f"either 'value' or '{key}'")
        return Constant(fields.number("value"))
    text = fields.text("measure")
    demo, _, measure = text.partition("/")
    if text and (not demo or not measure):
        fields.problem("measure", f"'measure' must be demo/measure, not '{text}'")
    draws = _draws(fields)
    fields.report.link("measure", text, fields.line("measure"))
    if any(draws):
        fields.report.link("settings", demo, fields.line("given" if fields.has("given") else "cases"), draws)
    return Computed(demo.replace("-", "_"), measure, tuple(draws))


def _draws(fields: Fields) -> list[dict[str, Scalar]]:
    """All settings that a question may be asked with."""
    if fields.has("given") and fields.has("cases"):
        fields.problem("cases", "either 'given' (each name drawn alone) or 'cases' (drawn together)")
    if fields.has("cases"):
        draws = [fields.settings_of(node, "'cases'") for node in fields.items("cases", least=1)]
        for draw, node in zip(draws, fields.items("cases"), strict=True):
            if set(draw) != set(draws[0]):
                fields.report.problem(
                    node.line, f"{fields.what}: every case must set the same parameters: {', '.join(draws[0])}"
                )
    elif fields.has("given"):
        draws = _product(fields, fields.node.fields["given"])
    else:
        draws = [{}]
    if len(draws) > MOST_DRAWS:
        fields.problem(
            "given" if fields.has("given") else "cases", f"{len(draws)} combinations, more than {MOST_DRAWS}"
        )
        return draws[:1]
    return draws


def _product(fields: Fields, node: Node) -> list[dict[str, Scalar]]:
    if node.kind != "map":
        fields.problem("given", f"'given' must be a mapping of parameters to lists, not {node.what}")
        return [{}]
    columns: list[list[Scalar]] = []
    for name, values in node.fields.items():
        scalars = [as_scalar(item) for item in values.items]
        if values.kind != "list" or not scalars or None in scalars:
            fields.report.problem(
                values.line, f"{fields.what}: 'given': '{name}' must be a list of values, such as [3, 5]"
            )
            scalars = [0]
        if len(set(map(str, scalars))) != len(scalars):
            fields.report.problem(values.line, f"{fields.what}: 'given': '{name}' lists a value twice")
        columns.append([scalar for scalar in scalars if scalar is not None])
    if math.prod(map(len, columns)) > MOST_DRAWS * 100:
        return [{}] * (MOST_DRAWS + 1)
    return [dict(zip(node.fields, values, strict=True)) for values in itertools.product(*columns)]


def _tolerance(fields: Fields) -> Tolerance:
    node = fields.required("within")
    if node is None:
        return Tolerance("exact")
    text = node.raw.strip() if node.kind == "scalar" else ""
    number = as_number(node)
    if number == 0:
        return Tolerance("exact")
    if number is not None and number > 0:
        return Tolerance("absolute", float(number))
    try:
        if text.endswith("%") and 0 < float(text[:-1]) < math.inf:
            return Tolerance("relative", float(text[:-1]) / 100)
        if text.startswith(("x", "×")) and 1 < float(text[1:]) < math.inf:
            return Tolerance("factor", float(text[1:]))
    except ValueError:
        pass
    fields.problem(
        "within",
        "'within' must be 0, a number such as 0.01, a share such as 1%, or a factor such as x3,"
        f" not '{text or node.what}'",
    )
    return Tolerance("exact")


def _order(fields: Fields) -> Order:
    groups: list[tuple[str, ...]] = []
    places: list[tuple[str, int]] = []
    for node in fields.items("steps", least=2):
        nodes = node.items if node.kind == "list" else [node]
        if not nodes:
            fields.report.problem(node.line, f"{fields.what}: an empty list in 'steps'")
        groups.append(tuple(fields.words(item, "a step") for item in nodes))
        places += [(" ".join(item.raw.casefold().split()), item.line) for item in nodes]
    if fields.has("steps") and places and not 3 <= len(places) <= len(LETTERS):
        fields.problem("steps", f"'steps' has {len(places)} steps; it needs 3 to {len(LETTERS)}")
    distinct(
        fields.report, places, lambda text, line: f"{fields.what}: two equal steps '{text}' (first on line {line})"
    )
    return Order(tuple(groups))


def _debug(fields: Fields) -> Debug:
    node = fields.required("code")
    code = node.value.rstrip() if node is not None and isinstance(node.value, str) else ""
    if node is not None and not code.strip():
        fields.problem("code", f"'code' must be a block of code, not {node.what}")
    if node is not None and code:
        fields.check_characters(node, "'code'")
    count = len(code.splitlines())
    lines = set()
    for item in fields.items("wrong_lines", least=1):
        if not isinstance(item.value, int) or isinstance(item.value, bool) or not 1 <= item.value <= max(count, 1):
            fields.report.problem(
                item.line,
                f"{fields.what}: 'wrong_lines' must be line numbers from 1 to {count}, not '{item.raw or item.what}'",
            )
        else:
            lines.add(item.value)
    return Debug(code, frozenset(lines))


READERS: dict[Kind, Callable[[Fields], Body]] = {
    "open": _open,
    "choice": _choice,
    "multi": _multi,
    "number": _number,
    "order": _order,
    "debug": _debug,
}
