"""The quiz by lines, where there is no terminal: one line for the answer, one for the grade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TextIO

from rich.console import Group
from rich.text import Text

from quizcli.model import Answer, Asked, DontKnow, Response, Verdict
from quizcli.reading import Unreadable, read_answer, read_grade
from quizcli.view import question as screen
from quizcli.view.examiner import Examiner, WithdrawnError
from quizcli.view.terminal import inert
from quizcli.vocabulary import CONFIDENCE, Rating

HELP = """:h hint  :s skip  :- bury  :@ suspend  :u undo  :q quit  :? this help
After the answer: :d demo  :e everything  :v void (misread or mistyped: not counted)
An empty answer means "I don't know"; a final ? marks a guess; :: begins a text with a colon.
Grades: 1 again, 2 hard, 3 good, 4 easy; letters tick key points; empty accepts what is proposed."""


class QuitError(Exception):
    """The learner has had enough, or the input has ended."""


class Again(Exception):  # noqa: N818 - control flow, not an error
    """The question was taken out of the learner's hands: go on with the next one."""


class LineQuiz:
    """Runs a session by reading lines from a stream."""

    def __init__(self, examiner: Examiner, lines: TextIO) -> None:
        self.examiner = examiner
        self.session = examiner.session
        self._lines = lines

    def run(self) -> bool:
        """Ask until the questions or the lines end, then show the summary; False after Ctrl-C."""
        went_well = True
        try:
            while (asked := self.examiner.next_question()) is not None:
                try:
                    self._ask(asked)
                except (Again, WithdrawnError):
                    continue
        except QuitError:
            pass
        except KeyboardInterrupt:
            went_well = False
        self.examiner.show_summary()
        return went_well

    def _ask(self, asked: Asked) -> None:
        self.examiner.present(asked, with_choices=True)
        self._say(f"{screen.advice(asked)}")
        self.examiner.prepare(asked)
        answer, guessed = self._read_answer(asked)
        self.session.mark_guess(guessed)
        if self.examiner.confidence and not isinstance(answer, DontKnow):
            self.session.mark_sure(self._read_confidence())
        verdict = self.examiner.submit(asked, answer)
        response = Response(answer, guessed and not isinstance(answer, DontKnow))
        if asked.question.kind == "open":
            if isinstance(answer, DontKnow):
                self.examiner.show_verdict(asked, response, verdict)
                self._grade(asked, verdict, ticks=False)
            else:
                self._tick(asked, response)
        else:
            self.examiner.show_verdict(asked, response, verdict)
            self._grade(asked, verdict, ticks=False)

    def _read_answer(self, asked: Asked) -> tuple[Answer, bool]:
        """An answer and whether it is a guess; what cannot be read takes its line and is asked again."""
        while True:
            line = self._line()
            if line.startswith(":") and not line.startswith("::"):
                self._command(line, asked, None)
                continue
            text = line[1:] if line.startswith("::") else line
            text = text.strip()
            guessed = text.endswith("?")
            try:
                return read_answer(asked, text[:-1] if guessed else text), guessed
            except Unreadable as error:
                self._say(str(error))

    def _read_confidence(self) -> float | None:
        """How sure one is; an empty line leaves it open."""
        offered = ", ".join(f"{key} {sure:.0%}" for key, sure in CONFIDENCE.items())
        self._say(f"How sure are you? {offered}; empty leaves it open.")
        while (line := self._line().strip()) and not (line.isdigit() and int(line) in CONFIDENCE):
            self._say(f"One digit: {offered}.")
        return CONFIDENCE[int(line)] if line else None

    def _tick(self, asked: Asked, response: Response) -> None:
        """Show what was heard; the next line ticks."""
        heard = self.session.heard
        self.examiner.print("")
        self.examiner.print(screen.said(heard))
        ticked = frozenset(n for n, point in enumerate(asked.question.key_points) if point.id in heard.earned)
        self.examiner.print(screen.ticking(asked.question, ticked, heard))
        self._say("Letters tick what you said (- for nothing), a digit grades; empty accepts the ticks shown.")
        verdict = self.session.tick(heard.earned)
        self._grade(asked, verdict, ticks=True, response=response)

    def _grade(self, asked: Asked, verdict: Verdict, *, ticks: bool, response: Response | None = None) -> None:
        count = len(asked.question.key_points)
        if not ticks:
            self._say(f"Grade 1 to 4, or empty for {verdict.proposed.value} ({screen.RATINGS[verdict.proposed]}).")
        while True:
            line = self._line()
            if line.startswith(":"):
                self._command(line, asked, verdict)
                continue
            try:
                ticked, rating = read_grade(line, count, ticks=ticks)
                if ticked is not None:
                    verdict = self.session.tick(asked.question.key_points[place].id for place in ticked)
                self._accept(asked, verdict, rating, response)
            except Unreadable as error:
                self._say(str(error))
            else:
                return

    def _accept(self, asked: Asked, verdict: Verdict, rating: Rating | None, response: Response | None) -> None:
        if rating is not None and not self.session.may_rate(rating):
            raise Unreadable("a wrong answer cannot be graded up: 1 or empty accepts, :v takes it back uncounted")
        if response is not None:
            self.examiner.show_verdict(asked, response, verdict)
        if not self.examiner.accept(rating):
            raise Unreadable("it was not kept")
        self.examiner.console.file.flush()

    def _command(self, line: str, asked: Asked, verdict: Verdict | None) -> None:
        """Act on a line that begins with a colon."""
        before: dict[str, Callable[[], object]] = {"h": self.examiner.hint, "s": self._skip}
        after: dict[str, Callable[[], object]] = {
            "d": lambda: self.examiner.show_demo(asked),
            "e": lambda: self.examiner.print(Group("", self.examiner.everything(asked, verdict))),
            "v": self._void,
        }
        if self.session.keeper is not None:
            before |= {"-": lambda: self._put_away("buried"), "@": lambda: self._put_away("suspended")}
        always: dict[str, Callable[[], object]] = {
            "u": self._undo,
            "q": lambda: self._quit(verdict),
            "?": lambda: self._say(HELP),
        }
        name = line[1:].strip().lower()
        act = {**always, **(before if verdict is None else after)}.get(name)
        if act is not None:
            act()
        elif name in before or name in after:
            self._say(f":{name} works {'after' if name in after else 'before'} the answer.")
        else:
            self._say(f"'{line}' is no command; :? lists them.")

    def _skip(self) -> None:
        self.session.skip()
        raise Again

    def _put_away(self, outcome: Literal["buried", "suspended"]) -> None:
        self.examiner.put_away(outcome)
        raise Again

    def _void(self) -> None:
        self.session.void()
        self._say("Not counted; it comes again later.")
        raise Again

    def _undo(self) -> None:
        if not self.session.undo():
            self._say("There is nothing to undo.")
            return
        self._say("Taken back.")
        raise Again

    def _quit(self, verdict: Verdict | None) -> None:
        """An answer that is judged is taken with its proposed grade, as `q` on a keyboard does."""
        if verdict is not None and not self.examiner.accept(None):
            return
        raise QuitError

    def _line(self) -> str:
        while True:
            line = self._lines.readline()
            if not line:
                raise QuitError
            if not any("\ud800" <= character <= "\udfff" for character in line):
                return line.rstrip("\r\n")
            self._say(f"A line that is not {self._lines.encoding} cannot be read; type it again.")

    def _say(self, text: str) -> None:
        self.examiner.print(Text(inert(text), style="dim"))
        self.examiner.console.file.flush()
