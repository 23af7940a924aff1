"""Two sessions at once: a question that stands before one of them is not asked by the other."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quizcli.progress.leases import LASTS, Leases


class Clock:
    """Milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_795_435_200_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Two = Callable[[Path], tuple[Leases, Leases]]


@pytest.fixture
def two(clock: Clock) -> Iterator[Two]:
    """Opens the leases of a folder for two sessions."""
    opened: list[Leases] = []

    def both(folder: Path) -> tuple[Leases, Leases]:
        opened.extend(Leases(folder / "leases.sqlite", clock) for _ in range(2))
        return opened[-2], opened[-1]

    yield both
    for leases in opened:
        shut(leases)


def shut(leases: Leases) -> None:
    if leases._db is not None:
        leases._db.close()


def test_a_question_belongs_to_the_session_that_asked_it_for_a_minute(tmp_path: Path, clock: Clock, two: Two) -> None:
    one, other = two(tmp_path)
    assert one.take("t/q")
    assert not other.take("t/q")
    clock.now += LASTS - 1
    assert not other.take("t/q")
    clock.now += 1
    assert other.take("t/q") and not one.take("t/q")
    assert LASTS == 60_000


def test_the_session_that_holds_a_question_may_ask_it_again_and_holds_it_longer(
    tmp_path: Path, clock: Clock, two: Two
) -> None:
    one, other = two(tmp_path)
    assert one.take("t/q")
    clock.now += LASTS // 2
    assert one.take("t/q")
    clock.now += LASTS // 2
    assert not other.take("t/q")


def test_a_refused_claim_does_not_prolong_the_lease(tmp_path: Path, clock: Clock, two: Two) -> None:
    one, other = two(tmp_path)
    assert one.take("t/q")
    for _ in range(6):
        assert not other.take("t/q")
        clock.now += LASTS // 6
    assert other.take("t/q")


def test_other_questions_are_free(tmp_path: Path, two: Two) -> None:
    one, other = two(tmp_path)
    assert one.take("t/q") and other.take("t/r") and not one.take("t/r")


def test_a_clock_set_back_holds_no_question_longer_than_a_minute(tmp_path: Path, clock: Clock, two: Two) -> None:
    one, other = two(tmp_path)
    assert one.take("t/q")
    clock.now -= 24 * 3_600_000
    other.take("t/q")
    clock.now += LASTS
    assert other.take("t/q")


def test_of_many_sessions_at_once_one_gets_the_question(tmp_path: Path, clock: Clock) -> None:
    questions, taken = [f"t/q{number}" for number in range(20)], Counter[str]()
    gate, lock = threading.Barrier(6), threading.Lock()

    def claim(number: int) -> None:
        leases = Leases(tmp_path / "leases.sqlite", clock)
        gate.wait()
        got = [name for name in random.Random(number).sample(questions, 20) if leases.take(name)]
        shut(leases)
        with lock:
            taken.update(got)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == Counter(questions)


@pytest.mark.parametrize("trouble", ["junk", "folder", "file in the way", "another table"])
def test_where_the_file_cannot_be_used_every_claim_is_granted(trouble: str, tmp_path: Path, two: Two) -> None:
    place = tmp_path / "cache" / "leases.sqlite"
    if trouble == "file in the way":
        (tmp_path / "cache").touch()
    elif trouble == "folder":
        place.mkdir(parents=True)
    elif trouble == "another table":
        place.parent.mkdir()
        db = sqlite3.connect(place)
        db.execute("CREATE TABLE lease (something TEXT)")
        db.close()
    else:
        place.parent.mkdir()
        place.write_bytes(random.Random(1).randbytes(5000))
    one, other = two(place.parent)
    assert one.take("t/q") and other.take("t/q")


def test_a_file_that_is_damaged_meanwhile_does_not_stop_a_session(tmp_path: Path, two: Two) -> None:
    one, _ = two(tmp_path)
    assert one.take("t/q")
    (tmp_path / "leases.sqlite").write_bytes(random.Random(1).randbytes(8192))
    assert one.take("t/r") and one.take("t/q")


def test_a_folder_is_made_where_there_is_none(tmp_path: Path, two: Two) -> None:
    one, other = two(tmp_path / "a" / "b")
    assert one.take("t/q") and not other.take("t/q")


def test_a_session_that_is_over_holds_no_question(tmp_path: Path, two: Two) -> None:
    """Who quits and begins again at once is asked the question that was left."""
    one, other = two(tmp_path)
    assert one.take("t/q") and not other.take("t/q")
    one.close()
    assert other.take("t/q")
