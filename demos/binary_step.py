"""The binary step: no slope where it is flat, none defined where it jumps, so gradient descent has nothing to go by.

    h = 1 for z > 0, else 0        dh/dz = 0 for z ≠ 0, undefined at z = 0

So the gradients of all weights before a step are 0, and they stand still, while weights behind it may learn. Two ways
out are tried: the perceptron rule w ← w + η (y - h) x, which uses no slope, and the straight-through estimator,
which puts a made-up slope in the backward pass, 1 for |z| < 1 and 0 elsewhere say.

Sources: Rosenblatt (1958), The Perceptron; Bengio, Léonard & Courville (2013), Estimating or Propagating Gradients
Through Stochastic Neurons; Hubara et al. (2016), Binarized Neural Networks.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "flat-away-from-the-step": {
        "says": "away from 0 the step's difference quotients are 0",
        "false_when": {"unit": "sigmoid"},
    },
    "no-slope-at-the-step": {
        "says": "across 0 the difference quotient doubles each time its width is halved: there is no derivative",
        "false_when": {"unit": "sigmoid"},
    },
    "scale-is-lost": {
        "says": "ten times the weights and bias leave a step unit's outputs as they were",
        "false_when": {"unit": "sigmoid"},
    },
    "noise-smooths": {
        "says": "with logistic noise on z the step's mean output is sigmoid(z)",
        "false_when": {"noise": 0.0},
    },
    "backward-is-right": {
        "says": "with a true slope (a sigmoid's) the gradients by hand agree with finite differences",
        "false_when": {"mistake": "slope-forgotten"},
    },
    "loss-is-flat": {
        "says": "moved by 1e-9, not one hidden weight of a step network in 1,000 changes the loss",
        "false_when": {"unit": "sigmoid"},
    },
    "hidden-weights-stand-still": {
        "says": "300 steps of gradient descent leave the weights before the steps where they were",
        "false_when": {"unit": "sigmoid"},
    },
    "output-layer-learns": {
        "says": "the weights behind the steps learn meanwhile: the loss falls by over 15%",
        "false_when": {"output": "step"},
    },
    "perceptron-rule-learns": {
        "says": "on tasks with a margin, of 2, 3, 5 and 10 inputs, the perceptron rule brings a unit to zero errors",
        "false_when": {"labels": "xor"},
    },
    "rule-is-straight-through": {
        "says": "the perceptron rule is the step of squared error with slope 1 put in for the unit's own",
        "false_when": {"rule_slope": "sigmoid"},
    },
    "straight-through-is-no-gradient": {
        "says": "the straight-through estimate is nonzero where the loss is flat",
        "false_when": {"proxy": "none"},
    },
    "straight-through-trains": {
        "says": "with slope 1 put in for |z| < 1 hidden step units learn: the loss ends below 0.8 of that at rest",
        "false_when": {"proxy": "none"},
    },
    "put-in-slope-matters": {
        "says": "with slope 1 put in everywhere the loss ends over 1.3 times as high as with 1 for |z| < 1",
        "false_when": {"proxy": "identity"},
    },
}
measures = {
    "updated-z": "pre-activation after one perceptron update; w = (2, -1), b = -1, x = (1, 3), y = 1",
    "updated-z-without-bias": "the same if the bias was not updated",
    "z-after-gradient-step": "the same after a step along the true gradient of the squared error",
    "moved": "largest change of a hidden weight in 300 steps of gradient descent",
    "error-at-rest": "share of training errors, hidden step units at rest, output layer trained",
    "error-straight-through": "share of training errors, hidden step units trained by straight-through",
}
predict = {
    "ask": "A network with hidden step units, 300 steps of gradient descent: which of its weights have moved?",
    "measure": "moved",
    "choices": {"the output layer's only": [0.0, 1e-9], "all, the hidden ones little": [1e-9, 0.1], "all": [0.1, 100]},
}
RUNS, N, STEPS = 48, 100, 300  # independent networks, examples each, training steps


def sigmoid(z: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(z / 2)) / 2  # 1 / (1 + exp(-z)), which cannot overflow like this


def activate(z: np.ndarray, unit: str) -> np.ndarray:
    return sigmoid(z) if unit == "sigmoid" else (z > 0).astype(float)


def slope(z: np.ndarray, kind: str) -> np.ndarray:
    """What the backward pass multiplies by: a unit's own slope ("sigmoid", "step") or one put in its place."""
    if kind == "sigmoid":
        return sigmoid(z) * (1 - sigmoid(z))
    if kind == "window":
        return (np.abs(z) < 1).astype(float)
    return np.full_like(z, kind == "identity")  # 1 for the identity, 0 for the step


def loss(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, unit: str, output: str = "smooth") -> np.ndarray:
    """Cross-entropy in nats of each network (RUNS,); the squared error if the output is a step as well."""
    w, b, v, c = net
    score = activate(x @ w + b, unit) @ v + c  # (RUNS, N, 1)
    if output == "step":
        return ((activate(score, "step") - y) ** 2).mean((1, 2))
    return (np.logaddexp(0, score) - y * score).mean((1, 2))


