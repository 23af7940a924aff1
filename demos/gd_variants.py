"""Batch, stochastic and mini-batch gradient descent: one update rule, three ways to estimate its gradient.

    θ ← θ - η (1/B) Σ_{i in batch} ∇ℓ_i(θ)        B = N: batch, B = 1: stochastic, between: mini-batch

The mean over a random batch is an unbiased estimate of the full gradient. Drawn with replacement its variance is
S/B, with S that of one example's gradient; without replacement it is S/B · (N - B)/(N - 1), so 0 at B = N. Linear
regression shows what the noise does: progress per example seen, and a floor at a constant rate. A double well shows
that the noise carries weights across hills, both ways.

Sources: Bottou, Curtis & Nocedal (2018), Optimization Methods for Large-Scale Machine Learning, sections 3 and 4;
Goodfellow, Bengio & Courville (2016), section 8.1.3.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "noise-falls-as-one-over-b": {
        "says": "with replacement the gradient noise's variance falls as 1/B (slope of the logarithms)",
        "false_when": {"swap": True},
    },
    "without-replacement-factor": {
        "says": "without replacement the variance is S/B times (N - B)/(N - 1), at B from 4 to N",
        "false_when": {"swap": True},
    },
    "epoch-averages-to-full": {
        "says": "at fixed weights the gradients of an epoch's equal batches, of 1 to N, average to the full gradient",
        "false_when": {"batch": 48},
    },
    "blind-to-batch-size": {
        "says": "2 to 512 copies of one example give the step that it gives alone: B itself is nowhere in the rule",
        "false_when": {"summed": True},
    },
    "mini-batch-ahead-after-one-pass": {
        "says": "a pass of mini-batches, each example once, leaves under 1/5 of the best full step's excess (log10)",
        "false_when": {"batch": 512},
    },
    "full-batch-ahead-per-step": {
        "says": "30 full-batch steps leave under a tenth of what 30 single-example steps leave, at their rates (log10)",
        "false_when": {"rival": 512},
    },
    "full-batch-ahead-in-the-end": {
        "says": "with noisy labels mini-batches lead after one pass, each example once, full batches after ten (log10)",
        "false_when": {"noise": 0.0},
    },
    "hovers": {
        "says": "at a constant rate, one example at a time, the mean excess stays above 1e-3 of its first (log10)",
        "false_when": {"noise": 0.0},
    },
    "floor-follows-rate": {
        "says": "half the rate halves the height at which it hovers",
        "false_when": {"noise": 0.0},
    },
    "floor-follows-batch": {
        "says": "at an equal rate batches of 8 hover at an eighth of the height",
        "false_when": {"noise": 0.0},
    },
    "decayed-rate-goes-below": {
        "says": "a rate that decays as 1/t brings it under a quarter of that height",
        "false_when": {"decay_steps": 1e9},
    },
    "no-floor-when-all-fit": {
        "says": "where one θ fits every example, the same constant rate converges: under 1e-9 of the start (log10)",
        "false_when": {"clean": 0.5},
    },
    "noise-crosses-hills": {
        "says": "single-example noise carries over a third of runs from the worse of two valleys to the better",
        "false_when": {"well_batch": 256},
    },
    "and-back": {
        "says": "and over 5% from the better to the worse: no guarantee of a global minimum",
        "false_when": {"well_batch": 256},
    },
}
measures = {
    "noise-sd": "standard deviation of a batch's mean gradient, drawn with replacement, from that of one example",
    "noise-sd-over-b": "the same if divided by B instead of √B",
    "noise-sd-unaveraged": "the same for the sum instead of the mean",
    "without-over-with": "noise variance without replacement over that with, at `size` of 512 examples",
    "floor-ratio": "height of hovering at the rate η over that at η/2",
    "floor-over-start": "height of hovering over the start's excess loss",
}
predict = {
    "ask": "SGD at a constant rate hovers above the least loss. Half the rate divides that height by:",
    "measure": "floor-ratio",
    "choices": {"1, it stays": [0.5, 1.3], "2": [1.3, 3.0], "4": [3.0, 6.0], "it goes to 0": [6.0, 1e30]},
}
N, D = 512, 4


def batch_variances(rows: np.ndarray, sizes: list[int], replace: bool, rng: np.random.Generator) -> np.ndarray:
    """Mean squared distance of random batches' means from that of all rows (N, D), for each of the batch sizes."""
    chosen = rng.integers(N, size=(2000, N)) if replace else rng.random((2000, N)).argsort(axis=1)
    ends = np.array(sizes)
    means = np.cumsum(rows[chosen], axis=1)[:, ends - 1] / ends[:, None]  # (draws, sizes, D): a prefix is a batch
    return ((means - rows.mean(0)) ** 2).sum(2).mean(0)


