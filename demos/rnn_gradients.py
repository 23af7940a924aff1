"""Backpropagation through time multiplies by the recurrent matrix once a step: gradients vanish or explode.

    a_t = W h_{t-1} + u_t    h_t = φ(a_t)        ∂L/∂h_{t-1} = Wᵀ (φ'(a_t) ⊙ ∂L/∂h_t)

Without φ the gradient changes by about the spectral radius ρ of W at each step back. With tanh every step is also
damped by slopes of at most 1, so that ρ > 1 no longer suffices for an explosion: strong inputs saturate the units,
and the gradient vanishes under the very matrix that explodes in the linear network. Clipping by norm bounds an
exploded step and keeps its direction; it brings nothing back that has vanished.

Source: Pascanu, Mikolov & Bengio (2013), On the difficulty of training recurrent neural networks, sections 2 and 3.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "clipped-step-descends": {
        "says": "at a cliff of the loss, a step with its gradient clipped by norm lowers the error",
        "false_when": {"clip": "none"},
    },
    "sums-over-time": {
        "says": "the gradient of W is a sum of one term a time step (against finite differences)",
        "false_when": {"mistake": "last-step"},
    },
    "low-radius-vanishes": {
        "says": "linear, spectral radius 0.9: over 100 steps the gradient loses more than three powers of ten",
        "false_when": {"low": 1.1},
    },
    "high-radius-explodes": {
        "says": "linear, spectral radius 1.5: over 100 steps the gradient gains more than ten powers of ten",
        "false_when": {"high": 0.9},
    },
    "radius-sets-rate": {
        "says": "in the long run the linear gradient changes by ρ a step, not by the norm of W (18 random matrices)",
        "false_when": {"scale_by": "norm"},
    },
    "transient-growth": {
        "says": "a matrix whose eigenvalues are all 0.9 can let the gradient grow tenfold before it decays",
        "false_when": {"coupling": 0.0},
    },
    "orthogonal-keeps-norm": {
        "says": "linear, W orthogonal: the gradient keeps its length over 100 steps",
        "false_when": {"isometry": "gaussian"},
    },
    "recent-steps-dominate": {
        "says": "linear, radius 0.9: the terms of steps 1 to 60 of 100 are under a tenth of the gradient of W",
        "false_when": {"low": 1.5},
    },
    "slopes-shrink": {
        "says": "tanh, radius 1.5, strong inputs: the units saturate, with a mean slope below 0.5",
        "false_when": {"drive": 0.0},
    },
    "saturation-vanishes": {
        "says": "tanh, radius 1.5, strong inputs: the gradient loses more than ten powers of ten",
        "false_when": {"drive": 0.0},
    },
    "quiet-explodes": {
        "says": "tanh, radius 1.5, state at zero: the gradient gains more than ten powers of ten",
        "false_when": {"quiet": 3.0},
    },
    "clip-keeps-direction": {
        "says": "clipping by norm keeps the direction, of small and large gradients, at three limits",
        "false_when": {"clip": "value"},
    },
    "clip-bounds-norm": {
        "says": "clipping by norm brings gradients that are too long down to the limit, to three limits",
        "false_when": {"clip": "value"},
    },
    "value-clip-turns": {
        "says": "clipping each component turns an exploded gradient by more than 15 degrees",
        "false_when": {"high": 0.5},
    },
    "clip-passes-small": {
        "says": "clipping by norm leaves gradients shorter than the limit, a vanished one too, as they were",
        "false_when": {"clip": "rescale"},
    },
}
measures = {
    "clipped-first": "first component of the gradient (`first`, `second`) after clipping to norm `limit`",
    "value-clipped-first": "the same after clipping each component to `limit`",
    "low-orders": "log10 of the gradient's change over `steps` steps back, linear, radius `low`",
    "saturated-orders": "log10 of its change with tanh, radius `high`, inputs of standard deviation `drive`",
}
predict = {
    "ask": "Tanh units, spectral radius 1.5, strong random inputs. Over 100 steps back the gradient",
    "measure": "saturated-orders",
    "choices": {"explodes": [3, 300], "keeps its size, roughly": [-3, 3], "vanishes": [-300, -3]},
}


def recurrent_matrix(rng: np.random.Generator, units: int, radius: float, scale_by: str = "radius") -> np.ndarray:
    """Gaussian W (n, n), scaled to a spectral radius or, as some do by mistake, to a spectral norm."""
    w = rng.normal(0.0, 1.0, (units, units))
    size = np.linalg.norm(w, 2) if scale_by == "norm" else np.abs(np.linalg.eigvals(w)).max()
    return w * (radius / size)


def forward(w: np.ndarray, inputs: np.ndarray, tanh: bool) -> tuple[np.ndarray, np.ndarray]:
    """States h_0 … h_T (T + 1, n) and slopes φ'(a_1) … φ'(a_T) (T, n), from h_0 = 0."""
    states = [np.zeros(len(w))]
    for u in inputs:
        a = w @ states[-1] + u
        states.append(np.tanh(a) if tanh else a)
    h = np.array(states)
    return h, (1 - h[1:] ** 2 if tanh else np.ones_like(inputs))


def backward(w: np.ndarray, slopes: np.ndarray, last: np.ndarray) -> np.ndarray:
    """∂L/∂h_0 … ∂L/∂h_T (T + 1, n) from ∂L/∂h_T."""
    deltas = [last]
    for slope in slopes[::-1]:
        deltas.append(w.T @ (slope * deltas[-1]))
    return np.array(deltas[::-1])


def weight_terms(h: np.ndarray, slopes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """One term of ∂L/∂W for each step (T, n, n), since every step uses the same W."""
    return (slopes * deltas[1:])[:, :, None] * h[:-1, None, :]


def long_run_rate(w: np.ndarray, g: np.ndarray, steps: int) -> float:
    """Factor a step by which g (n,) changes in length over the second half of `steps` linear steps back."""
    lengths = []
    for _ in range(steps):
        g = w.T @ g
        lengths.append(np.sqrt(g @ g))
        g = g / lengths[-1]  # only the ratio counts, and no power overflows
    return float(np.exp(np.log(lengths[steps // 2 :]).mean()))


def orders(deltas: np.ndarray) -> np.ndarray:
    """log10 of the gradient's length (T + 1,), 0, 1, … T steps back, over its length at the last step."""
    length = np.maximum(np.linalg.norm(deltas, axis=1), 1e-300)[::-1]
    return np.log10(length / length[0])


