"""Where the log cannot be used (damage, no permission, another session, a full disk): one line, and nothing lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from quizcli.progress import log as log_module
from quizcli.progress.events import Event
from quizcli.progress.log import DamagedLogError, Log, LogError
from quizcli.progress.progress import Progress
from tests.logs import all_events, answer, is_sound, live, open_log, replayed, small_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A new log."""
    log = open_log(tmp_path / "log.sqlite")
    yield log
    log.close()


# --- Damage ------------------------------------------------------------------------------------------


def use(path: Path) -> tuple[list[Event], list[str], list[str]]:
    """Open a log and read all that there is to read."""
    log = open_log(path)
    try:
        progress = Progress(log)
        log.newest_action()
        log.state("dl:t/q1")
        progress.history("t/q1")
        return all_events(log), live(log), replayed(log)
    finally:
        log.close()


def cut(data: bytes, keep: float) -> bytes:
    return data[: round(keep * len(data))]


DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut in the middle": lambda data: cut(data, 0.5),
    "cut in a page": lambda data: cut(data, 0.5)[:-1000],
    "cut after the first page": lambda data: data[:4096],
    "cut in the header": lambda data: data[:60],
    "last page lost": lambda data: data[:-4096],
    "random bytes": lambda data: random.Random(1).randbytes(len(data)),
    "header overwritten": lambda data: random.Random(2).randbytes(100) + data[100:],
    "first page zeros": lambda data: bytes(4096) + data[4096:],
    "text": lambda _data: b"hello\n" * 1000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_and_left_as_it_is(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    small_log(path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(DamagedLogError, match=r"log\.sqlite: the file is damaged .* dlquiz doctor") as refused:
        use(path)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("junk", ["random", "zeros"])
def test_an_overwritten_page_is_nothing_but_a_clear_error(junk: str, tmp_path: Path) -> None:
    """Each page in turn. Where reading meets it, a DamagedLogError; where not, everything is as it was."""
    path = tmp_path / "log.sqlite"
    small_log(path)
    whole, data, refused = use(path), path.read_bytes(), 0
    pages = len(data) // 4096
    for page in range(1, pages):
        filling = random.Random(page).randbytes(4096) if junk == "random" else bytes(4096)
        broken = data[: 4096 * page] + filling + data[4096 * (page + 1) :]
        path.write_bytes(broken)
        try:
            assert use(path) == whole
        except DamagedLogError:
            refused += 1
        assert path.read_bytes() == broken, page
    assert refused > pages / 2


def test_damage_met_while_writing_is_said_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    small_log(path)
    data = path.read_bytes()
    refused = 0
    for page in range(1, len(data) // 4096):
        path.write_bytes(data[: 4096 * page] + random.Random(page).randbytes(4096) + data[4096 * (page + 1) :])
        try:
            log = open_log(path)
        except LogError:
            refused += 1
            continue
        try:
            log.append(answer("dl:t/q1"))
        except DamagedLogError:
            refused += 1
            assert not log.db.in_transaction
        finally:
            log.close()
    assert refused > 0


def test_an_empty_file_is_a_new_log(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.touch()
    log = open_log(path)
    log.append(answer("dl:a/one"))
    assert len(all_events(log)) == 1
    log.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's list of open files")
def test_a_file_that_is_refused_can_be_moved_at_once(tmp_path: Path) -> None:
    """No connection to it stays open: on Windows an open file cannot be set aside."""
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"hello\n" * 1000)
    with pytest.raises(DamagedLogError) as refused:
        open_log(path)
    held = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert refused.value.args and str(path.resolve()) not in held


# --- Where it cannot be written ----------------------------------------------------------------------


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(LogError, match=r"log\.sqlite: .*set DLQUIZ_HOME to a folder that can be written") as refused:
        open_log(tmp_path / "data" / "log.sqlite")
    assert "\n" not in str(refused.value) and (tmp_path / "data").read_text() == "no folder"


def test_a_log_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").mkdir()
    with pytest.raises(LogError, match=r"log\.sqlite: cannot be written .*set DLQUIZ_HOME"):
        open_log(tmp_path / "log.sqlite")


@contextmanager
def bound_by_permissions(folder: Path) -> Iterator[Path]:
    """A folder under which permissions hold for this process, the superuser's power laid down meanwhile."""
    if not hasattr(os, "getresuid"):
        pytest.skip("permissions of another kind")
    with tempfile.TemporaryDirectory(prefix="dlquiz-permissions-") as place:
        root = os.geteuid() == 0
        if root:
            os.chown(place, 65534, 65534)
            os.setresuid(65534, 65534, 0)
        try:
            yield Path(place)
        finally:
            for path in (Path(place), *Path(place).rglob("*")):
                path.chmod(0o700)
            if root:
                os.setresuid(0, 0, 0)
    assert folder.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with bound_by_permissions(tmp_path) as place:
        place.chmod(0o500)
        for path in (place / "log.sqlite", place / "deeper" / "log.sqlite"):
            with pytest.raises(LogError, match=r"log\.sqlite: .*set DLQUIZ_HOME to a folder that can be written"):
                open_log(path)
        assert not list(place.iterdir())


def test_a_log_that_cannot_be_written_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    with bound_by_permissions(tmp_path) as place:
        path = place / "log.sqlite"
        small_log(path, 10)
        before = path.read_bytes()
        path.chmod(0o400)
        place.chmod(0o500)
        with pytest.raises(
            LogError, match=r"log\.sqlite: .*set DLQUIZ_HOME to a folder that can be written"
        ) as refused:
            log = open_log(path)
            log.append(answer("dl:a/one"))
        assert not isinstance(refused.value, DamagedLogError)
        assert path.read_bytes() == before


def test_a_log_that_another_session_writes_for_long_says_so(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.setattr(log_module, "WAIT", 0.1)
    other = open_log(log.path)
    with log.writing():
        with pytest.raises(LogError, match="another session is writing; try again in a moment"):
            other.append(answer("dl:a/one"))
        assert not other.db.in_transaction
    other.append(answer("dl:a/one"))
    assert len(all_events(log)) == 1
    other.close()


def test_many_sessions_may_make_the_log_at_once(tmp_path: Path) -> None:
    path, gate = tmp_path / "new" / "log.sqlite", threading.Barrier(8)
    failed: list[BaseException] = []

    def begin() -> None:
        gate.wait()
        try:
            log = open_log(path)
            log.append(answer("dl:a/one"))
            log.close()
        except BaseException as error:
            failed.append(error)

    for attempt in range(5):
        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, attempt
        log = open_log(path)
        assert [event.sequence for event in all_events(log)] == list(range(1, 9))
        assert log.db.execute("SELECT count(*) FROM machine").fetchone() == (1,)
        log.close()
        shutil.rmtree(path.parent)


# --- A full disk -------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_loses_nothing_that_was_acknowledged(log: Log) -> None:
    log.db.execute("PRAGMA max_page_count = 40")
    kept: list[Event] = []
    with pytest.raises(LogError, match=r"log\.sqlite: the disk is full; the answer was not kept") as full:
        while len(kept) < 5000:
            kept.append(log.append(answer(f"dl:t/q{len(kept)}")))
    assert "\n" not in str(full.value) and len(kept) > 50
    assert all_events(log) == kept and live(log) == replayed(log) and is_sound(log)
    with pytest.raises(LogError, match="full"):
        for number in range(100):
            kept.append(log.append(answer(f"dl:u/q{number}")))
    log.db.execute("PRAGMA max_page_count = 4000")
    kept.append(log.append(answer("dl:t/room")))
    assert all_events(log) == kept and live(log) == replayed(log) and is_sound(log)


FILLING = """
import json, sys
from pathlib import Path
from quizcli.vocabulary import Rating
from quizcli.progress.events import Draft, system_clock
from quizcli.progress.log import Log, LogError

exec(sys.argv[2])
log = Log(Path(sys.argv[1]), system_clock)
for number in range(20000):
    try:
        event = log.append(Draft("answer", f"dl:t/q{number}", Rating.GOOD, retention=0.9))
    except LogError as error:
        print("error", json.dumps(str(error)), flush=True)
        break
    print(event.id, flush=True)
read = {event.id for event in log.events(in_force=False)}
print("read", len(read), log.db.in_transaction, flush=True)
"""
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))"
MOUNTED = """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "dlquiz", str(Path(sys.argv[1]).parent)], check=True)
"""


def fill(*command: str) -> tuple[list[str], str, list[str]]:
    """Answers until there is no room: the ids acknowledged, the error, and what could be read then."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    *acknowledged, error, read = run.stdout.splitlines()
    assert error.startswith("error ") and len(acknowledged) > 20, error
    return acknowledged, json.loads(error.removeprefix("error ")), read.split()[1:]


def test_files_that_may_not_grow_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "log.sqlite"
    acknowledged, error, read = fill(sys.executable, "-P", "-c", FILLING, str(path), LIMITED)
    assert error.startswith(f"{path}: ") and "\n" not in error
    assert read == [str(len(acknowledged)), "False"]
    log = open_log(path)
    assert [event.id for event in all_events(log)] == acknowledged
    assert is_sound(log) and live(log) == replayed(log)
    log.append(answer("dl:a/one"))
    log.close()


def test_a_disk_that_is_full_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """A file system of its own, of 3 MB, where this user may mount one."""
    mount = ("unshare", "--user", "--map-root-user", "--mount")
    trial = [*mount, "mount", "-t", "tmpfs", "dlquiz", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("no file system can be mounted")
    path = tmp_path / "log.sqlite"
    acknowledged, error, read = fill(*mount, sys.executable, "-P", "-c", FILLING, str(path), MOUNTED)
    assert error == f"{path}: the disk is full; the answer was not kept: make room and answer again"
    assert read == [str(len(acknowledged)), "False"]
