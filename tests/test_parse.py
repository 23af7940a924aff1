"""From a bank's nodes to topics and questions, every problem with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quizcli.bank.check import check_ids, check_links, read_bank
from quizcli.bank.nodes import Node, read_file
from quizcli.bank.parse import ParsedTopic, parse_misconceptions, parse_question, parse_topic
from quizcli.errors import BankError, Problem
from quizcli.lab.catalog import Catalog
from quizcli.model import (
    Aside,
    Choice,
    Citation,
    Computed,
    Constant,
    Debug,
    Exhibit,
    Number,
    Onward,
    Open,
    Order,
    Proof,
    Question,
    Tolerance,
)
from tests.banks import AREAS, DEMOS, FIXTURES, Bank

HERE = FIXTURES / "bank"


def parsed(name: str) -> ParsedTopic:
    return parse_topic(HERE / AREAS[name] / f"{name}.yaml", name)


def asked(name: str) -> Question:
    """A question of the fixture topic on convolution."""
    return next(each for each in parsed("convolution").topic.questions if each.id == f"convolution/{name}")


def problems(bank: Bank, name: str = "convolution") -> list[Problem]:
    """The problems that reading one file finds."""
    with pytest.raises(BankError) as caught:
        parse_topic(bank.path(name), bank.shown(name))
    return caught.value.problems


def test_a_topic_is_read_whole() -> None:
    topic = parsed("convolution").topic
    assert (topic.name, topic.area, topic.title, topic.needs) == (
        *("convolution", "vision", "Convolution"),
        ("averaging",),
    )
    assert list(topic.references) == ["dumoulin2016"]
    assert [each.kind for each in topic.questions] == ["open", "choice", "multi", "number", "number", "order", "debug"]


def test_every_question_knows_its_line() -> None:
    topic = parsed("convolution")
    lines = (HERE / "vision" / "convolution.yaml").read_text(encoding="utf-8").splitlines()
    for each in topic.topic.questions:
        assert lines[topic.line(each) - 1] == f"  - id: {each.id.split('/')[1]}"


def test_an_open_question_is_read_whole() -> None:
    each = asked("sharing")
    shared, local = each.key_points
    assert each.was == ("kernels/sharing", "convolution/weight-sharing")
    assert shared.listen_for == ((("same", "shared"), ("weight", "kernel")), (("reus",),))
    assert (shared.must, shared.contradicted_by, shared.proof) == (
        *(True, (("different weights",),)),
        Proof("conv_shape", "formula-counts"),
    )
    assert (local.must, local.proof, local.cites) == (False, None, (Citation("dumoulin2016"),))
    assert isinstance(each.body, Open)
    assert [sample.earns for sample in each.body.samples] == [{"shared"}, {"local"}]
    assert each.follow_ups == (
        *(Onward("convolution/output-size"), Onward("averaging/root-n")),
        Aside("And in one dimension?", "The same holds."),
    )
    assert (each.as_of, each.exhibit) == ("2026-11", Exhibit("conv_shape", "starts", {"stride": 2}))


def test_options_are_read_with_their_reasons() -> None:
    one, many = asked("padding").body, asked("changes").body
    assert isinstance(one, Choice) and isinstance(many, Choice)
    assert (one.right, one.several, one.keep_order) == ({0}, False, True)
    assert (many.right, many.several, many.keep_order) == ({0, 1}, True, False)
    assert [option.holds for option in one.options] == [None, None, "padding-is-free"]


def test_given_values_are_drawn_each_with_each() -> None:
    body = asked("output-size").body
    assert isinstance(body, Number) and isinstance(body.source, Computed)
    draws = [(draw["kernel"], draw["stride"]) for draw in body.source.draws]
    assert sorted(draws) == sorted(product([3, 5], [1, 2, 3]))
    assert (body.unit, body.within, body.mistakes[0].measure) == ("values", Tolerance("exact"), "no-padding")


def test_cases_are_drawn_together() -> None:
    body = parsed("pooling").topic.questions[0].body
    assert isinstance(body, Number) and isinstance(body.source, Computed)
    assert [draw["stride"] for draw in body.source.draws] == [2, 4]
    assert body.within == Tolerance("relative", 0.01)


def test_the_other_kinds_are_read() -> None:
    weights, steps, wrong = asked("weights").body, asked("steps").body, asked("wrong-side").body
    assert isinstance(weights, Number) and isinstance(steps, Order) and isinstance(wrong, Debug)
    assert (weights.source, weights.within) == (Constant(9), Tolerance("absolute", 0.5))
    assert steps.groups == (("choose a kernel",), ("choose a stride", "choose a padding"), ("compute the side",))
    assert (len(wrong.code.splitlines()), wrong.wrong_lines) == (3, {2})


def test_a_demo_may_be_named_with_hyphens() -> None:
    assert asked("padding").demo == "conv_shape"


@pytest.mark.parametrize(
    ("text", "within"),
    [
        *(("0", Tolerance("exact")), ("0.0", Tolerance("exact")), ("0.01", Tolerance("absolute", 0.01))),
        *(("1e-3", Tolerance("absolute", 0.001)), ("2", Tolerance("absolute", 2)), ("1%", Tolerance("relative", 0.01))),
        *(("2.5%", Tolerance("relative", 0.025)), ("x3", Tolerance("factor", 3)), ("x1.5", Tolerance("factor", 1.5))),
    ],
)
def test_a_tolerance_is_read(bank: Bank, text: str, within: Tolerance) -> None:
    bank.change("convolution", "within: 0.5", f"within: {text}")
    body = parse_topic(bank.path("convolution"), "t").topic.questions[4].body
    assert isinstance(body, Number) and body.within == within


@pytest.mark.parametrize("text", ["-1", "x1", "x0", "'%'", "0%", "x", "1 %%", "nan", ".inf", "x.inf", "[0]", "", "yes"])
def test_a_tolerance_that_means_nothing_names_its_line(bank: Bank, text: str) -> None:
    line = bank.line("convolution", "within: 0.5")
    bank.change("convolution", "within: 0.5", f"within: {text}")
    (problem,) = problems(bank)
    assert (problem.line, "'within' must be" in problem.message) == (line, True)


@pytest.mark.parametrize("phrase", ["0.10", "1_000", "1e3", "0x10", "1.50", "007", "1:30"])
def test_a_number_to_listen_for_stays_as_it_is_written(bank: Bank, phrase: str) -> None:
    bank.change("convolution", "listen_for: [local, small window]", f"listen_for: [local, small window, {phrase}]")
    whole = parse_topic(bank.path("convolution"), "t")
    alone = parse_question(Node.of(whole.nodes[0].plain()), "convolution")
    assert whole.topic.questions[0].key_points[1].listen_for[-1] == ((phrase,),)
    assert alone == whole.topic.questions[0]


def test_a_question_read_alone_is_the_question_of_its_file() -> None:
    for name in AREAS:
        whole = parsed(name)
        for node, each in zip(whole.nodes, whole.topic.questions, strict=True):
            assert parse_question(Node.of(node.plain()), name) == each


def test_misconceptions_are_read_with_their_lines() -> None:
    found, lines, _ = parse_misconceptions(HERE / "misconceptions.yaml", "m")
    assert lines == {"padding-is-free": 1, "spread-stays": 4}
    assert found["spread-stays"].refuted_by == Proof("averaging", "root-n")
    assert found["spread-stays"].settings == {"count": 4}


WRONG = {case["what"]: case for case in yaml.safe_load((FIXTURES / "wrong_topics.yaml").read_text(encoding="utf-8"))}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_names_its_line(bank: Bank, what: str) -> None:
    case = WRONG[what]
    name = case.get("topic", "convolution")
    bank.change(name, case["old"], case["new"])
    text = bank.text(name)
    assert text.count(case["at"]) == 1, "the place does not stand once"
    line = text[: text.index(case["at"])].count("\n") + 1
    found = bank.problems()
    named = [(problem.path, problem.line) for problem in found if case["says"] in problem.message]
    assert named == [(bank.shown(name), line)], "\n".join(map(str, found))


def test_no_line_of_the_fixture_is_a_problem() -> None:
    for name in AREAS:
        assert parsed(name).report.problems == []


def test_all_problems_of_a_file_come_in_one_run(bank: Bank) -> None:
    bank.change("convolution", "title: Convolution\n", "")
    bank.change("convolution", "kind: debug", "kind: debgu")
    bank.change("convolution", "short: Nine.", "shrot: Nine.")
    bank.change("convolution", "within: 0.5", "within: close")
    bank.change("convolution", "format: 1", "format: 2")
    text = " ".join(problem.message for problem in problems(bank))
    assert [word for word in ("'title' is missing", "debgu", "shrot", "within", "format") if word not in text] == []


def test_a_misconception_that_stands_twice_names_both_lines(bank: Bank) -> None:
    bank.change("misconceptions.yaml", "- id: spread-stays", "- id: padding-is-free")
    with pytest.raises(BankError) as caught:
        parse_misconceptions(bank.path("misconceptions.yaml"), "m")
    assert [(problem.line, "first on line 1" in problem.message) for problem in caught.value.problems] == [(4, True)]


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every value of a tree."""
    yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from places(value, (*path, key))


