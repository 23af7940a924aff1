"""Questions and topics, looked up as people name them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quizcli.bank.library import Entry, Library, Selection
from quizcli.errors import UsageError
from quizcli.vocabulary import KINDS, LEVELS, SKILLS
from tests.banks import Bank

LINE = """format: 1
area: basics
topic: many
title: Many
questions:
"""
ENTRY = """  - id: q{number}
    kind: number
    level: core
    skill: recall
    priority: {priority}
    prompt: Prompt number {number}
    value: {number}
    within: 0
    short: Short.
    answer: Answer.
    key_points: [{{id: a, says: A., proof: averaging/root-n}}]
    demo: averaging
"""


@pytest.fixture
def many(bank: Bank) -> Library:
    """The bank and a topic of ten questions: two of the first priority, eight of the second."""
    text = LINE + "".join(ENTRY.format(number=number, priority=1 + (number > 2)) for number in range(1, 11))
    (bank.folder / "basics" / "many.yaml").write_text(text, encoding="utf-8")
    return bank.open()


@pytest.mark.parametrize("name", ["convolution/padding", "Convolution/Padding", " convolution/padding\n"])
def test_a_question_is_found_by_its_id_in_any_case(bank: Bank, name: str) -> None:
    assert bank.open().question(name).id == "convolution/padding"


def test_an_underscore_is_a_hyphen(bank: Bank) -> None:
    assert bank.open().question("convolution/output_size").id == "convolution/output-size"


@pytest.mark.parametrize("name", ["kernels/sharing", "convolution/weight-sharing"])
def test_a_question_is_found_by_its_former_ids(bank: Bank, name: str) -> None:
    assert bank.open().question(name).id == "convolution/sharing"


def test_an_unknown_question_has_a_near_one(bank: Bank) -> None:
    with pytest.raises(UsageError, match=r"no question 'convolution/paddin' \(did you mean 'convolution/padding'\?\)"):
        bank.open().question("convolution/paddin")


def test_a_question_knows_its_file_and_line(bank: Bank) -> None:
    library = bank.open()
    for entry in library.entries():
        assert library.where(entry.id) == (
            bank.shown(entry.topic),
            bank.line(entry.topic, f"  - id: {entry.id.split('/')[1]}"),
        )


def test_entries_come_in_the_order_of_needs_and_of_the_file(bank: Bank) -> None:
    ids = [entry.id.split("/")[1] for entry in bank.open().entries()]
    assert ids[:2] == ["root-n", "why-average"]
    assert ids[2:9] == ["sharing", "padding", "changes", "output-size", "weights", "steps", "wrong-side"]
    assert ids[9:] == ["halves"]


def test_entries_of_one_topic_are_its_own(bank: Bank) -> None:
    library = bank.open()
    assert [entry.id for entry in library.entries("pooling")] == ["pooling/halves"]
    assert library.count() == len(library.entries())


def test_an_entry_says_what_its_question_says(bank: Bank) -> None:
    library = bank.open()
    for entry in library.entries():
        question = library.question(entry.id)
        assert entry == Entry(
            *(question.id, question.topic, library.topic(question.topic).area),
            *(question.kind, question.level, question.skill, question.priority, question.demo),
        )


@pytest.mark.parametrize(
    ("names", "topics", "questions"),
    [
        ([], (), ()),
        (["pooling"], ("pooling",), ()),
        (["Vision"], ("convolution", "pooling"), ()),
        (["vision/pooling"], ("pooling",), ()),
        (["vision", "pooling"], ("convolution", "pooling"), ()),
        (["pooling/halves", "averaging"], ("averaging",), ("pooling/halves",)),
        (["kernels/sharing", "convolution/sharing"], (), ("convolution/sharing",)),
        (["vision/"], ("convolution", "pooling"), ()),
    ],
)
def test_areas_topics_and_ids_are_selected_as_named(
    bank: Bank, names: list[str], topics: tuple[str, ...], questions: tuple[str, ...]
) -> None:
    selection = bank.open().select(names)
    assert (selection.topics, selection.questions) == (topics, questions)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("poolin", "did you mean 'pooling'"),
        ("vision/poolin", "did you mean 'pooling'"),
        ("pooling/halve", "did you mean 'pooling/halves'"),
        ("", "no area or topic"),
        ("/", "no area or topic"),
        ("../x", "no question"),
    ],
)
def test_an_unknown_name_is_wrong_usage(bank: Bank, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        bank.open().select([name])


def test_counts_are_those_of_the_filtered_entries(bank: Bank) -> None:
    library = bank.open()
    entries = library.entries()
    filters = [{"kind": kind} for kind in KINDS] + [{"level": level} for level in LEVELS]
    filters += [{"skill": skill} for skill in SKILLS] + [{"kind": "number", "level": "core"}]
    for wanted in filters:
        fitting = [entry for entry in entries if all(getattr(entry, name) == value for name, value in wanted.items())]
        assert library.counts(Selection(**wanted)) == Counter(entry.topic for entry in fitting)  # type: ignore[arg-type]
        chosen = Selection(topics=("convolution",), **wanted)  # type: ignore[arg-type]
        assert sum(library.counts(chosen).values()) == sum(entry.topic == "convolution" for entry in fitting)


@given(st.integers(0, 10**6), st.integers(0, 12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_first_priority_is_drawn_first_and_nothing_twice(many: Library, seed: int, count: int) -> None:
    drawn = many.draw("many", Selection(), count, random.Random(seed))
    assert len(drawn) == len({entry.id for entry in drawn}) == min(count, 10)
    priorities = [entry.priority for entry in drawn]
    assert priorities == sorted(priorities)
    assert drawn == many.draw("many", Selection(), count, random.Random(seed))


def test_among_equals_chance_decides_evenly(many: Library) -> None:
    firsts = Counter(
        next(entry.id for entry in many.draw("many", Selection(), 10, random.Random(seed)) if entry.priority == 2)
        for seed in range(800)
    )
    # Eight equals: 100 times each, standard deviation 9.4; five of them are 47.
    assert len(firsts) == 8
    assert all(abs(times - 100) < 47 for times in firsts.values()), firsts


def test_what_is_drawn_fits_the_filters(bank: Bank) -> None:
    drawn = bank.open().draw("convolution", Selection(kind="number", level="core"), 9, random.Random(1))
    assert [entry.id for entry in drawn] == ["convolution/output-size"]


def test_a_misconception_is_known_by_its_id(bank: Bank) -> None:
    library = bank.open()
    says, proof = library.misconception("spread-stays")
    assert (says.split()[0], proof) == ("A", "averaging/root-n")
    assert library.misconception("nobody-believes") == ("nobody-believes", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gradients", {"averaging/why-average"}),
        ("GRADIENT batch", {"averaging/why-average"}),
        ("spre", {"averaging/root-n"}),
        ("root-n", {"averaging/root-n"}),
        ("padding filters", {"convolution/steps"}),
        ("pooling", {"pooling/halves"}),
        ("zebra", set()),
        ("", set()),
        ("?!  \"'", set()),
    ],
)
def test_search_finds_the_questions_that_hold_all_the_words(bank: Bank, words: str, found: set[str]) -> None:
    assert {entry.id for entry in bank.open().search(words)} >= found
    if not found:
        assert bank.open().search(words) == []


def test_where_no_question_holds_all_words_some_will_do(bank: Bank) -> None:
    assert [entry.id for entry in bank.open().search("zebra gradients")] == ["averaging/why-average"]


def test_a_word_of_the_title_counts_more_than_one_of_the_text(bank: Bank) -> None:
    bank.change("averaging", "Variances of independent values add", "Pooling, pooling, pooling, pooling; pooling")
    assert [entry.id for entry in bank.open().search("pooling")] == ["pooling/halves", "averaging/root-n"]


def test_no_more_is_found_than_was_asked_for(bank: Bank) -> None:
    assert len(bank.open().search("the", limit=3)) == 3


@given(st.text(max_size=30) | st.text("\"*()^-:+AND ORNEARx_²\x00{}'", max_size=30))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("NEAR(a b, 3)")
@example('title : "x"')
@example("_ ² ①")
@example(" ".join(f"word{number}" for number in range(3000)))
def test_any_words_can_be_searched_for(many: Library, words: str) -> None:
    assert len(many.search(words)) <= 20
