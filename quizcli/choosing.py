"""Which questions a practice session asks, and in which order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from quizcli.bank.library import Entry, Library, Selection

T = TypeVar("T")


def choose(library: Library, selection: Selection, count: int, chance: random.Random) -> list[str]:
    """Ids of up to `count` questions.

    Questions named by id come first, as named. Topics share the rest evenly, the first priorities of each first;
    they come in the order of `needs`, then `priority`, so arranged that a demo is not asked about twice in a row.
    """
    named = list(selection.questions)
    if named and not selection.topics:
        return named
    sizes = library.counts(selection)
    for topic in (name.split("/")[0] for name in named):
        if topic in sizes:
            sizes[topic] -= 1
    shares = share(sizes, max(0, count - len(named)), chance)
    chosen: list[Entry] = []
    for topic, size in shares.items():
        drawn = library.draw(topic, selection, size + len(named), chance)
        chosen += [entry for entry in drawn if entry.id not in named][:size]
    rank = {topic: place for place, topic in enumerate(sizes)}
    chosen.sort(key=lambda entry: (rank[entry.topic], entry.priority))
    if not named:
        # A number may have to be computed before it is asked; the session opens with a question that needs no waiting.
        opening = next((entry for entry in chosen if entry.kind != "number"), None)
        if opening is not None:
            chosen.remove(opening)
            chosen.insert(0, opening)
    return [*named, *(entry.id for entry in apart(chosen))]


def share(sizes: dict[str, int], count: int, chance: random.Random) -> dict[str, int]:
    """How many questions each topic gives: one each in turn, in an order of chance, until `count` are found."""
    order = list(sizes)
    chance.shuffle(order)
    given = dict.fromkeys(sizes, 0)
    while count > 0:
        open_topics = [topic for topic in order if given[topic] < sizes[topic]]
        if not open_topics:
            break
        for topic in open_topics[:count]:
            given[topic] += 1
        count -= min(count, len(open_topics))
    return {topic: size for topic, size in given.items() if size}


def apart(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries, the first one first, moved so that neighbors have different demos where that can be."""
    left = list(entries[1:])
    placed = list(entries[:1])
    while left:
        last = placed[-1].demo
        counts: dict[str, int] = {}
        for entry in left:
            counts[entry.demo] = counts.get(entry.demo, 0) + 1
        crowded = max(counts, key=lambda demo: counts[demo])
        if counts[crowded] > len(left) - counts[crowded] and crowded != last:
            pick = next(entry for entry in left if entry.demo == crowded)
        else:
            pick = next((entry for entry in left if entry.demo != last), left[0])
        left.remove(pick)
        placed.append(pick)
    return placed
