"""Study and what a learner sees of it, by lines, through the real program: each command is a process of its own."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from quizcli.vocabulary import Rating
from tests.logs import all_events, open_log

from .conftest import Learner, Open
from .program import ENTER, letters_of

FACTOR = ("The largest share grows", "It stays as it was", "It becomes uniform")
NEW_TODAY = 6
"""New cards that the bank has for one day: siblings wait."""


def asked(shown: str) -> list[str]:
    """The prompts of a session, as far as they tell questions apart."""
    known = {
        "All logits are multiplied": "factor",
        "Which of these hold": "unchanged",
        "Two logits differ": "two-classes",
        "Put the steps": "steps",
        "What is the entropy": "entropy-of-two",
        "To all logits of a naive": "overflowing",
        "This softmax gives NaN": "bug",
    }
    return [name for line in shown.splitlines() for begin, name in known.items() if line.startswith(begin)]


def gap(shown: str) -> list[str]:
    return re.findall(r"differ by (\S+)\. What", shown)


# --- Study -------------------------------------------------------------------------------------------


def test_study_records_and_the_next_process_knows_it(learner: Learner) -> None:
    assert learner("due") == f"0 due, {NEW_TODAY} new\n"
    shown = learner("study shares --seed 1", "", "1")
    assert asked(shown) == ["factor", "unchanged"]
    assert "Graded 1 (Again).\nIt comes again today." in shown
    assert learner.kept() == [("answer", "shares/factor")]
    assert learner("due") == f"0 due, 1 again, {NEW_TODAY - 1} new\n"
    assert asked(learner("study shares --seed 1"))[0] == "factor"


def test_due_as_json_has_the_same_numbers(learner: Learner) -> None:
    learner.earlier(60, "shares/bug")
    learner.answer("shares/factor")
    assert learner.data("due") == {"due": 1, "again": 1, "new": NEW_TODAY - 1}
    assert learner("due") == f"1 due, 1 again, {NEW_TODAY - 1} new\n"


def test_due_without_the_framework_says_what_it_says_with_it(learner: Learner) -> None:
    """`due` has a way of its own into the program; an option that it does not know takes the usual one."""
    learner.earlier(60, "shares/bug")
    assert learner("--no-json due", code=2) == ""
    assert "Usage: dlquiz due" in learner("due --help")
    assert learner.refused("due --jsn", code=2).startswith("dlquiz: No such option: --jsn")


def test_a_wrong_one_comes_again_after_five_others(learner: Learner) -> None:
    shown = learner("study shares --seed 1", "", "", *[":s"] * 5)
    order = asked(shown)
    assert [place for place, name in enumerate(order) if name == "factor"] == [0, 6]
    assert len(set(order[:6])) == 6


def test_a_right_one_does_not_come_again_today(learner: Learner) -> None:
    letter = letters_of(learner("study shares --seed 1 --limit 1"), FACTOR)[FACTOR[0]]
    shown = learner("study shares --seed 1", letter, "", *[":s"] * 5)
    assert "It comes back in 2 days" in shown
    assert asked(shown).count("factor") == 1
    assert "factor" not in asked(learner("study shares --seed 1", *[":s"] * 5))


def test_reviews_come_before_new_cards(learner: Learner) -> None:
    learner.earlier(60, "shares/bug")
    assert asked(learner("study shares", ":s")) == ["bug", "factor"]


def test_study_of_nothing_due_says_when_the_next_card_is(learner: Learner) -> None:
    learner.answer("shares/entropy-of-two", "0.693", "3")
    shown = learner("study shares --new 0")
    assert re.match(r"Nothing is due today\. The next card is due on \d{4}-\d\d-\d\d\. dlquiz practice asks ", shown)


def test_limit_and_new_bound_the_session(learner: Learner) -> None:
    assert len(asked(learner("study shares --limit 2", *[":s"] * 4))) == 2
    assert len(asked(learner("study shares --new 3", *[":s"] * 4))) == 3


def test_an_answer_without_its_grade_is_not_recorded(learner: Learner) -> None:
    learner("study shares", "")
    assert learner.kept() == []


# --- Undo --------------------------------------------------------------------------------------------


def test_undo_takes_back_newest_first_across_processes_to_the_beginning(learner: Learner) -> None:
    learner.answer("shares/factor")
    learner.answer("shares/bug", "2", "")
    learner("config new 3")
    assert learner("undo") == "Taken back: setting.\n"
    assert learner("undo") == "Taken back: answer of shares/bug.\n"
    assert learner("undo") == "Taken back: answer of shares/factor.\n"
    assert learner("undo") == "There is nothing to undo.\n"
    assert learner("due") == f"0 due, {NEW_TODAY} new\n"
    assert [kind for kind, _ in learner.kept()] == ["answer", "answer", "setting", "undo", "undo", "undo"]


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_an_older_answer_taken_back_comes_with_the_same_values(learner: Learner, seed: int) -> None:
    first = gap(learner("practice shares/two-classes --seed 1", "0", ""))
    shown = learner(f"practice shares/bug --seed {seed}", ":u")
    assert gap(shown) == first
    assert learner.kept() == [("answer", "shares/two-classes"), ("undo", "shares/two-classes")]


@pytest.mark.parametrize("seed", range(1, 5))
def test_an_answer_taken_back_by_the_command_comes_with_the_same_values(learner: Learner, seed: int) -> None:
    """Also when another question comes first; once it is answered anew, it is drawn anew."""
    first = gap(learner("practice shares/two-classes --seed 1", "0", ""))
    learner("undo")
    assert gap(learner(f"practice shares/bug shares/two-classes --seed {seed}", "2", "", "0", "")) == first
    drawn = {tuple(gap(learner(f"practice shares/bug shares/two-classes --seed {n}", ":s", ":s"))) for n in range(9)}
    assert len(drawn) > 1


def test_an_older_answer_taken_back_comes_with_its_options_in_the_same_order(learner: Learner) -> None:
    first = letters_of(learner.answer("shares/factor"), FACTOR)
    for seed in range(2, 5):
        shown = learner(f"practice shares/bug --seed {seed}", ":u", "", "")
        assert letters_of(shown, FACTOR) == first
    assert learner.kept().count(("answer", "shares/factor")) == 4


def test_undo_in_a_session_goes_on_into_earlier_sessions(learner: Learner) -> None:
    for question in ("shares/factor", "shares/bug", "shares/entropy-of-two"):
        learner.answer(question)
    shown = learner("practice shares/steps --seed 2", ":u", ":u", ":u", ":u")
    assert asked(shown) == ["steps", "entropy-of-two", "bug", "factor"]
    assert shown.count("Taken back.") == 3
    assert shown.count("There is nothing to undo.") == 1
    assert learner.data("stats")["answers"] == 0


def test_a_bury_of_an_earlier_session_taken_back_comes_with_its_values(learner: Learner) -> None:
    first = gap(learner("practice shares/two-classes --seed 1", ":-"))
    assert gap(learner("practice shares/bug --seed 2", ":u")) == first


# --- Put away and brought back -----------------------------------------------------------------------


def test_bury_and_suspend_keep_out_of_study_until_unsuspended(learner: Learner) -> None:
    shown = learner("study shares --seed 1", ":-", ":@")
    assert "Put away until tomorrow." in shown
    assert learner.kept() == [("bury", "shares/factor"), ("suspend", "shares/unchanged")]
    assert not {"factor", "unchanged"} & set(asked(learner("study shares", *[":s"] * 5)))
    assert learner.data("cards") == [
        {"question": "shares/factor", "what": "buried until tomorrow", "text": ""},
        {"question": "shares/unchanged", "what": "suspended", "text": ""},
    ]
    listed = learner("cards --suspended")
    assert re.search(r"shares/factor +buried until tomorrow", listed)
    assert re.search(r"shares/unchanged +suspended", listed)
    back = learner("unsuspend shares/factor shares/unchanged")
    assert back == "Back in the study: shares/factor\nBack in the study: shares/unchanged\n"
    assert asked(learner("study shares", ":s"))[:2] == ["factor", "unchanged"]
    assert learner("cards") == "No card is suspended, buried, marked or noted.\n"


def test_suspend_by_its_id_and_undo_brings_it_back(learner: Learner) -> None:
    assert learner("suspend SHARES/Factor") == "Suspended: shares/factor\n"
    assert "factor" not in asked(learner("study shares"))
    assert learner("undo") == "Taken back: suspend of shares/factor.\n"
    assert asked(learner("study shares")) == ["factor"]


def test_an_unknown_question_suspends_none(learner: Learner) -> None:
    assert "no question 'shares/fictor'" in learner.refused("suspend shares/bug shares/fictor", code=2)
    assert not learner.path.exists() or learner.kept() == []


def test_reset_makes_a_card_new_and_undo_brings_its_schedule_back(learner: Learner) -> None:
    learner.earlier(60, "shares/bug")
    assert learner.data("due") == {"due": 1, "again": 0, "new": NEW_TODAY}
    assert learner("reset shares/bug") == "New again: shares/bug\n"
    assert learner.data("due")["due"] == 0
    assert learner.data("stats")["topics"]["shares"]["seen"] == 0
    learner("undo")
    assert learner.data("due")["due"] == 1


# --- Settings ----------------------------------------------------------------------------------------


def test_config_shows_every_setting_with_its_meaning(learner: Learner) -> None:
    assert learner("config").splitlines() == [
        "retention = 0.9   the chance of recall at which a card comes back (0.7 to 0.97, default 0.9)",
        "new = 15   new cards a day (0 to 1000, default 15)",
        "day-start = 4   the hour at which a study day begins (0 to 23, default 4)",
    ]
    assert learner.data("config") == {"retention": 0.9, "new": 15, "day-start": 4}


def test_config_changes_a_setting_for_the_next_process(learner: Learner) -> None:
    assert learner("config NEW 2").startswith("new: 15 -> 2, ")
    assert learner("config new").startswith("new = 2 ")
    assert learner("due") == "0 due, 2 new\n"
    assert learner("config retention 85%").startswith("retention: 0.9 -> 0.85, ")
    assert learner.data("config") == {"retention": 0.85, "new": 2, "day-start": 4}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("retention 2", "retention 2: must be a number from 0.7 to 0.97"),
        ("retention nan", "retention nan: must be a number from 0.7 to 0.97"),
        ("retention high", "retention high: must be a number"),
        ("new 1.5", "new 1.5: must be a whole number from 0 to 1000"),
        ("day-start 24", "day-start 24: must be a whole number from 0 to 23"),
        ("retension 0.9", "no setting 'retension' (did you mean 'retention'?); there are retention, new, day-start"),
    ],
)
def test_config_refuses_in_one_line_and_changes_nothing(learner: Learner, given: str, says: str) -> None:
    assert says in learner.refused(f"config {given}", code=2)
    assert learner.kept() == []


# --- Practice ----------------------------------------------------------------------------------------


def test_practice_records_and_counts_as_one_of_the_days_new_cards(learner: Learner) -> None:
    learner("config new 2")
    learner.answer("shares/bug", "2", "")
    assert learner.kept()[1:] == [("answer", "shares/bug")]
    assert learner("due") == "0 due, 1 new\n"


def test_no_record_leaves_no_trace(learner: Learner) -> None:
    learner("practice shares/bug --no-record", "1", "")
    assert not learner.path.parent.exists()
    learner.answer("shares/factor")
    before = learner.kept()
    learner("practice shares/bug --no-record", "1", "")
    assert learner.kept() == before
    assert ":- works" not in learner("practice shares/bug --no-record", ":-", ":u")
    assert learner.kept() == before


def test_missed_asks_what_was_wrong_last_until_it_is_right(learner: Learner) -> None:
    assert learner("practice --missed") == "Nothing missed: no question whose newest answer was wrong.\n"
    learner.answer("shares/bug", "1", "")
    learner.answer("shares/factor")
    learner.answer("shares/entropy-of-two", "0.693", "")
    assert sorted(asked(learner("practice --missed", *[":s"] * 3))) == ["bug", "factor"]
    learner("practice shares/bug", "2", "")
    assert asked(learner("practice --missed", *[":s"] * 3)) == ["factor"]
    assert asked(learner("practice --missed --kind debug")) == []


def test_practice_of_what_was_missed_can_go_unrecorded(learner: Learner) -> None:
    learner.answer("shares/bug", "1", "")
    assert asked(learner("practice --missed --no-record", "2", "")) == ["bug"]
    assert learner.kept() == [("answer", "shares/bug")]


# --- What a learner sees -----------------------------------------------------------------------------


def test_stats_before_the_first_answer_says_where_to_begin(learner: Learner) -> None:
    assert learner("stats").startswith("No answer yet: dlquiz study or dlquiz practice gives the first.")
    found = learner.data("stats")
    assert (found["answers"], found["streak"], found["retention"]["share"]) == (0, 0, None)


def test_stats_add_up_what_was_answered(learner: Learner) -> None:
    for days, rating in ((20, Rating.GOOD), (10, Rating.GOOD), (5, Rating.AGAIN), (1, Rating.GOOD)):
        learner.earlier(days, "shares/factor", rating, kind="choice", held=["scale-is-free"], seconds=12.0)
    learner.answer("shares/bug", "2", "")
    found = learner.data("stats")
    assert found["answers"] == 5
    assert found["retention"] == {"reviews": 3, "right": 2, "share": pytest.approx(2 / 3)}
    assert found["retention_by_kind"] == {"choice": found["retention"]}
    assert found["streak"] == 2
    assert list(found["answers_by_day"].values()) == [1] * 5
    assert found["misconceptions"] == {"scale-is-free": 4}
    assert found["topics"]["shares"]["questions"] == 9 and found["topics"]["shares"]["seen"] == 2
    assert len(found["forecast"]) == 30 and sum(found["forecast"].values()) == 2
    assert next(iter(found["forecast"])) == found["today"] == newest_day(learner)
    shown = learner("stats")
    assert "67% of 3 reviews right   desired 90%" in shown
    assert "streak: 2 days, 5 answers" in shown
    assert "4 times: Softmax normalizes, so a common factor on the logits" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def newest_day(learner: Learner) -> str:
    """The study day of the newest answer, by the log itself."""
    log = open_log(learner.path)
    day = all_events(log)[-1].day
    log.close()
    return (datetime(1970, 1, 1) + timedelta(days=day)).date().isoformat()


def test_home_says_where_to_start_and_then_what_is_due(learner: Learner) -> None:
    first = learner("")
    assert "start here" in first and "10 questions on 2 topics" in first
    assert " due, " not in first and "dlquiz stats" not in first
    assert not learner.path.exists()
    learner.answer("shares/bug", "2", "")
    then = learner("")
    assert f"0 due, {NEW_TODAY - 1} new   about " in then
    assert re.search(r"Weakest \(recall tomorrow\): shares \d\d%", then)
    assert "start here" not in then
    commands = re.findall(r"^dlquiz \w+", then, flags=re.M)
    assert commands[0] == "dlquiz study" and "dlquiz stats" in commands


def test_home_as_json_before_and_after_the_first_answer(learner: Learner) -> None:
    before = learner.data("")
    assert before["today"] is None and before["questions"] > before["topics"] > 1
    learner.earlier(60, "shares/bug")
    learner.answer("shares/factor")
    today = learner.data("")["today"]
    assert (today["due"], today["new"], today["backlog"]) == (2, NEW_TODAY - 1, False)
    assert today["minutes"] > 1 and 0 < today["weakest"]["shares"] < 1
    assert learner.refused("--json due", code=2).startswith("dlquiz: --json before due has no meaning")


def test_explain_shows_the_history_and_when_it_is_due(learner: Learner) -> None:
    assert "Your answers" not in learner("explain shares/factor")
    learner.earlier(9, "shares/factor")
    learner.answer("shares/factor")
    learner("suspend shares/factor")
    shown = learner("explain shares/factor")
    history = shown[shown.index("Your answers") :].splitlines()
    assert [line.split()[-1] for line in history[1:4]] == ["Good", "Again", "suspend"]
    assert re.match(r"  Due \d{4}-\d\d-\d\d: recall is 100% now", history[4])
    assert "  It is suspended." in history


# --- How sure ---------------------------------------------------------------------------------------


def test_confidence_is_asked_kept_and_compared(learner: Learner) -> None:
    """By lines: a wrong answer said to be 90% sure, one that cannot be read first, one left open."""
    shown = learner(
        "practice shares/bug shares/entropy-of-two shares/bug --seed 1 --confidence",
        *("2", "x", "3", ""),
        *("9", "3", ""),
    )
    assert shown.count("How sure are you? 1 50%, 2 70%, 3 90%, 4 99%; empty leaves it open.") == 2
    assert shown.count("One digit: ") == 1
    learner("practice shares/two-classes --confidence", "1", "", "")
    learner("practice shares/steps --confidence", "", "")
    log = open_log(learner.path)
    said = [(event.body.get("sure"), event.body["right"]) for event in all_events(log)]
    log.close()
    assert said == [(0.9, True), (0.9, False), (None, False), (None, False)]
    assert learner.data("stats")["confidence"] == {"0.9": {"answers": 2, "right": 1, "share": 0.5}}
    assert re.search(r"^  said  90%   right  50% of 2$", learner("stats"), re.M)


def test_confidence_is_asked_by_a_key_on_a_terminal(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "shares/bug", "--confidence")
    terminal.wait_for_status("Which line")
    terminal.press("2" + ENTER)
    terminal.wait_for_status("How sure are you?", "4 99%")
    terminal.press("x83")
    terminal.wait_for_status("Enter 3 Good")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    shown = open_terminal("stats")
    assert shown.wait_for_end() == 0
    assert "said  90%   right 100% of 1" in shown.seen
