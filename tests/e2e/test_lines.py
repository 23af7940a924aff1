"""The quiz by lines, where there is no terminal: the protocol of DESIGN.md, section 4, through the real program."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Sequence

import pytest

from .conftest import Run
from .program import DLQUIZ, PATIENCE, environment, letters_of

FACTOR = ("The largest share grows", "It stays as it was", "It becomes uniform")
UNCHANGED = (
    "The outputs sum to one",
    "A constant on all logits cancels",
    "Every output is above one half",
    "Zero logits give zero outputs",
)
STEPS = ("find the largest logit", "subtract it", "take exponentials", "start a sum at zero", "divide by the sum")


COMMANDS = ("shares/bug", ":u", ":d", ":e", ":v", ":x", ":", ": H", ":?", "2", ":h", ":s", ":?", "")
"""A session with every command where it works and where it does not."""

PLAYED: dict[tuple[str, ...], str] = {}


class Quiz:
    """Practice with one seed, so that what is drawn is known before it is answered."""

    def __init__(self, run: Run, drawn: str) -> None:
        self._run = run
        self._drawn = drawn

    def __call__(self, ids: str, *lines: str) -> str:
        """Everything that is printed while these lines are read; the same session is played once."""
        key = (ids, *lines)
        if key not in PLAYED:
            PLAYED[key] = self._play(ids, lines)
        return PLAYED[key]

    def _play(self, ids: str, lines: Sequence[str]) -> str:
        done = self._run("practice", "--seed", "1", *ids.split(), stdin="".join(f"{line}\n" for line in lines))
        assert (done.returncode, done.stderr) == (0, "")
        assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
        assert "\x1b" not in done.stdout
        return re.sub(" +$", "", done.stdout, flags=re.M)

    def letters(self, texts: tuple[str, ...]) -> dict[str, str]:
        return letters_of(self._drawn, texts)

    @property
    def gap(self) -> int:
        return gaps(self._drawn)[0]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Every question whose options, steps or values are drawn, as the seed of these tests draws them."""
    ids = ("shares/factor", "shares/unchanged", "shares/steps", "shares/two-classes")
    env = environment(tmp_path_factory.mktemp("home"))
    command = [*DLQUIZ, "practice", "--seed", "1", *ids]
    return subprocess.run(command, input=b":s\n" * 4, capture_output=True, env=env, timeout=PATIENCE).stdout.decode()


@pytest.fixture
def quiz(run: Run, drawn: str) -> Quiz:
    return Quiz(run, drawn)


def gaps(shown: str) -> list[int]:
    """The drawn values of each time that shares/two-classes is asked."""
    return [int(gap) for gap in re.findall(r"differ by (-?\d+)\.", shown)]


def judged(lines: Sequence[str]) -> list[str]:
    """Each line as an answer that is taken back when it has been judged."""
    return [each for line in lines for each in (line, ":u")]


# --- Choices ----------------------------------------------------------------------------------------


def test_options_show_at_once_and_the_right_one_is_proposed_as_good(quiz: Quiz) -> None:
    letter = quiz.letters(FACTOR)["The largest share grows"]
    shown = quiz("shares/factor", letter, "")
    assert shown.index("It becomes uniform") < shown.index("One of these is right.") < shown.index("✓ Right")
    assert "✓ Right  shares/factor\nIt becomes sharper.\n" in shown
    assert "Grade 1 to 4, or empty for 3 (Good).\nGraded 3 (Good)." in shown
    assert "Right: 1 of 1" in shown
    assert "To repeat" not in shown


def test_wrong_choice_tells_why_and_names_the_belief(quiz: Quiz) -> None:
    letters = quiz.letters(FACTOR)
    wrong, right = letters["It stays as it was"], letters["The largest share grows"]
    shown = " ".join(quiz("shares/factor", wrong, "").split())
    assert re.search(rf"✗ Wrong shares/factor It becomes sharper\. [✓✗] {min(wrong, right)} ", shown)
    assert f"✗ {wrong} It stays as it was A summand cancels, and a factor does not." in shown
    assert "A common belief: Softmax normalizes, so a common factor on the logits changes nothing." in shown
    assert f"✓ {right} The largest share grows A factor stretches the differences between logits." in shown
    assert shown.count("It becomes uniform") == 1
    assert "Graded 1 (Again)." in shown
    assert "Right: 0 of 1" in shown


