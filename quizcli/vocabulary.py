"""The words that questions, schedules and screens share. Light: whatever starts fast imports this and not the model."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Literal

Kind = Literal["open", "choice", "multi", "number", "order", "debug"]
Level = Literal["warm-up", "core", "deep"]
Skill = Literal["recall", "reasoning", "computation", "prediction", "debugging", "design", "communication"]

KINDS: Final = ("open", "choice", "multi", "number", "order", "debug")
LEVELS: Final = ("warm-up", "core", "deep")
SKILLS: Final = ("recall", "reasoning", "computation", "prediction", "debugging", "design", "communication")
LETTERS: Final = "abcdef"
"""Options, steps and key points are called by these, so a question has at most six of each."""

CONFIDENCE: Final = {1: 0.5, 2: 0.7, 3: 0.9, 4: 0.99}
"""How sure one can say to be, by key: the chance of being right."""

Scalar = int | float | bool | str
Settings = Mapping[str, Scalar]
"""Values of parameters of a demo's `run`."""


class Rating(IntEnum):
    """How well it was known: FSRS's four grades."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4