def with_value(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The tree with another value at a path."""
    if not path:
        return value
    copied = dict(data) if isinstance(data, dict) else list(data)
    copied[path[0]] = with_value(copied[path[0]], path[1:], value)  # type: ignore[index]
    return copied


def reads(monkeypatch: pytest.MonkeyPatch, path: Path, data: Any, parse: Callable[[Path, str], object]) -> bool:
    """Whether changed data is read; anything but a BankError comes through."""
    node = Node.of(data)
    with monkeypatch.context() as patch:
        patch.setattr("quizcli.bank.parse.read_file", lambda *_: node)
        try:
            parse(path, "t.yaml")
        except BankError as error:
            assert error.problems and all(problem.message for problem in error.problems)
            return False
    return True


CATALOG = Catalog(DEMOS)
ODD: list[Any] = [None, True, 3, 1.5, "x", [], {}, [[]], -1, "", {"a": [None]}, ["x", 1]]


def whole_check(path: Path, shown: str) -> None:
    """Reading, and every check of references on what was read; what cannot be read is a BankError."""
    reading = read_bank([(path, shown)])
    check_links(reading, CATALOG)
    check_ids(reading, {}, "retired.txt")
    if reading.broken:
        raise BankError(reading.problems)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", AREAS)
def test_a_value_of_any_type_anywhere_is_read_or_is_a_bank_error(
    monkeypatch: pytest.MonkeyPatch, name: str, odd: Any
) -> None:
    path = HERE / AREAS[name] / f"{name}.yaml"
    data = read_file(path, "t").plain()
    read = [reads(monkeypatch, path, with_value(data, place, odd), whole_check) for place in places(data)]
    assert reads(monkeypatch, path, data, whole_check)
    assert read.count(False) > 10


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_misconception_of_any_type_is_read_or_is_a_bank_error(monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    path = HERE / "misconceptions.yaml"
    data = read_file(path, "m").plain()
    read = [reads(monkeypatch, path, with_value(data, place, odd), parse_misconceptions) for place in places(data)]
    assert reads(monkeypatch, path, data, parse_misconceptions)
    assert read.count(False) > 4


@given(st.data())
@settings(max_examples=100)
def test_a_file_with_a_piece_cut_out_is_read_or_is_a_bank_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = (HERE / "vision" / "convolution.yaml").read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 60))
    folder = tmp_path_factory.getbasetemp() / "cut" / "vision"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "convolution.yaml"
    path.write_text(text[:start] + text[start + length :], encoding="utf-8")
    try:
        parse_topic(path, "t.yaml")
    except BankError as error:
        assert error.problems


def test_problems_are_sorted_and_said_once() -> None:
    error = BankError([Problem("b", 2, "x"), Problem("a", 9, "y"), Problem("b", 2, "x"), Problem("b", 1, "z")])
    assert str(error) == "a:9: y\nb:1: z\nb:2: x"
    assert str(replace(error.problems[0], line=0)) == "a: y"
