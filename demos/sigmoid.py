"""The sigmoid: a number between 0 and 1, a slope of at most 1/4, and a logarithm that has to be taken with care.

    σ(z) = 1 / (1 + exp(-z))      σ'(z) = σ(z)(1 - σ(z))      1 - σ(z) = σ(-z)

Its outputs are positive, so one example moves all weights into the unit behind it the same way; a batch need not.
In float32 σ(z) rounds to 1 from z = 17 on, and log(1 - σ(z)) and its gradient are lost. A loss that is given the
logit z loses nothing:

    -y log σ(z) - (1 - y) log(1 - σ(z)) = max(z, 0) - z y + log(1 + exp(-|z|))

At the end logistic regressions show that a number between 0 and 1 need not be a probability one can trust.

Sources: LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.3; Goodfellow, Bengio & Courville (2016),
Deep Learning, sections 3.10 and 6.2.2.2; Guo et al. (2017), On Calibration of Modern Neural Networks.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "approaches-0-and-1": {
        "says": "for z = ±10 to ±20 the output stays inside 0 to 1, within 0.1% of exp(-|z|) away from the end",
        "false_when": {"unit": "hard-sigmoid"},
    },
    "slope-from-output": {
        "says": "the slope is a(1 - a) for an output of a, as central differences confirm",
        "false_when": {"mistake": "slope-at-output"},
    },
    "slope-at-most-quarter": {
        "says": "the largest slope is 1/4, and it is at z = 0",
        "false_when": {"unit": "tanh"},
    },
    "saturates": {
        "says": "for z = ±5 and beyond the slope is below 0.007, under 3% of its largest",
        "false_when": {"far": 2.0},
    },
    "mean-is-half": {
        "says": "inputs symmetric about 0, normal, uniform or two-valued, give outputs with a mean of 1/2, not 0",
        "false_when": {"unit": "tanh"},
    },
    "backward-is-right": {
        "says": "the gradients by hand of a net with a sigmoid layer equal autograd's",
        "false_when": {"mistake": "slope-at-output"},
    },
    "one-example-one-sign": {
        "says": "one example's gradients for all weights from sigmoid units into one unit share their sign",
        "false_when": {"unit": "tanh"},
    },
    "batch-mixes-signs": {
        "says": "averaged over 64 examples, with biases fitted, they differ in sign for over 80% of the units",
        "false_when": {"biases": "random"},
    },
    "rounds-to-one": {
        "says": "in float32, 1/(1 + exp(-z)) is exactly 1 from z = 17 on",
        "false_when": {"precision": "float64"},
    },
    "small-tail-is-accurate": {
        "says": "in float32, σ(-20) keeps a relative error below 1e-5: digits are lost near 1, not near 0",
        "false_when": {"mistake": "one-minus"},
    },
    "logit-loss-survives": {
        "says": "max(z, 0) - z y + log(1 + exp(-|z|)) is right to 1e-6 in float32 for logits up to ±200",
        "false_when": {"mistake": "log-of-sigmoid"},
    },
    "logits-keep-gradient": {
        "says": "PyTorch's loss on logits gives a wrong logit of 20 its full gradient, 1, in float32",
        "false_when": {"mistake": "log-of-sigmoid"},
    },
    "sigmoid-first-loses-gradient": {
        "says": "a float32 sigmoid and then PyTorch's BCE loss give the same wrong logit of 20 a gradient of 0",
        "false_when": {"logit": 5.0},
    },
    "clamp-hides-the-logit": {
        "says": "in the same way a wrong logit of 20 gets a loss of 100: the logarithm of 0, cut off at -100",
        "false_when": {"logit": 5.0},
    },
    "sure-but-wrong": {
        "says": "logistic regressions on 50 noisy points: on new ones they are 20 to 32 points surer than right",
        "false_when": {"points": 3000},
    },
}
measures = {
    "weight-gradient": "∂L/∂w of a sigmoid unit from its output, the input on that weight, and ∂L/∂output",
    "weight-gradient-no-slope": "the same with the slope left out",
    "weight-gradient-twice": "the same with the slope taken at the output instead of at z",
    "sigmoid-first-loss": "float32 loss of `logit` against `label`: sigmoid, then PyTorch's BCE loss",
    "logit-loss": "the same loss by PyTorch's loss on logits",
    "gradient-after-sigmoid": "size of the gradient for the logit, by sigmoid and BCE loss",
    "confidence-gap": "mean confidence minus accuracy on new points",
}
predict = {
    "ask": "A logit of 20, a label of 0, float32: sigmoid, then BCE loss. The gradient for the logit has the size",
    "measure": "gradient-after-sigmoid",
    "choices": {"0": [0.0, 1e-6], "0.25": [0.1, 0.4], "1": [0.9, 1.1], "100": [50, 200]},
}
NETS, INPUTS, HIDDEN, UNITS = 40, 6, 8, 3  # small networks side by side
FEATURES, FITS = 20, 20


def sigmoid(z: np.ndarray | float) -> np.ndarray | float:
    return 1 / (1 + np.exp(-z))


def activate(z: np.ndarray, unit: str) -> np.ndarray:
    if unit == "hard-sigmoid":  # three straight pieces: reaches 0 at -3 and 1 at 3
        return np.clip(z / 6 + 0.5, 0, 1)
    return np.tanh(z) if unit == "tanh" else sigmoid(z)


def slope(z: np.ndarray, unit: str, mistake: str) -> np.ndarray:
    """The unit's slope at z, from its output there."""
    a = activate(z, unit)
    if mistake == "slope-at-output":  # a function written for z, called with a
        a = activate(a, unit)
    return 1 - a**2 if unit == "tanh" else a * (1 - a)


