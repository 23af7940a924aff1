"""Swish, x times a sigmoid of itself: from half a line (β = 0) to ReLU (β without bound), with a dip on the way.

    f(x) = x σ(βx)        ∂f/∂x = σ(βx) + βx σ(βx) (1 - σ(βx))        ∂f/∂β = x² σ(βx) (1 - σ(βx))

As f with β is f with 1 at βx, divided by β, one curve tells it all: for β = 1 the minimum is -0.278 at x = -1.278,
the slope runs from -0.0998 to 1.0998. Left of the minimum f rises again towards 0, so it is not monotone. It does not
commute with factors as ReLU does, so what He's weights do to it depends on the size of the signal.

Published as SiLU by Hendrycks & Gimpel (2016), section 2, and Elfwing, Uchibe & Doya (2017); found again by search and
named Swish by Ramachandran, Zoph & Le (2017), Searching for Activation Functions.
"""

from collections.abc import Iterator
from math import erf
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, main

claims = {
    "derivative-is-right": {
        "says": "σ(βx) + βx σ(βx) (1 - σ(βx)) agrees with finite differences, at twelve β",
        "false_when": {"mistake": "beta-forgotten"},
    },
    "beta-derivative-is-right": {
        "says": "a learned β's derivative, x² σ(βx) (1 - σ(βx)), agrees with finite differences, at twelve β",
        "false_when": {"mistake": "x-once"},
    },
    "one-curve-for-all-betas": {
        "says": "f with β is f with 1 at βx, divided by β: twelve β from 0.05 to 20, drawn at random",
        "false_when": {"mistake": "beta-outside"},
    },
    "no-beta-is-half-a-line": {
        "says": "as β goes to 0 the function goes to x/2: on [-10, 10], for β from 0.01 to 0.00001, it is 25β away",
        "false_when": {"small": 1.0},
    },
    "large-beta-is-relu": {
        "says": "as β grows the function goes to ReLU: from 1 to 1000, ten times the β is a tenth of the distance",
        "false_when": {"large": 1.0},
    },
    "distance-to-relu": {
        "says": "the largest distance to ReLU is 0.278/β, for β from 0.25 to 64",
        "false_when": {"unit": "softplus"},
    },
    "minimum-value": {"says": "for β = 1 the minimum is -0.278", "false_when": {"unit": "gelu"}},
    "minimum-place": {"says": "for β = 1 the minimum is at x = -1.278", "false_when": {"unit": "gelu"}},
    "falls-left-of-the-minimum": {
        "says": "left of x = -1.28/β the slope is negative, right of it positive, for β from 0.25 to 64: not monotone",
        "false_when": {"unit": "softplus"},
    },
    "steepest-slope": {
        "says": "for β = 1 the largest slope is 1.0998: above 1",
        "false_when": {"unit": "gelu"},
    },
    "far-left-slope": {
        "says": "at x = -10 the slope for β = 1 differs from ReLU's, which is 0, but by less than 0.001",
        "false_when": {"unit": "relu"},
    },
    "weak-signals-are-halved": {
        "says": "for |x| up to 0.1 the ratio f(x)/x is within 0.03 of 1/2: nearly linear",
        "false_when": {"unit": "relu"},
    },
    "he-shrinks-it": {
        "says": "with He's variance 2/n, 20 layers of it shrink the signal's mean square over a thousandfold",
        "false_when": {"unit": "relu"},
    },
    "silu-is-not-gelu": {
        "says": "SiLU (β = 1) and GELU differ by over 0.18 at some x",
        "false_when": {"plain": 1.702},
    },
    "gelu-is-near": {
        "says": "x σ(1.702 x) is within 0.021 of GELU, x Φ(x)",
        "false_when": {"match": 1.0},
    },
}
measures = {
    "minimum": "the minimum for the given `beta`",
    "minimum-unscaled": "the minimum for β = 1",
    "minimum-multiplied": "that times `beta`, where it has to be divided",
    "minimum-at": "where the minimum for the given `beta` is",
    "layers-shrink": "factor by which `layers` layers with He's variance shrink the mean square of z",
    "gelu-distance": "largest distance between f with β = `plain` and GELU",
}
predict = {
    "ask": "20 layers of Swish, weights of variance 2/n, no normalization: the signal's mean square falls",
    "measure": "layers-shrink",
    "choices": {
        "hardly": [0, 3],
        "up to a hundredfold": [3, 100],
        "up to ten thousandfold": [100, 1e4],
        "more than that": [1e4, 1e12],
    },
}
GRID = np.linspace(-12, 12, 24_001)  # steps of 0.001


def sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(x / 2)) / 2  # 1 / (1 + exp(-x)), which cannot overflow like this


def swish(x: np.ndarray, beta: float = 1.0, mistake: str = "none") -> np.ndarray:
    return beta * x * sigmoid(x) if mistake == "beta-outside" else x * sigmoid(beta * x)


def swish_slope(x: np.ndarray, beta: float = 1.0, mistake: str = "none") -> np.ndarray:
    """The product rule: the gate, plus x times the gate's own slope, in which β appears."""
    gate = sigmoid(beta * x)
    return gate + (1.0 if mistake == "beta-forgotten" else beta) * x * gate * (1 - gate)


def beta_slope(x: np.ndarray, beta: float, mistake: str = "none") -> np.ndarray:
    """One x from the product and one from inside the gate."""
    gate = sigmoid(beta * x)
    return (x if mistake == "x-once" else x**2) * gate * (1 - gate)


def gelu(x: np.ndarray) -> np.ndarray:
    """x Φ(x), with the distribution function of the standard normal."""
    return x * np.array([(1 + erf(value / np.sqrt(2))) / 2 for value in x.ravel()]).reshape(x.shape)


UNITS = {
    "swish": swish,
    "gelu": gelu,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.logaddexp(x, 0),
}


def mean_squares(rng: np.random.Generator, unit: str, variance: float, layers: int, width: int) -> np.ndarray:
    """Mean square of z in each layer (layers + 1,), over the first layer's; weights of the given variance over n."""
    z, squares = rng.normal(0, 1, (200, width)), []  # (B, n)
    for _ in range(layers + 1):
        squares.append(np.mean(z**2))
        z = UNITS[unit](z) @ rng.normal(0, np.sqrt(variance / width), (width, width))
    return np.array(squares) / squares[0]


