"""What a session leaves behind: every action goes into the learner's progress as it happens."""

from __future__ import annotations

from quizcli.bank.library import Library
from quizcli.errors import QuizError
from quizcli.model import Asked, Question, Response
from quizcli.progress import events
from quizcli.progress.events import Event
from quizcli.progress.leases import Leases
from quizcli.progress.progress import Progress, question_of
from quizcli.scheduling import day_as_date
from quizcli.session import Outcome, Record
from quizcli.studying import SECONDS, seconds_by_kind
from quizcli.vocabulary import Settings

STUCK = 3
"""Failed days in a row after which a card needs more than another repetition."""


class ProgressKeeper:
    """Keeps a session's actions in the log. With `study` set, questions that are no longer due are not asked, and wrong
    ones come again."""

    def __init__(self, progress: Progress, library: Library, leases: Leases | None, *, study: bool) -> None:
        self.progress = progress
        self.library = library
        self.leases = leases
        self.study = study
        self._pace: float | None = None

    # --- What the session tells ----------------------------------------------------------------------

    def wants(self, question: str) -> bool:
        """Not what another session asked within the last minute; in study, what is due or new."""
        if self.leases is not None and not self.leases.take(question):
            return False
        if not self.study:
            return True
        state = self.progress.state(question)
        day = self.progress.today()
        return state.is_due(day) or (state.due is None and not state.waits(day))

    def answered(self, record: Record) -> Event:
        return self.progress.answer(record.asked, record.response, record.verdict, record.rating, record.seconds)

    def voided(self, asked: Asked, response: Response | None, seconds: float) -> Event | None:
        return None if response is None else self.progress.void(asked, response, seconds)

    def put_away(self, asked: Asked, outcome: Outcome) -> Event:
        kind = events.BURY if outcome == "buried" else events.SUSPEND
        return self.progress.note(kind, asked.question.id, drawn=dict(asked.drawn), order=list(asked.order))

    def take_back(self, receipt: object) -> None:
        if isinstance(receipt, Event):
            self.progress.take_back(receipt)

    def take_back_older(self) -> tuple[str, Settings, tuple[int, ...]] | None:
        """Undo the newest action of an earlier session; what is about no question is left to `dlquiz undo`."""
        newest = self.progress.log.newest_action()
        name = None if newest is None or newest.card is None else question_of(newest.card)
        if newest is None or name is None or "events" in newest.body:
            return None
        try:
            name = self.library.question(name).id
        except QuizError:
            return None
        self.progress.take_back(newest)
        return name, newest.body.get("drawn", {}), tuple(newest.body.get("order", ()))

    def as_before(self, question: str) -> tuple[Settings, tuple[int, ...]] | None:
        """The values of the newest answer, where that was taken back, by `dlquiz undo` or in an earlier session."""
        body = self.progress.taken_back(question)
        return None if body is None else (body.get("drawn", {}), tuple(body.get("order", ())))

    def asks_again(self, question: str) -> bool:
        return self.study and self.progress.state(question).comes_again(self.progress.today())

    # --- What the session asks -----------------------------------------------------------------------

    def what_next(self, question: str) -> str:
        """When the question comes back."""
        state, day = self.progress.state(question), self.progress.today()
        if state.comes_again(day) and self.study:
            return "It comes again today."
        if state.back is None:
            return ""
        days = state.back - day
        if days <= 0:
            return "It is due today."
        return f"It comes back {'tomorrow' if days == 1 else f'in {days} days'} ({day_as_date(state.back)})."

    def time_left(self, questions: int) -> str:
        """By the learner's own pace; only in study, where the end of the day's work matters."""
        if not self.study:
            return ""
        if self._pace is None:
            own = seconds_by_kind(self.progress)
            paces = [own.get(kind, usual) for kind, usual in SECONDS.items()]
            self._pace = sum(paces) / len(paces)
        left = questions * self._pace / 60
        return f" · about {max(1, round(left))} min left"

    def advice(self, question: Question) -> str | None:
        """After three failed days in a row: the way round. The card stays in the study; nothing is suspended."""
        if self.progress.state(question.id).failed < STUCK:
            return None
        ways = [f"dlquiz demo {question.demo.replace('_', '-')}"]
        needs = self.library.topic(question.topic).needs
        if needs:
            ways.append(f"dlquiz explain {needs[0]}")
        sibling = self._sibling(question)
        if sibling is not None:
            ways.append(f"dlquiz practice {sibling}")
        return f"Missed on {STUCK} days or more in a row. Another way in: " + ", or ".join(ways)

    def notes(self, question: str) -> list[str]:
        return [
            str(event.body.get("text", "")) for event in self.progress.history(question) if event.kind == events.NOTE
        ]

    def note(self, question: str, text: str) -> None:
        self.progress.note(events.NOTE, question, text=text)

    def mark(self, question: str, text: str) -> None:
        self.progress.note(events.MARK, question, text=text)

    def _sibling(self, question: Question) -> str | None:
        """A question on the same proof or a follow-up, of another kind."""
        ties = self.library.ties([question.id])[question.id]
        others = [entry for entry in self.library.entries(question.topic) if entry.kind != question.kind]
        their_ties = self.library.ties([entry.id for entry in others])
        return next((entry.id for entry in others if their_ties[entry.id] & ties), None)
