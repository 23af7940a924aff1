"""The quiz by single keys, on a pseudo-terminal whose screen is read as a person sees it."""

from __future__ import annotations

import math
import os
import re

import pytest

from .conftest import Open
from .program import BACKSPACE, CTRL_D, ENTER, Terminal, letters_of

if os.name != "posix":
    pytest.skip("a pseudo-terminal needs POSIX", allow_module_level=True)

FACTOR = ("The largest share grows", "It stays as it was", "It becomes uniform")
UNCHANGED = (
    "The outputs sum to one",
    "A constant on all logits cancels",
    "Every output is above one half",
    "Zero logits give zero outputs",
)
STEPS = ("find the largest logit", "subtract it", "take exponentials", "start a sum at zero", "divide by the sum")
CURVE = ("At its right end", "At its left end")

STATUS = ("? keys", "Enter: I don't know", "Think of the answer", "Say it aloud", "Enter ends")
"""Words of the line at the bottom, which is written over: none of them may stay behind."""


def practice(open_terminal: Open, *ids: str, columns: int = 80, rows: int = 24) -> Terminal:
    return open_terminal("practice", "--seed", "1", *ids, columns=columns, rows=rows)


def assert_clean(terminal: Terminal) -> None:
    """The program has left in peace, no line was too long, and nothing of the line at the bottom stayed behind."""
    assert terminal.wait_for_end() == 0
    assert terminal.too_wide == []
    assert "Traceback" not in terminal.seen
    assert [text for text in (*STATUS, "e everything  d demo", "Your prediction? (") if text in terminal.seen] == []


def graded(terminal: Terminal, grade: str, times: int = 1) -> None:
    """Wait until it was said so many times that an answer is graded so."""
    said = re.compile(rf"^Graded .*\b{grade}\b", re.MULTILINE)
    terminal.wait_until(lambda: len(said.findall(terminal.seen)) >= times, f"{times} answers graded {grade}")


def gap_of(terminal: Terminal) -> int:
    found = re.search(r"differ by (-?\d+)\.", terminal.shown)
    assert found is not None, terminal.shown
    return int(found[1])


# --- The whole session ------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_session_with_every_kind_goes_from_its_first_question_to_its_summary(
    open_terminal: Open, columns: int, rows: int
) -> None:
    names = ("why-shift", "factor", "unchanged", "two-classes", "steps", "bug", "overflowing", "curve")
    ids = [f"shares/{name}" for name in names]
    terminal = practice(open_terminal, *ids, columns=columns, rows=rows)
    press, status = terminal.press, terminal.wait_for_status

    # Open: typed in a line, then ticked.
    status("Say it aloud", "Enter: I don't know")
    assert "1 of 8  shares · core · reasoning" in terminal.shown
    assert "why-shift" not in terminal.shown
    press(" ")
    status(">")
    press("it cancels and overflows" + ENTER)
    status("a [ ]  b [ ]  c [ ]")
    assert "a [ ] One constant on all logits cancels.  heard “cancels”" in terminal.shown
    press("ab")
    status("a [x]  b [x]  c [ ]")
    press(ENTER)
    status("Enter 3 Good", "1-4 grade")
    assert "✓ Right  shares/why-shift\nA common factor cancels; without it exp overflows.\n" in terminal.shown
    press("4")
    graded(terminal, "Easy")

    # Choice: hidden until Space; a second letter replaces the first.
    status("Space shows")
    assert [text for text in FACTOR if text in terminal.seen] == []
    press(" ")
    status("One of these is right. >")
    letters = letters_of(terminal.shown, FACTOR)
    press(letters["It stays as it was"])
    status(f"> {letters['It stays as it was']} ")
    press(letters["The largest share grows"])
    status(f"> {letters['The largest share grows']} ", "Enter submits")
    press(ENTER)
    status("Enter 3 Good")
    press(ENTER)
    graded(terminal, "Good")

    # Several options: letters toggle, in the order of the options.
    status("Space shows")
    assert [text for text in UNCHANGED if text in terminal.seen] == []
    press(" ")
    status("Several of these are right. >")
    letters = letters_of(terminal.shown, UNCHANGED)
    right = sorted(letters[text] for text in UNCHANGED[:2])
    press(letters[UNCHANGED[2]] + right[1] + letters[UNCHANGED[2]] + right[0])
    status(f"> {''.join(right)} ")
    press(ENTER)
    status("Enter 3 Good")
    press(" ")
    graded(terminal, "Good", 2)

    # Number: typed, mended with backspace.
    status("A number, within 1%. >")
    share = f"{1 / (1 + math.exp(-gap_of(terminal))):.4f}"
    press("7" + BACKSPACE + share)
    status(f"> {share} ")
    press(ENTER)
    status("Enter 3 Good")
    press("2")
    graded(terminal, "Hard")

    # Order: letters in order; a letter pressed again is taken out.
    status("Put these in order. >")
    letters = letters_of(terminal.shown, STEPS)
    order = "".join(letters[step] for step in STEPS)
    press(order[0] + order[4] + order[4] + order[1:])
    status(f"> {order} ")
    press(ENTER)
    status("Enter 3 Good")
    press("3")
    graded(terminal, "Good", 3)

    # Debugging: the number of a line.
    status("Which line is wrong? >")
    assert "  2     e = np.exp(z)" in terminal.shown
    press("3" + BACKSPACE + "2")
    status("> 2 ")
    press(ENTER)
    status("Enter 3 Good")
    press(ENTER)
    graded(terminal, "Good", 4)

    # Prediction: the demo runs before the learner's eyes, after the answer.
    status("A number, within 0.1. >")
    assert "nan-share" not in terminal.seen
    press(("1" if "softmax 100" in " ".join(terminal.shown.split()) else "0") + ENTER)
    status("Enter 3 Good")
    assert "Running demo softmax" in terminal.seen
    assert "nan-share = " in terminal.seen
    press(ENTER)
    graded(terminal, "Good", 5)

    # An exhibit, and the summary.
    status("Space shows")
    assert "│" in terminal.shown
    press(" ")
    status("One of these")
    press(letters_of(terminal.shown, CURVE)[CURVE[0]] + ENTER + ENTER)
    terminal.wait_for("Right: 8 of 8")
    assert_clean(terminal)
    assert "To repeat" not in terminal.seen


