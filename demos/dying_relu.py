"""A ReLU that is off on all data gets a gradient of exactly 0; a leaky one gets its slope times the incoming gradient.

    φ(z) = z for z > 0, else a z        ∂L/∂z = ∂L/∂h for z > 0, else a ∂L/∂h        ∂L/∂a = Σ over z < 0 of z ∂L/∂h

One batch whose missing targets were coded as -99 pushes the units of small networks below zero on every example.
Then training goes on. In the first experiment the units are summed with outgoing weights fixed at 1, there is no
layer before them and the targets ask for them; there a dead ReLU cannot return. In the second a layer before them
learns, and some do return. In the third nothing is dead and a leaky layer stands still all the same.

Sources: Maas, Hannun & Ng (2013), Rectifier Nonlinearities Improve Neural Network Acoustic Models; He et al.
(2015), Delving Deep into Rectifiers, sections 2.1 and 2.2.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "backward-is-right": {
        "says": "scaling the gradient by the slope where z < 0 agrees with finite differences",
        "false_when": {"mistake": "relu-backward"},
    },
    "slope-gradient": {
        "says": "a learned slope's gradient, the sum of z ∂L/∂h where z < 0, agrees with finite differences",
        "false_when": {"mistake": "slope-over-all"},
    },
    "slope-one-is-linear": {
        "says": "with slope 1 a network of three layers is one affine map",
        "false_when": {"top_slope": 0.9},
    },
    "he-with-slope-holds": {
        "says": "variance 2/((1 + a²) n) holds the mean square to a factor of 2 in each of 10 layers: a of 0.01 to 0.9",
        "false_when": {"init": "relu"},
    },
    "bad-step-kills": {
        "says": "one step on targets of -99 turns over 80% of the ReLU units that were on off on all data",
        "false_when": {"sentinel": 0.0},
    },
    "dead-gradient-is-zero": {
        "says": "all gradients of a ReLU unit that is off on all data are 0: weights in, bias and weight out",
        "false_when": {"unit": "leaky"},
    },
    "leaky-gets-slope-times-incoming": {
        "says": "the bias of a leaky unit off on all data gets its slope times the summed incoming gradient",
        "false_when": {"mistake": "relu-backward"},
    },
    "dead-do-not-return": {
        "says": "with no layer before them that learns, none of the killed ReLU units is back after 300 steps",
        "false_when": {"unit": "leaky"},
    },
    "dead-weights-stand-still": {
        "says": "under plain gradient descent a dead unit's weights do not move",
        "false_when": {"momentum": 0.9},
    },
    "leaky-return": {
        "says": "where targets ask for them, over a quarter of the killed units of slope 0.1 are back in 300 steps",
        "false_when": {"slope": 0.0},
    },
    "steeper-is-faster": {
        "says": "after 300 steps more killed units of slope 0.3 are back than of slope 0.01, by over 40 points",
        "false_when": {"steep": 0.02},
    },
    "earlier-layer-revives": {
        "says": "with a layer before them that learns, over 10% of units that are just dead return",
        "false_when": {"freeze": True},
    },
    "off-layer-can-stall": {
        "says": "where all leaky units are off, the best straight fit is stationary: every gradient is 0",
        "false_when": {"push": -1.0},
    },
}
measures = {
    "he-variance": "variance of a weight, fan-in n, slope a: 2/((1 + a²) n)",
    "he-variance-relu": "the same with the slope forgotten: 2/n",
    "he-variance-linear-slope": "the same with 1 + a in place of 1 + a²",
    "slope-gradient": "gradient of a learned slope for z = -2, 3, -1 and incoming gradients 0.5, 1, -`pull`",
    "slope-gradient-all": "the same summed over the positive z too",
    "relu-back": "share of the killed ReLU units that are back",
    "leaky-back": "share of the killed leaky units that are back",
    "revived": "share of just dead second-layer units that return while the first layer learns",
}
predict = {
    "ask": "300 good steps after the bad one: how many of the killed ReLU units fire again on any example?",
    "measure": "relu-back",
    "choices": {"none": [0.0, 0.001], "up to half": [0.001, 0.5], "most": [0.5, 1.0]},
}
RUNS, N, RATE = 32, 60, 0.025  # independent networks, examples each, learning rate
Net = list[tuple[np.ndarray, np.ndarray]]  # weights (RUNS, in, out) and biases (RUNS, 1, out), layer by layer


def forward(net: Net, x: np.ndarray, slope: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Activations [x, h_1, …, output] and pre-activations [z_1, …]; the last layer is linear."""
    h, z = [x], []
    for i, (w, b) in enumerate(net):
        z.append(h[-1] @ w + b)  # (RUNS, N, out)
        h.append(z[-1] if i == len(net) - 1 else np.where(z[-1] > 0, z[-1], slope * z[-1]))
    return h, z


