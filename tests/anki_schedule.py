"""What Anki's own engine makes of review histories; run with a Python that has `anki` installed.

anki_schedule.py FOLDER    histories as JSON on stdin, [[[elapsed days, grade], ...], days since] each; on stdout for
each of them its memory, the memory that the card keeps (Anki rounds it), and memory and days after each grade

Fuzz is off, as in Anki's own tests; there are no learning steps; parameters are the defaults, retention 0.9.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

os.environ["ANKI_TEST_MODE"] = "1"


def main(folder: Path, histories: list[Any]) -> list[Any]:
    from anki.collection import Collection  # isort: skip - it must be imported before cards
    from anki.cards import FSRSMemoryState
    from anki.decks import UpdateDeckConfigs

    collection = Collection(str(folder / "collection.anki2"))
    kind, deck = collection.models.by_name("Basic"), collection.decks.id("Default")
    kept = collection.decks.get_deck_configs_for_update(deck)
    config = kept.all_config[0].config
    config.config.new_per_day = config.config.reviews_per_day = 9999
    del config.config.learn_steps[:]
    del config.config.relearn_steps[:]
    collection.decks.update_deck_configs(
        UpdateDeckConfigs(target_deck_id=deck, configs=[config], limits=kept.current_deck.limits, fsrs=True)
    )
    now, cards = int(time.time()), {}
    for number, (reviews, since) in enumerate(histories):
        note = collection.new_note(kind)
        note["Front"] = str(number)
        collection.add_note(note, deck)
        (identity,) = note.card_ids()
        cards[identity] = number
        ago = since + sum(elapsed for elapsed, _ in reviews)
        days = [ago - day for day in accumulate(elapsed for elapsed, _ in reviews)]
        for place, (day, (_, grade)) in enumerate(zip(days, reviews, strict=True)):
            collection.db.execute(
                "INSERT INTO revlog VALUES (?, ?, -1, ?, 10, 5, 0, 1000, ?)",
                *((now - day * 86_400) * 1000 + number, identity, grade, int(place > 0)),
            )
        collection.db.execute(
            "UPDATE cards SET type = 2, queue = 2, due = ?, ivl = ?, reps = ? WHERE id = ?",
            *(collection.sched.today, since, len(reviews), identity),
        )
    found: list[Any] = [None] * len(histories)
    memories = {identity: collection.compute_memory_state(identity) for identity in cards}
    for identity, memory in memories.items():
        card = collection.get_card(identity)
        card.memory_state = FSRSMemoryState(stability=memory.stability, difficulty=memory.difficulty)
        card.desired_retention, card.decay = memory.desired_retention, memory.decay
        collection.update_card(card)
    for queued in collection.sched.get_queued_cards(fetch_limit=len(histories)).cards:
        states, memory = queued.states, memories[queued.card.id]
        current = states.current.normal.review
        assert current.elapsed_days == histories[cards[queued.card.id]][1]
        grades = {}
        for grade in ("again", "hard", "good", "easy"):
            state = getattr(states, grade).normal
            relearning = state.WhichOneof("kind") == "relearning"
            held = state.relearning.learning if relearning else state.review
            days = held.scheduled_secs / 86_400 if relearning else held.scheduled_days
            grades[grade] = (held.memory_state.stability, held.memory_state.difficulty, days)
        found[cards[queued.card.id]] = {
            "memory": (memory.stability, memory.difficulty),
            "kept": (current.memory_state.stability, current.memory_state.difficulty),
            "after": grades,
        }
    collection.close()
    return found


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), json.load(sys.stdin)), sys.stdout)