def test_options_and_steps_come_in_an_order_of_chance(run: Run) -> None:
    ids = ("shares/factor", "shares/unchanged", "shares/steps")
    shown = [run("practice", "--seed", str(seed), *ids, stdin=":s\n" * 3).stdout for seed in (2, 3)]
    for texts in (FACTOR, UNCHANGED, STEPS):
        assert len({tuple(letters_of(each, texts)) for each in shown}) > 1


def test_choice_is_read_in_every_way_people_type_it(quiz: Quiz) -> None:
    letter = quiz.letters(FACTOR)["The largest share grows"]
    ways = [letter, letter.upper(), str("abc".index(letter) + 1), f"  {letter} ", f"{letter})", f"({letter})."]
    shown = quiz("shares/factor", *judged(ways))
    assert shown.count("✓ Right") == len(ways)
    assert "cannot be read" not in shown


def test_unreadable_choice_takes_its_line_and_is_asked_again(quiz: Quiz) -> None:
    letter = quiz.letters(FACTOR)["The largest share grows"]
    lines = ["d", "ab", "4", "x", "0", "a a", "yes", "a|b", "ä", "⁴"]
    shown = quiz("shares/factor", *lines, letter, "")
    assert [line for line in lines if f"'{line}'" not in shown] == []
    assert shown.count("type one letter from a to c") == len(lines)
    assert "Right: 1 of 1" in shown


def test_several_options_are_read_in_every_way_people_type_them(quiz: Quiz) -> None:
    letters = quiz.letters(UNCHANGED)
    one, two = letters[UNCHANGED[0]], letters[UNCHANGED[1]]
    first, second = ("abcd".index(letter) + 1 for letter in (one, two))
    ways = [f"{one}, {two}", one + two, two + one, f"{first} {second}", f"{one} and {two}", f"{one.upper()};{two}"]
    shown = quiz("shares/unchanged", *judged(ways))
    assert shown.count("✓ Right") == len(ways)


def test_partly_right_options_show_their_share_and_count_as_wrong(quiz: Quiz) -> None:
    letters = quiz.letters(UNCHANGED)
    shown = quiz("shares/unchanged", letters[UNCHANGED[0]], "")
    # Three of four options are judged rightly; half of them would be by chance.
    assert "◆ Partly: 50%  shares/unchanged" in shown
    assert f"✓ {letters[UNCHANGED[1]]} A constant on all logits cancels" in shown
    assert shown.count("The outputs sum to one") == 1
    assert "Right: 0 of 1" in shown


# --- Numbers ----------------------------------------------------------------------------------------


def test_number_is_read_in_every_way_people_type_it(quiz: Quiz) -> None:
    ways = ["0.69", ".69", "69%", "69 %", "6.9e-1", "69/100", "(1-0.31)/1", "0.69 nats", "−0.31+1", "= 0.69", "1-.31"]
    shown = quiz("shares/entropy-of-two", *judged(ways))
    assert "A number in nats, within 0.01." in shown
    assert shown.count("✓ Right") == len(ways), shown
    assert "cannot be read" not in shown


def test_unreadable_number_takes_its_line_and_is_asked_again(quiz: Quiz) -> None:
    lines = [
        "0,69",
        "ln 2",
        "1/0",
        "abc",
        "0.6.9",
        "__import__('os')",
        "9**9**9",
        "nan",
        "inf",
        "(" * 90,
        "1e999",
        "x?",
    ]
    shown = " ".join(quiz("shares/entropy-of-two", *lines, "0.69", "").split())
    assert shown.count(": type a number, such as") + shown.count(": write a decimal point") == len(lines), shown
    assert "Right: 1 of 1" in shown


def test_wrong_number_shows_the_value_and_what_was_given(quiz: Quiz) -> None:
    """Both as bars, the longer one forty characters long."""
    shown = quiz("shares/entropy-of-two", "1,024", ":u", "0.5", "")
    drawn = re.findall(r"^you gave (━+) (\S+)\n   right (━+) (\S+)$", shown, re.MULTILINE)
    assert [(len(one), given, len(other), right) for one, given, other, right in drawn] == [
        (40, "1024", 1, "0.693147"),
        (29, "0.5", 40, "0.693147"),
    ]
    assert shown.count("The value is 0.693147 nats (within 0.01).") == 2
    plain = quiz("shares/entropy-of-two --plain", "0.5", "")
    assert "━" not in plain and "You gave 0.5." in plain