def gradients(net: Net, x: np.ndarray, y: np.ndarray, slope: float, mistake: str = "none") -> tuple[Net, list]:
    """Gradients of the mean squared error by weights and biases, and by the slope of each hidden layer."""
    h, z = forward(net, x, slope)
    dz = 2 * (h[-1] - y) / x.shape[1]  # (RUNS, N, 1)
    found, slopes = [], []
    for i in reversed(range(len(net))):
        found.insert(0, (h[i].swapaxes(1, 2) @ dz, dz.sum(1, keepdims=True)))
        if i:
            dh = dz @ net[i][0].swapaxes(1, 2)  # (RUNS, N, in): the incoming gradient
            below = np.ones_like(dh) if mistake == "slope-over-all" else z[i - 1] < 0
            slopes.insert(0, (dh * z[i - 1] * below).sum((1, 2)))  # (RUNS,)
            dz = dh * np.where(z[i - 1] > 0, 1.0, 0.0 if mistake == "relu-backward" else slope)
    return found, slopes


def descend(net: Net, speed: Net, found: Net, learning: tuple, momentum: float = 0.0) -> tuple[Net, Net]:
    """One step of gradient descent on the layers in `learning`: networks and velocities."""
    pairs = zip(speed, found, strict=True)
    speed = [(momentum * v - RATE * dw, momentum * c - RATE * db) for (v, c), (dw, db) in pairs]
    layers = enumerate(zip(net, speed, strict=True))
    return [(w + v, b + c) if i in learning else (w, b) for i, ((w, b), (v, c)) in layers], speed


def off(net: Net, x: np.ndarray, layer: int = 0) -> np.ndarray:
    """Which units of a layer are off on all examples (RUNS, units)."""
    return (forward(net, x, 0.0)[1][layer] <= 0).all(1)


def worst_error(rng: np.random.Generator, slope: float, mistake: str) -> tuple[float, float]:
    """Distance of the gradients by hand from central differences, over the largest: weights and biases; slope."""
    shapes = [(3, 5), (5, 4), (4, 2)]
    net = [(rng.normal(0, 1, (1, i, o)), rng.normal(0, 0.5, (1, 1, o))) for i, o in shapes]
    x, y = rng.normal(0, 1, (1, 9, 3)), rng.normal(0, 1, (1, 9, 2))

    def loss(a: float) -> float:
        return ((forward(net, x, a)[0][-1] - y) ** 2).sum() / 9

    by_hand, of_slopes = gradients(net, x, y, slope, mistake)
    gaps, sizes, eps = [], [], 1e-6
    for part, gradient in zip(sum(net, ()), sum(by_hand, ()), strict=True):
        for place in np.ndindex(part.shape):
            kept, ends = part[place], []
            for shift in (eps, -eps):
                part[place] = kept + shift
                ends.append(loss(slope))
            part[place] = kept
            sizes.append((ends[0] - ends[1]) / (2 * eps))
            gaps.append(gradient[place] - sizes[-1])
    by_slope = (loss(slope + eps) - loss(slope - eps)) / (2 * eps)
    return np.abs(gaps).max() / np.abs(sizes).max(), abs(float(sum(of_slopes)[0]) / by_slope - 1)


