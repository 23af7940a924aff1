"""The quiz by single keys, on a terminal."""

from __future__ import annotations

from contextlib import ExitStack
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Literal

from rich.control import Control
from rich.text import Text

from quizcli.config import config
from quizcli.model import Answer, Asked, Choice, Debug, DontKnow, Number, Open, Order, Response, Said, Verdict
from quizcli.reading import Unreadable, read_answer
from quizcli.view import question as screen
from quizcli.view.examiner import Examiner, WithdrawnError
from quizcli.view.keys import ResizedError
from quizcli.view.terminal import inert
from quizcli.vocabulary import CONFIDENCE, LETTERS, Rating

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from quizcli.lab.catalog import Demo
    from quizcli.view.experiment import Workbench
    from quizcli.view.keys import Keyboard

NUMBER_KEYS = "0123456789.,+-*/%()^ "


class Next(Enum):
    """Where to go from a question."""

    ON = "the next question"
    QUIT = "the summary"


class KeyQuiz:
    """Runs a session by single keys."""

    def __init__(self, examiner: Examiner) -> None:
        self.examiner = examiner
        self.session = examiner.session
        self._keyboard: Keyboard | None = None
        self._open = ExitStack()
        self._status = ""
        self._width = examiner.console.width
        self._workbench: Workbench | None = None
        self._key_before, self._key_after = config().before, config().after
        self._before = {key: action for action, key in self._key_before.items()}
        self._after = {key: action for action, key in self._key_after.items()}

    @property
    def keyboard(self) -> Keyboard:
        assert self._keyboard is not None
        return self._keyboard

    def run(self) -> bool:
        """Ask until the questions end or the learner quits, then show the summary; False after Ctrl-C."""
        with self._open:
            # At once, so that nothing typed ahead is echoed between the lines of the first question.
            from quizcli.view.keys import Keyboard

            self._keyboard = self._open.enter_context(Keyboard())
            went_well = self._ask_all()
        self.examiner.show_summary()
        return went_well

    def _ask_all(self) -> bool:
        try:
            while (asked := self.examiner.next_question()) is not None:
                try:
                    if self._ask(asked) is Next.QUIT:
                        break
                except WithdrawnError:
                    continue
        except EOFError:
            self._clear_status()
        except KeyboardInterrupt:
            self._clear_status()
            return False
        return True

    # --- Before the answer ---------------------------------------------------------------------------

    def _ask(self, asked: Asked) -> Next:
        body = asked.question.body
        hidden = isinstance(body, Choice)
        self.examiner.present(asked, with_choices=not hidden)
        self.examiner.print("")
        self.examiner.prepare(asked)
        typed, guessed = "", False
        getting_ready = self.examiner.warm(asked)
        while True:
            self._show_status(self._asking_status(asked, typed, hidden, guessed))
            self.keyboard.until_pressed(getting_ready)
            key = self._read(partial(self.examiner.present, asked, with_choices=not hidden))
            if key == "enter" and typed == self._key_before["bury"] and self.session.keeper is not None:
                # For a number `-` may begin a negative one; alone it means what it means everywhere.
                return self._put_away("buried")
            if key == "enter":
                try:
                    answer = read_answer(asked, typed)
                except Unreadable as error:
                    self._note(str(error))
                    typed = ""
                    continue
                return self._answered(asked, answer, guessed)
            if key == "backspace":
                typed = typed[:-1]
            elif key == " " and hidden:
                hidden = False
                self._clear_status()
                self.examiner.print(screen.choices(asked))
                self.examiner.print("")
            elif key == " " and isinstance(body, Open):
                said = self._type_answer()
                if said is not None:
                    return self._answered(asked, said, guessed)
            elif not hidden and (grown := self._typed(asked, typed, key)) is not None:
                typed = grown
            elif (action := self._before.get(key)) is not None:
                if action == "guess":
                    guessed = self.session.mark_guess()
                elif (left := self._act_before(action, asked)) is not None:
                    return left
            elif key in (self._key_after["demo"], self._key_after["everything"]):
                self._note("The demo and the explanation open after the answer.")

    def _act_before(self, action: str, asked: Asked) -> Next | None:
        """Do what a key asks for while the question stands; where it is left, where to go."""
        if action == "hint":
            self._clear_status()
            self.examiner.hint()
        elif action == "skip":
            self._clear_status()
            self.session.skip()
            return Next.ON
        elif action in ("bury", "suspend") and self.session.keeper is not None:
            return self._put_away("buried" if action == "bury" else "suspended")
        elif action == "undo":
            if self.session.undo():
                self._note("Taken back.")
                return Next.ON
            self._note("There is nothing to undo.")
        elif action == "help":
            self._note(self._keys_before(asked))
        elif action == "quit":
            self._clear_status()
            return Next.QUIT
        return None

    def _typed(self, asked: Asked, typed: str, key: str) -> str | None:
        """What stands typed after a key that belongs to an answer of this kind; None for any other key."""
        body = asked.question.body
        if isinstance(body, Choice | Order):
            count = len(asked.order)
            place = LETTERS[:count].find(key.lower()) if key else -1
            if place < 0 and key and key in "123456"[:count]:
                place = int(key) - 1
            if place < 0:
                return None
            letter = LETTERS[place]
            if isinstance(body, Choice) and not body.several:
                return letter
            if letter in typed:
                return typed.replace(letter, "")
            return "".join(sorted(typed + letter)) if isinstance(body, Choice) else typed + letter
        if isinstance(body, Number) and key and (key in NUMBER_KEYS or (key in "eE" and typed)) and len(typed) < 60:
            return typed + key
        if isinstance(body, Debug) and key and (key.isdigit() or (key in ", " and typed)):
            return typed + key
        return None

    def _put_away(self, outcome: Literal["buried", "suspended"]) -> Next:
        self._clear_status()
        self.examiner.put_away(outcome)
        return Next.ON

    def _type_answer(self) -> Answer | None:
        """A line from the line editor; None when nothing was typed."""
        self._clear_status()
        text = self.keyboard.line("> ").strip()
        return Said(text) if text else None

    # --- After it ------------------------------------------------------------------------------------

    def _answered(self, asked: Asked, answer: Answer, guessed: bool) -> Next:
        self._clear_status()
        if self.examiner.confidence and not isinstance(answer, DontKnow):
            self.session.mark_sure(self._ask_confidence())
        verdict = self.examiner.submit(asked, answer)
        response = Response(answer, guessed and not isinstance(answer, DontKnow))
        if isinstance(asked.question.body, Open) and not isinstance(answer, DontKnow):
            verdict = self._tick(asked)
        elif not isinstance(answer, DontKnow):
            given = screen.describe_answer(asked, response)
            self.examiner.print(Text(f"You: {given}", style="dim"))
        self.examiner.show_verdict(asked, response, verdict)
        self.examiner.print("")
        return self._judged(asked, response, verdict)

    def _ask_confidence(self) -> float | None:
        """How sure one is; None where Enter leaves it open."""
        offered = "  ".join(f"{key} {sure:.0%}" for key, sure in CONFIDENCE.items())
        while True:
            self._show_status(f"How sure are you?   {offered}   Enter leaves it open")
            key = self.keyboard.read()
            if key == "enter" or (key.isdigit() and int(key) in CONFIDENCE):
                self._clear_status()
                return None if key == "enter" else CONFIDENCE[int(key)]

    def _tick(self, asked: Asked) -> Verdict:
        """The key points, unticked; letters toggle them until Enter."""
        question, heard = asked.question, self.session.heard
        self.examiner.print("")
        self.examiner.print(screen.said(heard))
        self.examiner.print("")
        self.examiner.print(Text("Tick what you said:", style="heading"))
        self.examiner.print(screen.ticking(question, frozenset(), heard))
        self.examiner.print("")
        ticked: set[int] = set()
        letters = LETTERS[: len(question.key_points)]
        while True:
            shown = "  ".join(f"{letter} [{'x' if place in ticked else ' '}]" for place, letter in enumerate(letters))
            self._show_status(f"{shown}   Enter ends")
            key = self.keyboard.read().lower()
            if key == "enter":
                break
            if key and key in letters:
                ticked ^= {letters.index(key)}
        self._clear_status()
        return self.session.tick(question.key_points[place].id for place in ticked)

    def _judged(self, asked: Asked, response: Response, verdict: Verdict) -> Next:
        proposed = f"{verdict.proposed.value} {screen.RATINGS[verdict.proposed]}"
        grades = "1-4 grade  " if verdict.right else ""
        key_of = self._key_after
        keys = f"Enter {proposed}   {grades}" + "  ".join(
            f"{key_of[action]} {action}" for action in ("everything", "demo", "void", "quit")
        )
        self._workbench = None
        while True:
            self._show_status(keys)
            key = self._read(partial(self._show_judged, asked, response, verdict))
            action = self._after.get(key) or self._after.get(key.lower())
            if key in ("enter", " ") and self._accept(None):
                return Next.ON
            if key and key in "1234":
                rating = Rating(int(key))
                if not self.session.may_rate(rating):
                    self._note(f"A wrong answer cannot be graded up; {key_of['void']} takes it back uncounted.")
                elif self._accept(rating):
                    return Next.ON
            elif action == "quit" and self._accept(None):
                return Next.QUIT
            elif action == "demo":
                self._show_demo(asked)
                if self._workbench is not None:
                    keys = f"Enter {proposed}   {self._workbench.keys}"
            elif action in ("void", "undo"):
                return self._take_back(action)
            elif action is not None:
                self._act_after(action, asked, verdict)

    def _show_demo(self, asked: Asked) -> None:
        """The demo, and from then on what can be done with it."""
        self._clear_status()
        bench = self.examiner.show_demo(asked, self._predict, self.keyboard.stops)
        self.examiner.print("")
        if bench is not None:
            from quizcli.view.experiment import Workbench

            self._workbench = Workbench(
                self.examiner.console, bench, self.keyboard.read, self.keyboard.line, self.examiner.settings(asked)
            )

    def _take_back(self, action: str) -> Next:
        """The answer is not counted, or as if it had not been given."""
        self._clear_status()
        if action == "void":
            self.session.void()
            self._note("Not counted; it comes again later.")
        else:
            self.session.undo()
            self._note("Taken back.")
        return Next.ON

    def _act_after(self, action: str, asked: Asked, verdict: Verdict) -> None:
        """Do what a key asks for once the answer is there, and stay with the question."""
        kept = self.session.keeper is not None
        if action == "everything":
            self._clear_status()
            from quizcli.view.pager import page

            self.examiner.print("")
            page(self.examiner.console, self.examiner.everything(asked, verdict), self.keyboard.read, self._show_status)
            self._clear_status()
            self.examiner.print("")
        elif action == "note" and kept:
            self._clear_status()
            self.examiner.note(asked, self.keyboard.line("note> "))
        elif action == "mark" and kept:
            self._clear_status()
            self.examiner.mark(asked, self.keyboard.line("what seems wrong> "))
        elif action == "help":
            self._note(self._keys_after())
        elif self._workbench is not None and action in self._workbench.actions:
            self._clear_status()
            self._workbench.act(action)
            self.examiner.print("")

    def _keys_after(self) -> str:
        key = self._key_after
        keeping = (
            f"; {key['note']} note, {key['mark']} mark as seeming wrong" if self.session.keeper is not None else ""
        )
        bench = f"; with the demo: {self._workbench.keys}" if self._workbench is not None else ""
        return (
            f"Enter or Space accepts the grade, 1 again, 2 hard, 3 good, 4 easy; {key['everything']} everything,"
            f" {key['demo']} demo, {key['void']} void (misread or mistyped: not counted), {key['undo']} take back,"
            f" {key['quit']} quit{keeping}{bench}"
        )

    def _predict(self, console: Console, demo: Demo) -> str | None:
        from quizcli.view.evidence import ask_prediction

        return ask_prediction(console, demo, self.keyboard.read)

    def _accept(self, rating: Rating | None) -> bool:
        self._clear_status()
        return self.examiner.accept(rating)

    # --- A terminal of another size ------------------------------------------------------------------

    def _read(self, show: Callable[[], None]) -> str:
        """The next key. Where the terminal has got another width, what stands on it is shown anew, and the key is
        empty; what is older stays in the scrollback as it was."""
        console = self.examiner.console
        try:
            if console.width == self._width:
                return self.keyboard.read(tells_of_size=True)
        except ResizedError:
            pass
        if console.width != self._width:
            self._width = console.width
            self._status = ""
            console.file.write("\n" * console.height)
            console.control(Control.home(), Control.clear())
            show()
            self.examiner.print("")
        return ""

    def _show_judged(self, asked: Asked, response: Response, verdict: Verdict) -> None:
        self.examiner.present(asked, with_choices=True)
        self.examiner.show_verdict(asked, response, verdict)

    # --- The line at the bottom ----------------------------------------------------------------------

    def _asking_status(self, asked: Asked, typed: str, hidden: bool, guessed: bool) -> str:
        """What can be done now, and what is typed so far."""
        if hidden:
            text = "Think first. Space shows the options"
        elif isinstance(asked.question.body, Open):
            text = "Say it aloud, then Space to type it"
        else:
            text = f"{screen.advice(asked)} > {typed}"
        marks = " (a guess)" if guessed else ""
        keys = "Enter: I don't know" if not typed else "Enter submits"
        return f"{text}{marks}   {keys}  {self._key_before['help']} keys"

    def _keys_before(self, asked: Asked) -> str:
        answer: dict[type, str] = {
            Choice: "Space options, letters choose",
            Number: "digits and + - * / ( ) % answer",
            Order: "letters in order",
            Debug: "digits name the line",
            Open: "Space types an answer",
        }
        key = self._key_before
        keeping = self.session.keeper is not None
        away = f"{key['bury']} bury until tomorrow, {key['suspend']} suspend, " if keeping else ""
        return (
            f"{answer[type(asked.question.body)]}, Enter submits; {key['guess']} guess, {key['hint']} hint,"
            f" {key['skip']} skip, {away}{key['undo']} undo, {key['quit']} quit"
        )

    def _show_status(self, text: str) -> None:
        """One line that is written over; cut to the width, so that it never wraps."""
        file, width = self.examiner.console.file, self.examiner.console.width
        text = inert(text)
        if len(text) >= width:
            text = text[: width - 2] + "…"
        file.write("\r" + " " * len(self._status) + "\r" + text)
        file.flush()
        self._status = text

    def _clear_status(self) -> None:
        self.examiner.console.file.write("\r" + " " * len(self._status) + "\r")
        self.examiner.console.file.flush()
        self._status = ""

    def _note(self, text: str) -> None:
        """A line above the status."""
        self._clear_status()
        self.examiner.print(Text(inert(text), style="dim"))