def run(
    *,
    beta: Annotated[float, Range(0.05, 20.0), "β of the measured minimum"] = 1.0,
    small: Annotated[float, Range(0.0, 1.0), "the largest of four small β"] = 0.01,
    large: Annotated[float, Range(1.0, 1e4), "the largest of four β"] = 1000.0,
    match: Annotated[float, Range(0.5, 3.0), "the β that is to match GELU"] = 1.702,
    plain: Annotated[float, Range(0.5, 3.0), "the β that was not chosen to match it"] = 1.0,
    unit: Annotated[Literal["swish", "gelu", "relu", "softplus"], "the function looked at, β = 1"] = "swish",
    layers: Annotated[int, Range(1, 40), "depth of the network"] = 20,
    mistake: Literal["none", "beta-forgotten", "x-once", "beta-outside"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    rng = np.random.default_rng(seed)
    f = UNITS[unit]
    lowest = GRID[np.argmin(swish(GRID))]  # of β = 1
    yield Measure("minimum", swish(GRID / beta, beta).min())
    yield Measure("minimum-unscaled", swish(lowest))
    yield Measure("minimum-multiplied", beta * swish(lowest))
    yield Measure("minimum-at", GRID[np.argmin(swish(GRID / beta, beta))] / beta)

    x, h = np.linspace(-6, 6, 241), 1e-5
    shown = {f"β = {b:g}": (x, swish(x, b)) for b in (0, 0.5, 1, 5)}
    yield Plot("swish", shown, x_label="x", y_label="x σ(βx)")
    yield Plot(
        "slope",
        {"Swish, β = 1": (x, swish_slope(x)), "GELU": (x, (gelu(x + h) - gelu(x - h)) / (2 * h))},
        x_label="x",
        y_label="slope",
    )
    gaps, beta_gaps, curve_gaps = [], [], []
    for b in 10 ** rng.uniform(np.log10(0.05), np.log10(20), 12):
        difference = (swish(x + h, b) - swish(x - h, b)) / (2 * h)
        gaps.append(np.abs(swish_slope(x, b, mistake) - difference).max())
        difference = (swish(x, b + h) - swish(x, b - h)) / (2 * h)
        beta_gaps.append(np.abs(beta_slope(x, b, mistake) - difference).max())
        curve_gaps.append(np.abs(swish(x, b, mistake) - swish(b * x) / b).max())
    yield Claim("derivative-is-right", measured=max(gaps), at_most=1e-6)
    yield Claim("beta-derivative-is-right", measured=max(beta_gaps), at_most=1e-6)
    yield Claim("one-curve-for-all-betas", measured=max(curve_gaps), at_most=1e-9)

    wide = np.linspace(-10, 10, 200_001)  # steps of 0.0001
    relu = np.maximum(wide, 0)
    ever_smaller = small / 10.0 ** np.arange(4)
    away = [np.abs(swish(wide, b) - wide / 2).max() / b for b in ever_smaller]  # βx²/4 for small βx: 25β at the ends
    yield Claim("no-beta-is-half-a-line", measured=np.abs(np.array(away) - 25).max(), at_most=0.1)
    gaps = np.array([np.abs(swish(wide, b) - relu).max() for b in np.geomspace(1, large, 4)])
    yield Claim("large-beta-is-relu", measured=np.abs(gaps[1:] / gaps[:-1] - 0.1).max(), at_most=0.001)

    def with_beta(x: np.ndarray, b: float) -> np.ndarray:
        return swish(x, b) if unit == "swish" else f(b * x) / b  # see one-curve-for-all-betas

    betas = (0.25, 1, 4, 16, 64)
    distances = {b: np.abs(with_beta(wide, b) - relu).max() for b in betas}
    rows = [[f"{b}", distance, b * distance] for b, distance in distances.items()]
    yield Table("distance to ReLU", ["β", "largest distance", "times β"], rows)
    worst = max((row[2] for row in rows), key=lambda times: abs(times - 0.27846))
    yield Claim("distance-to-relu", measured=worst, near=(0.27846, 0.0005))

    values = f(GRID)
    slopes = np.gradient(values, GRID)
    yield Claim("minimum-value", measured=values.min(), near=(-0.27846, 0.0005))
    yield Claim("minimum-place", measured=GRID[np.argmin(values)], near=(-1.278, 0.002))
    left = GRID[(GRID > -11) & (GRID < -1.28)]  # βx
    falling = max(np.gradient(with_beta(left / b, b), left / b).max() for b in betas)
    right = GRID[(GRID > -1.277) & (GRID < 11)]
    rising = min(np.gradient(with_beta(right / b, b), right / b).min() for b in betas)
    yield Claim("falls-left-of-the-minimum", measured=max(falling, -rising), at_most=-1e-5)
    yield Claim("steepest-slope", measured=slopes.max(), near=(1.0998, 0.0005))
    ends = np.array([-10 - h, -10 + h])
    far, of_relu = (np.diff(g(ends))[0] / (2 * h) for g in (f, UNITS["relu"]))
    yield Claim("far-left-slope", measured=abs(far - of_relu), between=(1e-5, 1e-3))
    weak = np.linspace(-0.1, 0.1, 100)  # an even number of them: 0 is not among them
    yield Claim("weak-signals-are-halved", measured=np.abs(f(weak) / weak - 0.5).max(), at_most=0.03)
    normal = gelu(GRID)
    apart = np.abs(swish(GRID, plain) - normal).max()
    yield Measure("gelu-distance", apart)
    yield Claim("silu-is-not-gelu", measured=apart, at_least=0.18)
    yield Claim("gelu-is-near", measured=np.abs(swish(GRID, match) - normal).max(), at_most=0.021)

    ours = mean_squares(rng, unit, 2.0, layers, 128)
    yield Plot(
        "signal-by-layer",
        {
            f"{unit}, 2/n": (range(layers + 1), ours),
            "relu, 2/n": (range(layers + 1), mean_squares(rng, "relu", 2.0, layers, 128)),
        },
        x_label="layers passed",
        y_label="mean square of z / first",
        log_y=True,
    )
    yield Measure("layers-shrink", ours[0] / max(ours[-1], 1e-300))
    yield Claim("he-shrinks-it", measured=np.log10(max(ours[-1], 1e-300)), at_most=-3)


if __name__ == "__main__":
    main(run)
