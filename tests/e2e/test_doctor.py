"""The doctor, and every command where the progress cannot be read, through the real program."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from quizcli.progress.schema import FORMAT

from .conftest import Learner

# --- Doctor ------------------------------------------------------------------------------------------


def test_doctor_before_the_first_answer_says_so_and_makes_nothing(learner: Learner) -> None:
    shown = learner("doctor")
    assert f"progress  {learner.path}" in shown
    assert shown.endswith("No progress yet: dlquiz study or dlquiz practice begins it.\n")
    assert not learner.path.exists()


def test_doctor_of_a_sound_file_replays_it(learner: Learner) -> None:
    learner.answer("shares/bug", "2", "")
    learner.answer("shares/factor")
    shown = learner("doctor")
    assert re.search(
        r"^sound: 2 events, 2 cards, replayed in \d\.\d\d s\ncard states are what the events say$", shown, re.M
    )
    assert re.search(r"^backup    \d{4}-\d\d-\d\d: 1 events$", shown, re.M)


def test_doctor_as_json_has_the_same_figures_and_ends_as_it_does(learner: Learner) -> None:
    learner.answer("shares/factor")
    found = learner.data("doctor")
    assert found["places"]["progress"] == str(learner.path)
    assert found["sound"] and (found["events"], found["cards"], found["differing"]) == (1, 1, 0)
    assert [copy["events"] for copy in found["backups"]] == [1]
    learner.path.write_bytes(b"no database at all, " * 400)
    ended = learner.ended("doctor --json", code=1)
    assert json.loads(ended.stdout)["sound"] is False and "the file is damaged" in ended.stderr


def test_doctor_finds_and_mends_states_that_are_not_what_the_events_say(learner: Learner) -> None:
    learner.answer("shares/bug", "2", "")
    with closing(sqlite3.connect(learner.path)) as db, db:
        db.execute("UPDATE card SET stability = 99")
    says = "1 card states are not what the events say: dlquiz doctor --rebuild makes them anew"
    assert learner.refused("doctor") == says
    assert learner("doctor --rebuild").endswith("card states made anew; 1 were not as the events say\n")
    assert learner("doctor").endswith("card states are what the events say\n")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "random": lambda data: random.Random(1).randbytes(len(data)),
    "cut": lambda data: data[: len(data) // 2],
    "text": lambda _: b"hello\n" * 2000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_doctor_of_a_damaged_file_offers_the_backup_and_restores_it(learner: Learner, damage: str) -> None:
    learner.answer("shares/bug", "2", "")
    (date,) = re.findall(r"^backup +(\S+):", learner("doctor"), re.M)
    broken = DAMAGES[damage](learner.path.read_bytes())
    learner.path.write_bytes(broken)
    says = learner.refused("doctor")
    assert says.startswith(f"{learner.path}: the file is damaged; dlquiz doctor --restore {date} brings back 1 events")
    assert learner.path.read_bytes() == broken
    shown = learner(f"doctor --restore {date}")
    assert f"Restored the backup of {date} with 1 events." in shown
    (aside,) = learner.path.parent.glob("damaged-*/progress.sqlite")
    assert f"What was there is kept: {aside}" in shown
    assert aside.read_bytes() == broken
    assert learner.kept() == [("answer", "shares/bug")]
    learner.answer("shares/factor")
    assert learner.data("stats")["answers"] == 2


def test_doctor_of_a_damaged_file_without_backup_says_there_is_none(learner: Learner) -> None:
    learner.path.parent.mkdir()
    learner.path.write_bytes(b"hello\n" * 2000)
    assert "the file is damaged; there is no good backup" in learner.refused("doctor")
    assert "no backup of that date; there are none" in learner.refused("doctor --restore 2026-01-01", code=2)


def test_doctor_names_a_damaged_backup_and_does_not_restore_it(learner: Learner) -> None:
    learner.answer("shares/bug", "2", "")
    (copy,) = (learner.path.parent / "backups").iterdir()
    date = copy.stem.removeprefix("progress-")
    copy.write_bytes(copy.read_bytes()[:5000])
    assert f"backup    {date}: damaged\n" in learner("doctor")
    assert learner.refused(f"doctor --restore {date}").endswith("this backup is damaged too")
    assert learner.kept() == [("answer", "shares/bug")]


def test_doctor_of_an_empty_file_says_so_in_one_line_and_offers_the_backup(learner: Learner) -> None:
    learner.answer("shares/bug", "2", "")
    learner.path.write_bytes(b"")
    for ending in ("-wal", "-shm"):
        learner.path.with_name(learner.path.name + ending).unlink(missing_ok=True)
    assert re.search(r"dlquiz doctor --restore \S+ brings back 1 events", learner.refused("doctor"))


def test_a_newer_file_is_refused_in_one_line_and_left_as_it_is(learner: Learner) -> None:
    learner.answer("shares/bug", "2", "")
    with closing(sqlite3.connect(learner.path)) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = learner.path.read_bytes()
    says = f"{learner.path}: written by a newer dlquiz (format {FORMAT + 1}, this one knows {FORMAT}): update dlquiz"
    for command in ("doctor", "study", "due"):
        assert learner.refused(command) == says
    assert learner.path.read_bytes() == before


# --- A damaged file ----------------------------------------------------------------------------------


@pytest.fixture
def damaged(learner: Learner) -> Learner:
    learner.path.parent.mkdir()
    learner.path.write_bytes(random.Random(1).randbytes(20_000))
    return learner


def test_practice_goes_on_unrecorded_where_the_progress_is_damaged(damaged: Learner) -> None:
    before = damaged.path.read_bytes()
    done = damaged.run("practice", "shares/bug", stdin="2\n\n")
    assert done.returncode == 0
    says, unrecorded = done.stderr.splitlines()
    assert says.startswith(f"{damaged.path}: the file is damaged") and says.endswith("dlquiz doctor shows the way back")
    assert unrecorded == "This practice is not recorded."
    assert "✓ Right  shares/bug" in done.stdout and "Right: 1 of 1" in done.stdout
    assert damaged.path.read_bytes() == before


@pytest.mark.parametrize(
    "command",
    ["study", "due", "undo", "stats", "cards", "config", "suspend shares/bug", "practice --missed", "optimize", ""],
)
def test_what_needs_the_progress_ends_with_one_line_where_it_is_damaged(damaged: Learner, command: str) -> None:
    before = damaged.path.read_bytes()
    assert "the file is damaged" in damaged.refused(command)
    assert damaged.path.read_bytes() == before


@pytest.mark.parametrize("command", ["explain shares/bug", "topics", "practice shares/bug --no-record"])
def test_what_needs_no_progress_works_where_it_is_damaged(damaged: Learner, command: str) -> None:
    assert damaged(command)


def test_a_day_has_one_backup_however_many_sessions(learner: Learner) -> None:
    for question in ("shares/bug", "shares/factor"):
        learner.answer(question)
    assert len(list((learner.path.parent / "backups").iterdir())) == 1