def loss_on_logits(z: np.ndarray, y: np.ndarray, mistake: str) -> np.ndarray:
    """Binary cross-entropy of each logit, in the precision of z."""
    if mistake == "log-of-sigmoid":
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return -np.where(y == 1, np.log(sigmoid(z)), np.log(1 - sigmoid(z)))
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))  # this exponent is never positive


def sign_shares(rng: np.random.Generator, unit: str, mistake: str, batch: int, biases: str) -> tuple:
    """Units whose weights one example moves one way, units whose batch gradient has both signs, error by autograd."""
    w = rng.normal(0, 1, (NETS, INPUTS, HIDDEN))
    v = rng.normal(0, 1 / np.sqrt(HIDDEN), (NETS, HIDDEN, UNITS))
    b, c = rng.normal(0, 0.5, (NETS, 1, HIDDEN)), rng.normal(0, 0.5, (NETS, 1, UNITS))
    x = rng.normal(0, 1, (NETS, batch, INPUTS))
    y = rng.integers(0, 2, (NETS, batch, UNITS)).astype(float)

    z = x @ w + b  # (NETS, batch, HIDDEN)
    h = activate(z, unit)
    for _ in range(10 if biases == "fitted" else 0):  # Newton's steps to where each unit's mean error is 0
        p = sigmoid(h @ v + c)
        step = (p - y).mean(1, keepdims=True) / (p * (1 - p)).mean(1, keepdims=True)
        c = np.clip(c - np.clip(step, -1, 1), -20, 20)
    delta = (sigmoid(h @ v + c) - y) / batch  # (NETS, batch, UNITS), ∂L/∂logit of the mean loss
    d_z = delta @ v.swapaxes(1, 2) * slope(z, unit, mistake)  # (NETS, batch, HIDDEN)
    d_w, d_v = x.swapaxes(1, 2) @ d_z, h.swapaxes(1, 2) @ delta
    by_hand = [d_w, d_z.sum(1, keepdims=True), d_v, delta.sum(1, keepdims=True)]

    leaves = [torch.tensor(part, requires_grad=True) for part in (w, b, v, c)]
    hidden = torch.tensor(x) @ leaves[0] + leaves[1]
    hidden = torch.tanh(hidden) if unit == "tanh" else torch.sigmoid(hidden)
    logits = hidden @ leaves[2] + leaves[3]
    (binary_cross_entropy_with_logits(logits, torch.tensor(y), reduction="sum") / batch).backward()
    error = max(np.abs(leaf.grad.numpy() - part).max() for leaf, part in zip(leaves, by_hand, strict=True))

    each = h[..., :, None] * delta[..., None, :]  # (NETS, batch, HIDDEN, UNITS), one example at a time
    one_way = (each > 0).all(2) | (each < 0).all(2)
    mixed = (d_v > 0).any(1) & (d_v < 0).any(1)
    return one_way.mean(), mixed.mean(), error


