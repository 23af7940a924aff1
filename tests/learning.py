"""A learner of the fixture bank: a log with a clock that stands, the progress over it, and answers in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quizcli.progress import events
from quizcli.progress.events import Draft, Event
from quizcli.progress.progress import Progress, card_of
from quizcli.studying import adopt_bank
from quizcli.vocabulary import Rating
from tests.banks import Bank
from tests.logs import Clock, open_log


class Learning:
    """Progress over a bank, with a clock of its own."""

    def __init__(self, bank: Bank, folder: Path) -> None:
        self.bank = bank
        self.clock = Clock()
        self.path = folder / "data" / "progress.sqlite"
        self.log = open_log(self.path, self.clock)
        self.progress = Progress(self.log)
        self.read_bank()

    def read_bank(self) -> None:
        """Open the bank as it is now, as each command does."""
        self.library = self.bank.open()
        adopt_bank(self.progress, self.library)

    @property
    def today(self) -> int:
        return self.progress.today()

    def answer(self, question: str, rating: int = 3, **body: Any) -> Event:
        kept = self.progress.values["retention"]
        return self.log.append(Draft(events.ANSWER, card_of(question), Rating(rating), retention=kept, body=body))

    def note(self, kind: str, question: str) -> Event:
        return self.progress.note(kind, question)

    def sleep(self, days: int = 1) -> None:
        self.clock.move(days=days)
