"""One line never makes XOR; two hidden units can hold it, and from about half of the random starts they learn it.

A single-layer perceptron is step(w·x + b): one line. Every labeling of points that a line makes is listed, exactly.
A multilayer perceptron puts a nonlinear layer between, h = φ(xW + b), and draws its line through the points h. Here
the hidden units are first two gates set by hand, then random units left untrained, then units trained by gradient
descent. That a network can represent XOR does not say that it is learned from every start.

Source: Minsky & Papert (1969), Perceptrons; Cover (1965), IEEE Trans. Electronic Computers 14, pp. 326-334;
Rumelhart, Hinton & Williams (1986), Learning internal representations by error propagation, PDP vol. 1, chapter 8.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, Table, main

claims = {
    "fourteen-of-sixteen": {
        "says": "one line makes 14 of a square's 16 labelings: all but XOR and its negation",
        "false_when": {"bias": False},
    },
    "one-layer-misses-xor": {"says": "one line gets at most three corners of XOR", "false_when": {"target": "and"}},
    "hidden-gates-separate": {
        "says": "behind two step units (OR, NAND) one line separates XOR",
        "false_when": {"mistake": "linear-hidden"},
    },
    "frozen-hidden-fits": {
        "says": "behind three random, untrained tanh units a linear output fits XOR, to 1e-8, in each of 200 draws",
        "false_when": {"activation": "linear"},
    },
    "linear-hidden-stalls": {
        "says": "with 1, 2, 4 or 8 linear hidden units the cross-entropy on XOR never gets below ln 2",
        "false_when": {"control": "tanh"},
    },
    "gradient-checked": {
        "says": "the gradient by hand agrees with finite differences to a relative error of 1e-6",
        "false_when": {"mistake": "no-derivative"},
    },
    "one-unit-never": {"says": "one tanh unit learns XOR from no start", "false_when": {"activation": "bump"}},
    "two-units-sometimes": {
        "says": "two tanh units, enough to represent XOR, learn it from 30% to 70% of the random starts",
        "false_when": {"few": 8},
    },
    "stalled-half-solved": {
        "says": "at least 80% of the failed runs of two units have two corners right and two near probability 1/2",
        "false_when": {"few": 1},
    },
    "wide-nearly-always": {
        "says": "eight tanh units learn XOR from at least 97% of the random starts",
        "false_when": {"many": 2},
    },
}
measures = {
    "separable": "labelings of `points` points on a circle that one line makes",
    "all-labelings": "all 0/1 labelings of these points",
    "mixed-only": "those among the separable ones that use both labels",
    "solved-few": "share of random starts from which `few` hidden units solve the task",
}
predict = {
    "ask": "Two hidden tanh units can represent XOR. From what share of random starts do they learn it?",
    "measure": "solved-few",
    "choices": {"under 10%": [0, 0.1], "10% to 80%": [0.1, 0.8], "80% to 99%": [0.8, 0.99], "all": [0.99, 1]},
}
# The corners in the order of `circle(4)`: (0,0), (1,0), (1,1), (0,1). Around the square the labels of XOR alternate.
TARGETS = {"xor": [0, 1, 0, 1], "xnor": [1, 0, 1, 0], "and": [0, 0, 1, 0], "or": [0, 1, 1, 1]}
# Each activation with its derivative; the bump rises and falls, the others are monotone.
ACTIVATIONS = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "bump": (lambda z: np.exp(-(z**2)), lambda z: -2 * z * np.exp(-(z**2))),
    "linear": (lambda z: z, np.ones_like),
}
Net = list[np.ndarray]


def circle(n: int) -> np.ndarray:
    """n points (n, 2) evenly around a circle; four of them are the corners of the unit square."""
    angles = np.deg2rad(225) + 2 * np.pi * np.arange(n) / n
    corners = 0.5 + np.sqrt(0.5) * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.round(corners, 12) + 0.0  # which turns -0 into 0


def one_line_labelings(points: np.ndarray, bias: bool) -> set[tuple[int, ...]]:
    """Every labeling of points (N, 2) that step(w·x + b) makes.

    The order of the points along w changes where two of them tie: one direction between neighboring ties stands for
    all directions, one threshold in each gap of the order for all thresholds.
    """
    anchors = np.vstack([points, np.zeros(2)])  # without a bias, passing the origin changes a label too
    sides = (anchors[:, None] - anchors).reshape(-1, 2)
    sides = sides[np.abs(sides).sum(axis=1) > 1e-9]
    ties = np.unique(np.round((np.arctan2(sides[:, 1], sides[:, 0]) + np.pi / 2) % (2 * np.pi), 9))
    ties = np.append(ties, ties[0] + 2 * np.pi)
    found = set()
    for angle in (ties[:-1] + ties[1:]) / 2:
        along = points @ np.array([np.cos(angle), np.sin(angle)])  # (N,)
        order = np.sort(along)
        gaps = [order[0] - 1, *(order[:-1] + order[1:]) / 2, order[-1] + 1] if bias else [0.0]
        found |= {tuple(int(a > gap) for a in along) for gap in gaps}
    return found


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(z / 2)  # which cannot overflow


def start(runs: int, units: int, rng: np.random.Generator) -> Net:
    """Independent networks side by side: W (R, 2, H), b (R, 1, H), v (R, H, 1), c (R, 1, 1)."""
    w, v = rng.normal(0, 1, (runs, 2, units)), rng.normal(0, units**-0.5, (runs, units, 1))
    return [w, np.zeros((runs, 1, units)), v, np.zeros((runs, 1, 1))]


def forward(x: np.ndarray, net: Net, activation: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (R, N, 1), and the hidden values and slopes (R, N, H) that the gradient needs."""
    w, b, v, c = net
    z, (phi, derivative) = x @ w + b, ACTIVATIONS[activation]
    h = phi(z)
    return h @ v + c, h, derivative(z)


