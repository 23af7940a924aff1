"""Overfitting watched: training error goes to about 0, test error turns up, and variance is what grows.

    expected test error at x = (mean prediction - f(x))²  +  variance of the predictions  +  label noise
                                bias²                        over training sets

Networks of one ReLU layer, equal from the start, are each trained on a training set of their own. So bias and
variance can be measured: the mean over the networks against the truth f, and their scatter about that mean. Then
what helps is tried on the same data: stopping at the best validation error, weight decay, and four times the examples.

Sources: Geman, Bienenstock & Doursat (1992), Neural Networks and the Bias/Variance Dilemma; Goodfellow, Bengio &
Courville (2016), Deep Learning, sections 5.2, 5.4.4, 7.1, 7.8.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, main

claims = {
    "best-of-many-looks-good": {
        "says": "the best of 100 coin-flipping classifiers on 50 validation examples scores over 60% there",
        "false_when": {"candidates": 1},
    },
    "copies-add-nothing": {
        "says": "with a mean loss, four copies of each example give the gradient that the examples alone give",
        "false_when": {"loss": "sum"},
    },
    "training-error-below-noise": {
        "says": "training error falls below a tenth of the label noise: the noise itself has been fitted",
        "false_when": {"width": 1},
    },
    "test-error-turns-up": {
        "says": "test error ends over 20% above its lowest point",
        "false_when": {"noise": 0.0},
    },
    "bias-falls": {
        "says": "bias² ends below a quarter of what it was before training",
        "false_when": {"width": 1},
    },
    "variance-rises": {
        "says": "from the lowest test error to the end of training, variance more than doubles",
        "false_when": {"noise": 0.0},
    },
    "terms-add-up": {
        "says": "bias², variance and label noise together are the error on fresh noisy labels, all through training",
        "false_when": {"mistake": "no-noise-term"},
    },
    "early-stopping-helps": {
        "says": "the weights kept at the best validation error have a test error at least 15% below the last ones",
        "false_when": {"snapshot": "reference"},
    },
    "stopping-narrows-gap": {
        "says": "the weights kept at the best validation error have less than half the gap of the last ones",
        "false_when": {"snapshot": "reference"},
    },
    "validation-finds-the-turn": {
        "says": "stopping where validation error is lowest comes within 20% of the lowest test error",
        "false_when": {"stop_by": "training"},
    },
    "weight-decay-helps": {
        "says": "with moderate weight decay test error ends no more than 10% above the lowest reached without it",
        "false_when": {"decay": 2.0},
    },
    "decay-narrows-gap": {
        "says": "with moderate weight decay the gap ends at less than half of what it is without",
        "false_when": {"decay": 0.0},
    },
    "fresh-data-closes-gap": {
        "says": "four times the examples, drawn afresh, leave less than half the gap after the same number of steps",
        "false_when": {"extra": "copies"},
    },
    "more-data-leaves-bias": {
        "says": "four times the data leave a linear model of a curved function over 60% of its distance from it",
        "false_when": {"target": "plane"},
    },
}
measures = {
    "variance-of-two": "variance of two equally likely predictions, from their errors",
    "mean-squared-error": "the mean of the two squared errors: variance and bias² together",
    "sample-variance": "the same two with division by n - 1",
    "best-validation-accuracy": "of the best of `candidates` coin-flipping classifiers, the mean over 1,000 searches",
    "final-over-best": "test error at the end of training over its lowest value",
    "training-over-noise": "training error at the end, percent of the label noise's variance",
    "bias-at-end": "bias² at the end of training",
    "variance-at-end": "variance at the end of training",
}
predict = {
    "ask": "Training error falls until the noise is fitted. Test error then stands, against its lowest value,",
    "measure": "final-over-best",
    "choices": {"equal or lower": [0, 1.05], "up to 20% higher": [1.05, 1.2], "more than 20% higher": [1.2, 100]},
}

NETWORKS = 48  # training sets, and so networks
FEW = 16  # of them, where a remedy is tried
EVERY = 10  # steps between two looks at the errors
Weights = tuple[np.ndarray, np.ndarray]  # W (R, 4, H) and v (R, H, 1) of R networks


def truth(x: np.ndarray, target: str) -> np.ndarray:
    """f(x) of inputs (…, 4), the third of which is irrelevant and the fourth a constant."""
    return (np.sin(2 * x[..., 0]) if target == "wave" else x[..., 0]) + x[..., 1]


def draw(rng: np.random.Generator, sets: int, n: int, noise: float, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (R, n, 4) and noisy labels (R, n)."""
    x = rng.uniform(-1.7, 1.7, (sets, n, 4))
    x[..., 3] = 1  # its weights are the biases
    y = truth(x, target) + rng.normal(0.0, noise, (sets, n))
    return x.astype(np.float32), y.astype(np.float32)


