"""What both ways of being quizzed share: showing questions and verdicts, measuring values, running demos."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from quizcli.bank.library import Library
from quizcli.errors import QuizError
from quizcli.model import Answer, Asked, Computed, Exhibit, Measured, Number, Question, Response, Verdict
from quizcli.session import Session, can_be_asked, measured_from, measures_wanted
from quizcli.view import question as screen
from quizcli.view.prose import inline
from quizcli.view.terminal import inert, is_plain
from quizcli.vocabulary import Rating, Settings

if TYPE_CHECKING:
    from quizcli.lab.catalog import Demo
    from quizcli.lab.chart import Paper, Shown
    from quizcli.lab.experiments import Bench
    from quizcli.lab.laboratory import Laboratory

ROOMY = 34
"""Rows of a terminal on which an exhibit of full height stands together with its question and four options."""

LOW = 8
"""Rows of an exhibit's plot where the terminal has fewer."""


class Diary(Protocol):
    """What a learner's progress adds to a session."""

    def what_next(self, question: str) -> str:
        """When a question that was just answered comes back, in words."""
        ...

    def time_left(self, questions: int) -> str:
        """How long so many questions will take, in words; empty where it is not known."""
        ...

    def advice(self, question: Question) -> str | None:
        """What to do about a question that is missed again and again; None where there is nothing to say."""
        ...

    def notes(self, question: str) -> list[str]:
        """The learner's notes on a question."""
        ...

    def note(self, question: str, text: str) -> None: ...

    def mark(self, question: str, text: str) -> None: ...


class WithdrawnError(Exception):
    """The standing question cannot be graded: its demo cannot run."""


