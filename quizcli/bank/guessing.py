"""Does anything in the surface of choice questions give their answers away?

Each cue is a way to guess without knowing. Under the null hypothesis it hits each item with the chance of a blind
guess; a two-sided exact test says whether it does better, or worse, than that. A small classifier on all the
surface features, cross-validated over items, finds what no single cue shows.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quizcli.model import Choice, Question

ENOUGH_ITEMS = 60
SIGNIFICANCE = 0.01
ABOVE_CHANCE = 0.10
_ABSOLUTE_WORDS = (
    "always never only all every none no must cannot can't impossible guaranteed guarantees entirely completely"
    " exactly any nothing everything whatever"
)
_HEDGING_WORDS = "may might can often usually typically sometimes some mostly roughly about could tends generally"
ABSOLUTE = frozenset(_ABSOLUTE_WORDS.split())
HEDGES = frozenset(_HEDGING_WORDS.split())


@dataclass(frozen=True, slots=True)
class Item:
    """A choice question as a guesser sees it."""

    prompt: frozenset[str]
    options: tuple[str, ...]
    right: frozenset[int]

    @property
    def chance(self) -> float:
        return len(self.right) / len(self.options)


@dataclass(frozen=True, slots=True)
class CueResult:
    """How often a cue hits, how often chance would, and the two-sided probability of so large a difference."""

    name: str
    items: int
    hits: int
    expected: float
    probability: float


@dataclass(frozen=True, slots=True)
class GuessingResult:
    """What guessing from the surface earns in a bank."""

    items: int
    cues: tuple[CueResult, ...]
    classifier: float
    chance: float

    @property
    def problems(self) -> list[str]:
        """What gives answers away; nothing is judged on fewer than 60 items."""
        if self.items < ENOUGH_ITEMS:
            return []
        found = [
            f"guessing by '{cue.name}' hits {cue.hits} of {cue.items} items where chance gives {cue.expected:.1f}"
            f" (p = {cue.probability:.2g}, below {SIGNIFICANCE:g}): rewrite some options"
            for cue in self.cues
            if cue.probability < SIGNIFICANCE
        ]
        if self.classifier - self.chance > ABOVE_CHANCE:
            found.append(
                f"a classifier on the surface of the options is right in {self.classifier:.0%} of the items,"
                f" more than {ABOVE_CHANCE:.0%} above chance ({self.chance:.0%}): rewrite some options"
            )
        return found


def items_of(questions: Sequence[Question]) -> list[Item]:
    return [
        Item(
            frozenset(_words(question.prompt)),
            tuple(option.says for option in question.body.options),
            question.body.right,
        )
        for question in questions
        if isinstance(question.body, Choice)
    ]


def guess(items: Sequence[Item]) -> GuessingResult:
    """All cues and the classifier over a bank's items."""
    cues = tuple(_try_cue(name, score, items) for name, score in _CUES.items())
    chance = sum(item.chance for item in items) / len(items) if items else 0.0
    return GuessingResult(len(items), cues, cross_validated(items), chance)


Score = Callable[[Item, str], float]

_CUES: dict[str, Score] = {
    "longest": lambda _, option: len(option),
    "shortest": lambda _, option: -len(option),
    "most words shared with the prompt": lambda item, option: len(item.prompt & set(_words(option))),
    "most absolute words": lambda _, option: sum(word in ABSOLUTE for word in _words(option)),
    "fewest absolute words": lambda _, option: -sum(word in ABSOLUTE for word in _words(option)),
}


def _try_cue(name: str, score: Score, items: Sequence[Item]) -> CueResult:
    """Pick the option of the highest score in each item where the scores differ; ties are broken by a hash."""
    hits = 0
    chances = []
    for item in items:
        scores = [score(item, option) for option in item.options]
        best = max(scores)
        tied = [place for place, value in enumerate(scores) if value == best]
        if len(tied) == len(scores):
            continue
        pick = min(tied, key=lambda place: zlib.crc32(item.options[place].encode()))
        hits += pick in item.right
        chances.append(item.chance)
    return CueResult(name, len(chances), hits, sum(chances), two_sided(hits, chances))


def two_sided(hits: int, chances: Sequence[float]) -> float:
    """Probability, under independent chances, of a number of hits no likelier than this (Poisson binomial)."""
    distribution = [1.0]
    for chance in chances:
        grown = [0.0] * (len(distribution) + 1)
        for count, mass in enumerate(distribution):
            grown[count] += mass * (1 - chance)
            grown[count + 1] += mass * chance
        distribution = grown
    seen = distribution[hits]
    return min(1.0, sum(mass for mass in distribution if mass <= seen * (1 + 1e-9)))


def cross_validated(items: Sequence[Item], folds: int = 10) -> float:
    """The share of items in which the classifier, fitted to the other folds, scores a right option highest."""
    if len(items) < 2:
        return 0.0
    hits = 0
    features = [[_features(item, place) for place in range(len(item.options))] for item in items]
    for fold in range(folds):
        train = [index for index in range(len(items)) if index % folds != fold]
        rows = [(row, place in items[index].right) for index in train for place, row in enumerate(features[index])]
        weights = fit_logistic(rows)
        for index in range(fold, len(items), folds):
            scores = [_dot(weights, row) for row in features[index]]
            hits += scores.index(max(scores)) in items[index].right
    return hits / len(items)


def _features(item: Item, place: int) -> list[float]:
    """Surface features of an option, each relative to the item's other options."""
    rows = [_raw_features(item, option) for option in item.options]
    return [1.0, *(_standing([row[column] for row in rows], place) for column in range(len(rows[0])))]


def _raw_features(item: Item, option: str) -> list[float]:
    words = _words(option)
    lengths = [len(other) for other in item.options]
    overlap = sum(len(set(words) & set(_words(other))) for other in item.options)
    return [
        len(option),
        float(len(option) == max(lengths)),
        float(len(option) == min(lengths)),
        len(item.prompt & set(words)),
        overlap,
        sum(word in ABSOLUTE for word in words),
        sum(word in HEDGES for word in words),
        option.count(",") + option.count(";") + option.count("("),
        sum(character.isdigit() for character in option),
        sum(word in ("not", "nor", "without") for word in words),
    ]


def _standing(values: Sequence[float], place: int) -> float:
    """How far one value stands from the others' mean, in standard deviations of the item."""
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return (values[place] - mean) / spread if spread else 0.0


def fit_logistic(
    rows: Sequence[tuple[list[float], bool]], steps: int = 150, rate: float = 0.5, ridge: float = 0.02
) -> list[float]:
    """Weights of a logistic regression with a ridge penalty, by gradient descent."""
    weights = [0.0] * len(rows[0][0])
    for _ in range(steps):
        gradient = [ridge * weight for weight in weights]
        for row, right in rows:
            error = 1 / (1 + math.exp(-_dot(weights, row))) - right
            for column, value in enumerate(row):
                gradient[column] += error * value / len(rows)
        weights = [weight - rate * slope for weight, slope in zip(weights, gradient, strict=True)]
    return weights


def _dot(weights: Sequence[float], row: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, row, strict=True))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.casefold())
