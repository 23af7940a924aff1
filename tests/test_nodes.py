"""Bank files as trees of nodes that know their lines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quizcli.bank.fields import as_number
from quizcli.bank.nodes import DEEPEST, LARGEST, Node, read_file, read_text
from quizcli.errors import BankError, Problem

# Without the line breaks of YAML 1.1 (NEL, LS, PS), which PyYAML's emitter folds into others in keys.
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.just("\n"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | WORDS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
YAML_PIECES = st.lists(
    st.sampled_from(
        [
            *("a: ", "- ", "\n", "  ", "[", "]", "{", "}", "&x ", "*x", "!!python/object:os.system ", "|\n", "> "),
            *('"', "'", "#", "---\n", "...\n", "%YAML 9\n", "? ", ": ", "<<", "1", "0x", "1:2:3", ".inf", "~"),
            *("\t", "é", "\x00", "\u2028", "\ufeff", "\x85", "=", "@", "`", "1e400"),
        ]
    ),
    max_size=14,
).map("".join)


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(BankError) as caught:
        read_text(text, "t.yaml")
    return caught.value.problems


def problems_of_bytes(path: Path, data: bytes) -> list[Problem]:
    path.write_bytes(data)
    with pytest.raises(BankError) as caught:
        read_file(path, "t.yaml")
    return caught.value.problems


@given(TREES)
def test_plain_data_survives_the_way_through_nodes(data: Any) -> None:
    assert Node.of(data).plain() == data
    assert Node.of(Node.of(data).plain()) == Node.of(data)


@given(TREES)
def test_what_pyyaml_writes_is_read_as_pyyaml_means_it(data: Any) -> None:
    node = read_text(yaml.safe_dump(data, allow_unicode=True), "t.yaml")
    assert node.plain() == data
    assert Node.of(node.plain()).plain() == node.plain()


@pytest.mark.parametrize(
    "text",
    [
        *("1", "-7", "0x1F", "0o7", "0b101", "1_000", "+12", "190:20:30", "1.5", "1.10", ".5", "1.", "1.0e-3", "1e-3"),
        *(".inf", "-.inf", "yes", "no", "On", "~", "null", "word", "2026-11", "'1'", '"yes"', "''"),
    ],
)
def test_scalars_are_read_as_pyyaml_reads_them(text: str) -> None:
    assert read_text(text, "t.yaml").value == yaml.safe_load(text)


def test_a_date_stays_text() -> None:
    assert read_text("2026-11-01", "t.yaml").value == "2026-11-01"


def test_every_node_knows_its_line() -> None:
    root = read_text("a: 1\nb:\n  - x\n  -\n    c: 2\n", "t.yaml")
    assert root.key_lines == {"a": 1, "b": 2}
    assert [item.line for item in root.fields["b"].items] == [3, 5]
    assert root.fields["b"].items[1].fields["c"].line == 5


@given(st.text(max_size=60) | YAML_PIECES)
@settings(max_examples=300)
@example("\ud7ff\x7f")
def test_any_text_is_read_or_is_a_bank_error(text: str) -> None:
    try:
        read_text(text, "t.yaml")
    except BankError as error:
        assert error.problems
        assert all(0 <= problem.line <= len(text) + 1 for problem in error.problems)


@given(st.binary(max_size=60))
@settings(max_examples=150)
def test_any_bytes_are_read_or_are_a_bank_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    try:
        read_file(path, "any.yaml")
    except BankError as error:
        assert error.problems


@pytest.mark.parametrize(
    "scalar",
    [
        pytest.param("9" * 5000, id="digits"),
        pytest.param("0x" + "f" * 5000, id="hex"),
        pytest.param("1" + ":59" * 300, id="sexagesimal"),
        pytest.param("1" + ":59" * 300 + ".5", id="sexagesimal-fraction"),
        pytest.param("1.0e+999999", id="exponent"),
    ],
)
def test_a_number_beyond_all_measure_raises_nothing_but_a_bank_error(scalar: str) -> None:
    try:
        node = read_text(f"value: {scalar}", "t.yaml").fields["value"]
    except BankError:
        return
    number = as_number(node)
    assert number is None or math.isfinite(number)


def test_broken_yaml_names_its_line() -> None:
    (problem,) = problems_of("a: 1\nb: [1, 2\nc: 3\n")
    assert problem.line in (2, 3)
    assert "broken YAML" in problem.message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_says_how_a_bank_begins(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BankError, match=r"empty.*format: 1"):
        read_file(path, "t.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(b"\xef\xbb\xbfformat: 1\n")
    assert list(read_file(path, "t.yaml").fields) == ["format"]


def test_a_file_of_50_megabytes_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the file was read"))
    with pytest.raises(BankError, match=r"50\.0 MB, more than 1 MB"):
        read_file(path, "t.yaml")


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(b"a: " + b"x" * (LARGEST - 3))
    assert len(str(read_file(path, "t.yaml").fields["a"].value)) == LARGEST - 3


def test_a_missing_file_is_a_bank_error(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="cannot be read: No such file"):
        read_file(tmp_path / "t.yaml", "t.yaml")


def test_a_folder_in_place_of_a_file_is_a_bank_error(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="cannot be read"):
        read_file(tmp_path, "t.yaml")


def test_an_alias_bomb_is_refused_at_its_first_alias() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    found = problems_of(bomb)
    assert [problem.line for problem in found] == [1, 2, 2]
    assert any("aliases" in problem.message for problem in found)


def test_a_node_that_holds_itself_is_refused() -> None:
    assert any("aliases" in problem.message for problem in problems_of("a: &a [*a]\n"))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!!int '3'", "!own x", "!!binary aGk="])
def test_a_tag_is_refused_with_its_line(tag: str) -> None:
    (problem,) = problems_of(f"a: 1\nb: {tag}\n")
    assert (problem.line, "tags are not read" in problem.message) == (2, True)


def test_invalid_utf8_names_the_line_and_the_byte(tmp_path: Path) -> None:
    (problem,) = problems_of_bytes(tmp_path / "t.yaml", "a: é\nb: ".encode() + b"\xff\n")
    assert (problem.line, "0xff" in problem.message) == (2, True)


def test_utf16_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of_bytes(tmp_path / "t.yaml", "a: 1\n".encode("utf-16"))
    assert "UTF-8" in problem.message


@pytest.mark.parametrize("before", ["a: plain", "a: éééééééééééééééé"], ids=["ascii", "not-ascii"])
def test_a_control_character_names_its_line(before: str) -> None:
    (problem,) = problems_of(f"{before}\nb: bad\x07bell\nc: 1\nd: 2\ne: 3\nf: 4\n")
    assert problem.line == 2
    assert r"\x07" in problem.message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_deeper_than_the_limit_is_refused_with_its_line(opening: str) -> None:
    (problem,) = problems_of("\n" + opening * 3000)
    assert (problem.line, f"{DEEPEST} levels" in problem.message) == (2, True)


def test_nesting_up_to_the_limit_is_read_and_not_one_level_more() -> None:
    data: Any = 1
    for _ in range(DEEPEST):
        data = [data]
    assert read_text(yaml.safe_dump(data), "t.yaml").plain() == data
    assert "levels deep" in problems_of(yaml.safe_dump([data]))[0].message


def test_a_duplicate_key_names_both_lines() -> None:
    (problem,) = problems_of("a: 1\nb: 2\na: 3\n")
    assert (problem.line, problem.message) == (3, "duplicate key 'a' (first on line 1)")


def test_every_duplicate_key_is_found_in_one_reading() -> None:
    assert [problem.line for problem in problems_of("a: 1\na: 2\nb:\n  c: 1\n  c: 2\na: 3\n")] == [2, 5, 6]


def test_a_key_that_is_no_word_is_refused() -> None:
    (problem,) = problems_of("a: 1\n[x, y]: 2\n")
    assert (problem.line, problem.message) == (2, "a key must be a word")


def test_a_second_document_is_refused_with_its_line() -> None:
    (problem,) = problems_of("a: 1\n---\nb: 2\n")
    assert (problem.line, "second document" in problem.message) == (2, True)