def clipped(g: np.ndarray, limit: float, by: str) -> np.ndarray:
    """The gradient after clipping; `rescale` forgets the condition and stretches small gradients too."""
    if by == "none":
        return g
    if by == "value":
        return np.clip(g, -limit, limit)
    factor = limit / np.linalg.norm(g)
    return g * (factor if by == "rescale" else min(1.0, factor))


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Degrees between two gradients."""
    cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def run(
    *,
    low: Annotated[float, Range(0.3, 2.0), "a spectral radius below 1"] = 0.9,
    high: Annotated[float, Range(0.3, 2.0), "a spectral radius above 1"] = 1.5,
    steps: Annotated[int, Range(50, 200), "time steps T"] = 100,
    units: Annotated[int, Range(8, 64), "hidden units n"] = 32,
    drive: Annotated[float, Range(0.0, 10.0), "standard deviation of the strong inputs"] = 3.0,
    quiet: Annotated[float, Range(0.0, 10.0), "standard deviation of the weak inputs"] = 0.0,
    coupling: Annotated[float, Range(0.0, 10.0), "off-diagonal entry of the 2x2 matrix with eigenvalues 0.9"] = 5.0,
    scale_by: Literal["radius", "norm"] = "radius",
    isometry: Literal["orthogonal", "gaussian"] = "orthogonal",
    clip: Literal["norm", "value", "rescale", "none"] = "norm",
    limit: Annotated[float, Range(0.1, 100.0), "clipping threshold"] = 1.0,
    first: Annotated[float, Range(0.0, 100.0), "first component of a gradient to clip"] = 3.0,
    second: Annotated[float, Range(0.1, 100.0), "its second component"] = 4.0,
    mistake: Literal["none", "last-step"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    pair = np.array([first, second])
    yield Measure("clipped-first", clipped(pair, limit, "norm")[0])
    yield Measure("value-clipped-first", clipped(pair, limit, "value")[0])

    # One linear unit, state w⁵⁰ after 50 steps, target 1: for w a little above 1 the error climbs like a cliff.
    w = 1.1
    error = w**50 - 1
    slope = np.array([error * 50 * w**49])
    landed = w - 0.01 * clipped(slope, limit, clip)[0]
    change = np.log10(abs(landed**50 - 1) / error)
    yield Text(
        f"A cliff: at w = 1.1 the slope of ½(w⁵⁰ - 1)² is {slope[0]:.3g}. A step with learning rate 0.01 lands at"
        f" w = {landed:.4g} and changes the error by {change:+.2f} powers of ten (clip: {clip}, limit {limit:g})."
    )
    yield Claim("clipped-step-descends", measured=change, at_most=-0.1)

    rng = np.random.default_rng(seed)
    base = recurrent_matrix(rng, units, 1.0, scale_by)  # (n, n)
    inputs = rng.normal(0.0, 1.0, (steps, units))  # (T, n)
    last = rng.normal(0.0, 1.0, units)
    last /= np.linalg.norm(last)  # ∂L/∂h_T (n,) for the loss L = last · h_T

    # The gradient by hand against central differences, along random directions in the space of W.
    h, slopes = forward(base, inputs[:20], tanh=True)
    terms = weight_terms(h, slopes, backward(base, slopes, last))
    gradient = terms[-1] if mistake == "last-step" else terms.sum(0)
    directions = rng.normal(0.0, 1.0, (5, units, units))
    by_hand = (directions * gradient).sum((1, 2))
    around = [[last @ forward(base + e * d, inputs[:20], True)[0][-1] for e in (1e-5, -1e-5)] for d in directions]
    differences = np.array([(up - down) / 2e-5 for up, down in around])
    yield Claim("sums-over-time", np.linalg.norm(by_hand - differences) / np.linalg.norm(differences), at_most=1e-5)

    linear = np.ones((steps, units))  # φ' of the linear network
    low_deltas = backward(low * base, linear, last)
    high_deltas = backward(high * base, linear, last)
    strong_slopes = forward(high * base, drive * inputs, tanh=True)[1]
    quiet_slopes = forward(high * base, quiet * inputs, tanh=True)[1]
    shrinks, grows = orders(low_deltas), orders(high_deltas)
    strong = orders(backward(high * base, strong_slopes, last))
    still = orders(backward(high * base, quiet_slopes, last))
    back = np.arange(steps + 1)
    yield Plot(
        "gradient-over-time",
        {
            f"linear, radius {low:g}": (back, shrinks),
            f"linear, radius {high:g}": (back, grows),
            f"tanh, radius {high:g}, inputs {drive:g}": (back, strong),
            f"tanh, radius {high:g}, inputs {quiet:g}": (back, still),
        },
        x_label="steps back",
        y_label="log10 of the gradient's length",
    )
    yield Measure("low-orders", shrinks[-1])
    yield Claim("low-radius-vanishes", measured=shrinks[-1], at_most=-3.0)
    yield Claim("high-radius-explodes", measured=grows[-1], at_least=10.0)
    rates = []
    for radius, n, _ in np.ndindex(2, 3, 3):
        radius, n = (low, high)[radius], (units // 4, units, 2 * units)[n]
        w = recurrent_matrix(rng, n, radius, scale_by)
        rates.append(long_run_rate(w, rng.normal(size=n), 600) / radius)
    yield Claim("radius-sets-rate", measured=max(rates, key=lambda rate: abs(rate - 1)), near=(1.0, 0.02))
    yield Measure("saturated-orders", strong[-1])
    yield Claim("slopes-shrink", measured=strong_slopes.mean(), at_most=0.5)
    yield Claim("saturation-vanishes", measured=strong[-1], at_most=-10.0)
    yield Claim("quiet-explodes", measured=still[-1], at_least=10.0)

    # Eigenvalues rule the long run only: a matrix far from normal first lets the gradient grow.
    sheared = np.array([[0.9, coupling], [0.0, 0.9]])
    bump = orders(backward(sheared, np.ones((steps, 2)), np.array([1.0, 0.0])))
    yield Plot("transient", {"eigenvalues 0.9 and 0.9": (back, bump)}, "steps back", "log10 of the gradient's length")
    yield Claim("transient-growth", measured=10 ** bump.max(), at_least=10.0)

    turn = np.linalg.qr(rng.normal(0.0, 1.0, (units, units)))[0] if isometry == "orthogonal" else base
    kept = orders(backward(turn, linear, last))
    yield Claim("orthogonal-keeps-norm", measured=np.abs(kept).max(), at_most=1e-9)

    # The terms of long ago hold the products that vanished: what is left of ∂L/∂W speaks of the recent past.
    terms = weight_terms(*forward(low * base, inputs, tanh=False), low_deltas)
    far = np.linalg.norm(terms[:-40].sum(0)) / np.linalg.norm(terms.sum(0))
    yield Claim("recent-steps-dominate", measured=far, at_most=0.1)

    exploded = weight_terms(*forward(high * base, inputs, tanh=False), high_deltas).sum(0)  # (n, n)
    limited = {by: clipped(exploded, limit, by) for by in ("none", "norm", "value")}
    yield Table(
        f"clipping the gradient of W, radius {high:g}, limit {limit:g}",
        ["clip by", "norm", "degrees turned"],
        [[by, np.linalg.norm(g), angle(g, exploded)] for by, g in limited.items()],
    )
    yield Claim("value-clip-turns", measured=angle(limited["value"], exploded), at_least=15.0)
    # Clipping by norm, of a vanished gradient, ∂L/∂h_0 (n,), of the pair, of random ones, and of the exploded one.
    gradients = [low_deltas[0], pair, *(size * rng.normal(size=units) for size in (1e-6, 1e-3, 1.0, 1e3)), exploded]
    turned, ratios, moved = [], [], []
    for g in gradients:
        for bound in (limit / 10, limit, 3 * limit):
            short = clipped(g, bound, clip)
            turned.append(angle(short, g))
            if np.linalg.norm(g) > bound:
                ratios.append(np.linalg.norm(short) / bound)
            else:
                moved.append(np.linalg.norm(short - g) / np.linalg.norm(g))
    yield Claim("clip-keeps-direction", measured=max(turned), at_most=1e-3)
    yield Claim("clip-bounds-norm", measured=max(ratios, key=lambda ratio: abs(ratio - 1)), near=(1.0, 1e-9))
    yield Claim("clip-passes-small", measured=max(moved), at_most=1e-9)


if __name__ == "__main__":
    main(run)
