"""Softmax turns logits into shares of one: shift-free, overflow-prone when naive, and only as sharp as its temperature.

    softmax(z)_i = exp(z_i / T) / Σ_j exp(z_j / T)

Adding a constant to every logit changes nothing, because exp(c) cancels. That is why every library first
subtracts the largest logit: the largest exponent is then 0 and exp cannot overflow. Here both forms run in
float32 on the same large logits, and the naive one on very negative logits as well.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 4.1 and 6.2.2.3.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "sums-to-one": {
        "says": "softmax outputs sum to 1, whatever the logits",
        "false_when": {"mistake": "sigmoid"},
    },
    "shift-invariant": {
        "says": "one constant added to all logits scales each exponential and their sum alike; softmax stays as it was",
        "false_when": {"mistake": "no-exp"},
    },
    "naive-overflows": {
        "says": "without subtracting the maximum, float32 softmax of logits near 100 gives NaN",
        "false_when": {"offset": 0.0},
    },
    "naive-underflows": {
        "says": "without subtracting the maximum, float32 softmax of logits all near -120 gives NaN, as 0 / 0",
        "false_when": {"low": 0.0},
    },
    "stable-survives": {
        "says": "with the maximum subtracted, the same large logits give the right probabilities",
        "false_when": {"mistake": "no-max"},
    },
    "hot-is-uniform": {
        "says": "a high temperature drives softmax towards the uniform distribution (entropy towards ln C)",
        "false_when": {"hot": 1.0},
    },
    "cold-is-argmax": {
        "says": "a low temperature drives softmax towards one-hot on the largest logit (entropy towards 0)",
        "false_when": {"cold": 1.0},
    },
    "factor-sharpens": {
        "says": "multiplying distinct logits by 5 raises the largest output",
        "false_when": {"mistake": "no-exp"},
    },
    "two-class-is-sigmoid": {
        "says": "softmax over two classes equals the sigmoid of the difference of their logits",
        "false_when": {"mistake": "no-exp"},
    },
    "others-fall": {
        "says": "raising one logit alone lowers the output of every other class, whichever is raised",
        "false_when": {"mistake": "sigmoid"},
    },
}
measures = {
    "total": "sum of the probabilities",
    "nan-share": "share of NaN among the naive outputs on the logits C - 1 to 0 plus `offset`",
    "entropy": "nats, at temperature 1",
    "two-class": "probability of the first of two classes whose logits differ by `gap`",
    "two-class-flipped": "the same with the sign of the gap flipped",
}
predict = {
    "ask": "Naive float32 softmax of logits near 100: how many of its outputs are numbers?",
    "measure": "nan-share",
    "choices": {"all of them": [0.0, 0.01], "all but the largest": [0.01, 0.5], "none": [0.5, 1.0]},
}


def softmax(z: np.ndarray, mistake: str = "none") -> np.ndarray:
    """Probabilities (C,) from logits z (C,), in the precision of z, with the mistakes that learners make."""
    if mistake == "sigmoid":  # each output a probability of its own: nothing ties them together
        return 1 / (1 + np.exp(-z))
    if mistake == "no-exp":  # plain normalization of the scores
        return z / z.sum()
    exp = np.exp(z if mistake == "no-max" else z - z.max())
    return exp / exp.sum()


def shift_error(z: np.ndarray, by: float, mistake: str) -> float:
    """How far off exp(by) the exponentials of shifted logits and their sum have grown, or softmax has moved."""
    before, after = np.exp(z), np.exp(z + by)
    growth = np.append(after / before, after.sum() / before.sum()) / np.exp(by)
    return max(np.abs(growth - 1).max(), np.abs(softmax(z + by, mistake) - softmax(z, mistake)).max())


def entropy(p: np.ndarray) -> float:
    """Shannon entropy in nats, with 0 ln 0 = 0."""
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def run(
    *,
    classes: Annotated[int, Range(2, 50), "number of classes C"] = 5,
    offset: Annotated[float, Range(0.0, 500.0), "added to every logit in the overflow test"] = 100.0,
    gap: Annotated[float, Range(-10.0, 10.0), "difference of two logits"] = 2.0,
    hot: Annotated[float, Range(1.0, 1000.0), "a high temperature"] = 100.0,
    low: Annotated[float, Range(-500.0, 0.0), "added to every logit in the underflow test"] = -120.0,
    cold: Annotated[float, Range(0.001, 1.0), "a low temperature"] = 0.01,
    mistake: Literal["none", "sigmoid", "no-exp", "no-max"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # Two classes: softmax is the sigmoid of the difference.
    pair = softmax(np.array([gap, 0.0]))
    yield Measure("two-class", pair[0])
    yield Measure("two-class-flipped", pair[1])
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, (100, 2))
    gaps = logits[:, 0] - logits[:, 1]
    first = np.array([softmax(two, mistake)[0] for two in logits])
    yield Claim("two-class-is-sigmoid", measured=np.abs(first - 1 / (1 + np.exp(-gaps))).max(), at_most=1e-9)

    z = np.sort(rng.normal(0.0, 1.0, classes))[::-1].copy()  # (C,), largest first
    z += np.linspace(1.0, 0.0, classes)  # a clear winner, whatever the seed
    z[0] += 0.5
    p = softmax(z, mistake)
    yield Table("from logits to shares", ["class", "logit", "softmax"], [[str(i), z[i], p[i]] for i in range(classes)])
    yield Measure("total", p.sum())
    # These laws are not about one vector, so 200 others are tried too, of 2 to 50 classes and of many sizes.
    laws = np.random.default_rng([seed, 1])
    vectors = [z, *(laws.normal(0, 10 ** laws.uniform(-1, 0.5), laws.integers(2, 51)) for _ in range(200))]
    totals = np.array([softmax(size * v, mistake).sum() for v in vectors for size in (1, 30)])
    yield Claim("sums-to-one", measured=np.abs(totals - 1).max(), at_most=1e-9)

    shifts = [shift_error(v, by, mistake) for v in vectors for by in (-300.0, 10.0, 300.0)]
    yield Claim("shift-invariant", measured=max(shifts), at_most=1e-9)

    raised = z.copy()
    raised[0] += 1.0
    change = softmax(raised, mistake)[1:] - p[1:]
    yield Table(
        "after the first logit rose by 1", ["class", "change"], [[str(i + 1), change[i]] for i in range(classes - 1)]
    )
    fallen = [change < 0]
    for v in vectors:
        bump = np.zeros_like(v)
        bump[laws.integers(len(v))] = laws.uniform(0.5, 5)
        fallen.append((softmax(v + bump, mistake) < softmax(v, mistake))[bump == 0])
    yield Claim("others-fall", measured=np.concatenate(fallen).mean(), at_least=1.0)

    # exp overflows float32 above 88.7, and inf / inf is NaN. Below -104 it underflows to 0, and so is 0 / 0.
    steps = np.arange(classes)[::-1]  # (C,), logits of C - 1 down to 0
    large, small = (steps + offset).astype(np.float32), (steps + low).astype(np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        naive, naive_low = softmax(large, "no-max"), softmax(small, "no-max")
        stable = softmax(large, mistake if mistake == "no-max" else "none")
    yield Table(
        f"logits {classes - 1} to 0 plus {offset:g}, in float32",
        ["class", "logit", "naive", "minus the maximum"],
        [[str(i), large[i], naive[i], stable[i]] for i in range(classes)],
    )
    nan_share = np.isnan(naive).mean()
    yield Measure("nan-share", nan_share)
    yield Claim("naive-overflows", measured=nan_share, at_least=0.2)
    yield Claim("naive-underflows", measured=np.isnan(naive_low).mean(), at_least=0.2)
    error = np.nan_to_num(np.abs(stable - softmax(steps + 0.0)), nan=1.0).max()
    yield Claim("stable-survives", measured=error, at_most=1e-4)

    temperatures = np.geomspace(min(cold, 0.01), max(hot, 100.0), 40)
    curve = [entropy(softmax(z / t)) for t in temperatures]
    yield Text(
        f"Temperature divides the logits: cold is nearly argmax, hot nearly uniform (ln C = {np.log(classes):.3f})."
    )
    yield Plot(
        "entropy-over-temperature",
        {"entropy": (temperatures, curve)},
        x_label="temperature",
        y_label="entropy (nats)",
        log_x=True,
    )
    yield Measure("entropy", entropy(softmax(z)))
    yield Claim("hot-is-uniform", measured=np.log(classes) - entropy(softmax(z / hot)), at_most=0.01)
    yield Claim("cold-is-argmax", measured=entropy(softmax(z / cold)), at_most=0.01)
    growth = [softmax(5 * two, mistake).max() - softmax(two, mistake).max() for two in logits]
    yield Claim("factor-sharpens", measured=(np.array(growth) > 1e-9).mean(), at_least=0.9)


if __name__ == "__main__":
    main(run)
