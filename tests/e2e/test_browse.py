"""The bank, read instead of asked: what the home screen, topics, search, explain and bank check print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quizcli.places import PACKAGE

from .conftest import Run
from .program import BANK


def test_home_names_the_next_command(run: Run) -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 questions on 2 topics" in done.stdout
    assert "dlquiz practice" in done.stdout


def test_topics_come_after_what_they_need(run: Run) -> None:
    shown = run("topics").stdout
    assert shown.index("shares") < shown.index("literal")
    assert "2 topics, 10 questions" in shown


def test_shipped_topics_are_named_in_one_piece_at_80_columns(run: Run) -> None:
    folder = PACKAGE.parent / "questions"
    if not folder.is_dir():
        pytest.skip("the shipped bank is not beside the package")
    words = run("topics", bank=folder).stdout.split()
    assert [path.stem for path in folder.glob("*/*.yaml") if path.stem not in words] == []


@pytest.mark.parametrize("columns", ["80", "40", "20"])
def test_search_shows_the_ids_that_explain_takes(run: Run, columns: str) -> None:
    done = run("search", "entropy", changes={"COLUMNS": columns})
    shown = "".join(done.stdout.split())
    assert "shares/entropy-of-two" in shown
    assert "shares/curve" in shown


def test_search_finds_beginnings_and_says_when_nothing_is_found(run: Run) -> None:
    assert "shares/entropy-of-two" in run("search", "entr", "equal").stdout
    nothing = run("search", "zebra")
    assert (nothing.returncode, nothing.stderr) == (0, "")
    assert "Nothing found for 'zebra'" in nothing.stdout


def test_explain_shows_the_whole_answer(run: Run) -> None:
    lines = (BANK / "basics" / "shares.yaml").read_text(encoding="utf-8").splitlines()
    line = lines.index("  - id: why-shift") + 1
    shown = " ".join(run("explain", "Shares/Why_Shift").stdout.split())
    for text in (
        "Why is that allowed, and what is it for?",
        "A common factor cancels; without it exp overflows.",
        "Subtracting c multiplies every exponential by exp(-c)",
        "proof: softmax/shift-invariant",
        "Goodfellow, Bengio & Courville (2016)",
        "dlquiz practice shares/factor",
        "dlquiz demo softmax",
        f"basics/shares.yaml:{line}",
    ):
        assert text in shown


def test_explain_shows_the_plot_that_a_question_stands_on(run: Run, tmp_path: Path) -> None:
    for _ in ("drawn", "kept"):
        shown = run("explain", "shares/curve").stdout
        assert shown.index("entropy (nats)") < shown.index("│") < shown.index("The curve shows an entropy")
    data = json.loads(run("explain", "shares/curve", "--json").stdout)
    assert data["exhibit"] == {"demo": "softmax", "plot": "entropy-over-temperature", "with": {"classes": 10}}
    assert json.loads(run("explain", "shares/bug", "--json").stdout)["exhibit"] is None
    run("explain", "shares", "--save", str(tmp_path / "sheet.html"))
    assert "▄" in (tmp_path / "sheet.html").read_text() or "⣀" in (tmp_path / "sheet.html").read_text()


def test_explain_of_words_explains_the_best_and_names_the_others(run: Run) -> None:
    shown = run("explain", "entropy").stdout
    assert "Also found for 'entropy':" in shown
    assert "shares/entropy-of-two" in shown
    assert "shares/curve" in shown


def test_explain_of_a_topic_lists_its_questions_with_their_answers(run: Run) -> None:
    shown = run("explain", "shares").stdout
    assert shown.startswith("Shares of one")
    assert "shares/bug" in shown
    assert "Line 2 takes exp of logits that were not shifted." in shown


@pytest.mark.parametrize(
    "line", ["topics", "search entropy", "explain shares/factor", "explain shares", "explain entropy", "bank check"]
)
def test_every_report_has_strict_json(run: Run, line: str) -> None:
    done = run(*line.split(), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout, parse_constant=pytest.fail)
    assert len(done.stdout.splitlines()) == 1


def test_bank_of_these_tests_has_no_problem(run: Run) -> None:
    done = run("bank", "check", "--prove", "--seeds", "1", str(BANK))
    assert (done.returncode, done.stderr) == (0, "")
    assert "no problem" in done.stdout


def test_topic_is_saved_as_a_study_sheet(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "sheet.html"
    assert run("explain", "shares", "--save", str(target)).stdout == f"Saved: {target}\n"
    page = target.read_text(encoding="utf-8")
    assert "shares/factor" in page and "A factor stretches the differences between logits." in page
    assert "{answer}" not in page and "{gap}" not in page
    for arguments, says in (
        (("explain", "shares/factor", "--save", str(target)), "--save keeps a whole topic"),
        (("explain", "shres", "--save", str(target)), "(did you mean 'shares'?)"),
        (("explain", "shares", "--save", "sheet.pdf"), "must end with .html"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1