def losses(x: np.ndarray, t: np.ndarray, net: Net, activation: str) -> np.ndarray:
    """Mean cross-entropy of each network (R,), from logits: ln(1 + exp(-z)) for label 1, ln(1 + exp(z)) for 0."""
    return np.logaddexp(0, (1 - 2 * t)[:, None] * forward(x, net, activation)[0]).mean(axis=(1, 2))


def gradient(x: np.ndarray, t: np.ndarray, net: Net, activation: str, mistake: str) -> Net:
    z, h, slope = forward(x, net, activation)
    dz = (sigmoid(z) - t[:, None]) / len(x)  # (R, N, 1)
    dh = dz @ net[2].swapaxes(1, 2)  # (R, N, H)
    dh = dh if mistake == "no-derivative" else dh * slope
    return [x.T @ dh, dh.sum(axis=1, keepdims=True), h.swapaxes(1, 2) @ dz, dz.sum(axis=1, keepdims=True)]


def train(x: np.ndarray, t: np.ndarray, net: Net, activation: str, steps: int, mistake: str) -> np.ndarray:
    """Full-batch gradient descent in place, learning rate 0.5: which networks (R,) then get all corners right."""
    for _ in range(steps):
        for part, slope in zip(net, gradient(x, t, net, activation, mistake), strict=True):
            part -= 0.5 * slope
    return ((forward(x, net, activation)[0][..., 0] > 0) == (t > 0.5)).all(axis=1)


