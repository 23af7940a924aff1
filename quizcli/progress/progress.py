"""A learner's progress: what the log says, in the words of the quiz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from quizcli.errors import UsageError, suggest
from quizcli.progress import events
from quizcli.progress.events import Draft, Event
from quizcli.progress.log import Log
from quizcli.progress.replay import CardState
from quizcli.scheduling import DAY_START, HIGHEST_RETENTION, LOWEST_RETENTION, RETENTION, Scheduler
from quizcli.vocabulary import Rating

if TYPE_CHECKING:
    from quizcli.model import Asked, Response, Verdict

SHIPPED: Final = "dl:"
"""How the ids of the shipped bank's cards begin."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it means, its default, and the values it takes."""

    name: str
    meaning: str
    default: float
    low: float
    high: float
    whole: bool

    def read(self, text: str) -> float:
        """The value that a person typed, or a UsageError that names the range."""
        try:
            value = float(text.strip().rstrip("%")) / (100 if text.strip().endswith("%") else 1)
        except ValueError:
            value = float("nan")
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise UsageError(f"{self.name} {text}: must be {kind} from {self.low:g} to {self.high:g} ({self.meaning})")
        return value


SETTINGS: Final = {
    setting.name: setting
    for setting in (
        Setting(
            name="retention",
            meaning="the chance of recall at which a card comes back",
            default=RETENTION,
            low=LOWEST_RETENTION,
            high=HIGHEST_RETENTION,
            whole=False,
        ),
        Setting("new", "new cards a day", 15, 0, 1000, True),
        Setting("day-start", "the hour at which a study day begins", DAY_START, 0, 23, True),
    )
}


def find_setting(name: str) -> Setting:
    plain = name.strip().lower().replace("_", "-")
    if plain not in SETTINGS:
        raise UsageError(f"no setting '{name}'{suggest(plain, SETTINGS)}; there are {', '.join(SETTINGS)}")
    return SETTINGS[plain]


def card_of(question: str) -> str:
    return SHIPPED + question


def question_of(card: str) -> str | None:
    """The question of a card of the shipped bank; None for cards of other banks."""
    return card.removeprefix(SHIPPED) if card.startswith(SHIPPED) else None


class Progress:
    """The log of one learner, with the settings in force."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._read_settings()

    def _read_settings(self) -> None:
        self.values: dict[str, float] = {name: setting.default for name, setting in SETTINGS.items()}
        self.weights: tuple[float, ...] | None = None
        for event in self.log.events("kind IN ('setting', 'parameters')"):
            if event.kind == events.PARAMETERS:
                self.weights = tuple(event.body["weights"]) if event.body.get("weights") else None
            elif (setting := SETTINGS.get(event.body.get("name", ""))) is not None:
                value = event.body.get("value")
                # What another version allowed and this one does not is left aside.
                if isinstance(value, int | float) and setting.low <= value <= setting.high:
                    self.values[setting.name] = float(value)

    # --- Time and settings ---------------------------------------------------------------------------

    @property
    def day_start(self) -> int:
        return int(self.values["day-start"])

    @property
    def scheduler(self) -> Scheduler:
        return Scheduler(self.weights, self.values["retention"])

    def today(self) -> int:
        return self.log.today(self.day_start)

    def set(self, setting: Setting, value: float) -> None:
        """Change a setting, from now on; nothing is rescheduled."""
        self._append(Draft(events.SETTING, body={"name": setting.name, "value": value}))
        self._read_settings()

    def set_weights(self, weights: Sequence[float] | None, why: Mapping[str, Any]) -> None:
        """Take other parameters of FSRS into force for the reviews to come."""
        self._append(Draft(events.PARAMETERS, body={"weights": None if weights is None else list(weights), **why}))
        self._read_settings()

    # --- Answers -------------------------------------------------------------------------------------

    def answer(self, asked: Asked, response: Response, verdict: Verdict, rating: Rating, seconds: float) -> Event:
        """Keep an answer: when this returns, it is on the disk."""
        from quizcli.progress.account import of_answer

        return self._append(
            Draft(
                *(events.ANSWER, card_of(asked.question.id), rating),
                retention=self.values["retention"],
                weights=self.weights,
                body=of_answer(asked, response, verdict, seconds),
            )
        )

    def void(self, asked: Asked, response: Response, seconds: float) -> Event:
        """Keep an answer that does not count."""
        from quizcli.progress.account import of_response

        return self._append(Draft(events.VOID, card_of(asked.question.id), body=of_response(asked, response, seconds)))

    def note(self, kind: str, question: str, **body: Any) -> Event:
        """Keep an action on a card: bury, suspend, unsuspend, reset, note or mark."""
        return self._append(Draft(kind, card_of(question), body=body))

    def undo(self) -> Event | None:
        """Take back this machine's newest action that is still in force."""
        event = self.log.undo()
        self._read_settings()
        return event

    def take_back(self, event: Event) -> None:
        """Take back one action of this machine."""
        self._append(Draft(events.UNDO, event.card, target=event.id))

    def _append(self, draft: Draft) -> Event:
        return self.log.append(draft, self.day_start)

    # --- Cards ---------------------------------------------------------------------------------------

    def state(self, question: str) -> CardState:
        return self.log.state(card_of(question))

    def history(self, question: str) -> list[Event]:
        """A card's events in force, former ids included."""
        card = card_of(question)
        names = [card, *(old for (old,) in self.log.query("SELECT old FROM alias WHERE card = ?", card))]
        return list(self.log.events(f"card IN ({', '.join('?' * len(names))})", *names))

    def taken_back(self, question: str) -> Mapping[str, Any] | None:
        """What was asked and answered where the newest thing that happened to a question is that it was taken back."""
        newest = self.log.newest_of(card_of(question))
        if newest is None or newest.kind != events.UNDO or newest.target is None:
            return None
        (event,) = self.log.events("id = ?", newest.target, in_force=False)
        return event.body

    def introduced_today(self) -> int:
        """New cards met today: they count against the day's number of new cards."""
        return int(self.log.query("SELECT count(*) FROM card WHERE introduced = ?", self.today())[0][0])