@dataclass
class Examiner:
    """Asks a session's questions on a console, with a laboratory for what has to be measured.

    The laboratory and all that evidence needs is opened, and imported, when a first value or demo is wanted, and
    `open_progress` is called when the first question stands: that question waits for neither.
    """

    console: Console
    session: Session
    library: Library
    open_laboratory: Callable[[], Laboratory]
    diary: Diary | None = None
    confidence: bool = False
    open_progress: Callable[[], None] | None = None

    @cached_property
    def laboratory(self) -> Laboratory:
        return self.open_laboratory()

    def close(self) -> None:
        """Stop whatever still runs."""
        if "laboratory" in self.__dict__:
            self.laboratory.close()

    # --- Before the answer ---------------------------------------------------------------------------

    def next_question(self) -> Asked | None:
        """The next question that can be asked; those that cannot are withdrawn and said to be."""
        while (asked := self.session.next()) is not None:
            try:
                return self._askable(asked)
            except QuizError as error:
                self.withdraw(error)
            except KeyboardInterrupt:
                self.withdraw(QuizError("its demo was stopped"))
        return None

    def _askable(self, asked: Asked) -> Asked:
        """The question with values under which no named mistake is right; without mistakes nothing is waited for."""
        body = asked.question.body
        if not isinstance(body, Number) or not isinstance(body.source, Computed) or not body.mistakes:
            return asked
        if self.console.is_terminal:
            self.console.print(Text("Preparing the next question …", style="dim"), end="\r")
        for _ in body.source.draws:
            if can_be_asked(asked, self._measured(asked)):
                return asked
            asked = self.session.redraw()
        raise QuizError(f"question {asked.question.id}: every draw makes a mistake right")

    def present(self, asked: Asked, *, with_choices: bool) -> None:
        """Show the question. Raises WithdrawnError where what belongs to it cannot be shown."""
        try:
            total = self.session.done + self.session.left + 1
            self._rule()
            heading = screen.heading(asked.question, self.session.done + 1, total)
            if self.diary is not None:
                heading.append(self.diary.time_left(self.session.left + 1), style="dim")
            self.print(heading)
            self.print("")
            self._show_exhibit(asked)
        except QuizError as error:
            self.withdraw(error)
            raise WithdrawnError from error
        except KeyboardInterrupt:
            if asked.question.exhibit is None:
                raise
            self.withdraw(QuizError("its plot was stopped"))
            raise WithdrawnError from None
        self.print(screen.prompt(asked))
        if with_choices and asked.order:
            self.print("")
            self.print(screen.choices(asked))
        self.console.file.flush()

    def prepare(self, asked: Asked) -> None:
        """While the question is read: open the progress, and compute what this question or the next is graded by."""
        if self.open_progress is not None:
            self.open_progress()
            self.open_progress = None
        for each in (asked, self.session.peek()):
            wanted = measures_wanted(each) if each is not None else None
            if each is not None and wanted is not None and not (each is asked and each.question.runs_after):
                self.laboratory.prepare(wanted[0], each.drawn, wanted[1])
            if each is not None and each is not asked and (exhibit := each.question.exhibit) is not None:
                with suppress(QuizError):
                    self._drawn(exhibit, wait=False)

    def warm(self, asked: Asked) -> Iterator[str]:
        """Let the demo of a question get ready, in a process of its own, while the question is read.

        One step at a time, each named, and none so long that a key pressed meanwhile would be felt to wait.
        """
        if "laboratory" not in self.__dict__:
            gc.freeze()  # the banks stay: while a key waits, the collector need not look through them
            for part in ("quizcli.lab.evidence", "quizcli.lab.catalog", "subprocess", "quizcli.lab.laboratory"):
                import_module(part)
                yield part
        self.laboratory.load(asked.question.demo)
        yield asked.question.demo

    def hint(self) -> None:
        hint = self.session.hint()
        self.print(Text("No more hints.", style="dim") if hint is None else inline(f"Hint: {hint}", style="italic"))

    # --- The answer ----------------------------------------------------------------------------------

    def submit(self, asked: Asked, answer: Answer) -> Verdict:
        """The verdict on an answer; a prediction's demo runs first. Raises WithdrawnError where it cannot be graded."""
        measured = None
        if measures_wanted(asked) is not None:
            try:
                measured = self._run_prediction(asked) if asked.question.runs_after else self._measured(asked)
            except QuizError as error:
                self.withdraw(error)
                raise WithdrawnError from error
            except KeyboardInterrupt:
                self.withdraw(QuizError("its demo was stopped"))
                raise WithdrawnError from None
        return self.session.submit(answer, measured)

    def withdraw(self, error: QuizError) -> None:
        self.session.withdraw(str(error))
        self.print(Text(f"This question is withdrawn and not scored: {inert(str(error))}", style="partly"))

    def _measured(self, asked: Asked) -> Measured:
        wanted = measures_wanted(asked)
        assert wanted is not None
        return measured_from(asked, self.laboratory.measures(wanted[0], asked.drawn, wanted[1]))

    def _run_prediction(self, asked: Asked) -> Measured:
        wanted = measures_wanted(asked)
        assert wanted is not None
        self.print(Text(f"Running demo {wanted[0]} …", style="dim"))
        from quizcli.view.experiment import play

        values = play(self.console, self._bench(wanted[0]), asked.drawn).measures
        missing = [name for name in wanted[1] if name not in values]
        if missing:
            raise QuizError(f"demo {wanted[0]} ended without the measure {', '.join(missing)}")
        return measured_from(asked, values)

    # --- After it ------------------------------------------------------------------------------------

    def show_verdict(self, asked: Asked, response: Response, verdict: Verdict) -> None:
        """First what matters: right or not, the direct answer, what was missed."""
        self.print("")
        self.print(screen.verdict_line(asked, response, verdict))
        self.print(screen.short(asked, verdict))
        room = 0 if is_plain(self.console) else min(screen.LONGEST_BAR, self.console.width - 3 * screen.BESIDE)
        what = screen.missed(asked, response, verdict, self._belief, room)
        if what is not None:
            self.print("")
            self.print(what)
        for note in self.diary.notes(asked.question.id) if self.diary is not None else ():
            self.print(Text(f"Your note: {inert(note)}", style="dim"))

    def accept(self, rating: Rating | None) -> bool:
        """Take the answer with the proposed grade or another and say what follows; False where it was not kept."""
        try:
            record = self.session.accept(rating)
        except QuizError as error:
            self.print(Text(f"{inert(str(error))}; grade again to try once more", style="wrong"))
            return False
        self.print(Text(f"Graded {record.rating.value} ({screen.RATINGS[record.rating]}).", style="dim"))
        if self.diary is not None:
            self.print(Text(self.diary.what_next(record.asked.question.id), style="dim"))
        advice = self.diary.advice(record.asked.question) if self.diary is not None else None
        if advice is not None:
            self.print(Text(advice, style="partly"))
        return True

    def put_away(self, outcome: Literal["buried", "suspended"]) -> None:
        self.session.put_away(outcome)
        how = "Put away until tomorrow." if outcome == "buried" else "Suspended; dlquiz cards lists what is."
        self.print(Text(how, style="dim"))

    def note(self, asked: Asked, text: str) -> None:
        """Keep a private note on the question."""
        if self.diary is not None and text.strip():
            self.diary.note(asked.question.id, text.strip())
            self.print(Text("Noted.", style="dim"))

    def mark(self, asked: Asked, text: str) -> None:
        """Keep that the question seems wrong."""
        if self.diary is not None:
            self.diary.mark(asked.question.id, text.strip())
            self.print(Text("Marked; dlquiz cards --marked lists what is.", style="dim"))

    def everything(self, asked: Asked, verdict: Verdict | None) -> RenderableType:
        """The full answer."""
        answer = verdict.measured.right if verdict is not None and verdict.measured is not None else None
        earned = verdict.earned if verdict is not None and asked.question.kind == "open" else None
        references = self.library.topic(asked.question.topic).references
        return screen.everything(asked, answer, references, self._belief, earned)

    def show_demo(
        self,
        asked: Asked,
        predict: Callable[[Console, Demo], str | None] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> Bench | None:
        """Run the question's demo here; whatever happens in it, the session goes on. Returns where to experiment on."""
        name = asked.question.demo
        try:
            from quizcli.view.evidence import compare
            from quizcli.view.experiment import play

            self.print("")
            bench = self._bench(name, stopped)
            demo = bench.demo
            self.print(Text(inert(demo.title), style="heading"))
            predicted = predict(self.console, demo) if predict is not None else None
            values = play(self.console, bench, self.settings(asked)).measures
        except QuizError as error:
            from quizcli.lab.laboratory import StoppedError

            if isinstance(error, StoppedError):
                self.print(Text("The demo was stopped.", style="dim"))
                return None
            self.print(Text(f"{inert(str(error))}; dlquiz demo {inert(name)} --debug shows more", style="partly"))
            return None
        except KeyboardInterrupt:
            self.print(Text("\nThe demo was stopped.", style="dim"))
            return None
        if demo.prediction.measure in values:
            self.print("")
            self.print(Text(inert(demo.prediction.ask), style="heading"))
            self.print(compare(demo.prediction, predicted, values[demo.prediction.measure]))
        return bench

    def settings(self, asked: Asked) -> Settings:
        """A question's drawn values, where they are settings of its demo."""
        body = asked.question.body
        source = body.source if isinstance(body, Number) else None
        return asked.drawn if isinstance(source, Computed) and source.demo == asked.question.demo else {}

    def show_summary(self) -> None:
        from quizcli.view.summary import summary_of

        self._rule()
        self.print(summary_of(self.session.summary()))

    def print(self, what: RenderableType) -> None:
        self.console.print(what)

    # --- Inside --------------------------------------------------------------------------------------

    def _rule(self) -> None:
        self.print("" if is_plain(self.console) else Rule(style="dim"))

    def _bench(self, name: str, stopped: Callable[[], bool] | None = None) -> Bench:
        from quizcli.lab.benches import LaboratoryBench

        return LaboratoryBench(self.laboratory.catalog.find(name), self._paper(), self.laboratory, stopped)

    def _show_exhibit(self, asked: Asked) -> None:
        if (exhibit := asked.question.exhibit) is None:
            return
        from quizcli.view.evidence import drawn

        shown = self._drawn(exhibit)
        assert shown is not None
        self.print(drawn(shown))
        self.print("")

    def _drawn(self, exhibit: Exhibit, *, wait: bool = True) -> Shown | None:
        """An exhibit as it was drawn before, or else as the laboratory draws it now; without `wait` it only begins."""
        from quizcli.lab.exhibits import Exhibits
        from quizcli.places import cache_folder

        demo, paper = self.laboratory.catalog.find(exhibit.demo), self._paper()
        if self.console.height < ROOMY:
            paper = replace(paper, height=LOW)
        kept = Exhibits(cache_folder() / "exhibits")
        if (drawn := kept.get(demo, exhibit.plot, exhibit.settings, paper)) is None:
            self.laboratory.prepare(demo.name, exhibit.settings, [exhibit.plot], paper)
            if wait:
                drawn = self.laboratory.plot(demo.name, exhibit.settings, exhibit.plot, paper)
                kept.keep(demo, exhibit.plot, exhibit.settings, paper, drawn)
        return drawn

    def _paper(self) -> Paper:
        from quizcli.view.evidence import paper_of

        return paper_of(self.console)

    def _belief(self, name: str) -> str:
        return self.library.misconception(name)[0]