def predict_with(weights: Weights, x: np.ndarray) -> np.ndarray:
    W, v = weights
    return (np.maximum(x @ W, 0) @ v)[..., 0]  # (R, n)


def errors(weights: Weights, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((predict_with(weights, x) - y) ** 2).mean(axis=1)  # (R,)


def gradient(weights: Weights, x: np.ndarray, y: np.ndarray, loss: str = "mean") -> Weights:
    """Of each network's squared error on its own examples, by hand."""
    W, v = weights
    h = np.maximum(x @ W, 0)  # (R, n, H)
    error = 2 * ((h @ v)[..., 0] - y)[..., None] / (x.shape[1] if loss == "mean" else 1)  # (R, n, 1)
    dz = (h > 0) * error * v.swapaxes(1, 2)  # (R, n, H)
    return x.swapaxes(1, 2) @ dz, h.swapaxes(1, 2) @ error


def train(start: Weights, x: np.ndarray, y: np.ndarray, steps: int, decay: float = 0.0) -> Iterator[Weights]:
    """Gradient descent with momentum. It works in place: every look is at the same arrays, further trained."""
    weights = tuple(np.repeat(w, len(x), axis=0).astype(np.float32) for w in start)
    velocity = [np.zeros_like(w) for w in weights]
    for step in range(steps + 1):
        if step % EVERY == 0 or step == steps:
            yield weights
        for w, m, g in zip(weights, velocity, gradient(weights, x, y), strict=True):
            m *= 0.95  # with less momentum and a larger rate, a network now and then jumps out of its minimum
            m -= 0.015 * (g + decay * w)
            w += m


def line_error(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, f: np.ndarray) -> float:
    """Mean squared distance from the truth of linear models, one fitted to each training set by least squares."""
    return float(((x_test @ (np.linalg.pinv(x) @ y[..., None]) - f[..., None]) ** 2).mean())


def run(
    *,
    examples: Annotated[int, Range(10, 200), "in each training set"] = 50,
    width: Annotated[int, Range(1, 80), "ReLU units"] = 64,
    noise: Annotated[float, Range(0.0, 2.0), "standard deviation of the label noise"] = 1.0,
    steps: Annotated[int, Range(2, 2000), "of gradient descent"] = 600,
    decay: Annotated[float, Range(0.0, 2.0), "weight decay, where it is tried"] = 0.05,
    target: Literal["wave", "plane"] = "wave",
    extra: Literal["fresh", "copies"] = "fresh",
    loss: Literal["mean", "sum"] = "mean",
    snapshot: Literal["copy", "reference"] = "copy",
    stop_by: Literal["validation", "training"] = "validation",
    mistake: Literal["none", "no-noise-term"] = "none",
    candidates: Annotated[int, Range(1, 1000), "coin-flipping classifiers to choose from"] = 100,
    validation: Annotated[int, Range(10, 1000), "examples to choose them by"] = 50,
    one_error: Annotated[float, Range(-20, 20), "prediction minus truth, after one training set"] = 3.0,
    other_error: Annotated[float, Range(-20, 20), "the same after another, equally likely"] = -1.0,
    seed: int = 0,
) -> Iterator[Evidence]:
    pair = np.array([one_error, other_error])
    yield Measure("variance-of-two", pair.var())
    yield Measure("mean-squared-error", (pair**2).mean())
    yield Measure("sample-variance", pair.var(ddof=1))

    rng = np.random.default_rng(seed)
    best = rng.binomial(validation, 0.5, (1000, candidates)).max(axis=1).mean() / validation
    yield Measure("best-validation-accuracy", best)
    yield Claim("best-of-many-looks-good", measured=best, at_least=0.6)

    x, y = draw(rng, NETWORKS, examples, noise, target)  # (R, n, 4), (R, n)
    x_val, y_val = draw(rng, NETWORKS, 50, noise, target)
    x_test, f = draw(rng, 1, 600, 0.0, target)  # the same points for all
    y_test = f + rng.normal(0.0, noise, (NETWORKS, 600))
    W = rng.normal(0.0, np.sqrt(2 / 3), (1, 4, width))
    W[:, 3] = 0  # no biases at first
    start = W, rng.normal(0.0, 0.1 * np.sqrt(1 / width), (1, width, 1))  # small: training starts near the constant 0

    # The gradient by hand on four copies of each example, against differences of the loss on the examples alone.
    slopes = gradient(start, np.tile(x[:1], (1, 4, 1)), np.tile(y[:1], (1, 4)), loss)
    by_hand, by_differences = [], []
    for _ in range(8):
        way = [1e-6 * rng.normal(size=w.shape) for w in start]
        up, down = (errors([w + sign * d for w, d in zip(start, way, strict=True)], x[:1], y[:1]) for sign in (1, -1))
        by_differences.append((up - down).item() / 2 * (1 if loss == "mean" else examples))
        by_hand.append(sum((slope * d).sum() for slope, d in zip(slopes, way, strict=True)))
    off = np.abs(np.subtract(by_hand, by_differences)).max() / np.abs(by_differences).max()
    yield Claim("copies-add-nothing", measured=off, at_most=1e-4)

    lowest = np.full(NETWORKS, np.inf)
    kept = None
    training, testing, bias, variance = [], [], [], []
    for weights in train(start, x, y, steps):
        training.append(errors(weights, x, y))
        predictions = predict_with(weights, x_test)  # (R, 600)
        testing.append(((predictions - y_test) ** 2).mean(axis=1))
        scatter = predictions.var(axis=0, ddof=1)
        variance.append(scatter.mean())
        # The mean of R networks scatters as well: its share of the variance is not bias.
        bias.append(((predictions.mean(axis=0) - f[0]) ** 2 - scatter / NETWORKS).mean())
        watched = errors(weights, x_val, y_val) if stop_by == "validation" else training[-1]
        if kept is None:
            kept = weights if snapshot == "reference" else tuple(w.copy() for w in weights)
        for old, new in zip(kept, weights, strict=True):
            old[watched < lowest] = new[watched < lowest]
        lowest = np.minimum(lowest, watched)
    training, testing = np.array(training), np.array(testing)  # (looks, R) each
    yield Progress(1, 3)
    looks = [*range(0, steps, EVERY), steps]
    test = testing.mean(axis=1)
    turn = int(test.argmin())
    yield Plot(
        "error-curves",
        {"training": (looks, training.mean(axis=1)), "test": (looks, test), "noise": (looks, [noise**2] * len(looks))},
        x_label="step",
        y_label="mean squared error",
    )
    yield Plot("bias-and-variance", {"bias²": (looks, bias), "variance": (looks, variance)}, x_label="step")
    yield Measure("final-over-best", test[-1] / test[turn])
    share = training[-1].mean() / max(noise**2, 1e-9)
    yield Measure("training-over-noise", 100 * share)
    yield Measure("bias-at-end", bias[-1])
    yield Measure("variance-at-end", variance[-1])
    yield Claim("training-error-below-noise", measured=share, at_most=0.1)
    yield Claim("test-error-turns-up", measured=test[-1] / test[turn], at_least=1.2)
    yield Claim("bias-falls", measured=bias[-1] / bias[0], at_most=0.25)
    yield Claim("variance-rises", measured=variance[-1] / max(variance[turn], 1e-12), at_least=2)
    expected = np.add(bias, variance) + (noise**2 if mistake == "none" else 0)  # (looks,)
    yield Claim("terms-add-up", measured=max(expected / test, key=lambda ratio: abs(ratio - 1)), near=(1, 0.06))

    stopped = errors(kept, x, y).mean(), errors(kept, x_test, y_test).mean()
    gap = test[-1] - training[-1].mean()
    yield Claim("early-stopping-helps", measured=stopped[1] / test[-1], at_most=0.85)
    yield Claim("stopping-narrows-gap", measured=(stopped[1] - stopped[0]) / gap, at_most=0.5)
    yield Claim("validation-finds-the-turn", measured=stopped[1] / testing.min(axis=0).mean(), at_most=1.2)

    # The remedies, each tried on some of the training sets.
    gap = (testing[-1, :FEW] - training[-1, :FEW]).mean()
    *_, weights = train(start, x[:FEW], y[:FEW], steps, decay)
    decayed = errors(weights, x[:FEW], y[:FEW]).mean(), errors(weights, x_test, y_test[:FEW]).mean()
    yield Claim("weight-decay-helps", measured=decayed[1] / testing[:, :FEW].mean(axis=1).min(), at_most=1.1)
    yield Claim("decay-narrows-gap", measured=(decayed[1] - decayed[0]) / gap, at_most=0.5)
    yield Progress(2, 3)

    x_more, y_more = draw(rng, NETWORKS, 4 * examples, noise, target)
    if extra == "copies":
        x_more, y_more = np.tile(x, (1, 4, 1)), np.tile(y, (1, 4))
    *_, weights = train(start, x_more[:FEW], y_more[:FEW], steps)
    more = errors(weights, x_more[:FEW], y_more[:FEW]).mean(), errors(weights, x_test, y_test[:FEW]).mean()
    yield Claim("fresh-data-closes-gap", measured=(more[1] - more[0]) / gap, at_most=0.5)
    lines = line_error(x, y, x_test, f), line_error(x_more, y_more, x_test, f)
    yield Claim("more-data-leaves-bias", measured=lines[1] / lines[0], at_least=0.6)
    yield Table(
        f"what helps (label noise {noise**2:.2f})",
        ["network", "training error", "test error"],
        [
            ["trained to the end", training[-1].mean(), test[-1]],
            [f"kept at the lowest {stop_by} error", *stopped],
            [f"weight decay {decay:g}", *decayed],
            [f"four times the examples, {extra}", *more],
        ],
    )


if __name__ == "__main__":
    main(run)
