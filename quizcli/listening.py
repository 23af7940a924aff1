"""Which key points the words of an open answer match.

A phrase matches where its words begin adjacent words of the answer: `symmetr` matches "symmetry",
`different gradient` matches "different gradients". Case, punctuation and compatibility forms do not matter.
This only marks; the learner's own ticks decide.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quizcli.model import KeyPoint, Phrase

Span = tuple[int, int]
"""Start and end of matched characters."""

_WORD = re.compile(r"\w+(?:[.]\d+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Heard:
    """What an answer's words match: for each key point earned the places, and the phrases that contradict one."""

    text: str
    earned: Mapping[str, tuple[Span, ...]]
    contradicted: Mapping[str, str]

    @property
    def spans(self) -> list[Span]:
        return sorted({span for spans in self.earned.values() for span in spans})


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


def listen(text: str, key_points: Sequence[KeyPoint]) -> Heard:
    """The key points whose words stand in the text, and those that a `not` phrase of theirs speaks against."""
    words = _words(text)
    earned: dict[str, tuple[Span, ...]] = {}
    contradicted: dict[str, str] = {}
    for point in key_points:
        for entry in point.listen_for:
            spans = [_find(words, phrase) for phrase in entry]
            found = [span for span in spans if span is not None]
            if len(found) == len(spans):
                earned[point.id] = tuple(found)
                break
        for phrase in point.contradicted_by:
            span = _find(words, phrase)
            if span is not None:
                contradicted[point.id] = text[span[0] : span[1]]
                break
    return Heard(text, earned, contradicted)


def _find(words: list[_Word], phrase: Phrase) -> Span | None:
    """Where the first of a phrase's synonyms that is found begins and ends."""
    for synonym in phrase:
        wanted = [word.text for word in _words(synonym)]
        for start in range(len(words) - len(wanted) + 1):
            here = words[start : start + len(wanted)]
            if wanted and all(_begins(word.text, want) for word, want in zip(here, wanted, strict=True)):
                return here[0].start, here[-1].end
    return None


def _begins(word: str, wanted: str) -> bool:
    """Numbers and single letters must be equal: `1` is not the beginning of 100."""
    if wanted[0].isdigit() or len(wanted) == 1:
        return word == wanted
    return word.startswith(wanted)


def _words(text: str) -> list[_Word]:
    """Words and symbols that carry meaning (σ, =, <), folded; hyphens and other punctuation only separate."""
    return [
        _Word(_fold(found.group()), found.start(), found.end())
        for found in _WORD.finditer(text)
        if found.group() not in "-–—,.;:!?'\"()[]{}`’“”‘…*_"
    ]


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()