def test_computed_number_is_graded_by_the_closed_form(quiz: Quiz) -> None:
    right = 1 / (1 + math.exp(-quiz.gap))
    ways = [f"{right * share:.6f}" for share in (1, 1.009, 0.991, 1.012, 0.988)]
    shown = quiz("shares/two-classes", *judged(ways))
    assert re.findall("^(✓|✗)", shown, re.M) == ["✓", "✓", "✓", "✗", "✗"]


def test_drawn_values_are_filled_in_after_the_answer_and_set_for_the_demo(quiz: Quiz) -> None:
    gap = quiz.gap
    shown = quiz("shares/two-classes", "7", ":d", "")
    assert f"1 / (1 + exp(-{gap})) = {1 / (1 + math.exp(-gap)):.6g}." in shown
    # The demo runs under the question's values, not under its own.
    assert f"  two-class = {1 / (1 + math.exp(-gap)):.6g}" in shown


def test_named_mistake_is_recognized(quiz: Quiz) -> None:
    flipped = 1 / (1 + math.exp(quiz.gap))
    shown = quiz("shares/two-classes", "7", ":u", f"{flipped:.5f}", "")
    assert shown.count("✗ Wrong") == 2
    assert shown.count("that is  This is the share of the second class.") == 1


def test_values_return_only_after_all_had_their_turn_and_a_mistake_is_never_right(quiz: Quiz) -> None:
    asked = gaps(quiz("shares/two-classes", *["", ":v"] * 8))[:8]
    # With a gap of 0 the share of either class is one half, and the mistake would be right.
    assert sorted(asked[:4]) == sorted(asked[4:]) == [-2, -1, 1, 2]


def test_prediction_runs_its_demo_after_the_answer(quiz: Quiz) -> None:
    before = quiz("shares/overflowing")
    offset = int(re.findall(r"softmax (\d+) is added", before)[0])
    assert "Running demo" not in before
    assert "nan-share" not in before
    right = 1 if offset == 100 else 0
    shown = quiz("shares/overflowing", str(right), "")
    running, evidence, verdict = (shown.index(text) for text in ("Running demo softmax", "nan-share =", "✓ Right"))
    assert running < evidence < verdict
    assert f"With {offset} added the share is {right}." in shown


# --- Order, debugging, open answers -----------------------------------------------------------------


def test_order_is_right_however_its_inner_list_is_ordered(quiz: Quiz) -> None:
    letters = quiz.letters(STEPS)
    one = "".join(letters[step] for step in STEPS)
    other = one[:2] + one[3] + one[2] + one[4]
    ways = [one, other, ", ".join(one), " ".join(one.upper()), one.translate(str.maketrans("abcde", "12345"))]
    shown = quiz("shares/steps", *judged(ways))
    assert "Put these in order." in shown
    assert shown.count("✓ Right") == len(ways)


def test_wrong_order_shows_its_share_and_the_right_one(quiz: Quiz) -> None:
    letters = quiz.letters(STEPS)
    one = "".join(letters[step] for step in STEPS)
    shown = quiz("shares/steps", one[1] + one[0] + one[2:], "")
    # Eight of the nine ordered pairs are right: 2 * 8 / 9 - 1.
    assert "◆ Partly: 78%  shares/steps" in shown
    places = [shown.rindex(f"{letters[step]} {step}") for step in STEPS]
    assert places == sorted(places)


def test_incomplete_order_is_asked_again(quiz: Quiz) -> None:
    letters = quiz.letters(STEPS)
    lines = ["abc", "abcdee", "abcdef", "abcd", "first"]
    shown = quiz("shares/steps", *lines, "".join(letters[step] for step in STEPS), "")
    assert "name each of the 5 steps once, in order" in shown
    assert "Right: 1 of 1" in shown


def test_faulty_line_is_read_in_every_way_people_type_it(quiz: Quiz) -> None:
    ways = ["2", "line 2", "L2", " 2 ", "Line 2"]
    shown = quiz("shares/bug", *judged(ways))
    assert "\n  2     e = np.exp(z)\n" in re.sub(" +\n", "\n", shown)
    assert shown.count("✓ Right") == len(ways)


def test_wrong_line_is_told_from_the_right_one(quiz: Quiz) -> None:
    shown = quiz("shares/bug", "5", "x", "3", "")
    assert shown.count("type the number of a line, 1 to 4") == 2
    assert "It is line 2, not 3:\n  e = np.exp(z)\n" in shown


