"""The key points that the words of an answer match."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.listening import listen
from tests.questions import point

WORDS = st.sampled_from(["the", "same", "gradient", "gradients", "update", "identical", "units", "unit", "a", "one"])
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
BEGINNINGS = st.sampled_from(["same", "gradient", "unit", "updat", "ident", "on"])
PHRASES = st.lists(BEGINNINGS, min_size=1, max_size=2).map(" ".join)


def matches(text: str, phrase: str) -> bool:
    """A naive reading of small-letter texts: one of the synonyms, each of its words beginning adjacent words."""
    return any(re.search(r"\b" + r"\w* ".join(synonym.split()), text) for synonym in phrase.split("|"))


@given(TEXTS, st.lists(st.lists(PHRASES, min_size=1, max_size=2), min_size=1, max_size=2))
def test_a_point_is_earned_where_a_naive_search_finds_all_phrases_of_an_entry(
    text: str, entries: list[list[str]]
) -> None:
    wanted = any(all(matches(text, phrase) for phrase in entry) for entry in entries)
    earned = listen(text, [point("p", *(" + ".join(entry) for entry in entries))]).earned
    assert ("p" in earned) == wanted


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=8).filter(lambda text: "|" not in text), max_size=3))
def test_spans_lie_in_the_text_and_are_never_empty(text: str, phrases: list[str]) -> None:
    heard = listen(text, [point("p", *phrases, barred=phrases)])
    assert all(0 <= start < end <= len(text) for start, end in heard.spans)


@given(TEXTS.filter(bool), st.data())
def test_every_word_of_an_answer_is_found_in_it(text: str, data: st.DataObject) -> None:
    words = text.split()
    start = data.draw(st.integers(0, len(words) - 1))
    stop = data.draw(st.integers(start + 1, len(words)))
    phrase = " ".join(words[start:stop])
    heard = listen(text, [point("p", phrase)])
    ((begin, end),) = heard.spans
    found = text[begin:end].split()
    assert all(word.startswith(wanted) for word, wanted in zip(found, phrase.split(), strict=True))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("by SYMMETRY they stay", "symmetr"),
        ("zero-mean noise", "zero mean"),
        ("It's (σ) applied", "σ"),
        ("x = 0 holds", "x = 0"),
        ("ﬁlters learn", "filter"),  # a ligature
        ("a 3.5 ratio", "3.5"),
        ("equal\ngradients", "equal gradient"),
    ],
)
def test_case_hyphens_and_letter_forms_do_not_matter(text: str, phrase: str) -> None:
    assert "p" in listen(text, [point("p", phrase)]).earned


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("100 units", "1"),  # a number is no beginning of another
        ("10 units", "1 unit"),
        ("asymmetric", "symmetr"),  # a phrase begins words, it does not end them
        ("gradient the same", "same gradient"),  # nor does it turn words around
        ("same old gradient", "same gradient"),  # nor leave one out
        ("max", "m"),  # a single letter is a symbol of its own
        ("", "a"),
    ],
)
def test_what_only_looks_alike_earns_nothing(text: str, phrase: str) -> None:
    assert listen(text, [point("p", phrase)]).earned == {}


def test_an_entry_needs_all_of_its_phrases_and_any_entry_will_do() -> None:
    both = point("both", "gradient + same|equal", "symmetr")
    assert "both" not in listen("the gradient is large", [both]).earned
    assert "both" in listen("equal gradients", [both]).earned
    assert "both" in listen("by symmetry", [both]).earned


def test_a_phrase_of_not_warns_and_takes_nothing_away() -> None:
    heard = listen("They get different gradients", [point("p", "gradient", barred=["different gradients"])])
    assert "p" in heard.earned
    assert heard.contradicted == {"p": "different gradients"}


def test_a_span_marks_the_whole_words_that_matched() -> None:
    text = "So units stay identical forever."
    ((start, end),) = listen(text, [point("p", "unit stay ident")]).spans
    assert text[start:end] == "units stay identical"
