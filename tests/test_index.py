"""The compiled bank: made anew only where the bank changed, by one process at a time."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from quizcli.bank import index as index_module
from quizcli.bank.index import in_order_of_needs
from quizcli.bank.library import Library
from quizcli.errors import BankError, QuizError
from tests.banks import AREAS, QUESTIONS, Bank, assert_whole

ROOT = Path(__file__).resolve().parent.parent


def test_every_question_comes_back_as_its_file_has_it(bank: Bank) -> None:
    assert_whole(bank.open())
    assert_whole(bank.open())


def test_an_unchanged_bank_is_not_parsed_again(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    assert sorted(parsed) == sorted(AREAS)
    bank.open()
    assert len(parsed) == len(AREAS)


def test_only_the_changed_file_is_parsed_again(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    parsed.clear()
    bank.change("pooling", "title: Pooling", "title: Pooling of windows")
    assert bank.open().topic("pooling").title == "Pooling of windows"
    assert parsed == ["pooling"]


def test_a_change_of_equal_length_is_seen(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    parsed.clear()
    bank.change("pooling", "title: Pooling", "title: Looping")
    os.utime(bank.path("pooling"), ns=(time.time_ns(), time.time_ns() + 1_000_000_000))
    assert bank.open().topic("pooling").title == "Looping"
    assert parsed == ["pooling"]


def test_changed_misconceptions_are_read_and_no_topic(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    parsed.clear()
    bank.change("misconceptions.yaml", "Padding does not change the size", "Padding never changes the size")
    assert bank.open().misconception("padding-is-free")[0].startswith("Padding never")
    assert parsed == []


def test_a_deleted_topic_is_gone_with_all_that_was_its_own(bank: Bank) -> None:
    bank.open()
    bank.path("convolution").unlink()
    library = bank.open()
    assert {entry.topic for entry in library.entries()} == {"averaging", "pooling"}
    assert {entry.topic for entry in library.search("kernel")} == {"pooling"}
    with pytest.raises(QuizError):
        library.question("kernels/sharing")


def test_a_topic_that_moved_to_another_area_is_found_there(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    parsed.clear()
    text = bank.text("averaging").replace("area: basics", "area: vision")
    bank.path("averaging").unlink()
    (bank.folder / "vision" / "averaging.yaml").write_text(text, encoding="utf-8")
    library = bank.open()
    assert library.topic("averaging").area == "vision"
    assert library.where("averaging/root-n")[0] == "bank/vision/averaging.yaml"
    assert (parsed, library.count()) == (["averaging"], len(QUESTIONS))


def test_a_renamed_topic_has_its_new_name_only(bank: Bank) -> None:
    bank.open()
    bank.path("pooling").rename(bank.folder / "vision" / "windows.yaml")
    path = bank.folder / "vision" / "windows.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("topic: pooling", "topic: windows"), encoding="utf-8")
    assert [topic.name for topic in bank.open().topics()] == ["averaging", "convolution", "windows"]


def test_a_new_topic_is_added(bank: Bank, parsed: list[str]) -> None:
    bank.open()
    parsed.clear()
    text = bank.text("pooling").replace("topic: pooling", "topic: strides")
    (bank.folder / "vision" / "strides.yaml").write_text(text, encoding="utf-8")
    assert bank.open().question("strides/halves").topic == "strides"
    assert parsed == ["strides"]


def test_words_of_an_earlier_version_are_not_found(bank: Bank) -> None:
    assert [entry.id for entry in bank.open().search("cancel")] == []
    bank.change("averaging", "Variances of independent values add", "Opposite deviations cancel")
    assert [entry.id for entry in bank.open().search("cancel")] == ["averaging/root-n"]
    bank.change("averaging", "Opposite deviations cancel", "Variances of independent values add")
    assert [entry.id for entry in bank.open().search("cancel")] == []


def test_a_former_id_that_was_taken_back_is_unknown(bank: Bank) -> None:
    assert bank.open().question("kernels/sharing").id == "convolution/sharing"
    bank.change("convolution", "was: [kernels/sharing, weight-sharing]", "was: [weight-sharing]")
    library = bank.open()
    assert library.question("convolution/weight-sharing").id == "convolution/sharing"
    with pytest.raises(QuizError):
        library.question("kernels/sharing")


def test_hidden_folders_and_other_files_are_no_topics(bank: Bank) -> None:
    (bank.folder / ".git").mkdir()
    (bank.folder / ".git" / "averaging.yaml").write_text("{", encoding="utf-8")
    (bank.folder / "vision" / "notes.txt").write_text("{", encoding="utf-8")
    (bank.folder / "vision" / "folder.yaml").mkdir()
    (bank.folder / "vision" / "dangling.yaml").symlink_to(bank.folder / "nowhere")
    assert_whole(bank.open())


def test_a_bank_with_problems_names_all_of_them(bank: Bank) -> None:
    bank.change("averaging", "kind: open", "kind: opne")
    bank.change("pooling", "short: About", "shrot: About")
    with pytest.raises(BankError) as caught:
        bank.open()
    assert {problem.path for problem in caught.value.problems} == {bank.shown("averaging"), bank.shown("pooling")}


def test_after_a_problem_only_the_broken_file_is_parsed_again(bank: Bank, parsed: list[str]) -> None:
    bank.change("averaging", "kind: open", "kind: opne")
    for _ in range(2):
        parsed.clear()
        with pytest.raises(BankError):
            bank.open()
    assert parsed == ["averaging"]
    bank.change("averaging", "kind: opne", "kind: open")
    parsed.clear()
    assert_whole(bank.open())
    assert parsed == ["averaging"]


def test_a_topic_in_two_areas_is_a_problem_with_both_places(bank: Bank) -> None:
    text = bank.text("averaging").replace("area: basics", "area: vision")
    (bank.folder / "vision" / "averaging.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BankError, match=r"bank/vision/averaging.yaml: .*bank/basics/averaging.yaml"):
        bank.open()


def test_a_number_that_is_a_phrase_of_any_length_can_be_kept(bank: Bank) -> None:
    bank.change(
        "convolution", "listen_for: [local, small window]", f"listen_for: [local, small window, 0x{'f' * 5000}]"
    )
    try:
        assert bank.open().question("convolution/sharing").key_points[1].id == "local"
    except BankError as error:
        assert {problem.path for problem in error.problems} == {bank.shown("convolution")}


def test_a_folder_that_is_not_there_is_a_quiz_error(tmp_path: Path) -> None:
    with pytest.raises(QuizError, match="no bank folder there"):
        Library(tmp_path / "nowhere", tmp_path / "cache")


def test_two_banks_share_a_cache_folder(bank: Bank, tmp_path: Path) -> None:
    other = Bank.copied_to(tmp_path / "other")
    other.path("pooling").unlink()
    for _ in range(2):
        assert bank.open().count() == len(QUESTIONS)
        assert other.open(bank.cache).count() == len(QUESTIONS) - 1


BUILD = """
import sys, time
from pathlib import Path
from quizcli.bank import parse
from quizcli.bank.library import Library

