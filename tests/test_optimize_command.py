"""dlquiz optimize: what it takes or refuses, says and asks, on a log of a home of its own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from quizcli.cli import optimize
from quizcli.cli.app import run
from quizcli.errors import UsageError
from quizcli.optimizing import (
    CONSTANT,
    ENOUGH,
    IN_FORCE,
    MOVING,
    NEW,
    change_in_due,
    histories,
    judge,
    trials,
)
from quizcli.progress.events import system_clock
from quizcli.progress.log import Log
from quizcli.progress.progress import Progress
from quizcli.scheduling import DAY_START, study_day
from tests.e2e.program import BANK, DLQUIZ, Terminal, environment
from tests.learners import SWIFT, Answer, as_events, as_histories, from_scratch
from tests.logs import all_events, card_rows


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Answer]], Path]:
    """Fills the log of a home that only this test has, the newest answer being of yesterday."""

    def fill(answers: Sequence[Answer]) -> Path:
        monkeypatch.setenv("DLQUIZ_HOME", str(tmp_path))
        monkeypatch.setenv("DLQUIZ_BANK", str(BANK))
        now = system_clock()
        log = Log(tmp_path / "data" / "progress.sqlite", system_clock)
        log.merge(as_events(answers, last_day=study_day(now.at, now.offset, DAY_START) - 1))
        log.close()
        return tmp_path

    return fill


def reopened(home: Path) -> Progress:
    return Progress(Log(home / "data" / "progress.sqlite", system_clock))


def test_the_command_takes_better_weights_and_undo_restores(
    fill: Callable[[Sequence[Answer]], Path], swift: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    home = fill(swift)
    before = reopened(home)
    assert run(["optimize"]) == 0
    shown = capsys.readouterr().out
    after, judgment = reopened(home), judge(as_histories(swift), None)
    assert after.weights == judgment.weights and before.weights is None
    assert card_rows(after.log) == card_rows(before.log)
    for score in judgment.scores.values():
        assert f"{score.log_loss:.4f}" in shown and f"{score.calibration:.4f}" in shown
    assert "(the defaults)" in shown and "are in force from now on" in shown and judgment.why in " ".join(shown.split())
    assert run(["undo"]) == 0
    assert "Taken back: parameters." in capsys.readouterr().out
    assert reopened(home).weights is None


def test_the_command_says_how_many_reviews_are_missing_and_changes_nothing(
    fill: Callable[[Sequence[Answer]], Path], swift: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    some = swift[:300]
    home = fill(some)
    lacking = ENOUGH - len(trials(as_histories(some)))
    assert 0 < lacking < ENOUGH
    assert run(["optimize"]) == 0
    assert f"{lacking} of {ENOUGH} reviews are missing" in " ".join(capsys.readouterr().out.split())
    assert run(["optimize", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"missing": lacking, "accepted": False, "dry_run": False}
    assert len(all_events(reopened(home).log)) == len(some)


def test_a_dry_run_shows_everything_and_writes_nothing(
    fill: Callable[[Sequence[Answer]], Path], swift: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    home = fill(swift)
    assert run(["optimize", "--dry-run", "--reschedule"]) == 0
    shown = capsys.readouterr().out
    assert "would be taken" in shown and "Rescheduling changes" in shown and "today" in shown
    assert run(["optimize", "--dry-run", "--reschedule", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["accepted"] and data["dry_run"] and data["changed"] > 0 and data["rescheduled"] == 0
    assert set(data["scores"]) == {NEW, IN_FORCE, CONSTANT, MOVING} and len(data["due"]) == 14
    assert len(all_events(reopened(home).log)) == len(swift)


def test_rescheduling_where_nothing_can_be_asked_needs_yes(
    fill: Callable[[Sequence[Answer]], Path],
    swift: list[Answer],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = fill(swift)
    for options, terminal in (([], False), (["--json"], False), (["--json"], True)):
        monkeypatch.setattr(optimize, "_on_terminal", lambda terminal=terminal: terminal)
        with pytest.raises(UsageError, match="--yes"):
            run(["optimize", "--reschedule", *options])
    assert len(all_events(reopened(home).log)) == len(swift)
    assert run(["optimize", "--reschedule", "--yes", "--json"]) == 0
    data, progress = json.loads(capsys.readouterr().out), reopened(home)
    assert data["rescheduled"] == data["changed"] > 0 and progress.weights == tuple(data["weights"])
    for history in histories(progress.log):
        state = progress.log.state(history.card)
        assert (state.memory, state.due) == from_scratch(history, tuple(data["weights"]), 0.9)
    for _ in range(2):
        assert run(["undo"]) == 0
    assert run(["optimize", "--reschedule", "--yes"]) == 0
    assert f"{data['changed']} cards were rescheduled" in capsys.readouterr().out
    assert run(["optimize", "--reschedule", "--yes"]) == 0
    assert "there is nothing to reschedule" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_only_yes_agrees(typed: str, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert optimize._agreed("? ") is agreed


def test_on_a_terminal_the_change_is_shown_before_the_question(
    fill: Callable[[Sequence[Answer]], Path], swift: list[Answer]
) -> None:
    home = fill(swift[:300])
    progress = reopened(home)
    progress.set_weights(SWIFT, {})
    count = len(change_in_due(progress, SWIFT).cards)
    rows = card_rows(progress.log)
    for key in ("n", "y"):
        with closing(Terminal([*DLQUIZ, "optimize", "--reschedule"], environment(home), home)) as terminal:
            terminal.wait_for(f"Reschedule {count} cards? [y/N]")
            assert "today" in terminal.seen and "rescheduled" in terminal.seen
            assert card_rows(reopened(home).log) == rows
            terminal.press(f"{key}\r")
            assert terminal.wait_for_end() == 0
            assert ("Nothing was rescheduled" in terminal.seen) == (key == "n")
            assert not terminal.too_wide
    assert card_rows(reopened(home).log) != rows
