"""A damaged index, one of another version, one that cannot be written: rebuilt, or done without."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from quizcli.bank import index as index_module
from quizcli.errors import QuizError
from tests.banks import QUESTIONS, Bank, assert_rebuilt, assert_whole


def built(bank: Bank) -> bytes:
    """The bytes of a whole index."""
    library = bank.open()
    library._index.db.close()
    return bank.index_file().read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 15, 16, 100, 512, 4096, 8192, -4096, -1])
def test_a_truncated_index_is_rebuilt(bank: Bank, parsed: list[str], kept: int) -> None:
    whole = built(bank)
    bank.index_file().write_bytes(whole[:kept])
    assert_rebuilt(bank, parsed)


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_no_index(bank: Bank, parsed: list[str], seed: int) -> None:
    whole = built(bank)
    header = whole[: 100 * (seed % 2)]
    bank.index_file().write_bytes(header + random.Random(seed).randbytes(20_000))
    assert_rebuilt(bank, parsed)


def test_random_bytes_in_each_page_are_noticed(bank: Bank) -> None:
    whole = built(bank)
    for start in range(0, len(whole), 4096):
        noise = random.Random(start).randbytes(4096)
        bank.index_file().write_bytes(whole[:start] + noise + whole[start + 4096 :])
        library = bank.open()
        for name, question in QUESTIONS.items():
            assert library.question(name) == question
        library._index.db.close()


@pytest.mark.parametrize("words", ['"short": "Nine."', '"value": 9', '"kind": "debug"', '"short": "Line 2 …'])
def test_a_flipped_byte_in_a_row_is_noticed(bank: Bank, words: str) -> None:
    bank.change("convolution", "short: Line 2 adds", "short: Line 2 … adds")
    wanted = {name: bank.open().question(name) for name in QUESTIONS}
    whole = bytearray(built(bank))
    assert whole.count(words.encode()) == 1
    whole[whole.find(words.encode()) + len(words.encode()) - 2] ^= 0x41
    bank.index_file().write_bytes(whole)
    library = bank.open()
    assert {name: library.question(name) for name in QUESTIONS} == wanted
    assert bytes(whole) != bank.index_file().read_bytes()


def test_a_former_id_that_leads_nowhere_is_noticed(bank: Bank) -> None:
    built(bank)
    with sqlite3.connect(bank.index_file()) as db:
        db.execute("UPDATE former SET id = 'nothing/there'")
    db.close()
    assert bank.open().question("kernels/sharing").id == "convolution/sharing"


def test_a_row_under_another_topic_is_noticed(bank: Bank) -> None:
    built(bank)
    with sqlite3.connect(bank.index_file()) as db:
        db.execute("UPDATE question SET topic = 'convolutioo' WHERE id = 'convolution/padding'")
    db.close()
    assert bank.open().question("convolution/padding").id == "convolution/padding"


def test_a_flipped_byte_anywhere_is_no_crash(bank: Bank) -> None:
    whole = built(bank)
    chance = random.Random(7)
    path = bank.index_file()
    for _ in range(120):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        library = bank.open()
        library.topics()
        library.search("kernel")
        for name in (*QUESTIONS, "kernels/sharing"):
            try:
                assert library.question(name).id in QUESTIONS
            except QuizError as error:
                assert "no question" in str(error)
        library._index.db.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE version SET schema = '3 0.0.0'",
        "DELETE FROM version",
        "DROP TABLE version",
        "DROP TABLE question",
        "ALTER TABLE topic RENAME COLUMN needs TO wants",
        "INSERT INTO version VALUES ('99')",
    ],
)
def test_an_index_of_another_version_is_rebuilt(bank: Bank, parsed: list[str], change: str) -> None:
    built(bank)
    with sqlite3.connect(bank.index_file()) as db:
        db.execute(change)
    db.close()
    assert_rebuilt(bank, parsed)


def test_a_database_of_someone_else_is_rebuilt(bank: Bank, parsed: list[str]) -> None:
    built(bank)
    path = bank.index_file()
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE question (id, other)")
    db.close()
    assert_rebuilt(bank, parsed)


def test_a_left_over_journal_does_no_harm(bank: Bank) -> None:
    built(bank)
    Path(f"{bank.index_file()}-journal").write_bytes(random.Random(1).randbytes(5000))
    assert_whole(bank.open())


def test_an_index_deleted_under_an_open_library_does_no_harm(bank: Bank) -> None:
    library = bank.open()
    shutil.rmtree(bank.cache)
    assert_whole(library)


def test_a_file_in_place_of_the_cache_folder_means_working_without(bank: Bank) -> None:
    bank.cache.write_text("in the way", encoding="utf-8")
    assert_whole(bank.open())
    assert_whole(bank.open(bank.cache / "below"))
    assert bank.cache.read_text(encoding="utf-8") == "in the way"


def test_a_folder_in_place_of_the_index_means_working_without(bank: Bank) -> None:
    built(bank)
    path = bank.index_file()
    path.unlink()
    (path / "inside").mkdir(parents=True)
    assert_whole(bank.open())


def test_a_full_disk_means_working_without(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def full(path: Path | str, **options: object) -> sqlite3.Connection:
        db = connect(path, **options)  # type: ignore[call-overload]
        if path != ":memory:":
            db.execute("PRAGMA max_page_count = 4")
        return db

    monkeypatch.setattr(index_module.sqlite3, "connect", full)
    assert_whole(bank.open())
