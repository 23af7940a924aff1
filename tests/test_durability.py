"""An acknowledged answer is kept: through kills, torn files, and two sessions at once."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from quizcli.progress.log import Log
from quizcli.vocabulary import Rating
from tests.logs import all_events, answer, is_sound, live, open_log, replayed

LONG: Final = os.environ.get("DLQUIZ_LONG") == "1"
"""The whole of it: 500 kills instead of 20, 1,000 answers of each session instead of 200."""

ANSWERING: Final = """
import sys
from pathlib import Path
from quizcli.vocabulary import Rating
from quizcli.progress.events import Draft, system_clock
from quizcli.progress.log import Log

path, count = Path(sys.argv[1]), int(sys.argv[2])
log = Log(path, system_clock)
log.db.execute(f"PRAGMA wal_autocheckpoint = {sys.argv[3]}")
print("open", flush=True)
for number in range(count):
    draft = Draft("answer", f"dl:t/q{number % 50}", Rating(number % 4 + 1), retention=0.9, body={"said": "x" * 100})
    sys.stdout.write(log.append(draft).id + "\\n")
    sys.stdout.flush()
log.close()
"""
FRAME_HEADER: Final = 24
WAL_HEADER: Final = 32


def answering(path: Path, count: int, checkpoint: int = 1000) -> list[str]:
    """The command of a session that prints the id of each answer when it is acknowledged."""
    return [sys.executable, "-P", "-c", ANSWERING, str(path), str(count), str(checkpoint)]


def sequences(log: Log) -> dict[str, list[int]]:
    """The sequence numbers of each machine, in the log's order."""
    found: dict[str, list[int]] = {}
    for event in all_events(log):
        found.setdefault(event.machine, []).append(event.sequence)
    return found


def check(log: Log) -> None:
    """Sound, without gaps or doubles, and with the states that the events lead to."""
    assert is_sound(log)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences(log).values())
    assert replayed(log) == live(log)


# --- Kills -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_sessions_that_are_killed_lose_no_answer_and_double_none(tmp_path: Path) -> None:
    """At random moments: while opening, between answers, within one, within a checkpoint. A kill may come between an
    answer's commit and its acknowledgement, so each may leave one answer more than was acknowledged."""
    path, chance, kills, last = tmp_path / "log.sqlite", random.Random(), 500 if LONG else 20, 0
    acknowledged: list[str] = []
    for number in range(kills):
        session = subprocess.Popen(answering(path, 10**6, chance.choice([20, 1000])), stdout=subprocess.PIPE, text=True)
        assert session.stdout is not None
        if number % 5:
            assert session.stdout.readline() == "open\n"
        time.sleep(chance.expovariate(1 / 0.04))
        session.send_signal(signal.SIGKILL)
        # What comes after the last end of a line was cut off, and is no acknowledgement.
        *lines, _ = session.stdout.read().split("\n")
        assert session.wait() == -signal.SIGKILL
        session.stdout.close()
        acknowledged += [line for line in lines if line != "open"]
        if number % 4 == 3 or number == kills - 1:
            log = open_log(path)
            kept = Counter(event.id for event in all_events(log))
            assert not set(acknowledged) - set(kept) and set(kept.values()) <= {1}
            assert [event.id for event in all_events(log) if event.id in set(acknowledged)] == acknowledged
            assert len(kept) - len(acknowledged) <= number + 1
            last = len(kept)
            if number % 16 == 3 or number == kills - 1:
                check(log)
            log.close()
    assert last > kills


# --- Flushes -----------------------------------------------------------------------------------------


