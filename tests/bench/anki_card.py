"""Anki's engine to its first card, for comparison; run with a Python that has `anki` installed.

anki_card.py setup FOLDER CARDS    a collection with FSRS on, half of its cards due
anki_card.py first FOLDER          import, open, first queued card, its question printed
anki_card.py answer FOLDER COUNT   seconds of each of so many answers, fetching the card included, as JSON
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path


def setup(folder: Path, cards: int) -> None:
    from anki.collection import AddNoteRequest, Collection

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    collection = Collection(str(folder / "collection.anki2"))
    kind, deck = collection.models.by_name("Basic"), collection.decks.id("Default")
    requests = []
    for number in range(cards):
        note = collection.new_note(kind)
        note["Front"] = f"{number}: why are dot products divided by the root of their dimension before a softmax?"
        note["Back"] = "Their variance grows with the dimension, and a saturated softmax passes no gradient. " * 6
        requests.append(AddNoteRequest(note=note, deck_id=deck))
    collection.add_notes(requests)
    collection.set_config("fsrs", True)
    collection.sched.set_due_date(list(collection.find_cards("deck:Default"))[: cards // 2], "0")
    collection.close()


def first(folder: Path) -> None:
    from anki.collection import Collection  # isort: skip - it must be imported before cards
    from anki.cards import Card

    collection = Collection(str(folder / "collection.anki2"))
    queued = collection.sched.get_queued_cards(fetch_limit=1)
    card = Card(collection)
    card._load_from_backend_card(queued.cards[0].card)
    card.start_timer()
    print("first card:", card.question()[-60:].replace("\n", " "), flush=True)
    collection.close()


def answer(folder: Path, count: int) -> None:
    from anki.collection import Collection  # isort: skip - it must be imported before cards
    from anki.cards import Card
    from anki.scheduler.v3 import CardAnswer

    collection = Collection(str(folder / "collection.anki2"))
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        queue = collection.sched.get_queued_cards(fetch_limit=1)
        if not queue.cards:
            break
        card = Card(collection)
        card._load_from_backend_card(queue.cards[0].card)
        card.start_timer()
        given = collection.sched.build_answer(card=card, states=queue.cards[0].states, rating=CardAnswer.GOOD)
        collection.sched.answer_card(given)
        taken.append(time.perf_counter() - start)
    print(json.dumps(taken))
    collection.close()


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "setup":
        setup(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        first(Path(sys.argv[2]))
