"""What the shell is told when Tab is pressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run


def offered(run: Run, typed: str, **changes: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    told = {"_DLQUIZ_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), **changes}
    done = run(changes=told)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("dlquiz prac", ["practice"]),
        ("dlquiz practice sh", ["shares"]),
        ("dlquiz study lit", ["literal"]),
        ("dlquiz practice ba", ["basics"]),
        ("dlquiz explain shares/two", ["shares/two-classes"]),
        ("dlquiz suspend shares/b", ["shares/bug"]),
        ("dlquiz practice --kind nu", ["number"]),
        ("dlquiz practice --level d", ["deep"]),
        ("dlquiz practice --skill pre", ["prediction"]),
        ("dlquiz demo init", ["init-schemes"]),
        ("dlquiz demo softmax --off", ["--offset"]),
        ("dlquiz demo softmax --fals", ["--falsify"]),
        ("dlquiz demo softmax --mistake no-", ["no-exp", "no-max"]),
        ("dlquiz demo softmax --sweep cl", ["classes="]),
        ("dlquiz demo softmax --compare ga", ["gap="]),
        ("dlquiz demo softmax --falsify sums", ["sums-to-one"]),
        ("dlquiz demo softmax --watch tot", ["total"]),
        ("dlquiz demo no_such_demo --x", []),
        ("dlquiz demo no_such_demo --falsify x", []),
    ],
)
def test_words_that_can_follow(run: Run, typed: str, expected: list[str]) -> None:
    assert offered(run, typed) == expected


def test_a_broken_bank_offers_nothing_and_is_no_error(run: Run, tmp_path: Path) -> None:
    assert offered(run, "dlquiz practice s", DLQUIZ_BANK=str(tmp_path / "none")) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_script_for_each_shell_is_printed(run: Run, shell: str) -> None:
    done = run("--show-completion", shell, changes={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert done.returncode == 0 and "_DLQUIZ_COMPLETE" in done.stdout