def test_open_answer_is_judged_by_the_words_that_match_unless_it_is_ticked(quiz: Quiz) -> None:
    shown = quiz("shares/why-shift", "The factor cancels, I think.", ":u", "it cancels and nothing overflows", "")
    assert "You: The factor cancels, I think." in shown
    assert "a [x] One constant on all logits cancels.  heard “cancels”" in shown
    assert "b [ ] Large logits overflow without the shift." in shown
    assert "b [x] Large logits overflow without the shift.  heard “overflows”" in shown
    assert "✓ Right" in shown
    assert "Graded 3 (Good)." in shown


def test_grade_line_ticks_and_grades(quiz: Quiz) -> None:
    outcomes = {
        "ab": "3 (Good)",
        "ab 4": "4 (Easy)",
        "4 ab": "4 (Easy)",
        "a, b, 2": "2 (Hard)",
        "ABC3": "3 (Good)",
        "a": "1 (Again)",
        "ac 1": "1 (Again)",
        "-": "1 (Again)",
        "1": "1 (Again)",
    }
    # `:u` before the next question brings this one back, to be answered and graded once more.
    lines = [each for grade in outcomes for each in ("something", grade, ":u")]
    shown = quiz("shares/why-shift shares/bug", *lines)
    assert re.findall(r"Graded (\d \(\w+\))\.", shown) == list(outcomes.values())
    assert shown.count("✓ Right") == 5


def test_wrong_answer_cannot_be_graded_up(quiz: Quiz) -> None:
    lines = ["ac 3", "2", "- 3", "bc4"]
    shown = " ".join(quiz("shares/why-shift", "something", *lines, "").split())
    assert shown.count("a wrong answer cannot be graded up") == len(lines)
    assert "Graded 1 (Again)." in shown


def test_unreadable_grade_takes_its_line_and_is_asked_again(quiz: Quiz) -> None:
    lines = ["d", "5", "aa", "a 3 4", "good", "a-", "0", "²"]
    shown = quiz("shares/why-shift", "something", *lines, "ab")
    assert [line for line in lines if f"'{line}' cannot be read: type letters a to c" not in shown] == []
    assert "Right: 1 of 1" in shown


def test_machine_graded_answer_takes_no_ticks(quiz: Quiz) -> None:
    shown = quiz("shares/bug", "2", "a", "ab 3", "9", "2")
    assert shown.count("type a grade, 1 to 4; empty accepts") == 3
    assert "Graded 2 (Hard)." in shown


def test_words_that_speak_against_a_key_point_are_asked_about(quiz: Quiz) -> None:
    shown = quiz("shares/why-shift", "it cancels, and it prevents underflow", "")
    assert "did you mean “underflow”?" in shown
    assert "◆ Partly: 50%  shares/why-shift" in shown
    assert "Graded 1 (Again)." in shown


# --- What every line can be -------------------------------------------------------------------------


def test_empty_line_means_not_known(quiz: Quiz) -> None:
    names = ("why-shift", "factor", "unchanged", "two-classes", "steps", "bug", "overflowing")
    shown = quiz(" ".join(f"shares/{name}" for name in names), *["", ""] * len(names))
    assert [name for name in names if f"✗ Not known  shares/{name}\n" not in shown] == []
    assert "[ ]" not in shown
    assert shown.count("Graded 1 (Again).") == len(names)
    assert f"Right: 0 of {len(names)}" in shown


def test_final_question_mark_marks_a_guess(quiz: Quiz) -> None:
    letter = quiz.letters(FACTOR)["The largest share grows"]
    shown = quiz("shares/factor shares/bug", f"{letter} ?", ":u", f"{letter}?", "")
    assert shown.count("✓ Right (a guess)") == 2
    assert shown.count("empty for 1 (Again)") == 2
    assert "Right: 1 of 1" in shown
    assert shown.rstrip().endswith("dlquiz practice shares/factor")


def test_two_colons_begin_a_text_with_a_colon(quiz: Quiz) -> None:
    shown = quiz("shares/why-shift", "::h cancels and overflows", "")
    assert "You: :h cancels and overflows" in shown
    assert "Hint" not in shown