def run(
    *,
    slope: Annotated[float, Range(0.0, 0.9), "a, the slope below zero"] = 0.1,
    steep: Annotated[float, Range(0.01, 0.9), "the slope that is compared with 0.01"] = 0.3,
    unit: Literal["relu", "leaky"] = "relu",
    sentinel: Annotated[float, Range(-200.0, 0.0), "what missing targets were coded as"] = -99.0,
    steps: Annotated[int, Range(1, 1000), "steps after the bad one"] = 300,
    momentum: Annotated[float, Range(0.0, 0.95), "of the first experiment"] = 0.0,
    freeze: Annotated[bool, "keep the first layer of the second experiment fixed"] = False,
    push: Annotated[float, Range(-10.0, 10.0), "how far below zero the third experiment's units are"] = 1.0,
    top_slope: Annotated[float, Range(0.0, 1.0), "the slope that is to make a network linear"] = 1.0,
    init: Annotated[Literal["with-slope", "relu"], "which variance the deep network gets"] = "with-slope",
    fan_in: Annotated[int, Range(1, 10_000), "inputs of a layer, for its variance"] = 200,
    pull: Annotated[float, Range(-10.0, 10.0), "minus the third incoming gradient of the small example"] = 2.0,
    mistake: Literal["none", "relu-backward", "slope-over-all"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("he-variance", 2 / ((1 + slope**2) * fan_in))
    yield Measure("he-variance-relu", 2 / fan_in)
    yield Measure("he-variance-linear-slope", 2 / ((1 + slope) * fan_in))
    few, incoming = np.array([-2.0, 3.0, -1.0]), np.array([0.5, 1.0, -pull])
    yield Measure("slope-gradient", (few * incoming)[few < 0].sum())
    yield Measure("slope-gradient-all", (few * incoming).sum())

    rng = np.random.default_rng(seed)
    by_weights, by_slope = worst_error(rng, 0.1, mistake)
    yield Claim("backward-is-right", measured=by_weights, at_most=1e-5)
    yield Claim("slope-gradient", measured=by_slope, at_most=1e-5)

    # An affine map sends midpoints to midpoints.
    net = [(rng.normal(0, 1, (1, 6, 6)), rng.normal(0, 1, (1, 1, 6))) for _ in range(3)]
    u, v = rng.normal(0, 1, (2, 1, N, 6))
    at_u, at_v, middle = (forward(net, part, top_slope)[0][-1] for part in (u, v, (u + v) / 2))
    yield Claim("slope-one-is-linear", measured=np.abs((at_u + at_v) / 2 - middle).max(), at_most=1e-9)

    curves, changed, n = {}, {"with-slope": 1.0, "relu": 1.0}, 128
    for a in (0.01, 0.3, 0.9, 0.5):  # the last one is drawn
        for name, variance in (("with-slope", 2 / ((1 + a**2) * n)), ("relu", 2 / n)):
            net = [(rng.normal(0, np.sqrt(variance), (8, n, n)), 0.0) for _ in range(11)]
            squares = [np.mean(part**2) for part in forward(net, rng.normal(0, 1, (8, 20, n)), a)[1]]
            curves[name] = np.array(squares) / squares[0]  # (11,), at initialization
            changed[name] = max(changed[name], curves[name].max(), 1 / curves[name].min())
    yield Plot(
        "signal-by-layer",
        {"2/((1 + a²) n)": (range(1, 12), curves["with-slope"]), "2/n, as for ReLU": (range(1, 12), curves["relu"])},
        x_label="layer of slope 0.5",
        y_label="mean square of z / first layer's",
    )
    yield Claim("he-with-slope-holds", measured=changed[init], at_most=2)

    # First experiment: h units, summed; the targets come from such a network, and so do the starting weights.
    def draw() -> tuple[np.ndarray, np.ndarray]:
        w = rng.normal(0, 2, (RUNS, 3, 8))
        return w, -(w * rng.uniform(0.25, 0.75, w.shape)).sum(1, keepdims=True)  # each kink lies amid the data

    x, total = rng.uniform(0, 1, (RUNS, N, 3)), (np.ones((RUNS, 8, 1)), np.zeros((RUNS, 1, 1)))
    y = forward([draw(), total], x, 0.0)[0][-1]  # (RUNS, N, 1)
    start = [draw(), total]
    ours = slope if unit == "leaky" else 0.0
    rows, shares, results = [], {}, {}
    slopes = {"first": ours, "0.01": 0.01, "second": slope, "steep": steep}
    for name, a in slopes.items():
        was_on = ~off(start, x)
        at_rest = [(0 * w, 0 * b) for w, b in start]
        hit, speed = descend(start, at_rest, gradients(start, x, np.full_like(y, sentinel), a)[0], (0,))
        killed = was_on & off(hit, x)  # (RUNS, 8)
        still, net = [1.0], hit
        for _ in range(steps):
            net, speed = descend(net, speed, gradients(net, x, y, a)[0], (0,), momentum)
            still.append((killed & off(net, x)).sum() / max(killed.sum(), 1))
        error = np.median(((forward(net, x, a)[0][-1] - y) ** 2).mean((1, 2)) / (y**2).mean((1, 2)))
        results[name] = killed, was_on, hit, net
        shares[name] = still
        rows.append([f"{a:g}", killed.sum() / was_on.sum(), 1 - still[-1], error])
    yield Table("after the bad step", ["slope", "killed", "of them back", "error / all off"], rows)
    yield Plot(
        "still-off",
        {f"slope {slopes[name]:g}": (range(steps + 1), still) for name, still in shares.items()},
        x_label="steps after the bad one",
        y_label="share of killed units still off",
    )
    killed, was_on, hit, end = results["first"]
    yield Claim("bad-step-kills", measured=killed.sum() / was_on.sum(), at_least=0.8)
    # The outgoing weights are fixed here, but what would be their gradient is 0 too, since h is.
    (dw, db), (dv, _) = gradients(hit, x, y, ours)[0]
    sizes = [np.abs(dw).max(1), np.abs(db[:, 0]), np.abs(dv[:, :, 0])]  # (RUNS, 8) each
    yield Claim("dead-gradient-is-zero", measured=max((part * off(hit, x)).max() for part in sizes), at_most=0)
    yield Measure("relu-back", 1 - shares["first"][-1])
    yield Claim("dead-do-not-return", measured=1 - shares["first"][-1], at_most=0.001)
    moved = np.abs(end[0][0] - hit[0][0]).max(1) * (killed & off(end, x))  # (RUNS, 8)
    yield Claim("dead-weights-stand-still", measured=moved.max(), at_most=1e-12)

    wrong = []
    for name in ("0.01", "second", "steep"):
        a, hit = slopes[name], results[name][2]
        db = gradients(hit, x, y, a, mistake)[0][0][1][:, 0]  # (RUNS, 8)
        incoming = (2 * (forward(hit, x, a)[0][-1] - y) / N).sum(1)  # (RUNS, 1); the outgoing weights are 1
        wrong.append((np.abs(db - a * incoming) * off(hit, x) / np.abs(incoming)).max())
    yield Claim("leaky-gets-slope-times-incoming", measured=max(wrong), at_most=1e-9)
    yield Measure("leaky-back", 1 - shares["second"][-1])
    yield Claim("leaky-return", measured=1 - shares["second"][-1], at_least=0.25)
    yield Claim("steeper-is-faster", measured=shares["0.01"][-1] - shares["steep"][-1], at_least=0.4)

    # Second experiment: half of the second layer is just dead, its largest z at -0.02; the first layer learns.
    shapes = [(3, 12), (12, 12), (12, 1)]
    net = [(rng.normal(0, np.sqrt(2 / i), (RUNS, i, o)), np.zeros((RUNS, 1, o))) for i, o in shapes]
    top = forward(net, x, 0.0)[1][1].max(1, keepdims=True)  # (RUNS, 1, 12)
    net[1][1][:, :, :6] -= top[:, :, :6] + 0.02
    speed, dead = [(0 * w, 0 * b) for w, b in net], off(net, x, 1)  # (RUNS, 12)
    revived = ~dead
    for _ in range(100):
        net, speed = descend(net, speed, gradients(net, x, y, 0.0)[0], (1, 2) if freeze else (0, 1, 2))
        revived |= ~off(net, x, 1)
    share = (revived & dead).sum() / dead.sum()
    yield Text(f"With a learning layer before them, {share:.0%} of the just dead ReLU units fired again.")
    yield Measure("revived", share)
    yield Claim("earlier-layer-revives", measured=share, at_least=0.1)

    # Third experiment: all units off by `push` or more, output weights fitted by least squares, all by hand.
    w = rng.normal(0, 1, (1, 3, 8))
    b = -(x[:1] @ w).max(1, keepdims=True) - push
    h = forward([(w, b), (total[0][:1], total[1][:1])], x[:1], 0.1)[0][1][0]  # (N, 8)
    out = np.linalg.lstsq(np.hstack([h, np.ones((N, 1))]), y[0], rcond=None)[0]  # (9, 1)
    fitted = [(w, b), (out[None, :-1], out[None, -1:])]
    found = gradients(fitted, x[:1], y[:1], 0.1)[0]
    left = ((forward(fitted, x[:1], 0.1)[0][-1] - y[:1]) ** 2).mean() / y[0].var()
    yield Text(f"A leaky layer that is off on all data is linear: its best fit leaves {left:.0%} of the variance.")
    yield Claim("off-layer-can-stall", measured=max(np.abs(part).max() for part in sum(found, ())), at_most=1e-6)


if __name__ == "__main__":
    main(run)
