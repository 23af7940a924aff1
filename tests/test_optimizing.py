"""Weights fitted to a learner: taken where they predict better, else refused; and rescheduling, to the day."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsrs
import fsrs.scheduler as py_fsrs
import pytest
from fsrs_rs_python import FSRS, FSRSItem, FSRSReview

from quizcli import optimizing
from quizcli.errors import QuizError
from quizcli.optimizing import (
    BOUNDS,
    CONSTANT,
    ENOUGH,
    IN_FORCE,
    MOVING,
    NEW,
    History,
    Review,
    Trial,
    bootstrap,
    calibration,
    change_in_due,
    checked,
    constant,
    fit,
    held_out,
    histories,
    judge,
    missing,
    moving_average,
    predict,
    reschedule,
    trials,
)
from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.progress.log import BankCard, Log
from quizcli.progress.progress import Progress
from quizcli.scheduling import Scheduler, default_weights
from quizcli.vocabulary import Rating
from tests.learners import SWIFT, Answer, as_events, as_histories, from_scratch, simulate, toss
from tests.logs import DAY, Clock, all_events, answer, card_rows, live, open_log, replayed

AGAIN, HARD, GOOD, EASY = Rating
CARD = "dl:a/b"


def mean_loss(weights: tuple[float, ...], asked: Sequence[Trial]) -> float:
    chances = predict(weights, asked)
    return -sum(
        math.log(chance if trial.review.recalled else 1 - chance) for chance, trial in zip(chances, asked, strict=True)
    ) / len(asked)


# --- From the log to reviews -------------------------------------------------------------------------


def known(log: Log) -> list[tuple[str, list[tuple[int, Rating]]]]:
    return [(h.card, [(review.elapsed, review.rating) for review in h.reviews]) for h in histories(log)]


def test_a_review_is_the_first_answer_of_a_day_at_its_true_elapsed_days(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log", clock)
    for days, rating in ((0, AGAIN), (0, GOOD), (3, HARD), (0, AGAIN), (11, GOOD)):
        clock.move(days)
        log.append(answer(CARD, rating))
    assert known(log) == [(CARD, [(0, AGAIN), (3, HARD), (11, GOOD)])]
    assert [review.day for review in histories(log)[0].reviews] == [DAY, DAY + 3, DAY + 14]


def test_answers_that_were_undone_or_voided_are_no_reviews(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log", clock)
    log.append(answer(CARD, GOOD))
    clock.move(2)
    log.append(answer(CARD, AGAIN))
    log.undo()
    log.append(Draft(events.VOID, CARD))
    clock.move(2)
    log.append(answer(CARD, EASY))
    assert known(log) == [(CARD, [(0, GOOD), (4, EASY)])]


def test_a_review_under_a_clock_set_back_comes_after_no_days(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log", clock)
    for days in (0, -2, 6):
        clock.move(days)
        log.append(answer(CARD))
    assert known(log) == [(CARD, [(0, GOOD), (0, GOOD), (4, GOOD)])]


def test_answers_under_a_former_id_belong_to_the_card(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log", clock)
    log.append(answer("dl:a/old", HARD))
    clock.move(5)
    log.append(answer(CARD, GOOD))
    log.adopt("renamed", lambda: [BankCard(CARD, "a", "choice", 0, 1, 0)], lambda: {"dl:a/old": CARD})
    assert known(log) == [(CARD, [(0, HARD), (5, GOOD)])]


def test_a_reset_starts_a_new_history(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "log", clock)
    for draft in (answer(CARD), answer(CARD), Draft(events.RESET, CARD), answer(CARD, AGAIN), answer(CARD)):
        log.append(draft)
        clock.move(4)
    assert known(log) == [(CARD, [(0, GOOD), (4, GOOD)]), (CARD, [(0, AGAIN), (4, GOOD)])]


def test_the_log_gives_the_histories_that_were_simulated(tmp_path: Path, swift: list[Answer]) -> None:
    log = open_log(tmp_path / "log")
    some = swift[:600]
    log.merge(as_events(some, last_day=DAY))
    shift = DAY - some[-1].day
    expected = {
        h.card: [(review.day + shift, review.elapsed, review.rating) for review in h.reviews]
        for h in as_histories(some)
    }
    assert {h.card: [(r.day, r.elapsed, r.rating) for r in h.reviews] for h in histories(log)} == expected


# --- What counts, and what is held out ---------------------------------------------------------------


@pytest.mark.parametrize(("reviews", "lacking"), [(0, ENOUGH), (ENOUGH - 1, 1), (ENOUGH, 0), (ENOUGH + 9, 0)])
def test_it_says_how_many_reviews_are_missing(reviews: int, lacking: int) -> None:
    same_day = History("dl:x/y", (Review(0, 0, GOOD), Review(0, 0, GOOD)))
    each = [History(f"dl:a/{n}", (Review(n, 0, GOOD), Review(n + 2, 2, GOOD))) for n in range(reviews)]
    assert missing([*each, same_day]) == lacking


def test_the_newest_fifth_of_the_reviews_is_held_out_and_no_day_is_torn(swift: list[Answer]) -> None:
    found = trials(as_histories(swift))
    seen, asked = held_out(found)
    assert len(found) == 2_500 and [*seen, *asked] == found
    first = asked[0].review.day
    assert seen[-1].review.day < first
    assert len(asked) >= 500 > sum(trial.review.day > first for trial in asked)


def test_weights_are_fitted_without_the_reviews_that_judge_them(swift: list[Answer]) -> None:
    first = held_out(trials(as_histories(swift)))[1][0].review.day
    before = as_histories([answer for answer in swift if answer.day < first])
    turned = [
        Answer(a.day, a.card, (GOOD if a.rating is AGAIN else AGAIN) if a.day >= first else a.rating) for a in swift
    ]
    assert judge(as_histories(swift), None).weights == fit(before) == judge(as_histories(turned), None).weights


# --- Predictions and their measures, against other implementations -----------------------------------


@pytest.mark.parametrize("weights", [default_weights(), SWIFT], ids=["defaults", "swift"])
def test_predictions_are_those_of_py_fsrs(weights: tuple[float, ...], swift: list[Answer]) -> None:
    asked = trials(as_histories(swift[:1_500]))
    scheduler = fsrs.Scheduler(parameters=weights, enable_fuzzing=False)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    theirs: dict[tuple[str, int], float] = {}
    for history in as_histories(swift[:1_500]):
        card = fsrs.Card(card_id=1, due=start)
        for review in history.reviews:
            at = start + timedelta(days=review.day)
            theirs[history.card, review.day] = scheduler.get_card_retrievability(card, at)
            card, _ = scheduler.review_card(card, fsrs.Rating(int(review.rating)), at)
    ours = predict(weights, asked)
    assert ours == pytest.approx([theirs[trial.history.card, trial.review.day] for trial in asked], abs=2e-4)


@pytest.mark.parametrize("weights", [default_weights(), SWIFT], ids=["defaults", "swift"])
def test_measures_are_those_of_the_engine(weights: tuple[float, ...], swift: list[Answer]) -> None:
    """The engine weighs reviews by how recent they are; the same is done here with our predictions and bins."""
    found = trials(as_histories(swift))
    items = [
        FSRSItem([FSRSReview(int(r.rating), r.elapsed) for r in trial.history.reviews[: trial.place + 1]])
        for trial in found
    ]
    theirs = FSRS(list(weights)).evaluate(items)
    weight = [0.25 + 0.75 * (number / (len(found) - 1)) ** 3 for number in range(len(found))]
    chances = predict(weights, found)
    losses = [-math.log(p if t.review.recalled else 1 - p) for p, t in zip(chances, found, strict=True)]
    loss = sum(w * x for w, x in zip(weight, losses, strict=True)) / sum(weight)
    squares = 0.0
    bins: dict[tuple[float, float, float], list[int]] = {}
    for number, trial in enumerate(found):
        bins.setdefault(trial.bin, []).append(number)
    for inside in bins.values():
        error = sum(chances[n] - found[n].review.recalled for n in inside) / len(inside)
        squares += error**2 * sum(weight[n] for n in inside)
    assert loss == pytest.approx(theirs.log_loss, abs=1e-4)
    assert math.sqrt(squares / sum(weight)) == pytest.approx(theirs.rmse_bins, abs=1e-4)


def test_calibration_is_the_error_of_the_means_of_bins_weighed_by_reviews() -> None:
    def asked(elapsed: int, *recalled: bool) -> list[Trial]:
        after = [Review(elapsed, elapsed, GOOD if right else AGAIN) for right in recalled]
        return [Trial(History(f"dl:a/{n}", (Review(0, 0, GOOD), review)), 1) for n, review in enumerate(after)]

    two_bins = [*asked(1, True, True, True, False), *asked(40, False, True)]
    assert len({trial.bin for trial in two_bins}) == 2
    error = calibration([0.75] * 4 + [0.8] * 2, two_bins)
    assert error == pytest.approx(math.sqrt((4 * 0.0**2 + 2 * 0.3**2) / 6))


def test_the_moving_average_knows_the_outcomes_of_earlier_days_only() -> None:
    reviews = [Review(0, 0, GOOD), Review(1, 1, GOOD), Review(2, 1, AGAIN), Review(3, 1, GOOD)]
    found = trials([History(f"dl:a/{number}", tuple(reviews)) for number in range(2)])
    first, second, third = 0.5, 1 - 0.5 * 0.98**2, (1 - 0.5 * 0.98**2) * 0.98**2
    assert moving_average([], found) == pytest.approx([first, first, second, second, third, third])
    assert moving_average(found[:2], found[2:]) == pytest.approx([second, second, third, third])
    assert constant(found[:4], found[4:]) == [(2 + 1) / (4 + 2)] * 2


def test_the_bootstrap_draws_cards_and_covers_the_true_mean() -> None:
    chance, covered = random.Random(1), 0
    for _ in range(50):
        cards, values = [], []
        for card in range(60):
            of_card = chance.gauss(0.3, 1)
            cards += [str(card)] * 5
            values += [of_card] * 5
        low, high = bootstrap(cards, values)
        covered += low <= 0.3 <= high
    assert 43 <= covered < 50


# --- What is fitted ----------------------------------------------------------------------------------


def test_the_bounds_of_the_weights_are_those_of_py_fsrs() -> None:
    theirs = zip(py_fsrs.LOWER_BOUNDS_PARAMETERS, py_fsrs.UPPER_BOUNDS_PARAMETERS, strict=True)
    assert list(BOUNDS) == list(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_stays_within_bounds_whatever_was_answered(seed: int) -> None:
    for recalled in (0.0, 0.5, 1.0):
        assert checked(fit(as_histories(toss(recalled, 800, seed))))


@pytest.mark.parametrize(("place", "weight"), [(0, 0.0), (4, 11.0), (20, 0.05), (3, math.nan), (9, math.inf)])
def test_weights_outside_of_their_bounds_are_refused_by_number(place: int, weight: float) -> None:
    wrong = list(default_weights())
    wrong[place] = weight
    with pytest.raises(QuizError, match=f"weight {place} is"):
        checked(wrong)


def test_another_number_of_weights_is_refused() -> None:
    with pytest.raises(QuizError, match="21 weights; 19"):
        checked(default_weights()[:19])


def test_reviews_that_nothing_can_be_fitted_to_are_an_error_with_their_number() -> None:
    """The first stabilities cannot be fitted where the first review of every card is missing."""
    learned = [History(f"dl:a/{n}", (Review(0, 0, GOOD), Review(3, 3, GOOD), Review(9, 6, GOOD))) for n in range(500)]
    with pytest.raises(QuizError, match="could not fit its weights to 500 reviews"):
        optimizing._fit([trial for trial in trials(learned) if trial.place == 2])


# --- What is accepted --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_an_unusual_learner_are_found_and_taken(seed: int) -> None:
    learned = as_histories(simulate(SWIFT, 4_000, seed))
    judgment = judge(learned, None)
    scores, asked = judgment.scores, held_out(trials(learned))[1]
    assert judgment.accepted and judgment.gain[1] > 0
    assert scores[NEW].log_loss < min(scores[name].log_loss for name in (IN_FORCE, CONSTANT, MOVING))
    assert scores[NEW].calibration < scores[IN_FORCE].calibration
    assert scores[NEW].log_loss == pytest.approx(mean_loss(judgment.weights, asked))
    # What can be known is what the true weights predict; the fit comes near it, the defaults are far.
    true = mean_loss(SWIFT, asked)
    assert scores[NEW].log_loss - true < 0.25 * (scores[IN_FORCE].log_loss - true)


@pytest.mark.parametrize("seed", range(6))
def test_a_learner_whom_the_defaults_describe_keeps_them(seed: int) -> None:
    judgment = judge(as_histories(simulate(default_weights(), 1_000, seed)), None)
    assert not judgment.accepted and judgment.gain[1] <= 0


@pytest.mark.parametrize("seed", [12, 25, 36])
def test_a_gain_that_may_be_chance_is_refused(seed: int) -> None:
    judgment = judge(as_histories(simulate(default_weights(), 1_000, seed)), None)
    best = min(score.log_loss for score in judgment.scores.values())
    assert judgment.scores[NEW].log_loss == best and judgment.gain[0] > 0 > judgment.gain[1]
    assert not judgment.accepted and "may be chance" in judgment.why


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("recalled", [0.5, 0.7])
def test_noise_is_refused_though_a_fit_to_it_beats_the_defaults(recalled: float, seed: int) -> None:
    judgment = judge(as_histories(toss(recalled, 1_500, seed)), None)
    assert not judgment.accepted
    assert judgment.gain[1] > 0 and "knows nothing of the cards" in judgment.why


def test_weights_in_force_that_are_as_good_stay(swift: list[Answer]) -> None:
    learned = as_histories(swift)
    again = judge(learned, judge(learned, None).weights)
    assert not again.accepted and again.why == "they predict just as the weights in force do"
    assert not judge(learned, SWIFT).accepted


# --- Rescheduling ------------------------------------------------------------------------------------


@pytest.fixture
def progress(tmp_path: Path, swift: list[Answer]) -> Progress:
    """Five hundred answers up to yesterday. The bank lacks some of the cards; of those that are due today one is
    suspended and one buried; one card was never answered."""
    log = open_log(tmp_path / "log")
    some = swift[:500]
    cards = sorted({a.card for a in some})
    log.adopt("bank", lambda: [BankCard(card, "learner", "choice", n, 1, 0) for n, card in enumerate(cards[5:])], dict)
    log.merge(as_events(some, last_day=DAY - 1))
    due = [state.card for state in log.states("kind IS NOT NULL AND due <= ? ORDER BY card", DAY)]
    for kind, card in ((events.SUSPEND, due[0]), (events.BURY, due[1]), (events.BURY, "dl:never/answered")):
        log.append(Draft(kind, card))
    return Progress(log)


def test_rescheduling_puts_every_card_where_a_replay_from_scratch_puts_it(progress: Progress) -> None:
    before = {state.card: state for state in progress.log.states()}
    progress.set_weights(SWIFT, {})
    assert {state.card: state for state in progress.log.states()} == before
    reschedule(progress, change_in_due(progress, SWIFT).cards)
    after = {state.card: state for state in progress.log.states()}
    for history in histories(progress.log):
        state = after.pop(history.card)
        assert (state.memory, state.due) == from_scratch(history, SWIFT, 0.9)
        old = before.pop(history.card)
        old.stability, old.difficulty, old.due = state.stability, state.difficulty, state.due
        assert state == old
    assert after == before and list(after) == ["dl:never/answered"]
    assert live(progress.log) == replayed(progress.log)


def test_the_retention_in_force_counts_when_cards_are_rescheduled(progress: Progress) -> None:
    progress.log.append(Draft(events.SETTING, body={"name": "retention", "value": 0.8}))
    progress = Progress(progress.log)
    reschedule(progress, change_in_due(progress, None).cards)
    for history in histories(progress.log):
        state = progress.log.state(history.card)
        assert (state.memory, state.due) == from_scratch(history, default_weights(), 0.8)


def test_the_change_in_due_cards_that_is_shown_is_the_one_that_comes(progress: Progress) -> None:
    def due_by_day() -> list[int]:
        states = progress.log.states("kind IS NOT NULL AND NOT suspended AND due IS NOT NULL")
        days = Counter(max(DAY, state.due or 0, state.buried) for state in states)
        return [days[DAY + ahead] for ahead in range(14)]

    shown = change_in_due(progress, SWIFT)
    assert [due.day for due in shown.due] == list(range(DAY, DAY + 14))
    assert [due.before for due in shown.due] == due_by_day()
    progress.set_weights(SWIFT, {})
    reschedule(progress, shown.cards)
    assert [due.after for due in shown.due] == due_by_day() != [due.before for due in shown.due]
    assert change_in_due(progress, SWIFT).cards == ()


def test_undo_takes_a_rescheduling_back_as_a_whole_and_then_the_weights(progress: Progress) -> None:
    rows = card_rows(progress.log)
    progress.set_weights(SWIFT, {})
    cards = change_in_due(progress, SWIFT).cards
    reschedule(progress, cards)
    moved = card_rows(progress.log)
    assert len(cards) > 100 and moved != rows
    undone = progress.undo()
    assert undone is not None and (undone.kind, undone.card) == (events.RESCHEDULE, None)
    assert card_rows(progress.log) == rows and progress.weights == SWIFT
    undone = progress.undo()
    assert undone is not None and undone.kind == events.PARAMETERS
    assert progress.weights is None and card_rows(progress.log) == rows and live(progress.log) == replayed(progress.log)


def test_answers_after_a_rescheduling_go_on_from_it(progress: Progress) -> None:
    history = max(histories(progress.log), key=lambda history: len(history.reviews))
    progress.set_weights(SWIFT, {})
    reschedule(progress, change_in_due(progress, SWIFT).cards)
    memory, _ = from_scratch(history, SWIFT, 0.9)
    elapsed = DAY + 30 - history.reviews[-1].day
    progress.log.clock = Clock(Clock().now + timedelta(days=30))
    progress.log.append(Draft(events.ANSWER, history.card, HARD, retention=0.9, weights=SWIFT))
    expected = Scheduler(SWIFT).review(memory, HARD, elapsed, history.card, len(history.reviews))
    state = progress.log.state(history.card)
    assert (state.memory, state.due) == (expected.memory, DAY + 30 + expected.days)
    # The next rescheduling starts from the reviews again, not from the last one.
    reschedule(progress, [history.card])
    again = next(h for h in histories(progress.log) if h.card == history.card)
    assert progress.log.state(history.card).memory == from_scratch(again, SWIFT, 0.9)[0]


def test_a_reset_after_a_rescheduling_makes_the_card_new(progress: Progress) -> None:
    card = histories(progress.log)[0].card
    reschedule(progress, [card])
    progress.log.append(Draft(events.RESET, card))
    assert progress.log.state(card).due is None
    reschedule(progress, [card])
    state = progress.log.state(card)
    assert state.due is None and state.memory is None


def test_logs_with_a_rescheduling_merge_alike_in_both_directions(progress: Progress, tmp_path: Path) -> None:
    card = histories(progress.log)[0].card
    other = open_log(tmp_path / "other")
    other.merge(all_events(progress.log))
    other.append(answer(card, AGAIN))
    progress.set_weights(SWIFT, {})
    reschedule(progress, [card, histories(progress.log)[1].card])
    ours, theirs = all_events(progress.log), all_events(other)
    progress.log.merge(theirs)
    other.merge(ours)
    assert live(progress.log) == live(other) == replayed(other)
    assert live(progress.log) == replayed(progress.log)


def test_several_events_are_one_action_or_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    log.append(answer("dl:a/one"))
    rows = card_rows(log)
    written = log.append_all([answer("dl:a/two"), answer("dl:a/three"), Draft(events.NOTE, body={"text": "x"})])
    assert [event.sequence for event in written] == [2, 3, 4] and len(log.states()) == 3
    assert written[-1].body == {"text": "x", "events": 3} and log.append_all([]) == []
    assert log.undo() == written[-1] and card_rows(log) == rows
    with pytest.raises(ValueError):
        log.append_all([answer("dl:a/two"), answer("dl:a/three", retention=1.5)])
    assert card_rows(log) == rows and len(all_events(log)) == 7
