"""The output activation says which numbers a network can give: it has to fit the targets, and the loss has to fit it.

    targets               output activation      loss                        gradient at the output's input z
    signed numbers        linear                 squared error (half of it)  z - y
    counts                exp                    Poisson                     exp(z) - y
    yes or no, or tags    sigmoid (each)         binary cross-entropy        σ(z) - y
    one class of C        softmax                cross-entropy               p - y

Each of these pairs has the gradient "output minus target". Other heads can be had, at a price: here four of them meet
three kinds of targets, and a ReLU output dies, where softplus, ln(1 + exp(z)), does not.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, section 6.2.2; Bishop (2006), Pattern Recognition and
Machine Learning, section 5.2; Glorot, Bordes & Bengio (2011), Deep Sparse Rectifier Neural Networks.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "output-minus-target": {
        "says": "linear, exp, sigmoid and softmax with their losses have the gradient output minus target",
        "false_when": {"mistake": "squared-error"},
    },
    "squared-error-keeps-the-slope": {
        "says": "behind a sigmoid, half the squared error has the gradient (p - y) p (1 - p), not p - y",
        "false_when": {"behind_sigmoid": "cross-entropy"},
    },
    "slopes": {
        "says": "linear, ReLU, softplus and sigmoid have the slopes 1, 0 or 1, σ(z) and p (1 - p)",
        "false_when": {"mistake": "sigmoid-slope"},
    },
    "linear-fits-signed": {
        "says": "on signed targets that are linear in the inputs a linear output leaves under 1% of the mean square",
        "false_when": {"signed": "relu"},
    },
    "relu-loses-half": {
        "says": "on targets as often negative as positive a ReLU output leaves about half of their mean square",
        "false_when": {"shift": 5.0},
    },
    "relu-floor": {
        "says": "where the inputs tell the targets, a ReLU output leaves at best the negative ones' squares, over N",
        "false_when": {"floor_output": "linear"},
    },
    "relu-fits-non-negative": {
        "says": "on targets max(0, linear) a ReLU output leaves under 5% of their mean square",
        "false_when": {"non_negative": "sigmoid"},
    },
    "linear-goes-negative": {
        "says": "on the same non-negative targets a linear output gives negative numbers for over 10% of the inputs",
        "false_when": {"smallest": 5.0},
    },
    "softplus-stays-above": {
        "says": "where those targets are 0, the median output of a softplus is still above 0.02",
        "false_when": {"smooth": "relu"},
    },
    "sigmoid-caps": {
        "says": "where the largest quarter of targets lies far above 1, a sigmoid leaves over 20% of its mean square",
        "false_when": {"scale": 0.3},
    },
    "linear-leaves-unit-interval": {
        "says": "a linear output fitted to 0 and 1 gives over 5% of the inputs a number below 0 or above 1",
        "false_when": {"certainty": 0.3},
    },
    "sigmoids-miss-one": {
        "says": "one sigmoid for each of three exclusive classes: the outputs' sum is off 1 by over 0.03 on average",
        "false_when": {"classes": "softmax"},
    },
    "softmax-cannot-say-two": {
        "says": "where two of three tags are present, no softmax gives both over 0.5: trained or of random logits",
        "false_when": {"two_tags": "sigmoid"},
    },
    "sigmoids-say-two": {
        "says": "trained on tags, one sigmoid each gets over 90% of them right at a threshold of 0.5",
        "false_when": {"all_tags": "softmax"},
    },
    "dead-stays-dead": {
        "says": "networks whose ReLU output gets negative inputs on all examples do not move a weight in 150 steps",
        "false_when": {"dying": "softplus"},
    },
    "large-steps-kill": {
        "says": "over a quarter of 100 networks end with a ReLU output of 0 throughout at a rate of 0.3, not at 0.05",
        "false_when": {"dying": "softplus"},
    },
    "small-steps-spare": {
        "says": "at a rate of 0.05 under an eighth of the 100 networks end with an output of 0 on all examples",
        "false_when": {"small_rate": 0.4},
    },
    "small-steps-learn": {
        "says": "at that rate the median network leaves under 10% of the targets' mean square",
        "false_when": {"small_rate": 0.4},
    },
}
measures = {
    "floor": "least mean squared error of a ReLU output, if some of 20 targets are `low` and the others 3",
    "constant-zero": "the same for an output that is 0 throughout",
    "dead-percent": "percent of 100 networks that end with an output below 0.001 on all examples",
    "relu-signed": "share of the mean square of the signed targets that a ReLU output leaves",
}
predict = {
    "ask": "100 small networks with a ReLU output learn positive targets at rate 0.3. How many end at 0 for good?",
    "measure": "dead-percent",
    "choices": {"none": [0.0, 0.5], "1 to 10": [0.5, 10.5], "more": [10.5, 100.0]},
}
Array = np.ndarray
HEADS = ("linear", "relu", "softplus", "sigmoid")


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(z, -500, 500)))


def softmax(z: Array) -> Array:
    exp = np.exp(z - z.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def output(z: Array, head: str) -> Array:
    if head == "linear":
        return z
    if head == "relu":
        return np.maximum(z, 0)
    if head == "softplus":
        return np.logaddexp(0, z)
    return sigmoid(z) if head == "sigmoid" else softmax(z)


def slope(z: Array, head: str, mistake: str = "none") -> Array:
    """Derivative of the output by z."""
    if head == "linear":
        return np.ones_like(z)
    if head == "relu":
        return (z > 0) * 1.0
    p = sigmoid(z)
    return p if head == "softplus" or mistake == "sigmoid-slope" else p * (1 - p)


def fit(x: Array, y: Array, head: str) -> Array:
    """Outputs (N, 1) of one unit after 400 steps of gradient descent on the squared error; x (N, D), y (N, 1)."""
    w, b = np.full((x.shape[1], 1), 0.1), np.full((1, 1), 0.5)
    for _ in range(400):
        z = x @ w + b
        d_z = 2 * (output(z, head) - y) * slope(z, head) / len(x)
        w = w - 0.1 * x.T @ d_z
        b = b - 0.1 * d_z.sum(0, keepdims=True)
    return output(x @ w + b, head)


def fit_labels(x: Array, y: Array, head: str) -> Array:
    """Probabilities (N, C) after 300 steps on the cross-entropy that fits the head: p - y is the gradient of both."""
    w = np.zeros((x.shape[1], y.shape[1]))
    target = y / y.sum(1, keepdims=True).clip(1) if head == "softmax" else y  # equal shares for the tags present
    for _ in range(300):
        w = w - x.T @ (output(x @ w, head) - target) / len(x)
    return output(x @ w, head)


def train_networks(head: str, rate: float, bias: float, seed: int) -> tuple[Array, Array, float]:
    """Outputs (copies, N, 1) of 100 networks after 150 steps, errors (copies,), and the farthest move of a weight."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 25, 4))
    y = np.abs(x @ rng.normal(size=(100, 4, 1)))  # positive targets
    w, v = rng.normal(0, np.sqrt(2 / 4), (100, 4, 16)), rng.normal(0, np.sqrt(1 / 16), (100, 16, 1))
    net = [w, np.zeros((100, 1, 16)), v, np.full((100, 1, 1), bias)]
    first = [part.copy() for part in net]
    for step in range(151):
        w, b, v, c = net
        h = np.maximum(x @ w + b, 0)  # (copies, N, 16)
        z = h @ v + c
        if step == 150:
            break
        d_z = np.clip(2 * (output(z, head) - y) * slope(z, head), -100, 100) / 25  # so that any rate stays finite
        d_h = d_z @ v.swapaxes(1, 2) * (h > 0)
        for part, a, d in ((w, x, d_h), (v, h, d_z)):
            part -= rate * a.swapaxes(1, 2) @ d
        for part, d in ((b, d_h), (c, d_z)):
            part -= rate * d.sum(1, keepdims=True)
    moved = max(np.abs(part - was).max() for part, was in zip(net, first, strict=True))
    out = output(z, head)
    left = ((out - y) ** 2).mean((1, 2)) / (y**2).mean((1, 2))
    return out, left, float(moved)


