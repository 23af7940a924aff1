"""Backups of the log, and the way back from a damaged one."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from quizcli.progress.events import Event
from quizcli.progress.log import LogError
from quizcli.progress.safety import KEPT, Backup, back_up, backup_folder, backups, count_events, restore, set_aside
from tests.logs import Clock, all_events, answer, is_sound, live, open_log, replayed

DATE = "2026-11-23"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "progress.sqlite"


def study(path: Path, count: int, first: int = 0) -> list[Event]:
    """So many answers more; what the log then holds."""
    log = open_log(path)
    for number in range(first, first + count):
        log.append(answer(f"dl:t/q{number}"))
    held = all_events(log)
    log.close()
    return held


def read(path: Path) -> list[Event]:
    log = open_log(path)
    try:
        assert is_sound(log)
        assert live(log) == replayed(log)
        return all_events(log)
    finally:
        log.close()


def machine(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT id FROM machine").fetchone()[0])


def ruin(path: Path) -> bytes:
    """Damage a file from its second page on; what it then holds."""
    data = path.read_bytes()
    broken = data[:4096] + random.Random(1).randbytes(len(data) - 4096)
    path.write_bytes(broken)
    return broken


# --- Backups -----------------------------------------------------------------------------------------


def test_a_backup_is_a_sound_log_with_all_events(path: Path) -> None:
    held = study(path, 30)
    copy = back_up(path, DATE)
    assert copy == backup_folder(path) / f"progress-{DATE}.sqlite"
    assert copy is not None and read(copy) == held
    assert backups(path) == [Backup(copy, DATE, 30)]


def test_a_backup_has_what_another_session_has_only_in_its_write_ahead_log(path: Path) -> None:
    log = open_log(path)
    log.append(answer("dl:t/a"))
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    copy = back_up(path, DATE)
    log.append(answer("dl:t/b"))
    assert copy is not None and [event.card for event in read(copy)] == ["dl:t/a"]
    assert [event.card for event in all_events(log)] == ["dl:t/a", "dl:t/b"]
    log.close()


def test_a_backup_stands_alone_as_one_file(path: Path) -> None:
    study(path, 3)
    back_up(path, DATE)
    assert [file.name for file in backup_folder(path).iterdir()] == [f"progress-{DATE}.sqlite"]


def test_a_day_has_one_backup_which_stays_as_it_was(path: Path) -> None:
    study(path, 3)
    copy = back_up(path, DATE)
    assert copy is not None
    before = copy.read_bytes()
    study(path, 3, first=3)
    assert back_up(path, DATE) is None
    assert copy.read_bytes() == before
    assert back_up(path, "2026-11-24") is not None
    assert [(each.date, each.events) for each in backups(path)] == [("2026-11-24", 6), (DATE, 3)]


def test_without_a_log_there_is_no_backup_and_no_folder(path: Path) -> None:
    assert back_up(path, DATE) is None
    assert not path.parent.exists()
    assert backups(path) == []


def test_the_ten_newest_backups_are_kept(path: Path) -> None:
    for day in range(1, KEPT + 4):
        study(path, 1, first=day)
        back_up(path, f"2026-11-{day:02}")
    assert KEPT == 10
    assert [copy.date for copy in backups(path)] == [f"2026-11-{day:02}" for day in range(KEPT + 3, 3, -1)]


def test_a_backup_that_was_interrupted_is_made_anew(path: Path) -> None:
    held = study(path, 5)
    backup_folder(path).mkdir()
    (backup_folder(path) / f"progress-{DATE}.partial").write_bytes(b"half a file")
    copy = back_up(path, DATE)
    assert copy is not None and read(copy) == held
    assert len(list(backup_folder(path).iterdir())) == 1


def test_a_backup_that_cannot_be_written_says_so_in_one_line(path: Path) -> None:
    study(path, 1)
    backup_folder(path).write_text("a file where the folder should be")
    with pytest.raises(LogError, match=rf"progress-{DATE}\.sqlite: the backup could not be written: ") as refused:
        back_up(path, DATE)
    assert "\n" not in str(refused.value)


def test_a_damaged_log_does_not_drive_out_good_backups(path: Path) -> None:
    study(path, 300)
    back_up(path, "2026-11-01")
    ruin(path)
    for day in range(2, KEPT + 4):
        try:
            back_up(path, f"2026-11-{day:02}")
        except LogError:
            continue
    assert 300 in [copy.events for copy in backups(path)]


# --- Counting ----------------------------------------------------------------------------------------


def test_count_events_counts_undone_ones_and_the_undoing_too(path: Path) -> None:
    log = open_log(path)
    log.append(answer("dl:t/a"))
    log.undo()
    log.close()
    assert count_events(path) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:60],
        lambda _: b"hello\n" * 2000,
        lambda data: bytes(4096) + data[4096:],
        lambda data: data[:4096] + random.Random(1).randbytes(len(data) - 4096),
    ],
    ids=["empty", "half", "header cut", "text", "zeros", "pages overwritten"],
)
def test_count_events_of_a_damaged_file_is_none_and_leaves_it_alone(
    path: Path, damage: Callable[[bytes], bytes]
) -> None:
    study(path, 300)
    broken = damage(path.read_bytes())
    path.write_bytes(broken)
    assert count_events(path) is None
    assert path.read_bytes() == broken


def test_count_events_where_there_is_no_file_is_none_and_makes_none(path: Path) -> None:
    assert count_events(path) is None
    assert not path.exists()


def test_count_events_reads_a_path_with_signs_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "50% done? #1" / "log.sqlite"
    study(path, 2)
    assert count_events(path) == 2


# --- The way back ------------------------------------------------------------------------------------


def test_a_damaged_file_is_set_aside_whole(path: Path) -> None:
    study(path, 3)
    parts = {"": b"damaged", "-wal": b"its write-ahead log", "-shm": b"its index"}
    for ending, data in parts.items():
        path.with_name(path.name + ending).write_bytes(data)
    moved = set_aside(path, DATE)
    assert [file.read_bytes() for file in moved] == list(parts.values())
    assert [file.name for file in moved] == [path.name + ending for ending in parts]
    assert {file.parent for file in moved} == {path.parent / f"damaged-{DATE}-1"}
    assert list(path.parent.iterdir()) == [path.parent / f"damaged-{DATE}-1"]


def test_what_was_set_aside_before_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    kept = []
    for number in range(3):
        path.write_text(str(number))
        kept += set_aside(path, DATE)
    assert [file.read_text() for file in kept] == ["0", "1", "2"]


def test_restoring_brings_back_every_event_of_the_backup(path: Path) -> None:
    held = study(path, 300)
    back_up(path, DATE)
    broken = ruin(path)
    wal = path.with_name(path.name + "-wal")
    wal.write_bytes(b"what was written last")
    (copy,) = backups(path)
    moved = restore(copy, path, DATE)
    assert {file.name: file.read_bytes() for file in moved} == {path.name: broken, wal.name: b"what was written last"}
    assert not wal.exists()
    assert read(path) == held
    assert backups(path) == [copy]


def test_restoring_where_the_file_is_gone_sets_nothing_aside(path: Path) -> None:
    held = study(path, 3)
    back_up(path, DATE)
    path.unlink()
    assert restore(backups(path)[0], path, DATE) == []
    assert read(path) == held
    assert not list(path.parent.glob("damaged-*"))


def test_a_write_ahead_log_alone_is_set_aside_before_restoring(path: Path) -> None:
    held = study(path, 3)
    back_up(path, DATE)
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"left behind")
    (moved,) = restore(backups(path)[0], path, DATE)
    assert moved.read_bytes() == b"left behind"
    assert read(path) == held


def test_a_restored_log_is_another_machine_and_merges_with_what_was_set_aside(path: Path) -> None:
    study(path, 3)
    back_up(path, DATE)
    later = study(path, 2, first=3)
    moved = restore(backups(path)[0], path, DATE)
    assert machine(path) != machine(moved[0])
    assert machine(backups(path)[0].path) == machine(moved[0])
    study(path, 2, first=10)
    log = open_log(path)
    assert log.merge(later) == 2
    assert {event.card for event in all_events(log)} == {f"dl:t/q{number}" for number in (0, 1, 2, 3, 4, 10, 11)}
    log.close()


def test_a_log_that_was_restored_twice_is_two_machines(path: Path) -> None:
    study(path, 1)
    back_up(path, DATE)
    machines = set()
    for _ in range(2):
        restore(backups(path)[0], path, DATE)
        machines.add(machine(path))
    assert len(machines) == 2


def test_a_damaged_backup_is_refused_and_nothing_is_moved(path: Path) -> None:
    study(path, 300)
    copy = back_up(path, DATE)
    assert copy is not None
    ruin(copy)
    (found,) = backups(path)
    assert found == Backup(copy, DATE, None)
    before = path.read_bytes()
    with pytest.raises(LogError, match=rf"progress-{DATE}\.sqlite: this backup is damaged too"):
        restore(found, path, DATE)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("damaged-*"))


def test_restoring_that_was_interrupted_can_be_repeated(path: Path) -> None:
    held = study(path, 3)
    back_up(path, DATE)
    path.with_suffix(".partial").write_bytes(b"half a file" * 1000)
    restore(backups(path)[0], path, DATE)
    assert read(path) == held


def test_answers_go_on_after_restoring(path: Path) -> None:
    study(path, 2)
    back_up(path, DATE)
    restore(backups(path)[0], path, DATE)
    later = Clock()
    later.move(days=1)
    log = open_log(path, later)
    log.append(answer("dl:t/new"))
    log.close()
    assert [event.card for event in read(path)] == ["dl:t/q0", "dl:t/q1", "dl:t/new"]