def fit_and_test(rng: np.random.Generator, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidence in the label that is chosen, and whether it is right: logistic regressions, new points."""
    truth = rng.normal(0, 2 / np.sqrt(FEATURES), (FITS, FEATURES, 1))
    x, new = rng.normal(0, 1, (FITS, points, FEATURES)), rng.normal(0, 1, (FITS, 1000, FEATURES))
    y, new_y = (rng.random((*part.shape[:2], 1)) < sigmoid(part @ truth) for part in (x, new))
    w = np.zeros_like(truth)
    for _ in range(400):
        w -= x.swapaxes(1, 2) @ (sigmoid(x @ w) - y) / points  # a learning rate of 1
    p = sigmoid(new @ w)
    return np.maximum(p, 1 - p).ravel(), ((p > 0.5) == new_y).ravel()


def run(
    *,
    output: Annotated[float, Range(0.01, 0.99), "output a of a sigmoid unit"] = 0.9,
    upstream: Annotated[float, Range(-10.0, 10.0), "∂L/∂a"] = 2.0,
    entering: Annotated[float, Range(-10.0, 10.0), "input on the weight"] = 0.5,
    logit: Annotated[float, Range(-200.0, 200.0), "logit z of one prediction"] = 20.0,
    label: Annotated[int, Range(0, 1), "its label"] = 0,
    far: Annotated[float, Range(0.0, 20.0), "where saturation is measured"] = 5.0,
    batch: Annotated[int, Range(1, 256), "examples in the batch"] = 64,
    points: Annotated[int, Range(20, 5000), "training points of the logistic regressions"] = 50,
    unit: Literal["sigmoid", "tanh", "hard-sigmoid"] = "sigmoid",
    biases: Literal["fitted", "random"] = "fitted",
    precision: Literal["float32", "float64"] = "float32",
    mistake: Literal["none", "slope-at-output", "one-minus", "log-of-sigmoid"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("weight-gradient", upstream * output * (1 - output) * entering)
    yield Measure("weight-gradient-no-slope", upstream * entering)
    yield Measure("weight-gradient-twice", upstream * sigmoid(output) * (1 - sigmoid(output)) * entering)

    # One prediction in float32, twice: the loss after a sigmoid, and the loss on the logit.
    y = torch.tensor([float(label)])
    first, direct = (torch.tensor([logit], requires_grad=True) for _ in range(2))
    after = binary_cross_entropy(torch.sigmoid(first), y)
    if mistake == "log-of-sigmoid":
        on_logit = -torch.where(y == 1, torch.sigmoid(direct).log(), (1 - torch.sigmoid(direct)).log()).mean()
    else:
        on_logit = binary_cross_entropy_with_logits(direct, y)
    after.backward()
    on_logit.backward()
    kept, lost = (abs(float(torch.nan_to_num(z.grad, 0.0, 0.0, 0.0))) for z in (direct, first))
    yield Measure("sigmoid-first-loss", after.item())
    yield Measure("logit-loss", float(torch.nan_to_num(on_logit.detach(), posinf=1e6)))
    yield Measure("gradient-after-sigmoid", lost)
    yield Claim("clamp-hides-the-logit", measured=after.item(), near=(100.0, 1e-3))
    yield Claim("sigmoid-first-loses-gradient", measured=lost, at_most=0)
    yield Claim("logits-keep-gradient", measured=kept, near=(1.0, 1e-6))

    grid = np.linspace(-8, 8, 1601)  # 0 is among them
    steepness = (activate(grid + 1e-5, unit) - activate(grid - 1e-5, unit)) / 2e-5
    yield Plot("curve-and-slope", {"σ(z)": (grid, activate(grid, unit)), "σ'(z)": (grid, steepness)}, x_label="z")
    yield Claim("slope-from-output", measured=np.abs(slope(grid, unit, mistake) - steepness).max(), at_most=1e-8)
    top = abs(steepness.max() - 0.25) + abs(grid[steepness.argmax()])
    yield Claim("slope-at-most-quarter", measured=top, at_most=1e-6)
    beyond = np.array([*np.linspace(-200, -far, 500), *np.linspace(far, 200, 500)])
    yield Claim("saturates", measured=slope(beyond, unit, "none").max(), at_most=0.007)
    tail = np.linspace(10, 20, 101)
    distances = np.concatenate([activate(-tail, unit), 1 - activate(tail, unit)])  # from 0, and from 1
    yield Claim("approaches-0-and-1", measured=np.abs(distances / np.exp(-np.tile(tail, 2)) - 1).max(), at_most=1e-3)

    # The end at 1 is the poor one: floating-point numbers are dense near 0 and 6e-8 apart below 1.
    kind = np.dtype(precision).type
    whole = np.arange(1, 400).astype(kind)
    yield Claim("rounds-to-one", measured=whole[sigmoid(whole) < 1].max() + 1, near=(17, 0.5))
    small = 1 - sigmoid(np.float32(20)) if mistake == "one-minus" else sigmoid(np.float32(-20))
    yield Claim("small-tail-is-accurate", measured=abs(float(small) / sigmoid(-20.0) - 1), at_most=1e-5)
    z = np.tile(np.linspace(-200, 200, 4001), 2).astype(np.float32)
    labels = np.repeat([0.0, 1.0], 4001)
    exact = np.logaddexp(0, np.where(labels == 1, -z.astype(float), z))  # in float64
    losses = loss_on_logits(z, labels.astype(np.float32), mistake).astype(float)
    error = np.abs(np.nan_to_num(losses, posinf=1e6) - exact).max()
    yield Claim("logit-loss-survives", measured=error, at_most=1e-6)
    shown = torch.tensor([5.0, 10.0, 15.0, 20.0, 60.0])
    pairs = zip(
        shown.tolist(),
        binary_cross_entropy(torch.sigmoid(shown), torch.zeros(5), reduction="none").tolist(),
        binary_cross_entropy_with_logits(shown, torch.zeros(5), reduction="none").tolist(),
        strict=True,
    )
    yield Table("float32 loss of a wrong logit", ["logit", "sigmoid, then BCE", "BCE on the logit"], list(pairs))

    rng = np.random.default_rng(seed)
    to_one_side = [rng.normal(0, 2, 10_000), rng.uniform(-4, 4, 10_000), rng.choice([1.0, 6.0], 10_000)]
    means = [activate(np.concatenate([half, -half]), unit).mean() for half in to_one_side]
    yield Claim("mean-is-half", measured=max(means, key=lambda mean: abs(mean - 0.5)), near=(0.5, 1e-9))
    one_way, mixed, error = sign_shares(rng, unit, mistake, batch, biases)
    yield Claim("backward-is-right", measured=error, at_most=1e-9)
    yield Claim("one-example-one-sign", measured=one_way, near=(1.0, 1e-9))
    yield Claim("batch-mixes-signs", measured=mixed, at_least=0.8)

    confidence, right = fit_and_test(rng, points)
    edges = np.linspace(0.5, 1.0, 6)
    bins = np.digitize(confidence, edges[1:-1])
    said = [confidence[bins == k].mean() for k in range(5) if (bins == k).any()]
    got = [right[bins == k].mean() for k in range(5) if (bins == k).any()]
    yield Text(f"Logistic regressions on {points} noisy points: how sure they are on new points, how often right.")
    yield Plot(
        "reliability",
        {"as it was": (said, got), "as it should be": (edges, edges)},
        x_label="confidence",
        y_label="share right",
    )
    yield Measure("confidence-gap", confidence.mean() - right.mean())
    yield Claim("sure-but-wrong", measured=confidence.mean() - right.mean(), between=(0.2, 0.32))


if __name__ == "__main__":
    main(run)