def descend(
    x: np.ndarray,
    y: np.ndarray,
    rate: float | Callable[[int], float],
    size: int,
    steps: int,
    copies: int,
    rng: np.random.Generator,
    shuffled: bool = False,
) -> np.ndarray:
    """Excess of the loss over its least value, (steps + 1, copies), in runs from 0 on batches of `size` examples.

    They are drawn with replacement, or, if shuffled, in passes over the data that meet each example once.
    """
    best = np.linalg.lstsq(x, y, rcond=None)[0]  # (D,)
    hessian = x.T @ x / len(x)
    theta, excess, per_pass = np.zeros((copies, x.shape[1])), [], len(x) // size
    for t in range(steps + 1):
        off = theta - best
        excess.append(((off @ hessian) * off).sum(1) / 2)
        if size == len(x):
            gradient = off @ hessian
        else:
            if shuffled and t % per_pass == 0:
                order = rng.random((copies, len(x))).argsort(axis=1)
            drawn = rng.integers(len(x), size=(copies, size)) if not shuffled else order[:, t % per_pass * size :]
            chosen = drawn[:, :size]
            seen = x[chosen]  # (copies, B, D)
            error = (seen @ theta[:, :, None])[..., 0] - y[chosen]  # (copies, B)
            gradient = (error[:, None] @ seen)[:, 0] / size
        theta = theta - (rate(t) if callable(rate) else rate) * gradient
    return np.array(excess)