def test_session_of_twenty_columns_works(open_terminal: Open) -> None:
    ids = ("shares/why-shift", "literal/shapes", "shares/curve", "shares/bug", "shares/two-classes")
    terminal = practice(open_terminal, *ids, columns=20)
    terminal.wait_for("Think of float32.")
    terminal.press(" ")
    terminal.wait_for_status(">")
    terminal.press("a long answer that does not fit into one such line" + ENTER)
    terminal.wait_for_status("a [ ]")
    terminal.press(ENTER)
    terminal.wait_for_status("Enter 1")
    terminal.press("e")
    terminal.wait_for_status("% ")
    terminal.press(ENTER)
    terminal.wait_for_status("Enter 1")
    terminal.press("d")
    terminal.wait_for("Your prediction?")
    terminal.press("a")
    terminal.wait_for("measured")
    terminal.wait_for_status("Enter 1")
    for _ in ids:
        terminal.press(ENTER + " " + "?" + ENTER)
    terminal.wait_for("dlquiz practice")
    assert terminal.wait_for_end() == 0
    # The line editor breaks its line itself.
    assert [line for line in terminal.too_wide if not line.startswith("> ")] == []
    assert "Traceback" not in terminal.seen


# --- Before the answer ------------------------------------------------------------------------------


def test_status_line_of_every_kind_fits_80_columns(open_terminal: Open) -> None:
    ids = ("shares/why-shift", "shares/factor", "shares/unchanged", "shares/entropy-of-two", "shares/steps")
    terminal = practice(open_terminal, *ids)
    for _ in ids:
        terminal.wait_for_status("? ke")
        assert terminal.status.endswith("? keys"), terminal.status
        terminal.press(ENTER)
        terminal.wait_for_status("Enter 1 Again")
        assert terminal.status.endswith("q quit"), terminal.status
        terminal.press(ENTER)
    terminal.wait_for("Right: 0 of 5")


