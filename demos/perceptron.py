"""The perceptron rule errs at most (R/γ)² times on separable data; on other data it never comes to rest.

    on a mistake, y (w·x) ≤ 0:    w ← w + y x        (labels y = ±1, w from zero, no step where the answer is right)

Let every |x| ≤ R, and let a unit vector u keep the margin y (u·x) ≥ γ > 0: a separator through the origin. After k
mistakes w·u ≥ kγ, and |w|² ≤ kR² since a step is taken only where w·x had the wrong sign. So kγ ≤ √k R, k ≤ (R/γ)².
A bias is folded in as the weight of a constant input 1, which changes R and γ: for the separator u·x + b the bound is
(R² + 1)(1 + b²)/γ². Here many small data sets in the unit disc (R = 1) are learned side by side.

Source: Novikoff (1962), On convergence proofs on perceptrons; Freund & Schapire (1999), Large margin classification
using the perceptron algorithm, Machine Learning 37; Block & Levin (1970), Proc. AMS 26, pp. 229-235.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, main

claims = {
    "stays-within-bound": {
        "says": "on data separable through the origin no run makes more than (R/γ)² mistakes, for four γ and R",
        "false_when": {"flipped": 3},
    },
    "separates": {"says": "at the end every training point lies on its side", "false_when": {"mistake": "strict"}},
    "each-mistake-gains": {
        "says": "after k mistakes w·u is at least kγ for the planted separator u, in each pass of each run",
        "false_when": {"mistake": "no-label"},
    },
    "length-grows-slowly": {
        "says": "after k mistakes |w| is at most √k R, in each pass of each run",
        "false_when": {"mistake": "always-step"},
    },
    "rate-cancels": {
        "says": "from zero weights rates of 0.01, 0.1 and 10 make the same mistakes as 1; only w is scaled",
        "false_when": {"start": 1.0},
    },
    "margin-is-not-widest": {
        "says": "the margin that is found is on average at most 0.8 of the widest",
        "false_when": {"demand": 3.0},
    },
    "needs-a-bias": {
        "says": "without a bias no run comes to rest on data whose separating line misses the origin",
        "false_when": {"offset": 0.0},
    },
    "folded-bound-holds": {
        "says": "with the bias folded in, no run makes more than (R² + 1)(1 + b²)/γ² mistakes, for five R, b, γ",
        "false_when": {"mistake": "plain-bound"},
    },
    "scale-slows-the-bias": {
        "says": "with a bias, inputs ten times as large cost over twice the mistakes",
        "false_when": {"bias": False},
    },
    "never-rests": {
        "says": "with one label in ten flipped, each of the last 20 of 40 passes still makes mistakes, in each run",
        "false_when": {"noise": 0.0},
    },
    "chases-flipped-labels": {
        "says": "with one label in ten flipped, late passes make over 1.5 times as many mistakes as there are flips",
        "false_when": {"noise": 0.0},
    },
    "averaging-helps": {
        "says": "with flipped labels the average of all weights errs less on new points than the last weights do",
        "false_when": {"noise": 0.0},
    },
}
measures = {
    "folded-bound": "most mistakes possible with the bias folded in: 2 (1 + b²)/γ² for R = 1",
    "plain-bound": "most mistakes possible were the line to pass through the origin: 1/γ²",
    "inputs-only-bound": "2/γ²: the longer inputs counted, the longer separator forgotten",
    "mistakes": "mistakes until a run comes to rest, on average",
    "bound-share": "the same as a share of (R/γ)²",
    "margin-share": "margin found over the widest margin, on average",
    "flipped-labels": "labels flipped among the 40 points: the planted separator's mistakes in a pass",
    "late-mistakes": "mistakes in each of the last 20 passes over 40 points with flipped labels, on average",
}
predict = {
    "ask": "The bound allows (R/γ)² mistakes, here 100. What share of them does a run make, on average?",
    "measure": "bound-share",
    "choices": {"under a quarter": [0, 0.25], "a quarter to three quarters": [0.25, 0.75], "nearly all": [0.75, 1e9]},
}
SETS, POINTS = 30, 40


class Trace(NamedTuple):
    weights: np.ndarray  # (passes, S, D), after each pass
    averages: np.ndarray  # (passes, S, D), of the weights after every example so far
    mistakes: np.ndarray  # (passes, S), in each pass


def sample(rng: np.random.Generator, margin: float, offset: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points x (S, N, 2) in the unit disc, labels y (S, N), separators u (S, 2): y (u·x + offset) ≥ margin."""
    y = flip(np.ones((SETS, POINTS), dtype=int), POINTS // 2, rng)
    depth = margin + rng.random((SETS, POINTS)) * (1 + y * offset - margin)
    along = y * depth - offset  # (S, N), the coordinate along u
    across = rng.uniform(-1, 1, (SETS, POINTS)) * np.sqrt(1 - along**2)
    # Two points on the margin, to the left and right of u: no other direction through the origin has a wider one.
    place = rng.permutation(POINTS)[:2]
    y[:, place], along[:, place], across[:, place] = 1, margin - offset, (0.6, -0.4)
    turn = rng.uniform(0, 2 * np.pi, (SETS, 1))
    u, v = np.stack([np.cos(turn), np.sin(turn)], axis=-1), np.stack([-np.sin(turn), np.cos(turn)], axis=-1)
    return along[..., None] * u + across[..., None] * v, y, u[:, 0]


def flip(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Labels with `count` of each set's turned around."""
    chosen = rng.permuted(np.tile(np.arange(POINTS), (SETS, 1)), axis=1) < count
    return np.where(chosen, -y, y)


def learn(
    x: np.ndarray, y: np.ndarray, passes: int, rate: float = 1.0, start: np.ndarray | float = 0.0,
    demand: float = 0.0, mistake: str = "none",
) -> Trace:  # fmt: skip
    """Each data set by itself, point after point, until a pass makes no mistake anywhere or the passes are over."""
    w = np.zeros((len(x), x.shape[2])) + start  # (S, D)
    signed = x * y[..., None]  # (S, N, D)
    weights, mistakes = [], []
    for _ in range(passes):
        count = np.zeros(len(x), dtype=int)
        for i in range(x.shape[1]):
            score = (w * signed[:, i]).sum(axis=1)  # (S,), positive where the answer is right
            wrong = score < demand if mistake == "strict" else score <= demand
            step = x[:, i] if mistake == "no-label" else signed[:, i]
            w += rate * (np.ones_like(wrong) if mistake == "always-step" else wrong)[:, None] * step
            weights.append(w.copy())
            count += wrong
        mistakes.append(count)
        if not count.any():
            break
    ends = np.arange(1, len(mistakes) + 1) * x.shape[1] - 1  # the last example of each pass
    averages = np.cumsum(weights, axis=0)[ends] / (ends + 1)[:, None, None]
    return Trace(np.array(weights)[ends], averages, np.array(mistakes))


def folded_bound(radius: float, margin: float, offset: float) -> float:
    """Folding lengthens the inputs (R² + 1 for R²) and the separator (u, b), by which its margin is divided."""
    return (radius**2 + 1) * (1 + offset**2) / margin**2


def with_bias(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)  # (S, N, D + 1)


def run(
    *,
    margin: Annotated[float, Range(0.02, 0.3), "margin γ of the planted separator"] = 0.1,
    offset: Annotated[float, Range(0.0, 0.6), "distance b of the line from the origin, where it misses it"] = 0.5,
    flipped: Annotated[int, Range(0, 20), "labels flipped in the data that should be separable"] = 0,
    noise: Annotated[float, Range(0.0, 0.4), "share of labels flipped in the noisy data"] = 0.1,
    start: Annotated[float, Range(0.0, 10.0), "size of the first weights where two rates are compared"] = 0.0,
    demand: Annotated[float, Range(0.0, 10.0), "learn until y (w·x) exceeds this, where margins are compared"] = 0.0,
    scale: Annotated[float, Range(1.0, 20.0), "factor on the inputs that a bias is learned with"] = 10.0,
    bias: Annotated[bool, "is a bias learned where scales are compared?"] = True,
    mistake: Literal["none", "strict", "no-label", "always-step", "plain-bound"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    plain = 1 / margin**2
    yield Measure("folded-bound", folded_bound(1.0, margin, offset))
    yield Measure("plain-bound", plain)
    yield Measure("inputs-only-bound", 2 / margin**2)

    rng = np.random.default_rng(seed)
    x, y, u = sample(rng, margin, 0.0)
    y = flip(y, flipped, rng)
    trace = learn(x, y, 300, mistake=mistake)
    w, k = trace.weights[-1], trace.mistakes.sum(axis=0)  # (S, 2), (S,)
    yield Measure("mistakes", k.mean())
    yield Measure("bound-share", k.mean() / plain)
    yield Claim("separates", measured=((x @ w[..., None])[..., 0] * y > 0).mean(), at_least=1)
    # The theorem and the two halves of its proof, for other margins and sizes of the inputs too.
    laws, shares, gained, short = np.random.default_rng([seed, 1]), [], [], []
    for gamma, radius in ((margin, 1.0), (0.05, 0.5), (0.2, 3.0), (0.3, 10.0)):
        points, labels, v = sample(laws, gamma, 0.0)
        run_of = learn(radius * points, flip(labels, flipped, laws), 300, mistake=mistake)
        so_far = np.cumsum(run_of.mistakes, axis=0)  # (passes, S)
        shares.append(so_far[-1].max() * gamma**2)
        gained.append(((run_of.weights * v).sum(axis=2) >= (so_far * gamma - 1e-9) * radius).mean())
        short.append(((run_of.weights**2).sum(axis=2) <= (so_far + 1e-9) * radius**2).mean())
    yield Claim("stays-within-bound", measured=max(k.max() / plain, *shares), at_most=1)
    yield Claim("each-mistake-gains", measured=min(gained), at_least=1)
    yield Claim("length-grows-slowly", measured=min(short), at_least=1)

    first, apart = start * rng.normal(size=w.shape), []
    fast = learn(x, y, 300, 1.0, first)
    for rate in (0.01, 0.1, 10.0):
        other = learn(x, y, 300, rate, first)
        both = min(len(fast.weights), len(other.weights))
        apart.append(np.abs(other.weights[:both] / rate - fast.weights[:both]).max())
        apart.append(np.abs(other.mistakes.sum(axis=0) - fast.mistakes.sum(axis=0)).max())
    yield Claim("rate-cancels", measured=max(apart), at_most=1e-6)

    # The margin is a distance, so the length of w, made large here by the rate, has to be divided out.
    w = learn(x, y, 300, rate=10.0, demand=10 * demand).weights[-1]
    found = ((x @ w[..., None])[..., 0] * y).min(axis=1) / np.linalg.norm(w, axis=1)  # (S,)
    yield Measure("margin-share", (found / margin).mean())
    yield Claim("margin-is-not-widest", measured=(found / margin).mean(), at_most=0.8)
    line = np.linspace(-1, 1, 41)[:, None]  # drawn for the first set
    ours, widest = ((line * [-d[1], d[0]] / np.linalg.norm(d)).T for d in (w[0], u[0]))
    above, below = x[0][y[0] > 0].T, x[0][y[0] < 0].T
    yield Plot(
        "found-line",
        {"label 1": above, "label -1": below, "found": ours, "widest margin": widest},
        x_label="first input",
        y_label="second input",
        style="points",
    )

    x, y, _ = sample(rng, margin, offset)
    passes = learn(x, y, 100).mistakes
    restless = passes[-1] > 0 if len(passes) == 100 else np.zeros(SETS)
    yield Claim("needs-a-bias", measured=restless.mean(), at_least=1)
    counts = {}
    for factor in (1.0, scale):
        inputs = with_bias(factor * x) if bias else factor * x
        counts[factor] = learn(inputs, y, 400).mistakes.sum(axis=0)  # (S,)
    reach = {factor: folded_bound(factor, factor * margin, factor * offset) for factor in counts}
    if mistake == "plain-bound":
        reach = dict.fromkeys(counts, plain)
    yield Table(
        "a line that misses the origin, bias folded in",
        ["inputs times", "mistakes, mean", "most", "bound"],
        [[f"{factor:g}", count.mean(), int(count.max()), reach[factor]] for factor, count in counts.items()],
    )
    shares = [count.max() / reach[factor] for factor, count in counts.items()]
    for gamma, b, factor in ((0.05, 0.2, 1.0), (0.2, 0.5, 3.0), (0.1, 0.3, 10.0)):
        points, labels, _ = sample(laws, gamma, b)
        count = learn(with_bias(factor * points), labels, 400).mistakes.sum(axis=0)
        shares.append(count.max() / folded_bound(factor, factor * gamma, factor * b))
    yield Claim("folded-bound-holds", measured=max(shares), at_most=1)
    yield Claim("scale-slows-the-bias", measured=counts[scale].mean() / counts[1.0].mean(), at_least=2)

    # Flipped labels: no line is right about all points. New points are judged by their true labels.
    x, y, u = sample(rng, margin, 0.0)
    wrong_labels = round(noise * POINTS)
    trace = learn(x, flip(y, wrong_labels, rng), 40)
    count = np.zeros((40, SETS))
    count[: len(trace.mistakes)] = trace.mistakes
    late = count[-20:].mean()
    yield Measure("flipped-labels", wrong_labels)
    yield Measure("late-mistakes", late)
    yield Claim("never-rests", measured=(count[-20:] > 0).mean(), at_least=1)
    yield Claim("chases-flipped-labels", measured=late / max(1, wrong_labels), at_least=1.5)
    turn = rng.uniform(0, 2 * np.pi, 2000)
    fresh = np.stack([np.cos(turn), np.sin(turn)])  # (2, M)
    errors = [((w @ fresh > 0) != (u @ fresh > 0)).mean(axis=(1, 2)) for w in (trace.weights, trace.averages)]
    passes = np.arange(1, len(errors[0]) + 1)
    yield Plot(
        "error-on-new-points",
        {"last weights": (passes, errors[0]), "averaged weights": (passes, errors[1])},
        x_label="passes",
        y_label="error",
    )
    late_error, averaged_error = (curve[-20:].mean() for curve in errors)
    yield Claim("averaging-helps", measured=late_error - averaged_error, at_least=0.02)


if __name__ == "__main__":
    main(run)