def run(
    *,
    sigma: Annotated[float, Range(0.1, 1000.0), "standard deviation of one example's gradient"] = 8.0,
    size: Annotated[int, Range(1, 511), "batch size where noise is measured"] = 16,
    batch: Annotated[int, Range(2, 512), "batch size of mini-batch gradient descent"] = 16,
    rival: Annotated[int, Range(1, 512), "batch size that is compared with full batches per update"] = 1,
    noise: Annotated[float, Range(0.0, 3.0), "standard deviation of the labels' noise"] = 1.0,
    clean: Annotated[float, Range(0.0, 3.0), "the same where one θ is to fit all"] = 0.0,
    decay_steps: Annotated[float, Range(1.0, 1e9), "steps after which the decaying rate is halved"] = 100.0,
    well_batch: Annotated[int, Range(1, 256), "batch size in the double well"] = 1,
    swap: Annotated[bool, "draw without replacement where it should be with, and with where without"] = False,
    summed: Annotated[bool, "sum the gradients of a batch instead of averaging them"] = False,
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("noise-sd", sigma / np.sqrt(size))
    yield Measure("noise-sd-over-b", sigma / size)
    yield Measure("noise-sd-unaveraged", sigma * np.sqrt(size))

    # Linear regression, ℓ_i = ½ (x_i·θ - y_i)², with curvatures from 1 down to 1/4.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, D)) * np.linspace(1.0, 0.5, D)  # (N, D)
    truth = np.array([1.0, -2.0, 2.0, -3.0])
    y = x @ truth + noise * rng.normal(size=N)  # (N,)
    rows = (x @ np.zeros(D) - y)[:, None] * x  # (N, D), each example's gradient at θ = 0
    full = x.T @ x @ np.linalg.lstsq(x, -y, rcond=None)[0] / N  # the Hessian times the distance from the best θ
    single = ((rows - full) ** 2).sum(1).mean()  # S

    sizes = [1, 4, 16, 64, 256, 448]
    apart, together = (batch_variances(rows, [*sizes, size, N], replace, rng) for replace in (True, False))
    drawn = {"with": apart[:-2], "without": together[:-2]}
    yield Measure("without-over-with", together[-2] / apart[-2])
    yield Plot(
        "noise-over-batch-size",
        {f"{way} replacement": (sizes, values) for way, values in drawn.items()},
        x_label="batch size B",
        y_label="variance of the gradient",
        log_x=True,
        log_y=True,
    )
    slope = np.polyfit(np.log(sizes), np.log(drawn["without" if swap else "with"]), 1)[0]
    yield Claim("noise-falls-as-one-over-b", measured=slope, near=(-1.0, 0.05))
    ends = np.array(sizes)
    ratios = drawn["with" if swap else "without"] / (single / ends * (N - ends) / (N - 1))
    whole = (apart if swap else together)[-1] / (single / N)  # a batch of all examples: 0 without replacement
    off = max(np.abs(ratios[1:] - 1).max(), whole)  # at B = 1 the two ways of drawing are one
    yield Claim("without-replacement-factor", measured=off, at_most=0.2)
    order = rng.permutation(N)
    epochs = [
        np.mean([rows[order[i : i + b]].mean(0) for i in range(0, N, b)], axis=0) for b in (1, 4, 32, 128, N, batch)
    ]
    yield Claim("epoch-averages-to-full", measured=np.abs(epochs - full).max(), at_most=1e-9)
    off = []
    for b in (2, 16, 100, 512):
        copies = np.repeat(rows[:8, None], b, axis=1)  # (8, B, D): eight batches, each of one example's copies
        off.append(np.abs((copies.sum(1) if summed else copies.mean(1)) - rows[:8]).max())
    yield Claim("blind-to-batch-size", measured=max(off), at_most=1e-9)

    # Progress against examples seen, in passes that meet each example once; each variant at a rate that suits it.
    table, curves = [], {}
    for name, b, rate in (("batch", N, 1.5), ("mini-batch", batch, 0.3), ("stochastic", 1, 0.05)):
        excess = descend(x, y, rate, b, 10 * N // b, 32, rng, shuffled=True).mean(1)
        curves[name] = (np.arange(len(excess)) * b / N, np.maximum(excess, 1e-12))
        table.append([name, b, N // b, excess[N // b] / excess[0], excess[-1] / excess[0]])
    yield Table("excess loss over that at the start", ["variant", "B", "updates/pass", "1 pass", "10 passes"], table)
    yield Plot("loss-over-examples", curves, x_label="passes over the data", y_label="excess loss", log_y=True)
    first = np.log10(table[1][3] / table[0][3])
    pull, bend = rows.mean(0), x.T @ x / N  # gradient and Hessian of the whole loss at the start
    least = max(
        curves["batch"][1][0] - (pull @ pull) ** 2 / (pull @ bend @ pull) / 2, 0.0
    )  # one step, at its best rate
    best_step = np.log10(curves["mini-batch"][1][N // batch] / least)
    yield Claim("mini-batch-ahead-after-one-pass", measured=best_step, at_most=-0.7)
    last = np.log10(max(table[0][4], 1e-12) / max(table[1][4], 1e-12))
    yield Claim("full-batch-ahead-in-the-end", measured=max(first, last), at_most=-0.3)
    thirty = [descend(x, y, min(1.5, 0.05 * b), b, 30, 64, rng)[-1].mean() for b in (N, rival)]
    yield Claim("full-batch-ahead-per-step", measured=np.log10(max(thirty[0], 1e-12) / thirty[1]), at_most=-1.0)

    # A constant rate hovers where the examples disagree: each of them goes on pulling, the more the higher the rate.
    tail = slice(-1000, None)
    steady, halved = (descend(x, y, eta, 1, 2000, 128, rng) for eta in (0.04, 0.02))
    eights = descend(x, y, 0.04, 8, 1600, 64, rng)
    decayed = descend(x, y, lambda t: 0.04 / (1 + t / decay_steps), 1, 3000, 64, rng)
    fitted = descend(x, x @ truth + clean * rng.normal(size=N), 0.04, 1, 2000, 64, rng)
    shown = {"constant": steady, "half of it": halved, "as 1/t": decayed[:2001], "constant, labels fit": fitted}
    yield Plot(
        "floor-at-a-constant-rate",
        {name: (range(0, 2001, 20), np.maximum(excess.mean(1)[::20], 1e-6)) for name, excess in shown.items()},
        x_label="updates, one example each",
        y_label="excess loss",
        log_y=True,
    )
    floor = max(steady[tail].mean(), 1e-30)
    yield Measure("floor-over-start", floor / steady[0, 0])
    yield Measure("floor-ratio", floor / max(halved[tail].mean(), 1e-30))
    stays = max(steady[tail].mean(1).min(), 1e-30)  # the mean over the runs, where it is lowest
    yield Claim("hovers", measured=np.log10(stays / steady[0, 0]), at_least=-3.0)
    yield Claim("floor-follows-rate", measured=floor / max(halved[tail].mean(), 1e-30), near=(2.0, 0.4))
    yield Claim("floor-follows-batch", measured=floor / max(eights[tail].mean(), 1e-30), near=(8.0, 2.0))
    yield Claim("decayed-rate-goes-below", measured=decayed[-500:].mean() / floor, at_most=0.25)
    converged = max(fitted[-1].mean(), 1e-30) / fitted[0, 0]
    yield Claim("no-floor-when-all-fit", measured=np.log10(converged), at_most=-9.0)

    # A double well: ℓ_i = (p² - 1)² + 0.3 p + a_i p, where the a_i average to 0. The left valley is the better one.
    pulls = rng.normal(size=256)
    pulls = 6.0 * (pulls - pulls.mean()) / pulls.std()
    p = np.repeat([1.0, -1.0], 400)  # runs from the worse valley, then runs from the better one
    for _ in range(2000):
        pull = pulls[rng.integers(256, size=(len(p), well_batch))].mean(1)
        p = np.clip(p - 0.02 * (4 * p * (p**2 - 1) + 0.3 + pull), -3.0, 3.0)
    to_better, to_worse = (p[:400] < 0).mean(), (p[400:] > 0).mean()
    yield Table(
        "single-example noise in a double well",
        ["start", "share of runs that changed valley"],
        [["worse valley", to_better], ["better valley", to_worse]],
    )
    yield Text("Full batches never leave the valley they start in; noise leaves it, whichever it is.")
    yield Claim("noise-crosses-hills", measured=to_better, at_least=1 / 3)
    yield Claim("and-back", measured=to_worse, at_least=0.05)


if __name__ == "__main__":
    main(run)