def test_hints_come_in_order_and_cost_a_grade(quiz: Quiz) -> None:
    one = quiz("shares/why-shift", ":h", "it cancels and overflows", "")
    assert "Hint: What is exp(z - c) in terms of exp(z)?" in one
    assert "largest number" not in one
    assert "Graded 2 (Hard)." in one
    last = quiz("shares/why-shift", ":h", ":h", ":h", "it cancels and overflows", "")
    assert last.index("in terms of") < last.index("largest number") < last.index("No more hints.")
    assert "Graded 1 (Again)." in last
    assert "Right: 1 of 1" in last


def test_skip_takes_no_grade_line_and_is_to_be_repeated(quiz: Quiz) -> None:
    shown = quiz("shares/factor shares/bug", ":s", "2", "")
    assert "✓ Right  shares/bug" in shown
    assert "Right: 1 of 1" in shown
    assert shown.rstrip().endswith("dlquiz practice shares/factor")


def test_undo_takes_back_an_answer_before_and_after_its_grade(quiz: Quiz) -> None:
    before = quiz("shares/bug", "3", ":u", "2", "")
    assert "Taken back." in before
    assert "Right: 1 of 1" in before
    after = quiz("shares/bug shares/factor", "3", "", ":u", "2", "", ":q")
    assert after.count("1 of 2") == 2
    assert "Right: 1 of 1" in after


def test_undo_brings_the_same_values_and_the_same_order_again(quiz: Quiz) -> None:
    shown = quiz("shares/two-classes shares/steps", "", "", ":u", "", "", "", ":u")
    assert len(set(gaps(shown))) == 1
    rows = re.findall(r"^ [a-e] .*$", shown, re.M)
    assert rows[:5] == rows[5:10]


def test_undo_takes_back_a_skip_and_a_void(quiz: Quiz) -> None:
    skipped = quiz("shares/bug shares/factor", ":s", ":u", "2", "", ":q")
    assert "Right: 1 of 1" in skipped
    assert "To repeat" not in skipped
    voided = quiz("shares/bug shares/entropy-of-two", "2", ":v", ":u", "2", "", "0.69", "", "2", "")
    assert "Right: 2 of 2" in voided


def test_nothing_to_undo_is_said(quiz: Quiz) -> None:
    assert "There is nothing to undo." in quiz(*COMMANDS)


def test_void_does_not_count_and_the_question_comes_again_at_the_end(quiz: Quiz) -> None:
    shown = quiz("shares/bug shares/entropy-of-two", "3", ":v", "0.69", "", "2", "")
    assert "Not counted; it comes again later." in shown
    assert shown.count("This softmax gives NaN") == 2
    assert "Right: 2 of 2" in shown


def test_everything_shows_proofs_sources_and_what_comes_next(quiz: Quiz) -> None:
    shown = " ".join(quiz("shares/why-shift", "it cancels", ":e", "").split())
    assert "exp overflows in float32 near 88.7 and inf/inf is NaN." in shown
    assert "✓ One constant on all logits cancels. proof: softmax/shift-invariant" in shown
    assert "○ Large logits overflow without the shift. proof: softmax/naive-overflows" in shown
    assert "[goodfellow2016, section 4.1]" in shown
    assert "Goodfellow, Bengio & Courville (2016)" in shown
    assert "dlquiz practice shares/factor" in shown
    assert "Does a library do it for you?" in shown


def test_demo_runs_after_the_answer_and_asks_no_prediction(quiz: Quiz) -> None:
    shown = quiz("shares/bug", "2", ":d", "")
    assert "✓ holds softmax outputs sum to 1" in " ".join(shown.split())
    assert "Your prediction?" not in shown
    assert "Graded 3 (Good)." in shown


def test_keys_of_before_and_after_the_answer_are_locked_at_the_other_time(quiz: Quiz) -> None:
    shown = quiz(*COMMANDS)
    assert re.findall(r"(:.) works after the answer", shown) == [":d", ":e", ":v"]
    assert re.findall(r"(:.) works before the answer", shown) == [":h", ":s"]
    assert "Line 2 takes exp" in shown[shown.index("✓ Right") :]
    assert "Right: 1 of 1" in shown


def test_help_names_every_command_before_and_after_the_answer(quiz: Quiz) -> None:
    shown = quiz(*COMMANDS)
    assert all(shown.count(f"{command} ") >= 2 for command in (":h", ":s", ":u", ":q", ":d", ":e", ":v"))


