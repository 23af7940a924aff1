"""Capacity: how many coin-flip labels a model can memorize, and why that says little of how it generalizes.

Random labels hold nothing to learn, so what is fitted has been memorized. Networks of one hidden ReLU layer and of
several widths are trained on them; then the widest meets the same inputs with labels that follow a rule. Parameters
are a rough guide to capacity at best: a sine with one of them fits any labels, a linear network with 225 does not.

    labelings of N points in general position in R^D by hyperplanes through 0:   2 Σ_{k<D} C(N - 1, k)  of 2^N

Sources: Zhang et al. (2017), Understanding deep learning requires rethinking generalization, sections 2 and 4; Cover
(1965), IEEE Trans. Electronic Computers 14, pp. 326-334; Burges (1998), A tutorial on SVMs, section 2.3 (the sine).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, main

claims = {
    "cover-counts": {
        "says": "Cover's formula counts the labelings that lines make of 3 to 7 points in general position",
        "false_when": {"mistake": "no-bias"},
    },
    "half-at-twice": {
        "says": "a line, three parameters, makes half of the 64 labelings of six points in general position",
        "false_when": {"corners": 8},
    },
    "one-parameter-shatters": {
        "says": "sign(sin(w x)), one parameter w, makes each of the 1024 labelings of ten chosen points",
        "false_when": {"spacing": "even"},
    },
    "construction-fits": {
        "says": "n ReLU units with 2n + d weights fit random numbers at n points of R^d, for four pairs n, d",
        "false_when": {"mistake": "one-unit-short"},
    },
    "backward-is-right": {
        "says": "the gradient by hand agrees with finite differences",
        "false_when": {"mistake": "no-mask"},
    },
    "narrow-misses": {
        "says": "4 ReLU units, trained, fit less than 85% of 100 random labels",
        "false_when": {"narrow": 32},
    },
    "wide-memorizes": {
        "says": "32 ReLU units, trained, fit over 99% of 100 random labels",
        "false_when": {"wide": 2},
    },
    "linear-units-stay-linear": {
        "says": "32 linear units, 225 parameters, fit less than 75% of 100 random labels",
        "false_when": {"control": "relu"},
    },
    "moving-labels-stay": {
        "says": "labels drawn anew at each step are not memorized: of each new draw 45 to 55% are right, on average",
        "false_when": {"redraw": "once"},
    },
    "more-examples-fewer-fit": {
        "says": "with four times the examples 16 ReLU units, trained, fit less than 85% of the random labels",
        "false_when": {"more": 1},
    },
    "noise-tests-at-chance": {
        "says": "nets with 99 of 100 random labels memorized are within 10 points of 50% on new ones (mean distance)",
        "false_when": {"corrupt": 0.0},
    },
    "rule-is-fitted-too": {
        "says": "on labels that follow the rule the 32 units fit over 99% of the training examples as well",
        "false_when": {"wide": 1},
    },
    "rule-generalizes": {
        "says": "trained on 100 labels of a circle, the 32 units (225 parameters) get over 80% of new points right",
        "false_when": {"rule": "parity"},
    },
    "random-takes-longer": {
        "says": "random labels take over 1.5 times as many steps to fit as the rule's",
        "false_when": {"corrupt": 0.0},
    },
    "half-is-memorized": {
        "says": "with half of the labels random over 99% are fitted as well",
        "false_when": {"wide": 1},
    },
    "half-random-in-between": {
        "says": "with half of the labels random test accuracy on the circle is over 10 points lower",
        "false_when": {"half": 0.0},
    },
}
measures = {
    "linear-share": "share of all labelings of `points` points in R^`inputs` that hyperplanes with a bias make",
    "linear-share-no-bias": "the same for hyperplanes through the origin",
    "labels-memorized": "share of 100 random labels that `narrow` trained units fit",
    "rule-test": "accuracy on new points after training on the rule's labels",
    "random-test": "the same after training on random labels",
    "step-ratio": "steps to fit random labels over steps to fit the rule's",
}
predict = {
    "ask": "32 ReLU units memorized 100 random labels. Trained on a circle's labels instead, they get of new points",
    "measure": "rule-test",
    "choices": {"about half right": [0.0, 0.6], "60 to 80% right": [0.6, 0.8], "over 80% right": [0.8, 1.0]},
}

INPUTS, EXAMPLES, NETWORKS = 5, 100, 10
Net = list[np.ndarray]  # W (R, 6, H), the last row biases; v (R, H, 1); c (R, 1, 1)


def linear_share(points: int, inputs: int, bias: bool = True) -> float:
    """Share of all labelings that hyperplanes make, by Cover's formula; a bias is one more dimension."""
    binomials = (np.poly1d([1, 1]) ** (points - 1)).coeffs  # C(N - 1, k) for k from 0 to N - 1
    return 2 * binomials[: inputs + bias].sum() / 2**points