def test_each_answer_is_flushed_to_the_disk_once(tmp_path: Path) -> None:
    """Seen from outside the process, between one acknowledgement and the next, while there is no checkpoint."""
    strace = shutil.which("strace")
    if (
        strace is None
        or subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("strace cannot be used")
    trace, path = tmp_path / "trace", tmp_path / "log.sqlite"
    command = [strace, "-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range,msync,write,pwrite64", "-o", str(trace)]
    run = subprocess.run([*command, *answering(path, 40, 0)], capture_output=True, text=True, check=True)
    acknowledged = run.stdout.split()[1:]
    flushes, written, unflushed = [0], [0], False
    for line in trace.read_text().splitlines():
        if re.search(r"\b(fsync|fdatasync)\(\d+<[^>]*log\.sqlite-wal>", line):
            flushes[-1] += 1
            unflushed = False
        elif re.search(r"\b(fsync|fdatasync)\(", line):
            flushes[-1] += 100  # the main file or the folder: that is no append
        elif "log.sqlite-wal>" in line:
            written[-1] += 1
            unflushed = True
        elif re.search(r"\bwrite\(1<", line):
            assert not unflushed, "an answer was acknowledged before it was flushed"
            flushes.append(0)
            written.append(0)
    assert len(acknowledged) == 40
    assert flushes[3:41] == [1] * 38, flushes
    assert all(written[3:41])


# --- Tears -------------------------------------------------------------------------------------------


class Recorded:
    """A session of answers: its main file, and its WAL after each acknowledgement."""

    def __init__(self, folder: Path, answers: int, *, over_older: bool = False) -> None:
        """With `over_older`, the WAL is written over frames of answers that are in the main file already."""
        path = folder / "log.sqlite"
        log = open_log(path)
        self.earlier = [log.append(answer("dl:t/earlier")).id for _ in range(3 * answers if over_older else 0)]
        log.db.execute(f"PRAGMA wal_checkpoint({'RESTART' if over_older else 'TRUNCATE'})")
        log.db.execute("PRAGMA wal_autocheckpoint = 0")
        wal = path.with_name("log.sqlite-wal")
        self.main, self.ids, self.wals = path.read_bytes(), list[str](), list[bytes]()
        for number in range(answers):
            self.ids.append(log.append(answer(f"dl:t/q{number % 4}", Rating(number % 4 + 1))).id)
            self.wals.append(wal.read_bytes())
        assert path.read_bytes() == self.main
        log.close()

    @property
    def whole(self) -> bytes:
        return self.wals[-1]

    def boundaries(self) -> Sequence[int]:
        """Where a frame ends, and where the header does."""
        (page,) = struct.unpack(">I", self.whole[8:12])
        return range(WAL_HEADER, len(self.whole) + 1, FRAME_HEADER + page)

    def kept_with(self, wal: bytes, folder: Path) -> list[str]:
        """The ids that a session finds after a crash that left this WAL."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "log.sqlite").write_bytes(self.main)
        (folder / "log.sqlite-wal").write_bytes(wal)
        log = open_log(folder / "log.sqlite")
        check(log)
        found = [event.id for event in all_events(log)]
        log.append(answer("dl:t/after"))
        check(log)
        log.close()
        return found

    def acknowledged(self, flushed: int) -> int:
        """How many answers had been acknowledged when so many bytes of the WAL were on the disk."""
        return sum(len(wal) <= flushed for wal in self.wals)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"), 8)


def test_a_crash_after_an_acknowledgement_keeps_that_answer(recorded: Recorded, tmp_path: Path) -> None:
    """The shared-memory file is lost, as it is when the machine stops."""
    for number, wal in enumerate(recorded.wals, 1):
        assert recorded.kept_with(wal, tmp_path / "crash") == recorded.ids[:number]


def test_frames_of_earlier_answers_behind_the_newest_change_nothing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, 6, over_older=True)
    assert len(set(map(len, recorded.wals))) == 1
    for number, wal in enumerate(recorded.wals, 1):
        assert recorded.kept_with(wal, tmp_path / "crash") == [*recorded.earlier, *recorded.ids[:number]]


def test_a_log_cut_at_any_boundary_or_inside_a_frame_gives_what_was_acknowledged_by_then(
    recorded: Recorded, tmp_path: Path
) -> None:
    chance, cuts = random.Random(1), {0, 7}
    for boundary in recorded.boundaries():
        cuts |= {boundary, boundary - 1, boundary + chance.randrange(1, 4000)}
    for size in sorted(cut for cut in cuts if cut <= len(recorded.whole)):
        found = recorded.kept_with(recorded.whole[:size], tmp_path / "cut")
        assert found == recorded.ids[: recorded.acknowledged(size)], size


def test_a_torn_write_after_an_acknowledgement_takes_nothing_from_it(recorded: Recorded, tmp_path: Path) -> None:
    """The next answer's frames are partly on the disk, with sectors of them missing or full of junk."""
    chance = random.Random(2)
    for number in range(1, len(recorded.wals)):
        done, coming = recorded.wals[number - 1], recorded.wals[number]
        for _ in range(3):
            torn = bytearray(coming)
            for sector in range(len(done), len(coming), 512):
                if chance.random() < 0.4:
                    end = min(sector + 512, len(coming))
                    torn[sector:end] = chance.choice([bytes(end - sector), chance.randbytes(end - sector)])
            if torn != coming:
                assert recorded.kept_with(bytes(torn), tmp_path / "torn") == recorded.ids[:number]


def test_a_frame_that_is_damaged_later_leaves_what_came_before_it(recorded: Recorded, tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(25):
        place = chance.randrange(WAL_HEADER, len(recorded.whole))
        wal = bytearray(recorded.whole)
        wal[place] ^= 1 << chance.randrange(8)
        found = recorded.kept_with(bytes(wal), tmp_path / "damaged")
        assert found == recorded.ids[: recorded.acknowledged(place)]


# --- Two at once -------------------------------------------------------------------------------------


def test_two_sessions_at_once_keep_all_their_answers(tmp_path: Path) -> None:
    path, count = tmp_path / "log.sqlite", 1000 if LONG else 200
    sessions = [subprocess.Popen(answering(path, count), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [session.communicate(timeout=120)[0].split()[1:] for session in sessions]
    assert [session.returncode for session in sessions] == [0, 0]
    log = open_log(path)
    order = [event.id for event in all_events(log)]
    assert sorted(order) == sorted(printed[0] + printed[1]) and len(order) == len(set(order)) == 2 * count
    for ids in printed:
        assert [event for event in order if event in set(ids)] == ids
    (numbers,) = sequences(log).values()
    assert numbers == list(range(1, 2 * count + 1))
    check(log)
    log.close()


def test_sessions_see_each_others_answers_at_once(tmp_path: Path) -> None:
    one, other = open_log(tmp_path / "log.sqlite"), open_log(tmp_path / "log.sqlite")
    for number in range(20):
        writer, reader = (one, other) if number % 2 else (other, one)
        event = writer.append(answer("dl:t/q", Rating.AGAIN))
        assert reader.state("dl:t/q") == writer.state("dl:t/q") and all_events(reader)[-1] == event
    assert other.undo() == all_events(one)[19]
    one.close()
    other.close()