def run(
    *,
    points: Annotated[int, Range(3, 8), "points on a circle whose labelings are counted"] = 4,
    bias: Annotated[bool, "may the line miss the origin?"] = True,
    target: Literal["xor", "xnor", "and", "or"] = "xor",
    activation: Literal["tanh", "bump", "linear"] = "tanh",
    control: Literal["linear", "tanh"] = "linear",
    few: Annotated[int, Range(1, 8), "hidden units of the small network"] = 2,
    many: Annotated[int, Range(2, 16), "hidden units of the wide network"] = 8,
    starts: Annotated[int, Range(50, 500), "random starts for each width"] = 200,
    steps: Annotated[int, Range(100, 4000), "gradient steps"] = 1000,
    mistake: Literal["none", "linear-hidden", "no-derivative"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # One layer: on a circle a line cuts off a run of neighbors, so labels that alternate are out of reach.
    found = one_line_labelings(circle(points), bias)
    yield Measure("separable", len(found))
    yield Measure("all-labelings", 2**points)
    yield Measure("mixed-only", sum(0 < sum(labels) < points for labels in found))
    alternating = {tuple((np.arange(points) + first) % 2) for first in (0, 1)}  # of four corners: XOR and its negation
    made = len(found - alternating) - len(found & alternating)
    yield Claim("fourteen-of-sixteen", measured=made, near=(14, 0.5))

    rng = np.random.default_rng(seed)
    x, t = circle(4), np.array(TARGETS[target], dtype=float)  # (4, 2), (4,)
    best = max((np.array(labels) == t).sum() for labels in one_line_labelings(x, bias))
    yield Claim("one-layer-misses-xor", measured=best, at_most=3)

    # Two layers by hand: OR and NAND put two corners onto one point, AND draws the line.
    gates = x @ np.array([[1, -1], [1, -1]]) + np.array([-0.5, 1.5])  # (4, 2)
    gates = gates if mistake == "linear-hidden" else (gates > 0).astype(float)
    z = gates.sum(axis=1) - 1.5  # (4,), positive where both gates fire
    rows = [[f"{x[k, 0]:g} {x[k, 1]:g}", *gates[k], z[k], int(z[k] > 0)] for k in range(4)]
    yield Table("two gates and a third", ["corner", "OR", "NAND", "sum - 1.5", "AND"], rows)
    clear = (z * (2 * np.array(TARGETS["xor"]) - 1)).min()  # how far inside its side the worst corner lies
    yield Claim("hidden-gates-separate", measured=clear, at_least=0.25)

    # Untrained units: four random points in three dimensions can take any labels.
    _, h, _ = forward(x, start(starts, 3, rng), activation)  # (R, 4, 3)
    features = np.concatenate([h, np.ones((starts, 4, 1))], axis=2)  # (R, 4, 4)
    misfit = np.abs(features @ np.linalg.pinv(features) @ t - t).max(axis=1)  # (R,)
    yield Claim("frozen-hidden-fits", measured=misfit.max(), at_most=1e-8)

    # The gradient along a random direction, by hand and by central differences.
    net, way = start(1, 2, rng), start(1, 2, rng)
    by_hand = sum((g * d).sum() for g, d in zip(gradient(x, t, net, activation, mistake), way, strict=True))
    ahead, behind = ([p + e * d for p, d in zip(net, way, strict=True)] for e in (1e-5, -1e-5))
    slope = (losses(x, t, ahead, activation)[0] - losses(x, t, behind, activation)[0]) / 2e-5
    yield Claim("gradient-checked", measured=abs(by_hand - slope) / abs(slope), at_most=1e-6)

    nets = start(50, 8, rng)
    for first, units in enumerate((1, 2, 4)):  # the others keep all eight; a unit without any weights stays at 0
        nets[0][first::4, :, units:], nets[2][first::4, units:] = 0, 0
    lowest = [losses(x, t, nets, control).min()]
    for _ in range(10):
        train(x, t, nets, control, steps // 10, "none")
        lowest.append(losses(x, t, nets, control).min())
    yield Claim("linear-hidden-stalls", measured=min(lowest), at_least=np.log(2) - 1e-12)

    widths = sorted({1, 2, 3, 4, few, many})
    trained, solved = {}, {}
    for done, units in enumerate(widths):
        yield Progress(done, len(widths))
        trained[units] = start(starts, units, rng)
        solved[units] = train(x, t, trained[units], activation, steps, mistake)  # (R,)
    share = {units: solved[units].mean() for units in widths}
    bars = {"solved": (widths, list(share.values()))}
    yield Plot("solved-share", bars, x_label="hidden units", y_label="share of random starts", style="bars")
    yield Measure("solved-few", share[few])
    yield Claim("one-unit-never", measured=share[1], at_most=0)
    yield Claim("two-units-sometimes", measured=share[few], between=(0.3, 0.7))
    yield Claim("wide-nearly-always", measured=share[many], at_least=0.97)

    # What the failed runs of the small network answer: loss (ln 2)/2 where two corners stay undecided.
    p = sigmoid(forward(x, trained[few], activation)[0][..., 0])  # (R, 4)
    half = ((np.abs(p - 0.5) < 0.05).sum(axis=1) == 2) & ((np.abs(p - t) < 0.05).sum(axis=1) == 2)  # (R,)
    yield Claim("stalled-half-solved", measured=half[~solved[few]].sum() / max(1, (~solved[few]).sum()), at_least=0.8)
    side, final = np.linspace(-0.5, 1.5, 20), losses(x, t, trained[few], activation)
    plane = np.stack(np.meshgrid(side, side[::-1]), axis=-1).reshape(-1, 2)  # (400, 2), the second input upwards
    maps = {}
    for label, run_of in (("lowest loss", final.argmin()), ("highest loss", final.argmax())):
        net = [part[[run_of]] for part in trained[few]]
        maps[label] = sigmoid(forward(plane, net, activation)[0]).reshape(20, 20)
    yield Image("small-network-output", maps)


if __name__ == "__main__":
    main(run)
