"""Checking a whole bank: what is named must exist, what exists must be named, and all problems come in one run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quizcli.bank.check import Reading, check_ids, check_links, files_of, read_bank, read_retired
from quizcli.errors import QuizError, UsageError
from quizcli.lab.catalog import Catalog
from tests.banks import DEMOS, FIXTURES, Bank

NAMES = {case["what"]: case for case in yaml.safe_load((FIXTURES / "wrong_names.yaml").read_text(encoding="utf-8"))}


def assert_problem(bank: Bank, name: str, at: str, words: str) -> None:
    """One problem says these words, on the line of that text, and there is no other."""
    found = bank.problems()
    named = [problem for problem in found if words in problem.message]
    shown = "\n".join(map(str, found))
    assert [(problem.path, problem.line) for problem in named] == [(bank.shown(name), bank.line(name, at))], shown
    assert len(found) == 1, shown


def test_the_fixture_bank_has_no_problem(bank: Bank) -> None:
    assert bank.problems() == []


@pytest.mark.parametrize("what", NAMES)
def test_an_unknown_name_names_its_line(bank: Bank, what: str) -> None:
    case = NAMES[what]
    before = bank.text(case["file"]).splitlines()
    bank.change(case["file"], case["old"], case["new"])
    after = bank.text(case["file"]).splitlines()
    (line,) = [number for number, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new]
    found = bank.problems()
    named = [(problem.path, problem.line) for problem in found if case["says"] in problem.message]
    assert named == [(bank.shown(case["file"]), line)], "\n".join(map(str, found))


@pytest.mark.parametrize(
    "demo",
    [
        *("../demos/conv_shape", "/etc/passwd", "conv_shape.py", "..\\conv_shape", "demos/conv_shape"),
        *("conv_shape/formula-counts", "conv_shape/", "."),
    ],
)
def test_a_bank_names_demos_never_paths(bank: Bank, demo: str) -> None:
    bank.change("averaging", "earns: []}\n    demo: averaging", f"earns: []}}\n    demo: {demo}")
    assert_problem(bank, "averaging", f"demo: {demo}", "demo")


def test_an_exhibit_shows_a_plot_not_an_image(bank: Bank) -> None:
    bank.change("convolution", "exhibit: {demo: conv_shape, plot: starts, with: {stride: 2}}",
                "exhibit: {demo: averaging, plot: grid}")  # fmt: skip
    assert_problem(bank, "convolution", "plot: grid", "no plot 'grid'")


def test_a_misconception_that_no_option_holds_names_its_line(bank: Bank) -> None:
    bank.change("averaging", "        holds: spread-stays\n", "")
    assert_problem(bank, "misconceptions.yaml", "id: spread-stays", "'spread-stays' is held by no option")


def test_a_reference_that_nothing_cites_names_its_line(bank: Bank) -> None:
    bank.change("averaging", "references:\n", "references:\n  fisher1925: A book.\n")
    assert_problem(bank, "averaging", "fisher1925", "'fisher1925' is named by no key point")


def test_a_cycle_of_needs_names_the_line_of_the_needs(bank: Bank) -> None:
    bank.change("averaging", "title: Averaging", "title: Averaging\nneeds: [pooling]")
    cycle = [problem for problem in bank.problems() if "cycle" in problem.message]
    lines = {bank.shown(name): bank.line(name, "needs:") for name in ("averaging", "convolution", "pooling")}
    assert cycle
    assert [problem for problem in cycle if lines[problem.path] != problem.line] == []


def test_a_topic_that_needs_itself_is_a_cycle(bank: Bank) -> None:
    bank.change("averaging", "title: Averaging", "title: Averaging\nneeds: [averaging]")
    assert [problem.path for problem in bank.problems()] == [bank.shown("averaging")]


def test_a_topic_that_only_needs_a_cycle_is_not_blamed_for_it(bank: Bank) -> None:
    # averaging needs convolution and comes first by name; convolution and pooling need each other.
    bank.change("convolution", "needs: [averaging]", "needs: [pooling]")
    bank.change("averaging", "title: Averaging", "title: Averaging\nneeds: [convolution]")
    cycle = {problem.path for problem in bank.problems() if "cycle" in problem.message}
    assert cycle
    assert bank.shown("averaging") not in cycle


def test_a_retired_id_is_never_used_again(bank: Bank) -> None:
    bank.change("convolution", "- id: weights", "- id: kernel-trick")
    assert_problem(bank, "convolution", "- id: kernel-trick", "its id was retired (bank/retired.txt:2)")


def test_a_comment_retires_nothing(tmp_path: Path) -> None:
    (tmp_path / "retired.txt").write_text("# a/b\n\na/c # a/d\n", encoding="utf-8")
    assert read_retired(tmp_path) == {"a/c": 3}


def test_a_bank_need_not_have_retired_anything(tmp_path: Path) -> None:
    assert read_retired(tmp_path) == {}


def test_a_list_of_retired_ids_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "retired.txt").write_bytes(b"a/b\n\xff")
    with pytest.raises(QuizError, match=r"retired\.txt: cannot be read"):
        read_retired(tmp_path)


def test_a_former_id_cannot_be_the_id_of_a_question(bank: Bank) -> None:
    bank.change("convolution", "was: [kernels/sharing, weight-sharing]", "was: [padding]")
    assert_problem(bank, "convolution", "- id: sharing", "'convolution/padding', which is a question of the bank")


def test_two_questions_cannot_have_had_the_same_id(bank: Bank) -> None:
    bank.change("averaging", "  - id: why-average", "  - id: why-average\n    was: [kernels/sharing]")
    (problem,) = bank.problems()
    assert "'kernels/sharing', as does" in problem.message
    assert problem.line


def test_the_same_topic_in_two_areas_is_a_problem(bank: Bank) -> None:
    text = bank.text("averaging").replace("area: basics", "area: vision")
    (bank.folder / "vision" / "averaging.yaml").write_text(text, encoding="utf-8")
    (problem,) = bank.problems()
    assert (problem.path, "stands in bank/basics/averaging.yaml too" in problem.message) == (
        *("bank/vision/averaging.yaml",),
        True,
    )


def test_problems_of_all_files_come_in_one_run(bank: Bank) -> None:
    bank.change("averaging", "kind: open", "kind: opne")
    bank.change("convolution", "measure: conv_shape/output-size", "measure: conv_shape/output")
    bank.change("pooling", "short: About", "shrot: About")
    bank.change("misconceptions.yaml", "with: {count: 4}", "with: {counts: 4}")
    words = {"averaging": "opne", "convolution": "no measure", "pooling": "shrot", "misconceptions.yaml": "'counts'"}
    found = bank.problems()
    for name, word in words.items():
        assert any(problem.path == bank.shown(name) and word in problem.message for problem in found), word


def test_a_topic_that_no_file_holds_is_unknown_though_another_file_is_broken(bank: Bank) -> None:
    bank.change("averaging", "kind: open", "kind: opne")
    bank.change("pooling", "needs: [convolution]", "needs: [convolutions]")
    assert any("unknown topic 'convolutions'" in problem.message for problem in bank.problems())


def test_a_topic_whose_file_is_broken_is_not_unknown(bank: Bank) -> None:
    bank.change("averaging", "kind: open", "kind: opne")
    assert [problem.path for problem in bank.problems()] == [bank.shown("averaging")]


def test_broken_misconceptions_are_the_only_problem(bank: Bank) -> None:
    bank.change("misconceptions.yaml", "with: {count: 4}", "with: {count: [}")
    assert {problem.path for problem in bank.problems()} == {"bank/misconceptions.yaml"}


def test_one_broken_file_does_not_hide_the_others(bank: Bank) -> None:
    bank.write("pooling", "{")
    assert sorted(bank.read().topics) == ["averaging", "convolution"]


def test_a_demo_that_cannot_be_described_is_named_where_it_is_used(bank: Bank, tmp_path: Path) -> None:
    for demo in DEMOS.glob("*.py"):
        (tmp_path / demo.name).write_bytes(demo.read_bytes())
    (tmp_path / "averaging.py").write_text('"""Broken."""\nclaims = {\n', encoding="utf-8")
    reading = bank.read()
    check_links(reading, Catalog(tmp_path))
    assert {problem.path for problem in reading.problems} == {
        bank.shown("averaging"),
        bank.shown("misconceptions.yaml"),
    }
    assert all(
        "cannot be described" in problem.message and "averaging.py:2" in problem.message for problem in reading.problems
    )


def test_chosen_files_are_reported_on_and_all_are_read(bank: Bank) -> None:
    files, wanted = files_of(bank.folder, [bank.path("pooling")])
    assert wanted == {"bank/vision/pooling.yaml"}
    assert len(files) == 4


def test_a_folder_stands_for_its_files(bank: Bank) -> None:
    assert files_of(bank.folder, [bank.folder / "vision"])[1] == {
        "bank/vision/pooling.yaml",
        "bank/vision/convolution.yaml",
    }


def test_a_file_from_elsewhere_stands_for_the_one_of_its_name(bank: Bank, tmp_path: Path) -> None:
    elsewhere = tmp_path / "vision" / "pooling.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(bank.text("pooling").replace("title: Pooling", "title: Mine"), encoding="utf-8")
    reading = bank.read(elsewhere)
    assert reading.problems == []
    assert reading.topics["pooling"].topic.title == "Mine"


def test_a_file_that_is_not_there_is_wrong_usage(bank: Bank) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        files_of(bank.folder, [bank.folder / "nothing.yaml"])


def test_nothing_read_has_no_problem(catalog: Catalog) -> None:
    reading = read_bank([])
    check_links(reading, catalog)
    check_ids(reading, {}, "retired.txt")
    assert reading == Reading()
