"""Gradient descent: which learning rates shrink the error, how many steps that takes, and where it ends.

    θ ← θ - η ∇f(θ);   on a quadratic each eigendirection goes by itself:  e ← (1 - η λ) e

A direction of curvature λ shrinks while |1 - η λ| < 1. So the steepest one, L, sets the limit η < 2 / L, and the
flattest, μ, sets the time: about (κ / 2) ln(1 / ε) steps to accuracy ε at the best constant rate, κ = L / μ.
Expect a sharp edge at 2 / L, steps in proportion to κ, and ends that depend on the start once f has several valleys.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, section 4.3; Boyd & Vandenberghe (2004), section 9.3.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "below-shrinks": {
        "says": "at 0.475, 0.95 and 1.9 / L, below the limit 2 / L, every step on a quadratic lowers the loss",
        "false_when": {"below": 2.1},
    },
    "above-grows": {
        "says": "at 2.1 / L, above the limit 2 / L, the loss grows over a thousandfold in 100 steps (log10)",
        "false_when": {"above": 1.9},
    },
    "overshoots": {
        "says": "at 1.1, 1.45 and 1.9 / L the steepest coordinate changes its sign at every step",
        "false_when": {"below": 0.9},
    },
    "steps-follow-condition": {
        "says": "at the best constant rate, steps to a given accuracy grow in proportion to the condition number",
        "false_when": {"method": "momentum"},
    },
    "half-rate-doubles-steps": {
        "says": "far below the limit, half the rate takes twice the steps",
        "false_when": {"small": 1.98},
    },
    "far-start-shrinks": {
        "says": "on quadratics, a start a hundred times as far away or as near shrinks by the same factor (log10)",
        "false_when": {"surface": "quartic"},
    },
    "sum-diverges": {
        "says": "a rate that is stable for the mean of 64 squared errors diverges for their sum (log10)",
        "false_when": {"reduction": "mean"},
    },
    "big-feature-diverges": {
        "says": "a rate that is stable on unit features diverges when one feature is ten times as large (log10)",
        "false_when": {"inputs": "standardized"},
    },
    "standardizing-saves-steps": {
        "says": "standardizing features of scale 1 and 10 makes the best rate over 20 times as fast (log10)",
        "false_when": {"scale": 1.0},
    },
    "start-decides": {
        "says": "in a double well, starts left and right of the hill end in valleys of different loss",
        "false_when": {"tilt": 2.0},
    },
    "stops-at-saddle": {
        "says": "started on the ridge of a saddle, gradient descent stops at the saddle, not at a minimum",
        "false_when": {"nudge": 0.001},
    },
}
measures = {
    "position": "x after `moves` steps on f(x) = a x², from `start`",
    "position-uphill": "the same with the gradient added instead of subtracted",
    "position-half": "the same with the derivative taken as a x instead of 2 a x",
    "steps": "steps to a millionth of the distance at condition number `condition`, at the best constant rate",
    "steps-ratio": "steps at condition number 100 over steps at 10",
}
predict = {
    "ask": "Condition number 100 instead of 10, each at its best constant rate. Steps to the same accuracy:",
    "measure": "steps-ratio",
    "choices": {"the same": [0.5, 2], "3 times as many": [2, 5], "10 times": [5, 20], "100 times": [20, 500]},
}


def descend(
    gradient: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    rate: float,
    steps: int = 100_000,
    momentum: float = 0.0,
    close: float = 0.0,
) -> np.ndarray:
    """The path θ_0, θ_1, … of shape (steps + 1, d); it ends early within `close`, or beyond 1e9, times |θ_0|."""
    path, move = [start], np.zeros_like(start)
    size = float(np.linalg.norm(start))
    for _ in range(steps):
        move = momentum * move - rate * gradient(path[-1])
        path.append(path[-1] + move)
        if not close * size < np.linalg.norm(path[-1]) < 1e9 * size:
            break
    return np.array(path)


def steps_at_best(curvatures: np.ndarray, start: np.ndarray, method: str = "plain") -> int:
    """Steps to a millionth of the distance on a quadratic, at the constants that are best for its curvatures."""
    low, high = float(curvatures.min()), float(curvatures.max())
    rate, momentum = 2 / (low + high), 0.0
    if method == "momentum":  # the heavy ball's best constants on a quadratic (Polyak 1964)
        rate = 4 / (low**0.5 + high**0.5) ** 2
        momentum = ((high**0.5 - low**0.5) / (high**0.5 + low**0.5)) ** 2
    return len(descend(lambda e: curvatures * e, start, rate, momentum=momentum, close=1e-6)) - 1


def run(
    *,
    a: Annotated[int, Range(1, 9), "f(x) = a x² in the hand-made example"] = 1,
    rate: Annotated[float, Range(0.01, 1.0), "its learning rate"] = 0.25,
    start: Annotated[int, Range(1, 100), "its start"] = 8,
    moves: Annotated[int, Range(1, 10), "its steps"] = 3,
    condition: Annotated[int, Range(2, 2000), "condition number whose steps are counted"] = 100,
    below: Annotated[float, Range(0.05, 4.0), "a stable rate, in units of 1 / L"] = 1.9,
    above: Annotated[float, Range(0.05, 4.0), "an unstable rate, in units of 1 / L"] = 2.1,
    small: Annotated[float, Range(0.05, 1.99), "the rate that is halved, in units of 1 / L"] = 0.1,
    scale: Annotated[float, Range(0.1, 30.0), "size of the second input feature"] = 10.0,
    tilt: Annotated[float, Range(-3.0, 3.0), "slope added to the double well"] = 0.3,
    nudge: Annotated[float, Range(0.0, 0.5), "start beside the saddle's ridge"] = 0.0,
    method: Literal["plain", "momentum"] = "plain",
    surface: Literal["quadratic", "quartic"] = "quadratic",
    reduction: Literal["sum", "mean"] = "sum",
    inputs: Literal["raw", "standardized"] = "raw",
    seed: int = 0,
) -> Iterator[Evidence]:
    x = np.array([float(start)])
    yield Measure("position", descend(lambda p: 2 * a * p, x, rate, moves)[-1, 0])
    yield Measure("position-uphill", descend(lambda p: -2 * a * p, x, rate, moves)[-1, 0])
    yield Measure("position-half", descend(lambda p: a * p, x, rate, moves)[-1, 0])

    # Steps against the condition number; coordinates are distances along the eigendirections.
    rng = np.random.default_rng(seed)
    away = rng.uniform(0.5, 1.5, 2)  # (2,)
    yield Measure("steps", steps_at_best(np.array([1.0, condition]), away))
    kappas = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])
    counts = {m: [steps_at_best(np.array([1.0, k]), away, m) for k in kappas] for m in ("plain", "momentum")}
    yield Plot(
        "steps-over-condition",
        {name: (kappas, steps) for name, steps in counts.items()},
        x_label="condition number",
        y_label="steps",
        log_x=True,
        log_y=True,
    )
    yield Measure("steps-ratio", counts["plain"][2] / counts["plain"][0])
    others, slopes = np.random.default_rng([seed, 1]), []
    for d in (2, 5, 20):  # two curvatures, or others strewn between the least and the largest one
        between, distances = others.random(d), others.uniform(0.5, 1.5, d)
        between[:2] = 0, 1
        counted = [steps_at_best(k**between, distances, method) for k in kappas]
        slopes.append(np.polyfit(np.log(kappas), np.log(counted), 1)[0])
    yield Claim("steps-follow-condition", measured=max(slopes, key=lambda s: abs(s - 1)), near=(1.0, 0.1))

    # A tilted valley of curvatures L = 20 and 1, descended at rates around the limit 2 / L.
    angle = rng.uniform(0.2, 1.3)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # columns: eigenvectors
    steepest, curvatures = 20.0, np.array([20.0, 1.0])
    hessian = axes @ np.diag(curvatures) @ axes.T

    def valley(fraction: float, steps: int = 100) -> np.ndarray:
        return descend(lambda p: hessian @ p, axes @ away, fraction / steepest, steps) @ axes  # (steps + 1, 2)

    losses = {f: (valley(f) ** 2 @ curvatures) / 2 for f in (0.1, 1.0, below, above)}
    yield Plot(
        "loss-by-rate",
        {f"{f:g} / L": (range(len(loss)), loss) for f, loss in losses.items()},
        x_label="step",
        y_label="loss",
        log_y=True,
    )
    rise = losses[above]

    # The same in 20 quadratics of 2 to 10 curvatures, strewn between L / 10 and L; the first one is L.
    falls, growths, signs = [], [rise[-1] / rise[0]], []
    for _ in range(20):
        d = others.integers(2, 11)
        strewn, first = steepest * others.uniform(0.1, 1.0, d), others.uniform(0.5, 1.5, d)
        strewn[0] = steepest

        def bowl(fraction: float, steps: int, bends: np.ndarray = strewn, begin: np.ndarray = first) -> np.ndarray:
            return descend(lambda e: bends * e, begin, fraction / steepest, steps)  # (steps + 1, d)

        for fraction in (below / 4, below / 2, below):
            loss = bowl(fraction, 100) ** 2 @ strewn
            falls.append((loss[1:] / loss[:-1]).max())
        for fraction in (1 + (below - 1) / 9, (1 + below) / 2, below):
            steep = bowl(fraction, 10)[:, 0]
            signs.append((steep[1:] * steep[:-1] < 0).mean())
        loss = bowl(above, 100) ** 2 @ strewn
        growths.append(loss[-1] / loss[0])
    yield Claim("below-shrinks", measured=max(falls), at_most=0.999)
    yield Claim("above-grows", measured=np.log10(min(growths)), at_least=3.0)
    yield Claim("overshoots", measured=min(signs), at_least=1.0)
    whole, half = (len(descend(lambda e: curvatures * e, away, f / steepest, close=1e-3)) for f in (small, small / 2))
    yield Claim("half-rate-doubles-steps", measured=half / whole, near=(2.0, 0.1))

    # How far the start lies: curvature is the same everywhere on a quadratic; on a quartic it grows as x².
    bends, off = others.uniform(0.5, 3.0, (5, 4)), []  # five quadratics of four curvatures each
    for bend in bends:
        begin, shrunk = others.uniform(0.5, 1.5, 4), []
        for s in (1.0, 0.01, 100.0):
            path = descend(lambda p, c=bend: c * (p if surface == "quadratic" else p**3), s * begin, 0.3, 30)
            shrunk.append(np.log10(np.linalg.norm(path[-1]) / np.linalg.norm(path[0])))
        off.append(np.abs(np.array(shrunk) - shrunk[0]).max())
    yield Claim("far-start-shrinks", measured=max(off), near=(0.0, 0.01))

    # Linear regression without noise, so the residuals are X e, with e the distance from the true weights.
    unit = rng.normal(size=(64, 2))  # (N, 2)
    scaled = unit * [1.0, scale]
    standard = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0)
    spectra = [np.linalg.eigvalsh(2 * features.T @ features / 64) for features in (unit, scaled, standard)]
    safe = 1 / spectra[0].max()

    def growth(features: np.ndarray, over: str) -> float:
        """Powers of ten by which 20 steps at the safe rate change the distance."""
        path = descend(lambda e: 2 * features.T @ (features @ e) / (64 if over == "mean" else 1), away, safe, 20)
        return float(np.log10(np.linalg.norm(path[-1]) / np.linalg.norm(path[0])))

    summed = growth(unit, reduction)
    large = growth(standard if inputs == "standardized" else scaled, "mean")
    rows = [["mean, unit features", growth(unit, "mean")], [f"{reduction}, unit features", summed]]
    rows.append([f"mean, second feature times {scale:g}, {inputs}", large])
    yield Table("one rate, three losses", ["loss", "log10 growth of the distance"], rows)
    yield Claim("sum-diverges", measured=summed, at_least=3.0)
    yield Claim("big-feature-diverges", measured=large, at_least=3.0)
    saved = steps_at_best(spectra[1], away) / steps_at_best(spectra[2], away)
    yield Claim("standardizing-saves-steps", measured=np.log10(saved), at_least=1.302)  # 20 times

    # Two valleys, then a saddle: a zero gradient is where it stops, whatever the place is.
    starts = (-1 - away[0] / 4, 1 + away[0] / 4)
    wells = [descend(lambda p: 4 * p * (p**2 - 1) + tilt, np.array([s]), 0.02, 500)[-1, 0] for s in starts]
    left, right = ((well**2 - 1) ** 2 + tilt * well for well in wells)
    yield Table("double well", ["start", "end", "loss"], [[starts[0], wells[0], left], [starts[1], wells[1], right]])
    yield Claim("start-decides", measured=abs(left - right), at_least=0.1)
    saddle = descend(lambda p: np.array([p[0], p[1] ** 3 - p[1]]), np.array([away[0], nudge]), 0.1, 200)
    yield Claim("stops-at-saddle", measured=np.linalg.norm(saddle[-1]), at_most=1e-3)
    yield Text("f = x² / 2 - y² / 2 + y⁴ / 4 has its minima at y = ±1; a nudge off the ridge y = 0 finds them.")


if __name__ == "__main__":
    main(run)