def gradients(net: list, x: np.ndarray, y: np.ndarray, unit: str, kind: str, output: str = "smooth") -> list:
    """Gradients of the loss by [w, b, v, c], with slopes of the given kind in the hidden layer."""
    w, b, v, c = net
    z = x @ w + b  # (RUNS, N, H)
    h = activate(z, unit)
    score = h @ v + c  # (RUNS, N, 1)
    error = sigmoid(score) - y if output == "smooth" else 2 * (activate(score, "step") - y) * slope(score, "step")
    d_score = error / x.shape[1]
    d_z = d_score @ v.swapaxes(1, 2) * slope(z, kind)  # (RUNS, N, H)
    d_w, d_v = x.swapaxes(1, 2) @ d_z, h.swapaxes(1, 2) @ d_score
    return [d_w, d_z.sum(1, keepdims=True), d_v, d_score.sum(1, keepdims=True)]


def train(net: list, x: np.ndarray, y: np.ndarray, unit: str, kind: str, output: str = "smooth") -> tuple[list, list]:
    """Networks after gradient descent at a learning rate of 1, and the median loss before each step."""
    curve = []
    for _ in range(STEPS):
        curve.append(np.median(loss(net, x, y, unit, output)))
        found = gradients(net, x, y, unit, kind, output)
        net = [part - gradient for part, gradient in zip(net, found, strict=True)]
    return net, curve


def errors(net: list, x: np.ndarray, y: np.ndarray, unit: str) -> np.ndarray:
    """Share of wrong decisions of each network (RUNS,)."""
    w, b, v, c = net
    return np.mean((activate(x @ w + b, unit) @ v + c > 0) != (y > 0.5), axis=(1, 2))