def test_status_line_is_written_over_by_a_shorter_one(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/why-shift")
    terminal.wait_for_status("Which line is wrong? >    Enter: I don't know  ? keys")
    terminal.press("2")
    terminal.wait_for_status("Which line is wrong? > 2   Enter submits  ? keys")
    assert terminal.status == "Which line is wrong? > 2   Enter submits  ? keys"
    terminal.press(ENTER + ENTER)
    terminal.wait_for_status("Say it aloud")
    assert terminal.status.count("keys") == 1
    assert "submits" not in terminal.status
    terminal.press("q")
    assert_clean(terminal)


def test_letters_choose_nothing_while_the_options_are_hidden(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/factor")
    terminal.wait_for_status("Space shows")
    terminal.press("abc ")
    terminal.wait_for_status("One of these is right. >", "Enter: I don't know")
    terminal.press(ENTER)
    terminal.wait_for("✗ Not known")


def test_enter_with_nothing_means_not_known(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/why-shift", "shares/bug")
    for count in (1, 2):
        terminal.wait_for_status("Enter: I don't know")
        terminal.press(ENTER)
        terminal.wait_for("✗ Not known", count)
        terminal.wait_for_status("Enter 1 Again")
        terminal.press(ENTER)
    terminal.wait_for("Right: 0 of 2")
    assert_clean(terminal)
    assert "Tick what you said" not in terminal.seen


def test_unreadable_answer_is_asked_again(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/entropy-of-two", "shares/steps")
    terminal.wait_for_status("Which line")
    terminal.press("9" + ENTER)
    terminal.wait_for("'9' cannot be read: type the number of a line, 1 to 4")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for_status("A number in nats")
    terminal.press("1,5" + ENTER)
    terminal.wait_for("write a decimal point")
    terminal.press("1-.31" + ENTER + ENTER)
    terminal.wait_for_status("Put these in order")
    terminal.press("ab" + ENTER)
    terminal.wait_for("name each of the 5 steps once")
    terminal.press("q")
    terminal.wait_for("Right: 2 of 2")
    assert_clean(terminal)


def test_hints_and_guesses_lower_the_proposed_grade(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/two-classes", "shares/bug", "shares/entropy-of-two")
    terminal.wait_for_status("A number")
    terminal.press("h")
    terminal.wait_for("Hint: Divide both terms by the first.")
    assert "It is 1 / (1 +" not in terminal.seen
    terminal.press(f"{1 / (1 + math.exp(-gap_of(terminal))):.4f}" + ENTER)
    terminal.wait_for_status("Enter 2 Hard")
    terminal.press(ENTER)
    terminal.wait_for_status("Which line")
    terminal.press("gh")
    terminal.wait_for("No more hints.")
    terminal.wait_for_status("(a guess)")
    terminal.press("2" + ENTER)
    terminal.wait_for("✓ Right (a guess)")
    terminal.wait_for_status("Enter 1 Again")
    terminal.press(ENTER)
    # A second `g` takes the mark back.
    terminal.wait_for_status("A number in nats")
    terminal.press("g")
    terminal.wait_for_status("(a guess)")
    terminal.press("g0.69" + ENTER)
    terminal.wait_for_status("Enter 3 Good")
    terminal.press(ENTER)
    terminal.wait_for("Right: 3 of 3")
    terminal.wait_for("dlquiz practice shares/bug")
    assert_clean(terminal)


def test_demo_and_explanation_are_locked_before_the_answer(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.wait_for_status("Which line")
    terminal.press("de")
    terminal.wait_for("The demo and the explanation open after the answer.", 2)
    assert "subtracted before the exponential" not in terminal.seen
    terminal.press("q")
    assert_clean(terminal)


def test_skipped_question_is_to_be_repeated(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/factor")
    terminal.wait_for_status("Which line")
    terminal.press("s")
    terminal.wait_for_status("Space shows")
    terminal.press("q")
    terminal.wait_for("No question answered.")
    terminal.wait_for("dlquiz practice shares/bug")
    assert_clean(terminal)


def test_keys_are_listed_before_and_after_the_answer(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.wait_for_status("Which line")
    terminal.press("?")
    keys = ("digits name the line", "Enter submits", "g guess", "h hint", "s skip", "u undo", "q quit")
    terminal.wait_until(lambda: all(key in " ".join(terminal.seen.split()) for key in keys), "all keys")
    terminal.press("2" + ENTER)
    terminal.wait_for_status("Enter 3 Good")
    terminal.press("?")
    grades = ("1 again, 2 hard, 3 good, 4 easy", "e everything", "d demo", "v void", "u take back", "q quit")
    terminal.wait_until(lambda: all(key in " ".join(terminal.seen.split()) for key in grades), "all keys")
    terminal.press("q")
    assert_clean(terminal)


def test_cursor_keys_escape_and_unknown_keys_do_nothing(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/steps")
    terminal.wait_for_status("Put these in order")
    terminal.press("\x1b[A\x1b[B\x1b[C\x1b[D\x1bOP\x1b[15~\x1b[3;5~zé~")
    terminal.press("ab")
    terminal.wait_for_status("> ab ")
    terminal.press("q")
    assert_clean(terminal)


# --- The line editor --------------------------------------------------------------------------------


def test_line_editor_edits_and_takes_any_character(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/why-shift")
    terminal.wait_for_status("Say it aloud")
    terminal.press(" ")
    terminal.wait_for_status(">")
    terminal.press("σ cancls" + "\x1b[D\x1b[D" + "e" + "\x05" + " overflowsx" + BACKSPACE)
    terminal.wait_for_status("> σ cancels overflows")
    terminal.press(ENTER)
    terminal.wait_for("You: σ cancels overflows")
    terminal.press(ENTER + "q")
    assert_clean(terminal)


def test_empty_line_in_the_editor_goes_back_to_the_question(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/why-shift")
    terminal.wait_for_status("Say it aloud")
    terminal.press(" ")
    terminal.wait_for_status(">")
    terminal.press(ENTER)
    terminal.wait_for_status("Say it aloud")
    assert "Not known" not in terminal.seen
    terminal.press("q")
    assert_clean(terminal)


# --- After the answer -------------------------------------------------------------------------------


def test_wrong_answer_cannot_be_graded_up(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.wait_for_status("Which line")
    terminal.press("3" + ENTER)
    terminal.wait_for_status("Enter 1 Again   e everything")
    assert "It is line 2, not 3:\n  e = np.exp(z)\n" in terminal.shown
    terminal.press("234")
    terminal.wait_for("A wrong answer cannot be graded up", 3)
    terminal.press("1")
    terminal.wait_for("Right: 0 of 1")
    assert_clean(terminal)


def test_everything_is_shown_on_e(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/factor")
    terminal.wait_for_status("Space shows")
    terminal.press(" " + ENTER)
    terminal.wait_for_status("e everything")
    assert "lower temperature" not in terminal.seen
    terminal.press("e")
    terminal.wait_for("proof: softmax/cold-is-argmax")
    terminal.wait_for_status("e everything")
    seen = " ".join(terminal.seen.split())
    assert "A common factor is a lower temperature, so the largest share grows." in seen
    assert "A common belief: Softmax normalizes" in seen
    terminal.press("q")
    assert_clean(terminal)


def test_demo_asks_for_a_prediction_and_compares_it(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER)
    terminal.wait_for_status("d demo")
    terminal.press("d")
    terminal.wait_for("Your prediction?")
    assert "nan-share = " not in terminal.seen
    terminal.press("xb")
    terminal.wait_for("all but the largest  ✗ you said this")
    terminal.wait_for("◆ measured 1")
    terminal.wait_for_status("Enter 3 Good")
    terminal.press("d")
    terminal.wait_for("Your prediction?", 2)
    terminal.press(ENTER)
    terminal.wait_for("◆ measured 1", 2)
    assert terminal.seen.count("you said this") == 1
    terminal.wait_for_status("Enter 3 Good")
    terminal.press(ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert terminal.too_wide == []


def test_demo_in_a_session_is_experimented_with(open_terminal: Open) -> None:
    """Keys of the workbench act once a demo was shown; its settings begin with the question's values."""
    terminal = practice(open_terminal, "shares/two-classes")
    terminal.wait_for_status("A number")
    terminal.press(ENTER)
    terminal.wait_for_status("d demo")
    terminal.press("rf")
    terminal.press("d")
    terminal.wait_for("Your prediction?")
    terminal.press(ENTER)
    terminal.wait_for_status("r run changed")
    terminal.press("c")
    terminal.wait_for("compare with")
    assert re.search(r"^gap=-?[1-9]", terminal.seen, re.M)
    terminal.press("gap=0" + ENTER)
    terminal.wait_for("side by side")
    terminal.wait_until(lambda: re.search(r"^two-class +\S+ +0\.5", terminal.seen, re.M), "the table")
    terminal.wait_for_status("r run changed")
    terminal.press(ENTER)
    terminal.wait_for("Right: 0 of 1")
    assert terminal.wait_for_end() == 0
    assert terminal.too_wide == []


def test_void_does_not_count_and_the_question_comes_again(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/entropy-of-two")
    terminal.wait_for_status("Which line")
    terminal.press("3" + ENTER)
    terminal.wait_for_status("v void")
    terminal.press("v")
    terminal.wait_for("Not counted; it comes again later.")
    terminal.wait_for_status("A number in nats")
    terminal.press("0.69" + ENTER + ENTER)
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for("Right: 2 of 2")
    assert_clean(terminal)


def test_undo_takes_back_before_and_after_the_grade(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/entropy-of-two")
    terminal.wait_for_status("Which line")
    terminal.press("u")
    terminal.wait_for("There is nothing to undo.")
    terminal.press("3" + ENTER)
    terminal.wait_for_status("Enter 1 Again")
    terminal.press("u")
    terminal.wait_for("Taken back.")
    terminal.wait_for_status("Which line")
    terminal.press("3" + ENTER + ENTER)
    terminal.wait_for_status("A number in nats")
    terminal.press("u")
    terminal.wait_for("Taken back.", 2)
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for_status("A number in nats")
    terminal.press("q")
    terminal.wait_for("Right: 1 of 1")
    assert_clean(terminal)


def test_quit_after_an_answer_accepts_it(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/factor")
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER)
    terminal.wait_for_status("q quit")
    terminal.press("q")
    terminal.wait_for("Right: 1 of 1")
    assert_clean(terminal)


# --- Ends, type-ahead, terminals --------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["", " ", ENTER])
def test_end_of_input_shows_the_summary(open_terminal: Open, keys: str) -> None:
    """At the question, in the line editor, and before the grade."""
    terminal = practice(open_terminal, "shares/why-shift")
    terminal.wait_for_status("Say it aloud")
    terminal.press(keys)
    terminal.wait_for_status({"": "Say it aloud", " ": ">", ENTER: "Enter 1 Again"}[keys])
    terminal.press(CTRL_D)
    terminal.wait_for("No question answered.")
    assert_clean(terminal)


def test_keys_sent_at_once_are_all_read(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug", "shares/entropy-of-two", "shares/two-classes")
    terminal.wait_for_status("Which line")
    terminal.press("h32" + BACKSPACE * 2 + "2" + ENTER + "e2" + "g" + "0.69" + ENTER + "1" + "s")
    terminal.wait_for("Right: 2 of 2")
    terminal.wait_for("dlquiz practice shares/entropy-of-two shares/two-classes")
    graded(terminal, "Hard")
    assert_clean(terminal)


def test_keys_sent_before_the_first_question_are_read(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert terminal.wait_for_end() == 0


def test_line_sent_together_with_the_key_that_opens_the_editor_is_read(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/why-shift")
    terminal.wait_for_status("Say it aloud")
    terminal.press(" " + "it cancels and overflows" + ENTER + "ab" + ENTER + ENTER)
    terminal.wait_for("You: it cancels and overflows")
    terminal.wait_for("Right: 1 of 1")
    assert_clean(terminal)


def test_terminal_that_answers_no_questions_costs_no_key_and_no_garbage(open_terminal: Open) -> None:
    """Some terminals do not tell what they can; a key pressed while they are asked is a key all the same."""
    terminal = open_terminal("practice", "shares/bug", answers=False)
    terminal.wait_for("return e / s")
    terminal.press("2" + ENTER + ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert b"\x1bP" not in terminal.raw


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "no-such"}])
def test_colorless_and_unknown_terminals_work(open_terminal: Open, changes: dict[str, str]) -> None:
    terminal = open_terminal("practice", "shares/bug", changes=changes)
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER)
    terminal.wait_for("✓ Right")
    terminal.press(ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert_clean(terminal)
    if "NO_COLOR" in changes:
        assert re.findall(rb"\x1b\[(?:\d+;)*[34]\d(?:;\d+)*m", terminal.raw) == []


def test_words_as_well_as_color_tell_right_from_wrong(open_terminal: Open) -> None:
    terminal = practice(open_terminal, "shares/bug")
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER)
    terminal.wait_for_status("Enter 3 Good")
    row = next(row for row, line in enumerate(terminal.screen.display) if "✓ Right" in line)
    assert terminal.screen.buffer[row][0].fg == "green"
    terminal.press("q")
    assert_clean(terminal)


def test_demo_command_asks_first_and_compares_at_the_end(open_terminal: Open) -> None:
    terminal = open_terminal("demo", "softmax", "--classes", "3")
    terminal.wait_for("Your prediction?")
    assert "with classes = 3" in terminal.shown
    assert "total = " not in terminal.seen
    terminal.press("c")
    terminal.wait_for("◆ measured 1  ✓ you said this")
    terminal.wait_for("Enter leaves")
    terminal.press(ENTER)
    assert terminal.wait_for_end() == 0
    assert terminal.too_wide == []


def test_terminal_is_as_it_was_when_the_program_has_left(open_terminal: Open) -> None:
    import termios

    terminal = practice(open_terminal, "shares/bug")
    before = termios.tcgetattr(terminal.keyboard)
    terminal.wait_for_status("Which line")
    assert termios.tcgetattr(terminal.keyboard)[3] != before[3]
    terminal.press("q")
    terminal.wait_until(lambda: "No question answered." in terminal.seen, "the summary")
    terminal.process.wait()
    assert termios.tcgetattr(terminal.keyboard)[3] == before[3]