def test_unknown_command_is_said_and_costs_nothing(quiz: Quiz) -> None:
    shown = quiz(*COMMANDS)
    assert "':x' is no command" in shown
    assert "':' is no command" in shown
    assert "No more hints." in shown


def test_quit_shows_the_summary(quiz: Quiz) -> None:
    shown = quiz("shares/bug shares/factor", "2", "", ":q", "never read")
    assert "Right: 1 of 1" in shown
    assert "never read" not in shown


def test_quit_after_an_answer_accepts_its_grade_as_the_key_does(quiz: Quiz) -> None:
    assert "Right: 1 of 1" in quiz("shares/bug shares/factor", "2", ":q")


# --- Ends, seeds, summary ---------------------------------------------------------------------------


def test_end_of_input_in_a_question_leaves_it_out(quiz: Quiz) -> None:
    assert "Right: 1 of 1" in quiz("shares/bug shares/factor", "2", "")


def test_end_of_input_before_the_grade_leaves_the_answer_out(quiz: Quiz) -> None:
    assert "No question answered." in quiz("shares/bug", "2")
    assert "No question answered." in quiz("shares/why-shift", "it cancels and overflows")


def test_last_line_may_lack_its_end_and_lines_may_end_as_on_windows(run: Run) -> None:
    for text in ("2\n3", "2\r\n3\r\n"):
        assert "Graded 3 (Good)." in run("practice", "shares/bug", stdin=text).stdout


def test_same_seed_gives_the_same_session_and_another_seed_another(run: Run) -> None:
    one, two, other = (run("practice", "-n", "6", "--seed", seed, stdin=":s\n" * 6).stdout for seed in "778")
    assert one == two
    assert one != other


def test_summary_tells_topics_and_skills(quiz: Quiz) -> None:
    shown = quiz("shares/bug shares/entropy-of-two literal/shapes", "2", "", "5", "", "", "")
    assert "Right: 1 of 3" in shown
    assert re.search(r"shares +1/2 +debugging +1/1", shown)
    assert re.search(r"literal +0/1 +computation +0/1", shown)
    assert re.search(r"recall +0/1", shown)


def test_summary_ends_with_the_command_that_repeats_just_what_was_missed(quiz: Quiz, run: Run) -> None:
    shown = quiz("shares/bug shares/entropy-of-two literal/shapes shares/steps", "2", "", "5", "", ":s", "", "")
    command = shown.rstrip().splitlines()[-1]
    assert command == "dlquiz practice shares/entropy-of-two shares/steps literal/shapes"
    again = run(*command.split()[1:], stdin=":s\n" * 4).stdout
    assert "1 of 3" in again
    asked = [again.index(text) for text in ("the entropy of two equal", "Put the steps", "A tensor of shape")]
    assert asked == sorted(asked)


def test_exhibit_is_shown_with_its_question(quiz: Quiz) -> None:
    shown = quiz("shares/curve")
    assert shown.index("temperature") < shown.index("The curve shows an entropy") < shown.index("At its right end")
    assert "│" in shown


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["--kind", "DEBUG"], {"This softmax gives NaN"}),
        (["basics", "--level", "warm_up"], {"All logits are multiplied", "A tensor of shape"}),
        (["Shares", "--skill", "recall", "--kind", "choice"], {"All logits are multiplied"}),
    ],
)
def test_practice_asks_only_what_fits(run: Run, filters: list[str], wanted: set[str]) -> None:
    shown = run("practice", *filters, stdin=":s\n" * 10).stdout
    assert f"1 of {len(wanted)} " in shown
    assert all(text in shown for text in wanted)


def test_practice_asks_ten_questions_unless_told_otherwise(run: Run) -> None:
    shown = run("practice").stdout
    assert "1 of 10 " in shown
    assert "No question answered." in shown
    assert "1 of 3 " in run("practice", "-n", "3").stdout


def test_nothing_that_fits_is_said(run: Run) -> None:
    done = run("practice", "literal", "--kind", "debug")
    assert done.returncode == 0
    assert done.stdout.startswith("No question fits")


def test_partly_right_open_answer_is_told_what_it_missed(quiz: Quiz) -> None:
    shown = quiz("shares/why-shift", "it cancels", "a")
    verdict = shown[shown.index("◆ Partly") :]
    assert "What was missed:" in verdict and verdict.count("○") == 1
    right = quiz("shares/why-shift", "it cancels", "ab")
    assert "What was missed" not in right