def fitting_losses(z: Array, y: Array, mistake: str) -> Array:
    """The losses (4,) that fit linear, exp, sigmoid and softmax, for inputs z (C,) and each one's targets y (4, C)."""
    binary = (y[2] * np.logaddexp(0, -z) + (1 - y[2]) * np.logaddexp(0, z)).sum()
    return np.array(
        [
            0.5 * ((z - y[0]) ** 2).sum(),
            (np.exp(z) - y[1] * z).sum(),  # minus the logarithm of Poisson's probability, up to a constant
            ((sigmoid(z) - y[2]) ** 2).sum() if mistake == "squared-error" else binary,
            np.log(np.exp(z).sum()) - (y[3] * z).sum(),
        ]
    )


def run(
    *,
    low: Annotated[float, Range(-10.0, -0.5), "the negative targets"] = -2.0,
    negatives: Annotated[int, Range(1, 19), "how many of 20 targets are negative; the others are 3"] = 10,
    floor_output: Literal["relu", "linear"] = "relu",
    signed: Annotated[Literal["linear", "relu"], "output for the signed targets"] = "linear",
    shift: Annotated[float, Range(0.0, 10.0), "added to the signed targets"] = 0.0,
    non_negative: Annotated[Literal["relu", "softplus", "sigmoid"], "output for max(0, linear)"] = "relu",
    smooth: Annotated[Literal["softplus", "relu"], "output in the test of targets of 0"] = "softplus",
    smallest: Annotated[float, Range(0.0, 10.0), "added to the non-negative targets"] = 0.0,
    scale: Annotated[float, Range(0.1, 5.0), "size of the non-negative targets"] = 2.0,
    certainty: Annotated[float, Range(0.0, 10.0), "size of the true logits of the binary targets"] = 5.0,
    classes: Annotated[Literal["sigmoid", "softmax"], "output for exclusive classes"] = "sigmoid",
    two_tags: Annotated[Literal["softmax", "sigmoid"], "output in the test of two tags"] = "softmax",
    all_tags: Annotated[Literal["sigmoid", "softmax"], "output in the test of all tags"] = "sigmoid",
    behind_sigmoid: Annotated[Literal["squared-error", "cross-entropy"], "the loss whose slope is looked at"] = (
        "squared-error"
    ),
    dying: Annotated[Literal["relu", "softplus"], "output of the 100 networks"] = "relu",
    rate: Annotated[float, Range(0.001, 1.0), "their learning rate"] = 0.3,
    small_rate: Annotated[float, Range(0.001, 1.0), "a smaller rate"] = 0.05,
    mistake: Literal["none", "squared-error", "sigmoid-slope"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    floor = negatives / 20 * low**2
    yield Measure("floor", floor)
    yield Measure("constant-zero", floor + (20 - negatives) / 20 * 3.0**2)
    out, _, _ = train_networks(dying, rate, 0.0, seed)
    yield Measure("dead-percent", 100 * (out < 0.001).all((1, 2)).mean())
    killed = (out == 0).all((1, 2))
    out, left, _ = train_networks(dying, small_rate, 0.0, seed)
    killed &= (out > 0).any((1, 2))  # by the large steps: with small ones the same network lives
    yield Claim("large-steps-kill", measured=100 * killed.mean(), at_least=25.0)
    yield Claim("small-steps-spare", measured=100 * (out < 0.001).all((1, 2)).mean(), at_most=12.5)
    yield Claim("small-steps-learn", measured=np.median(left), at_most=0.1)
    _, _, moved = train_networks(dying, rate, -10.0, seed)
    yield Claim("dead-stays-dead", measured=moved, at_most=1e-12)

    # Gradients: each fitting pair against central differences, and the slopes of the heads.
    rng = np.random.default_rng(seed)
    draws, eps, off = np.random.default_rng([seed, 1]), 1e-6, []
    bumps = eps * np.eye(5)
    for _ in range(20):
        z = draws.normal(size=5)  # and signed numbers, counts, tags and one class of five as targets
        one_hot = np.eye(5)[draws.integers(5)]
        y = np.array([draws.normal(size=5), draws.poisson(2, 5), draws.integers(2, size=5), one_hot])
        ups, downs = (np.array([fitting_losses(z + side * bump, y, mistake) for bump in bumps]) for side in (1, -1))
        expected = np.array([z, np.exp(z), sigmoid(z), softmax(z)]) - y  # (4, 5)
        off.append(np.abs((ups - downs).T / (2 * eps) - expected).max())
    yield Claim("output-minus-target", measured=max(off), at_most=1e-7)
    z, y = np.tile(np.linspace(-10, 10, 200), 2), np.repeat([0.0, 1.0], 200)  # 0, where ReLU has a kink, is left out
    p, losses = sigmoid(z), []
    for moved_z in (z + eps, z - eps):
        binary = y * np.logaddexp(0, -moved_z) + (1 - y) * np.logaddexp(0, moved_z)
        losses.append(binary if behind_sigmoid == "cross-entropy" else 0.5 * (sigmoid(moved_z) - y) ** 2)
    kept = (losses[0] - losses[1]) / (2 * eps)  # (400,)
    yield Claim("squared-error-keeps-the-slope", measured=np.abs(kept - (p - y) * p * (1 - p)).max(), at_most=1e-7)
    off = [
        np.abs((output(z + eps, head) - output(z - eps, head)) / (2 * eps) - slope(z, head, mistake)).max()
        for head in HEADS
    ]
    yield Claim("slopes", measured=max(off), at_most=1e-7)

    # One unit with each of four outputs meets three kinds of targets, with the squared error for all of them.
    x, u = rng.normal(size=(100, 4)), rng.normal(size=(4, 1))
    x = np.concatenate([x, -x])  # as often to one side as to the other
    s = x @ u / np.linalg.norm(u)  # (N, 1), standard normal
    targets = {
        "signed": s + shift,
        "non-negative": np.maximum(scale * s, 0) + smallest,
        "binary": (rng.random((200, 1)) < sigmoid(certainty * s)) * 1.0,
    }
    fits = {(head, kind): fit(x, y, head) for kind, y in targets.items() for head in HEADS}
    left = {
        key: float(((out - targets[key[1]]) ** 2).mean() / (targets[key[1]] ** 2).mean()) for key, out in fits.items()
    }
    rows = [[head, *(left[head, kind] for kind in targets)] for head in HEADS]
    yield Table("share of the targets' mean square that is left", ["output", *targets], rows)
    order = np.argsort(s[:, 0])[::4]
    xs = s[order, 0]
    curves = {head: (xs, fits[head, "non-negative"][order, 0]) for head in HEADS}
    curves = {"target": (xs, targets["non-negative"][order, 0]), **curves}
    yield Plot("non-negative", curves, "input along u", "output")
    yield Measure("relu-signed", left["relu", "signed"])
    yield Claim("linear-fits-signed", measured=left[signed, "signed"], at_most=0.01)
    yield Claim("relu-loses-half", measured=left["relu", "signed"], near=(0.5, 0.05))
    yield Claim("relu-fits-non-negative", measured=left[non_negative, "non-negative"], at_most=0.05)
    yield Claim("linear-goes-negative", measured=(fits["linear", "non-negative"] < 0).mean(), at_least=0.1)
    at_zero = fits[smooth, "non-negative"][s < 0]
    yield Claim("softplus-stays-above", measured=np.median(at_zero), at_least=0.02)
    y = targets["non-negative"]
    large = y > np.quantile(y, 0.75)
    capped = ((fits["sigmoid", "non-negative"] - y)[large] ** 2).mean() / (y[large] ** 2).mean()
    yield Claim("sigmoid-caps", measured=capped, at_least=0.2)
    outside = np.abs(fits["linear", "binary"] - 0.5) > 0.5
    yield Claim("linear-leaves-unit-interval", measured=outside.mean(), at_least=0.05)
    above_floor = []
    for count, value in ((negatives, low), (5, -4.0), (4, -3.0), (15, -1.0), (8, -5.0)):
        known = np.repeat([[1.0, 0.0], [0.0, 1.0]], [count, 20 - count], axis=0)  # the inputs tell the targets
        y = np.where(known[:, :1] == 1, value, 3.0)
        above_floor.append(((fit(known, y, floor_output) - y) ** 2).mean() - count / 20 * value**2)
    known, y = 2 * np.eye(20), np.random.default_rng([seed, 2]).normal(0, 3, (20, 1))  # 20 targets, all different
    above_floor.append(((fit(known, y, floor_output) - y) ** 2).mean() - (np.minimum(y, 0) ** 2).mean())
    yield Claim("relu-floor", measured=max(above_floor, key=abs), near=(0.0, 0.01))

    # Exclusive classes: three clusters that overlap. Tags: three yes-or-no questions about one input.
    centers, which = rng.normal(size=(3, 4)), rng.integers(0, 3, 300)
    inputs = centers[which] + rng.normal(size=(300, 4))
    sums = fit_labels(np.c_[inputs, np.ones(300)], np.eye(3)[which], classes).sum(1)
    yield Claim("sigmoids-miss-one", measured=np.abs(sums - 1).mean(), at_least=0.03)
    present = (x @ rng.normal(size=(4, 3)) + 0.1 * rng.normal(size=(200, 3)) > 0) * 1.0  # (N, 3)
    by_head = {head: fit_labels(x, present, head) for head in ("softmax", "sigmoid")}
    two = present.sum(1) == 2
    lesser = np.where(present[two] == 1, by_head[two_tags][two], 1.0).min(1)  # the less probable of the two
    pictures = {head: p[two][:8] for head, p in {"present": present, **by_head}.items()}
    yield Image("three-tags", pictures)
    second = np.sort(output(draws.normal(0, 5, (1000, 3)), two_tags))[:, 1]  # be the two present ones the largest
    both = np.concatenate([lesser, second])
    yield Claim("softmax-cannot-say-two", measured=(both > 0.5 + 1e-12).mean(), at_most=0)
    yield Claim("sigmoids-say-two", measured=((by_head[all_tags] > 0.5) == present).mean(), at_least=0.9)


if __name__ == "__main__":
    main(run)
