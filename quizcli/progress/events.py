"""The events of the log: what happened, when by whose clock, and all that replay needs to know of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from quizcli.vocabulary import Rating

ANSWER: Final = "answer"
VOID: Final = "void"
UNDO: Final = "undo"
BURY: Final = "bury"
SUSPEND: Final = "suspend"
UNSUSPEND: Final = "unsuspend"
RESET: Final = "reset"
NOTE: Final = "note"
MARK: Final = "mark"
SETTING: Final = "setting"
PARAMETERS: Final = "parameters"
RESCHEDULE: Final = "reschedule"

CARD_KINDS: Final = (ANSWER, VOID, BURY, SUSPEND, UNSUSPEND, RESET, NOTE, MARK, RESCHEDULE)
"""Kinds that are about one card. Kinds that are not known here are kept, and ignored."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: UTC milliseconds since 1970, and the local offset in minutes that held then."""

    at: int
    offset: int


class Clock(Protocol):
    """Where the time comes from: passed in, so that forty days can go by in a test."""

    def __call__(self) -> Moment: ...


def system_clock() -> Moment:
    """The machine's own clock and time zone."""
    offset = datetime.now().astimezone().utcoffset()
    return Moment(time.time_ns() // 1_000_000, 0 if offset is None else int(offset.total_seconds() // 60))


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it is written. `weights` are None where FSRS's defaults were in force."""

    kind: str
    card: str | None = None
    rating: Rating | None = None
    target: str | None = None
    retention: float | None = None
    weights: tuple[float, ...] | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the log. `clock` is the running maximum of its machine's time, `day` the study day it fell on."""

    id: str
    machine: str
    sequence: int
    clock: int
    at: int
    offset: int
    day: int
    kind: str
    card: str | None
    rating: Rating | None
    target: str | None
    retention: float | None
    weights: tuple[float, ...] | None
    body: Mapping[str, Any]