def labelings(v: np.ndarray) -> int:
    """How many labelings of points v (N, 3) planes through 0 make: any can be turned until it touches two."""
    found = set()
    for i in range(len(v)):
        for j in range(i):
            side = np.sign(v @ np.cross(v[i], v[j]))  # (N,)
            for side[i] in (-1, 1):
                for side[j] in (-1, 1):
                    found |= {tuple(side), tuple(-side)}
    return len(found)


def draw(rng: np.random.Generator, n: int, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (R, n, 6), the last a constant 1, and labels of +1 and -1 (R, n)."""
    x = rng.normal(size=(NETWORKS, n, INPUTS + 1)).astype(np.float32)
    x[..., -1] = 1
    circle = x[..., 0] ** 2 + x[..., 1] ** 2 - 2 * np.log(2)  # half of the points lie within
    y = np.sign(x.prod(axis=-1) if rule == "parity" else circle)
    return x, y


def coin_flips(rng: np.random.Generator, y: np.ndarray, share: float) -> np.ndarray:
    """Labels of which `share` are replaced by tosses of a coin (half of those come out right)."""
    return np.where(rng.random(y.shape) < share, rng.choice([-1.0, 1.0], y.shape), y).astype(np.float32)


def start(rng: np.random.Generator, units: int) -> Net:
    W = rng.normal(0, np.sqrt(2 / INPUTS), (NETWORKS, INPUTS + 1, units))
    W[:, -1] = 0
    v = rng.normal(0, np.sqrt(1 / units), (NETWORKS, units, 1))
    return [part.astype(np.float32) for part in (W, v, np.zeros((NETWORKS, 1, 1)))]


def margin(net: Net, x: np.ndarray, y: np.ndarray, kind: str = "relu") -> np.ndarray:
    """Label times output (R, n): positive where an example is right."""
    z = x @ net[0]  # (R, n, H)
    return y * ((z if kind == "linear" else np.maximum(z, 0)) @ net[1] + net[2])[..., 0]


def gradient(net: Net, x: np.ndarray, y: np.ndarray, kind: str = "relu") -> tuple[Net, np.ndarray]:
    """Of the mean logistic loss ln(1 + exp(-margin)), by hand; the margins come along."""
    z = x @ net[0]  # (R, n, H)
    h = z if kind == "linear" else np.maximum(z, 0)
    m = y * (h @ net[1] + net[2])[..., 0]  # (R, n)
    d_out = (-y / (1 + np.exp(np.minimum(m, 50))))[..., None] / x.shape[1]  # (R, n, 1)
    d_z = d_out @ net[1].swapaxes(1, 2) * (1 if kind in ("linear", "no-mask") else z > 0)
    return [x.swapaxes(1, 2) @ d_z, h.swapaxes(1, 2) @ d_out, d_out.sum(axis=1, keepdims=True)], m


def train(net: Net, x: np.ndarray, y: np.ndarray, steps: int, kind: str = "relu") -> np.ndarray:
    """Gradient descent with momentum, in place, until all networks fit; returns the step at which each did (R,)."""
    speed, first = [np.zeros_like(part) for part in net], np.full(len(x), steps)
    for step in range(steps):
        slopes, m = gradient(net, x, y, kind)
        first = np.minimum(first, np.where((m > 0).all(axis=1), step, steps))
        if first.max() < steps:
            break
        for part, pace, slope in zip(net, speed, slopes, strict=True):
            pace *= 0.9
            pace -= 0.3 * slope
            part += pace
    return first


def run(
    *,
    points: Annotated[int, Range(1, 40), "points, in the closed form for linear labelings"] = 6,
    inputs: Annotated[int, Range(1, 40), "inputs, in the same"] = 2,
    corners: Annotated[int, Range(2, 10), "points in the plane whose labelings are listed"] = 6,
    spacing: Annotated[Literal["halving", "even"], "places of the sine's ten points"] = "halving",
    narrow: Annotated[int, Range(1, 64), "units of the narrow network"] = 4,
    wide: Annotated[int, Range(1, 64), "units of the wide network"] = 32,
    control: Annotated[Literal["linear", "relu"], "hidden units of the linear network"] = "linear",
    redraw: Annotated[Literal["each-step", "once"], "when the moving labels move"] = "each-step",
    more: Annotated[int, Range(1, 8), "times the examples"] = 4,
    rule: Annotated[Literal["circle", "parity"], "behind real labels: two inputs' or all signs'"] = "circle",
    corrupt: Annotated[float, Range(0.0, 1.0), "share of coin flips among the random labels"] = 1.0,
    half: Annotated[float, Range(0.0, 1.0), "share of coin flips where only some are random"] = 0.5,
    steps: Annotated[int, Range(50, 2000), "of training, at most"] = 500,
    mistake: Literal["none", "no-bias", "one-unit-short", "no-mask"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("linear-share", linear_share(points, inputs))
    yield Measure("linear-share-no-bias", linear_share(points, inputs, bias=False))
    rng = np.random.default_rng(seed)
    v = np.append(rng.normal(size=(corners, 2)), np.ones((corners, 1)), axis=1)  # (N, 3)
    scattered = np.append(rng.normal(size=(7, 2)), np.ones((7, 1)), axis=1)  # (7, 3)
    counts = [(labelings(scattered[:n]), 2**n * linear_share(n, 2, bias=mistake != "no-bias")) for n in range(3, 8)]
    yield Claim("cover-counts", measured=max(abs(listed - formula) for listed, formula in counts), at_most=1e-9)
    yield Claim("half-at-twice", measured=labelings(v) / 2**corners, near=(0.5, 1e-9))

    # Bit i of a labeling moves w by 2^i π: by π at the point 1/2^i, by whole turns at the points before it.
    bits = np.arange(1024)[:, None] >> np.arange(10) & 1  # (labelings, 10), 1 where the label is -1
    w = np.pi * (1 + bits @ 2.0 ** np.arange(1, 11))  # (labelings,)
    places = 2.0 ** -np.arange(1, 11) if spacing == "halving" else np.arange(1, 11) / 11  # (10,)
    made = np.unique(np.sin(w[:, None] * places) > 0, axis=0)
    yield Claim("one-parameter-shatters", measured=len(made) / 1024, near=(1.0, 1e-9))

    # Zhang et al., theorem 1: along a random direction each unit starts just before one point. The points are then
    # fitted from left to right, since unit j is 0 on all points before the j-th: a triangular system.
    gaps = []
    for n, d in ((30, INPUTS), (6, 1), (12, 2), (50, 20)):
        x, numbers = rng.normal(size=(n, d)), rng.normal(size=n)
        along = np.sort(x @ rng.normal(size=d))  # (n,), d weights; the numbers are random, so any order will do
        before = np.append(along[0] - 1, (along[1:] + along[:-1]) / 2)[mistake == "one-unit-short" :]  # n biases
        h = np.maximum(along[:, None] - before, 0)  # (n, units)
        out = np.linalg.lstsq(h, numbers, rcond=None)[0]  # n output weights
        gaps.append(np.abs(h @ out - numbers).max())
    yield Claim("construction-fits", measured=max(gaps), at_most=1e-6)

    x, y = draw(rng, EXAMPLES, rule)  # (R, n, 6), (R, n)
    net = [part + rng.normal(0, 0.3, part.shape) for part in start(rng, 7)]
    way = [rng.normal(size=part.shape) for part in net]
    slopes, _ = gradient(net, x, y, mistake)
    by_hand = sum((slope * d).sum(axis=(1, 2)) for slope, d in zip(slopes, way, strict=True))  # (R,)
    ahead, behind = ([part + e * d for part, d in zip(net, way, strict=True)] for e in (1e-6, -1e-6))
    loss_ahead, loss_behind = (np.log1p(np.exp(-margin(at, x, y))).mean(axis=1) for at in (ahead, behind))
    off = np.abs(by_hand - (loss_ahead - loss_behind) / 2e-6) / (np.abs(by_hand) + 0.01)
    yield Claim("backward-is-right", measured=np.median(off), at_most=1e-5)

    # Random labels on these inputs, at several widths.
    noise = coin_flips(rng, y, corrupt)
    widths = sorted({1, 2, 4, 8, 16, wide, narrow})
    fitted, nets, first = {}, {}, {}
    for done, units in enumerate(widths):
        yield Progress(done, len(widths) + 4)
        nets[units] = start(rng, units)
        first[units] = train(nets[units], x, noise, steps)
        fitted[units] = (margin(nets[units], x, noise) > 0).mean()
    yield Table(
        f"random labels memorized, of {EXAMPLES}",
        ["units", "parameters", "labels"],
        [[str(u), str(u * (INPUTS + 2) + 1), EXAMPLES * fitted[u]] for u in widths],
    )
    yield Measure("labels-memorized", fitted[narrow])
    yield Claim("narrow-misses", measured=fitted[narrow], at_most=0.85)
    yield Claim("wide-memorizes", measured=fitted[wide], at_least=0.99)

    lines = start(rng, 32)
    train(lines, x, noise, 150, control)
    yield Claim("linear-units-stay-linear", measured=(margin(lines, x, noise, control) > 0).mean(), at_most=0.75)

    moving, right, fresh = start(rng, 32), [], coin_flips(rng, y, 1.0)
    for _ in range(150):
        if redraw == "each-step":
            fresh = coin_flips(rng, y, 1.0)
        right.append((margin(moving, x, fresh) > 0).mean())
        for part, slope in zip(moving, gradient(moving, x, fresh)[0], strict=True):
            part -= 1.0 * slope
    yield Claim("moving-labels-stay", measured=np.mean(right[-50:]), near=(0.5, 0.05))

    x_more, y_more = draw(rng, more * EXAMPLES, rule)
    x_more, y_more = x_more[:3], coin_flips(rng, y_more[:3], 1.0)  # three networks will do
    crowded = [part[:3] for part in start(rng, 16)]
    train(crowded, x_more, y_more, steps)
    yield Claim("more-examples-fewer-fit", measured=(margin(crowded, x_more, y_more) > 0).mean(), at_most=0.85)
    yield Progress(len(widths) + 1, len(widths) + 4)

    # The same inputs and the same network; the labels follow a rule, or half of them do.
    x_test, y_test = draw(rng, 500, rule)
    training, test = {}, {}
    for name, labels in (("rule", y), ("half random", coin_flips(rng, y, half))):
        net = start(rng, wide)
        first[name] = train(net, x, labels, steps)
        training[name], test[name] = ((margin(net, *at) > 0).mean() for at in ((x, labels), (x_test, y_test)))
    training["random"] = fitted[wide]
    tossed = coin_flips(rng, y_test, corrupt)
    by_rule, by_toss = ((margin(nets[wide], x_test, of) > 0).mean(axis=1) for of in (y_test, tossed))  # (R,) each
    test["random"] = by_rule.mean()
    off = np.maximum(np.abs(by_rule - 0.5), np.abs(by_toss - 0.5))
    off[(margin(nets[wide], x, noise) > 0).mean(axis=1) < 0.99] = 0.5  # has not memorized: no witness
    bars = {name: (list(shares), list(shares.values())) for name, shares in (("training", training), ("test", test))}
    yield Plot("training-and-test", bars, y_label="accuracy", style="bars")
    yield Measure("random-test", test["random"])
    yield Measure("rule-test", test["rule"])
    yield Claim("noise-tests-at-chance", measured=off.mean(), at_most=0.1)
    yield Claim("rule-is-fitted-too", measured=training["rule"], at_least=0.99)
    yield Claim("rule-generalizes", measured=test["rule"], at_least=0.8)
    ratio = np.median(first[wide]) / max(np.median(first["rule"]), 1)
    yield Measure("step-ratio", ratio)
    yield Claim("random-takes-longer", measured=ratio, at_least=1.5)
    yield Claim("half-is-memorized", measured=training["half random"], at_least=0.99)
    yield Claim("half-random-in-between", measured=test["rule"] - test["half random"], at_least=0.1)


if __name__ == "__main__":
    main(run)
