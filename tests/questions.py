"""Questions as plain values, for tests that need no bank."""

from __future__ import annotations

from collections.abc import Iterable

from quizcli.model import (
    Asked,
    Body,
    Choice,
    Computed,
    Constant,
    Debug,
    KeyPoint,
    Mistake,
    Number,
    Open,
    Option,
    Order,
    Question,
    Tolerance,
)
from quizcli.vocabulary import Kind, Scalar, Skill

EXACT = Tolerance("exact")


def question(
    body: Body,
    *,
    name: str = "topic/question",
    kind: Kind | None = None,
    skill: Skill = "reasoning",
    hints: Iterable[str] = (),
    key_points: Iterable[KeyPoint] | None = None,
) -> Question:
    """A question with that body; its kind follows from the body."""
    points = tuple(key_points) if key_points is not None else (point("first"),)
    return Question(
        id=name,
        kind=kind or _kind(body),
        level="core",
        skill=skill,
        priority=1,
        prompt="What?",
        short="That.",
        answer="That, because.",
        key_points=points,
        demo="conv_shape",
        body=body,
        hints=tuple(hints),
    )


def point(name: str, *listen_for: str, must: bool = True, barred: Iterable[str] = ()) -> KeyPoint:
    """A key point that any of the phrases earns; `a + b` needs both, `a|b` either."""
    entries = tuple(tuple(tuple(phrase.split("|")) for phrase in entry.split(" + ")) for entry in listen_for)
    return KeyPoint(name, f"says {name}", must, entries, tuple((phrase,) for phrase in barred))


def choice(right: Iterable[int], count: int, *, several: bool = False, keep_order: bool = False) -> Choice:
    """Options 0 to `count` - 1, those in `right` correct."""
    rights = set(right)
    options = tuple(Option(f"option {place}", "why", place in rights) for place in range(count))
    return Choice(options, several, keep_order)


def constant(value: float, within: Tolerance = EXACT, unit: str = "") -> Number:
    return Number(Constant(value), within, unit)


def computed(
    draws: Iterable[dict[str, Scalar]],
    mistakes: Iterable[str] = (),
    within: Tolerance = EXACT,
    demo: str = "conv_shape",
) -> Number:
    """A number that a demo measures, under one of the draws."""
    return Number(
        Computed(demo, "output-size", tuple(draws)),
        within,
        mistakes=tuple(Mistake(measure, f"why {measure}") for measure in mistakes),
    )


def order(*groups: tuple[str, ...]) -> Order:
    return Order(groups)


def asked(body: Body, *, places: Iterable[int] | None = None) -> Asked:
    """The question with its options as they stand in the bank, or in another order."""
    count = len(body.options) if isinstance(body, Choice) else len(body.steps) if isinstance(body, Order) else 0
    return Asked(question(body), tuple(range(count)) if places is None else tuple(places))


def _kind(body: Body) -> Kind:
    if isinstance(body, Choice):
        return "multi" if body.several else "choice"
    kinds: dict[type, Kind] = {Open: "open", Number: "number", Order: "order", Debug: "debug"}
    return kinds[type(body)]