def run(
    *,
    unit: Annotated[Literal["step", "sigmoid"], "the hidden unit"] = "step",
    proxy: Annotated[Literal["window", "identity", "sigmoid", "none"], "slope of the straight-through pass"] = "window",
    rule_slope: Annotated[Literal["identity", "sigmoid"], "slope put in for the single unit's own"] = "identity",
    output: Annotated[Literal["smooth", "step"], "the output unit of the network"] = "smooth",
    labels: Annotated[Literal["line", "xor"], "the single unit's task"] = "line",
    noise: Annotated[float, Range(0.0, 4.0), "scale of the noise on z"] = 1.0,
    hidden: Annotated[int, Range(1, 200), "hidden units"] = 8,
    rate: Annotated[float, Range(0.0, 2.0), "learning rate of the single perceptron update"] = 0.5,
    mistake: Literal["none", "slope-forgotten"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    w, b, x, y = np.array([2.0, -1.0]), -1.0, np.array([1.0, 3.0]), 1.0
    miss = y - activate(w @ x + b, "step")  # the unit says 0
    yield Measure("updated-z", (w + rate * miss * x) @ x + b + rate * miss)
    yield Measure("updated-z-without-bias", (w + rate * miss * x) @ x + b)
    yield Measure("z-after-gradient-step", w @ x + b)  # its slope is 0

    rng = np.random.default_rng(seed)
    points = np.concatenate([np.linspace(-4, -0.1, 40), np.linspace(0.1, 4, 40)])
    quotients = (activate(points + 0.01, unit) - activate(points - 0.01, unit)) / 0.02
    yield Claim("flat-away-from-the-step", measured=np.abs(quotients).max(), at_most=1e-12)
    widths = 0.5 ** np.arange(3, 12)
    across = (activate(widths / 2, unit) - activate(-widths / 2, unit)) / widths
    yield Plot(
        "quotient-across-0",
        {unit: (widths, across), "sigmoid for comparison": (widths, (2 * sigmoid(widths / 2) - 1) / widths)},
        x_label="width of the difference around 0",
        y_label="difference quotient",
        log_x=True,
        log_y=True,
    )
    yield Claim("no-slope-at-the-step", measured=(across[1:] / across[:-1]).min(), at_least=1.99)
    drawn = rng.normal(0, 2, 1000)
    x, w, b = drawn[:996].reshape(332, 3), drawn[996:999], drawn[999]
    apart = activate(x @ (10 * w) + 10 * b, unit) - activate(x @ w + b, unit)
    yield Claim("scale-is-lost", measured=np.abs(apart).max(), at_most=1e-12)
    levels = np.linspace(-3, 3, 13)  # 0 among them
    average = activate(levels[:, None] + noise * rng.logistic(size=(13, 40_000)), "step").mean(1)
    yield Claim("noise-smooths", measured=np.abs(average - sigmoid(levels)).max(), at_most=0.02)

    # A network with one hidden layer: is the point inside the disc that covers half of the square?
    x = rng.uniform(-1, 1, (RUNS, N, 2))
    y = ((x**2).sum(2, keepdims=True) < 2 / np.pi).astype(float)  # (RUNS, N, 1)
    parts = [(2, hidden), (1, hidden), (hidden, 1), (1, 1)]
    start = [rng.normal(0, size, (RUNS, *part)) for size, part in zip((1, 0.5, 0.5, 0.5), parts, strict=True)]
    by_hand = gradients(start, x, y, "sigmoid", "identity" if mistake == "slope-forgotten" else "sigmoid")
    gaps, largest = [], 0.0
    for i, part in enumerate(start):
        for place in np.ndindex(part.shape[1:]):
            push = np.zeros(part.shape[1:])
            push[place] = 1e-5
            ends = [loss([*start[:i], part + sign * push, *start[i + 1 :]], x, y, "sigmoid") for sign in (1, -1)]
            difference = (ends[0] - ends[1]) / 2e-5  # (RUNS,)
            gaps.append(np.abs(by_hand[i][:, *place] - difference).max())
            largest = max(largest, np.abs(difference).max())
    yield Claim("backward-is-right", measured=max(gaps) / largest, at_most=1e-6)

    before, changed = loss(start, x, y, unit, output), []
    for place in np.ndindex(2, hidden):
        push = np.zeros((2, hidden))
        push[place] = 1e-9
        changed.append(np.abs(loss([start[0] + push, *start[1:]], x, y, unit, output) - before) > 1e-14)
    yield Claim("loss-is-flat", measured=np.mean(changed), at_most=0.001)

    descended, curve = train(start, x, y, unit, unit, output)
    moved = max(np.abs(descended[i] - start[i]).max() for i in (0, 1))
    yield Measure("moved", moved)
    yield Claim("hidden-weights-stand-still", measured=moved, at_most=1e-12)
    yield Claim("output-layer-learns", measured=curve[-1] / curve[0], at_most=0.85)

    estimate = gradients(start, x, y, "step", proxy)[0]  # (RUNS, 2, H)
    where_flat = estimate * ~np.array(changed).T.reshape(estimate.shape)  # of weights that leave the loss as it is
    yield Claim("straight-through-is-no-gradient", measured=np.median(np.abs(where_flat).max((1, 2))), at_least=1e-3)
    rested, resting = train(start, x, y, "step", "step")
    trained, through = train(start, x, y, "step", proxy)
    yield Plot(
        "loss",
        {"hidden layer at rest": (range(STEPS), resting), f"straight-through ({proxy})": (range(STEPS), through)},
        x_label="step",
        y_label="cross-entropy (nats)",
    )
    yield Measure("error-at-rest", np.mean(errors(rested, x, y, "step")))
    yield Measure("error-straight-through", np.mean(errors(trained, x, y, "step")))
    ends = [np.mean(losses[-50:]) for losses in (through, resting, train(start, x, y, "step", "identity")[1])]
    yield Claim("straight-through-trains", measured=ends[0] / ends[1], at_most=0.8)
    yield Claim("put-in-slope-matters", measured=ends[2] / ends[0], at_least=1.3)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-1, 1, 24)), -1).reshape(1, -1, 2)
    pictures = {}
    for name, net in (("hidden layer at rest", rested), ("straight-through", trained)):
        w, b, v, c = (part[:1] for part in net)
        pictures[name] = sigmoid(activate(grid @ w + b, "step") @ v + c).reshape(24, 24)
    yield Image("inside-the-disc", pictures)

    # One step unit alone, by the perceptron rule: an update for each example that it gets wrong.
    rows, mistakes = [], []
    for dimension in (2, 3, 5, 10):
        x = rng.uniform(-1, 1, (N, dimension))
        normal, level = rng.normal(0, 1, dimension), rng.uniform(-0.3, 0.3)
        side = x @ (normal / np.linalg.norm(normal)) - level  # signed distance from a plane
        x, side = x[np.abs(side) > 0.1], side[np.abs(side) > 0.1]  # a margin, so that the rule gets done
        target = (side > 0) if labels == "line" else (x[:, 0] * x[:, 1] > 0)
        w, b, updates = np.zeros(dimension), 0.0, []
        while not updates or (updates[-1] and len(updates) < 100):  # an epoch each
            updates.append(0)
            for one, wanted in zip(x, target, strict=True):
                miss = wanted - float(w @ one + b > 0)
                w, b, updates[-1] = w + miss * one, b + miss, updates[-1] + int(miss != 0)
        mistakes.append(((x @ w + b > 0) != target).sum())
        rows.append([dimension, len(updates), sum(updates), mistakes[-1]])
    yield Table("perceptron rule", ["inputs", "epochs", "updates", "errors left"], rows)
    yield Claim("perceptron-rule-learns", measured=max(mistakes), at_most=0)
    inputs, wanted, w = rng.normal(0, 1, (50, 3)), rng.integers(0, 2, 50), rng.normal(0, 1, 3)
    z = inputs @ w
    rule = (wanted - activate(z, "step"))[:, None] * inputs  # (50, 3)
    of_loss = -((activate(z, "step") - wanted) * slope(z, rule_slope))[:, None] * inputs  # of ½ (h - y)²
    yield Claim("rule-is-straight-through", measured=np.abs(rule - of_loss).max(), at_most=1e-12)


if __name__ == "__main__":
    main(run)
