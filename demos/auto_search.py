"""Automated search for hyperparameters: random against grid, successive halving, and a winner that flatters itself.

    random search     P(some trial among the best share p) = 1 - (1 - p)^n
    halving           train all a little, keep the best 1/factor, train those factor times as far, and so on
    selection         max over trials of (true score + validation noise) ≥ true score, on average

The searched model is a linear regression trained by real SGD, on many problems at once whose best learning rates lie
orders of magnitude apart. Without label noise the trial that leads early ends first. With it, a fast start is bought
with a high noise floor, and halving kills the slow starters that would have won.

Sources: Bergstra & Bengio (2012), Random Search for Hyper-Parameter Optimization, section 2; Jamieson & Talwalkar
(2016), Non-stochastic Best Arm Identification, section 2; Cawley & Talbot (2010), On Over-fitting in Model Selection.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "hits-follow-formula": {
        "says": "the share of random searches with a trial among the best p is 1 - (1 - p)^n, for five pairs n, p",
        "false_when": {"mistake": "union"},
    },
    "gradient-is-right": {
        "says": "the gradient that trains is that of half the mean squared error (against finite differences)",
        "false_when": {"mistake": "sum"},
    },
    "grid-repeats-values": {
        "says": "a grid of 16 trials over two hyperparameters tests 4 values of each, random search 16",
        "false_when": {"side": 16},
    },
    "random-beats-grid": {
        "says": "if only the rate matters, 16 trials on a grid end over 5% above 16 random ones (mean final loss)",
        "false_when": {"second": "matters"},
    },
    "grid-wins-when-both-matter": {
        "says": "if two learning rates matter alike, the grid of 16 has the lower mean final loss",
        "false_when": {"second": "idle"},
    },
    "uniform-crowds-the-top": {
        "says": "nine in ten rates drawn uniformly from 0.0001 to 1 lie above 0.1, a quarter of log-uniform ones",
        "false_when": {"scale": "log"},
    },
    "halving-costs-a-ninth": {
        "says": "halving 27 trials by 3, with training resumed, takes a ninth of the steps of training them all",
        "false_when": {"resume": False},
    },
    "one-is-left": {
        "says": "of 27 trials 9, 3 and 1 pass the cuts: one is trained to the end",
        "false_when": {"mistake": "off-by-one"},
    },
    "halving-finds-the-best": {
        "says": "without label noise halving's mean final loss is that of training all 27, to 1% of the first loss",
        "false_when": {"clean": 1.0},
    },
    "halving-ends-higher": {
        "says": "with label noise halving's mean final loss is over 1.5 times that of training all 27 to the end",
        "false_when": {"noisy": 0.0},
    },
    "kills-slow-starters": {
        "says": "with label noise the best trial, where it is killed, has a lower rate than the pick (log10, median)",
        "false_when": {"noisy": 0.0},
    },
    "halving-beats-few-trials": {
        "says": "with label noise halving still beats random search of equal cost, 3 trials (ratio of mean losses)",
        "false_when": {"rivals": 27},
    },
    "later-first-cut-helps": {
        "says": "with label noise cuts three times as late, from step 27 on, end a fifth lower on average (7/3 cost)",
        "false_when": {"late": 0},
    },
    "winner-looks-better": {
        "says": "the best of 64 equally good models scores over 5 points above its true accuracy on 100 examples",
        "false_when": {"trials": 1},
    },
    "fresh-set-is-honest": {
        "says": "on a fresh test set the winner's mean score is its true accuracy, to a point (models equal or not)",
        "false_when": {"mistake": "report-validation"},
    },
    "flattery-falls-as-root": {
        "says": "four times the validation examples halve the winner's excess",
        "false_when": {"more": 1},
    },
}
measures = {
    "halving-cost": "steps of successive halving of `configs` trials from `first` steps, training resumed",
    "halving-restarted": "the same with each rung trained from scratch",
    "cost-of-all": "steps to train all `configs` trials to the last rung",
    "hit-probability": "chance that one of `draws` random trials is among the best share `top`",
    "hits-added-up": "draws times share: the expected number of such trials",
    "winner-score": "mean validation accuracy in percent of the best of `trials` models that are all right on 80%",
    "true-score": "their true accuracy in percent",
    "halving-ratio": "halving's final loss over that of training all, with label noise (ratio of means)",
}
predict = {
    "ask": "Learning rates are searched, labels are noisy. How many times the best trial's loss does halving end at?",
    "measure": "halving-ratio",
    "choices": {"up to 1.2 times": [1.0, 1.2], "1.2 to 1.6 times": [1.2, 1.6], "more": [1.6, 100.0]},
}
SEARCHES, WEIGHTS, BATCH, STEPS = 200, 8, 4, 243
LOW, HIGH = -4.0, 0.0  # of log10 of the learning rate


def rungs(configs: int, first: int, factor: int) -> list[tuple[int, int]]:
    """(trials, steps that each has been trained for) at each rung of successive halving."""
    plan = [(configs, first)]
    while plan[-1][0] >= factor:
        plan.append((plan[-1][0] // factor, plan[-1][1] * factor))
    return plan


def cost(plan: list[tuple[int, int]], resume: bool = True) -> int:
    """Steps that a plan takes; with `resume` a trial goes on from where it stood at the rung before."""
    before = [0, *[steps for _, steps in plan]]
    rows = zip(plan, before, strict=False)
    return sum(trials * (steps - (done if resume else 0)) for (trials, steps), done in rows)


def gradient(w: np.ndarray, x: np.ndarray, y: np.ndarray, mistake: str = "none") -> np.ndarray:
    """Gradient (S, K, D) of half the mean squared error of weights w (S, K, D) on x (S, B, D), y (S, B)."""
    error = w @ x.swapaxes(1, 2) - y[:, None]  # (S, K, B)
    return error @ x / (1 if mistake == "sum" else x.shape[1])


def train(
    rate: np.ndarray, start: np.ndarray, scale: np.ndarray, noise: float, at: list[int], rng: np.random.Generator
) -> np.ndarray:
    """Excess loss (len(at), S, K) after `at` steps of SGD, as a share of that at weights 0, at most 1.

    The rates are (S, K, D), the scales of the first weights (S, K), the curvatures `scale` (S, D). The trials of one
    search see the same examples in the same order.
    """
    searches = len(scale)
    truth = rng.normal(size=(searches, 1, WEIGHTS)) / np.sqrt(scale)[:, None]
    truth /= np.sqrt((scale[:, None] * truth**2).sum(2, keepdims=True))
    w = start[..., None] * rng.normal(size=(searches, 1, WEIGHTS))
    seen = []
    for step in range(1, max(at) + 1):
        x = rng.normal(size=(searches, BATCH, WEIGHTS)) * np.sqrt(scale)[:, None]  # (S, B, D)
        y = (x * truth).sum(2) + noise * rng.normal(size=(searches, BATCH))
        w = np.clip(w - rate * gradient(w, x, y), -1e3, 1e3)  # diverged is diverged
        if step in at:
            seen.append(np.minimum(((w - truth) ** 2 * scale[:, None]).sum(2), 1.0))
    return np.array(seen)


def curvatures(searches: int, both: bool, rng: np.random.Generator) -> np.ndarray:
    """(S, D): eight curvatures, times a factor per problem; with `both` each half of the weights has its own."""
    factors = 10 ** rng.uniform(-1, 1, (searches, 2))
    if not both:
        factors[:, 1] = factors[:, 0]
    return np.geomspace(1, 0.1, WEIGHTS) * np.tile(factors, WEIGHTS // 2)


def compare(both: bool, side: int, rng: np.random.Generator) -> np.ndarray:
    """Lowest final loss (2, S) by a grid and by 16 random trials.

    The first hyperparameter is a learning rate; the second the rate of the other half of the weights, if both are to
    matter, else the size of the initial weights, which hardly matters.
    """
    centers = (np.arange(side) + 0.5) / side
    grid = np.stack([np.repeat(centers, side), np.tile(centers, side)])[:, None].repeat(SEARCHES, 1)  # (2, S, side²)
    u, v = np.concatenate([grid, rng.random((2, SEARCHES, 16))], axis=2)
    rate = 10 ** (LOW + (HIGH - LOW) * u)  # (S, trials)
    other = 10 ** (LOW + (HIGH - LOW) * v) if both else rate
    start = np.full_like(v, 1e-3) if both else 10 ** (-4 + 2 * v)
    rates = np.tile(np.stack([rate, other], axis=2), WEIGHTS // 2)  # (S, trials, D)
    final = train(rates, start, curvatures(SEARCHES, both, rng), 1.0, [81], rng)[0]
    return np.array([part.min(1) for part in np.split(final, [side**2], axis=1)])


def halve(losses: np.ndarray, keep: list[int]) -> np.ndarray:
    """Which trials (S, K) are left of losses (rungs, S, K) after the best `keep[i]` have passed rung i."""
    alive = np.ones(losses.shape[1:], dtype=bool)
    for seen, kept in zip(losses, keep, strict=False):
        ranking = np.where(alive, seen, np.inf).argsort(axis=1, kind="stable")  # diverged trials tie, at a loss of 1
        alive = np.zeros_like(alive)
        np.put_along_axis(alive, ranking[:, :kept], True, axis=1)
    return alive


def best_of(alive: np.ndarray, final: np.ndarray) -> np.ndarray:
    """Index (S,) of the best trial that is left, by its final loss (S, K)."""
    return np.where(alive, final, np.inf).argmin(1)


def run(
    *,
    configs: Annotated[int, Range(2, 1000), "trials in the cost of halving"] = 27,
    first: Annotated[int, Range(1, 100), "steps before the first cut there"] = 9,
    factor: Annotated[int, Range(2, 5), "of that many trials one passes a rung there"] = 3,
    draws: Annotated[int, Range(1, 1000), "random trials n in the chance of a hit"] = 10,
    top: Annotated[float, Range(0.001, 0.9), "share p there"] = 0.1,
    trials: Annotated[int, Range(1, 1000), "equally good models to select from"] = 64,
    validation: Annotated[int, Range(10, 10_000), "validation examples"] = 100,
    more: Annotated[int, Range(1, 16), "growth of the validation set"] = 4,
    side: Annotated[int, Range(2, 16), "values of each hyperparameter in the grid"] = 4,
    second: Annotated[Literal["as-said", "idle", "matters"], "the second hyperparameter"] = "as-said",
    scale: Annotated[Literal["uniform", "log"], "how the naive draw of rates is made"] = "uniform",
    resume: Annotated[bool, "survivors go on from where they stood"] = True,
    clean: Annotated[float, Range(0.0, 2.0), "label noise where there should be none"] = 0.0,
    noisy: Annotated[float, Range(0.0, 2.0), "label noise where there should be some"] = 1.0,
    rivals: Annotated[int, Range(1, 27), "trials of a random search of equal cost"] = 3,
    late: Annotated[int, Range(0, 2), "rung of the later first cut: 0 after 9 steps, 1 after 27, 2 after 81"] = 1,
    mistake: Literal["none", "union", "sum", "off-by-one", "report-validation"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    plan = rungs(configs, first, factor)
    yield Measure("halving-cost", cost(plan))
    yield Measure("halving-restarted", cost(plan, resume=False))
    yield Measure("cost-of-all", configs * plan[-1][1])
    ours = rungs(27, 9, 3)
    yield Claim("halving-costs-a-ninth", measured=cost(ours, resume) / (27 * STEPS), near=(1 / 9, 1e-6))
    yield Measure("hit-probability", 1 - (1 - top) ** draws)
    yield Measure("hits-added-up", draws * top)
    rng = np.random.default_rng(seed)
    gaps = []
    for n, p in ((draws, top), (1, 0.3), (3, 0.2), (20, 0.02), (60, 0.05)):
        share = (rng.random((4000, n)) < p).any(1).mean()
        gaps.append(abs(share - (n * p if mistake == "union" else 1 - (1 - p) ** n)))
    yield Claim("hits-follow-formula", measured=max(gaps), at_most=0.05)

    # Selection: every model is right on 80% of all examples; the winner is the one that was lucky.
    def best(examples: int) -> float:
        return float(rng.binomial(examples, 0.8, (4000, trials)).max(1).mean() / examples)

    score = best(validation)
    yield Measure("winner-score", 100 * score)
    yield Measure("true-score", 80.0)
    yield Claim("winner-looks-better", measured=score - 0.8, at_least=0.05)
    off = []
    for true in (np.full((4000, trials), 0.8), rng.uniform(0.7, 0.85, (4000, trials))):  # equal and unequal models
        scores = rng.binomial(validation, true)
        places = np.arange(4000), scores.argmax(1)
        fresh = scores[places] if mistake == "report-validation" else rng.binomial(validation, true[places])
        off.append(abs((fresh / validation - true[places]).mean()))
    yield Claim("fresh-set-is-honest", measured=max(off), at_most=0.01)
    yield Claim(
        "flattery-falls-as-root",
        measured=(score - 0.8) / max(best(more * validation) - 0.8, 1e-3) if trials > 1 else 0.0,
        between=(1.7, 2.3),
    )
    counts = [1, 2, 4, 8, 16, 32, 64]
    drawn = rng.binomial(100, 0.8, (4000, 64))
    yield Plot(
        "score-of-the-winner",
        {"on validation": (counts, [drawn[:, :k].max(1).mean() for k in counts]), "truth": (counts, [80.0] * 7)},
        x_label="models tried, 100 validation examples",
        y_label="accuracy in percent",
        log_x=True,
    )

    # The gradient by finite differences, on a batch of two problems with three trials each.
    w, x, y = rng.normal(size=(2, 3, WEIGHTS)), rng.normal(size=(2, BATCH, WEIGHTS)), rng.normal(size=(2, BATCH))

    def half_loss(v: np.ndarray) -> np.ndarray:
        return ((v @ x.swapaxes(1, 2) - y[:, None]) ** 2).mean(2) / 2

    bumps = 1e-5 * np.eye(WEIGHTS)
    slopes = np.stack([(half_loss(w + bump) - half_loss(w - bump)) / 2e-5 for bump in bumps], axis=2)
    yield Claim("gradient-is-right", measured=np.abs(gradient(w, x, y, mistake) - slopes).max(), at_most=1e-7)

    # Random against grid, where one hyperparameter matters and where two do.
    on_grid, at_random = np.array([*np.ndindex(side, side)]), rng.random((16, 2))  # (trials, hyperparameters)
    counts = [[len(np.unique(column)) for column in trials.T] for trials in (on_grid, at_random)]
    yield Claim("grid-repeats-values", measured=min(counts[1]) / max(counts[0]), near=(4.0, 0.0))
    one = compare(second == "matters", side, rng)
    two = compare(second != "idle", side, rng)
    means = np.array([one.mean(1), two.mean(1)])  # (cases, ways)
    yield Table(
        "mean final loss of 200 searches (1: nothing learned)",
        ["search", "one matters", "both matter"],
        [[f"grid of {side**2}", *means[:, 0]], ["random, 16", *means[:, 1]]],
    )
    yield Claim("random-beats-grid", measured=means[0, 0] / means[0, 1], at_least=1.05)
    yield Claim("grid-wins-when-both-matter", measured=means[1, 0] / means[1, 1], at_most=0.97)
    naive, proper = rng.uniform(10**LOW, 10**HIGH, 4000), 10 ** rng.uniform(LOW, HIGH, 4000)
    above = np.mean((naive if scale == "uniform" else proper) > 0.1)
    off = max(abs(above - 0.9), abs(np.mean(proper > 0.1) - 0.25))
    yield Claim("uniform-crowds-the-top", measured=off, at_most=0.05)

    # Successive halving of 27 trials: after 9, 27 and 81 steps a third passes; the last one runs 243.
    rows = np.arange(SEARCHES // 2)
    rate = 10 ** rng.uniform(LOW, HIGH, (len(rows), 27))
    at, keep = [steps for _, steps in ours], [9, 3, 1]
    curved, start = curvatures(len(rows), False, rng), np.full_like(rate, 1e-3)
    ends, means = [], []
    for noise in (clean, noisy):
        losses = train(rate[..., None].repeat(WEIGHTS, 2), start, curved, noise, at, rng)  # (rungs, S, 27)
        alive = halve(losses, [kept + 1 for kept in keep] if mistake == "off-by-one" else keep)
        pick, winner = best_of(alive, losses[-1]), losses[-1].argmin(1)
        ends.append(losses[-1, rows, pick])
        means.append((ends[-1].mean(), losses[-1].min(1).mean()))
    yield Plot(
        "early-and-final-loss",
        {"trials of one noisy search": (losses[0, 0], losses[-1, 0])},
        x_label="loss after 9 steps",
        y_label="loss after 243",
        style="points",
        log_y=True,
    )
    yield Text("A trial low in that plot but not at its left is a slow starter: the early cuts tend to kill it.")
    yield Claim("one-is-left", measured=alive.sum(1).mean(), near=(1.0, 0.0))
    (halved, full), (halved_noisy, full_noisy) = means
    yield Table(
        "mean final loss (1: nothing learned)",
        ["search", "clean labels", "noisy labels"],
        [["halving, at the cost of 3", halved, halved_noisy], ["all 27 to the end", full, full_noisy]],
    )
    yield Claim("halving-finds-the-best", measured=halved - full, at_most=0.01)
    ratio = halved_noisy / max(full_noisy, 0.01)  # without any noise both are next to nothing
    yield Measure("halving-ratio", ratio)
    yield Claim("halving-ends-higher", measured=ratio, at_least=1.5)
    wrong = pick != winner
    slower = np.log10(rate[rows, pick] / rate[rows, winner])[wrong]
    yield Claim("kills-slow-starters", measured=np.median(slower) if wrong.any() else 0.0, at_least=0.2)
    groups = losses[-1][:, : 27 // rivals * rivals].reshape(len(rows), -1, rivals)  # each a search of its own
    yield Claim("halving-beats-few-trials", measured=groups.min(2).mean() / halved_noisy, at_least=1.1)
    patient = losses[-1, rows, best_of(halve(losses[late:], keep), losses[-1])].mean()
    yield Claim("later-first-cut-helps", measured=patient / halved_noisy, at_most=0.8)


if __name__ == "__main__":
    main(run)