folder, cache, log, gate = map(Path, sys.argv[1:])
parse_topic = parse.parse_topic

def slowly(path, shown):
    with log.open("a") as file:
        file.write(path.stem + "\\n")
    time.sleep(0.1)
    return parse_topic(path, shown)

parse.parse_topic = slowly
print("ready", flush=True)
while not gate.exists():
    time.sleep(0.001)
library = Library(folder, cache)
print(len([library.question(entry.id) for entry in library.entries()]))
"""


def test_two_processes_build_one_index(bank: Bank, tmp_path: Path) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    command = [sys.executable, "-c", BUILD, *map(str, (bank.folder, bank.cache, log, gate))]
    builders = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for builder in builders:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "ready\n"
    gate.touch()
    outputs = [builder.communicate(timeout=30)[0] for builder in builders]
    assert outputs == [f"{len(QUESTIONS)}\n"] * 2
    assert Counter(log.read_text(encoding="utf-8").split()) == Counter(list(AREAS))


def test_a_process_that_never_lets_go_is_not_waited_for_for_ever(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.open()
    bank.change("pooling", "title: Pooling", "title: Windows")
    monkeypatch.setattr(index_module, "WAIT", 0.05)
    other = sqlite3.connect(bank.index_file(), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        library = bank.open()
        assert (library.topic("pooling").title, library.count()) == ("Windows", len(QUESTIONS))
    finally:
        other.close()
    assert bank.open().topic("pooling").title == "Windows"


def test_a_topic_comes_after_all_it_needs() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        names = [f"t{number}" for number in range(12)]
        chance.shuffle(names)
        needs = {
            name: chance.sample(names[:place], min(place, chance.randrange(4))) for place, name in enumerate(names)
        }
        order = in_order_of_needs(needs)
        assert sorted(order) == sorted(names)
        assert all(order.index(need) < order.index(name) for name in names for need in needs[name])


def test_topics_of_a_cycle_come_last_and_unknown_needs_do_not_count() -> None:
    order = in_order_of_needs({"a": ["b"], "b": ["a"], "z": ["unknown"], "y": []})
    assert order == ["y", "z", "a", "b"]
