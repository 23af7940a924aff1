"""A loss decides what is learned, and how hard a confident mistake pulls.

    cross-entropy   L = -ln p(y)       ∂L/∂z = p - y               (z: logits, p: their sigmoid or softmax)
    squared error   L = (σ(z) - y)²    ∂L/∂z = 2(p - y) p(1 - p)

Behind a sigmoid, squared error carries the factor p(1 - p), which is nearly zero just where the output is sure and
wrong; cross-entropy, the negative log-likelihood, has no such factor. Also here: a first loss of ln C, why accuracy
cannot be descended, how the loss rises while accuracy stands still, and what squared and absolute error aim at.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 4.1, 5.5, 6.2.1 and 6.2.2.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, main

claims = {
    "squared-error-has-the-factor": {
        "says": "behind a sigmoid squared error has the derivative 2(p - y) p(1 - p) in the logit, for both labels",
        "false_when": {"mistake": "no-chain-rule"},
    },
    "squared-error-vanishes": {
        "says": "squared error gives a sigmoid that is wrong and at least 99% sure a gradient below 0.05",
        "false_when": {"probability": 0.5},
    },
    "squared-error-bends-down": {
        "says": "squared error is concave behind a sigmoid that is sure and wrong: second derivative below -0.01",
        "false_when": {"probability": 0.5},
    },
    "cross-entropy-keeps-pulling": {
        "says": "cross-entropy gives the same sure and wrong sigmoids a gradient above 0.9",
        "false_when": {"probability": 0.5},
    },
    "squared-error-stalls": {
        "says": "from a sure and wrong start squared error needs at least ten times the steps of cross-entropy",
        "false_when": {"start": 0.0},
    },
    "gradient-is-p-minus-y": {
        "says": "mean softmax cross-entropy has the gradient (p - one-hot y) / N in its logits: 2, 5 and 20 classes",
        "false_when": {"mistake": "all-rows"},
    },
    "cross-entropy-is-likelihood": {
        "says": "mean cross-entropy, by softmax or by sigmoid, is -ln(likelihood of all labels), divided by N",
        "false_when": {"mistake": "log-of-mean"},
    },
    "log-softmax-survives": {
        "says": "log-softmax from the logits gives a finite loss of 120 where float32 softmax underflows to 0",
        "false_when": {"mistake": "log-of-softmax"},
    },
    "sum-is-batch-times-mean": {
        "says": "the gradient of a loss summed over a batch is B times that of the mean, for two losses and three B",
        "false_when": {"reduction": "mean"},
    },
    "first-loss-is-ln-c": {
        "says": "five fresh classifiers over C classes, of five shapes, with logits near zero start at a loss of ln C",
        "false_when": {"output_scale": 5.0},
    },
    "loud-start-is-higher": {
        "says": "with large output weights the first loss lies above ln C, by more than 1",
        "false_when": {"loud_scale": 0.01},
    },
    "accuracy-is-flat": {
        "says": "accuracy has slope zero in every weight, at 10 random points, as a tiny step flips no decision",
        "false_when": {"metric": "cross-entropy"},
    },
    "confidence-keeps-accuracy": {
        "says": "multiplying binary logits by a positive factor, 0.01 to 100, leaves accuracy as it was",
        "false_when": {"mistake": "shift-logits"},
    },
    "overconfidence-costs": {
        "says": "on labels that overlap a factor of 10 raises the cross-entropy by half and leaves each decision",
        "false_when": {"confidence": 1.0},
    },
    "squared-error-finds-the-mean": {
        "says": "the constant with the least squared error is the mean of the targets, in three samples",
        "false_when": {"mistake": "swap-losses"},
    },
    "absolute-error-finds-the-median": {
        "says": "the constant with the least absolute error is the median of the targets, in three samples",
        "false_when": {"mistake": "swap-losses"},
    },
    "outlier-drags-squared-error": {
        "says": "one outlier moves the best constant of squared error further than that of absolute error",
        "false_when": {"outlier": 1.0},
    },
}
measures = {
    "squared-gradient": "∂(p - 1)²/∂z, where p = σ(z) is the probability given to the true class",
    "cross-entropy-gradient": "∂(-ln p)/∂z",
    "squared-no-chain": "∂(p - 1)²/∂p: the sigmoid's own slope was left out",
    "ln-c": "natural logarithm of the number of classes",
    "first-loss": "cross-entropy of a fresh classifier with small output weights",
    "steps-ratio": "steps of squared error over steps of cross-entropy, from `start` to p = 0.9",
}
predict = {
    "ask": "A sigmoid has to say 1 and says 0.0025. Squared error needs how many times the steps of cross-entropy?",
    "measure": "steps-ratio",
    "choices": {"about as many": [0.0, 2.0], "2 to 10 times": [2.0, 10.0], "more": [10.0, 1e6]},
}


def sigmoid(z: np.ndarray | float) -> np.ndarray | float:
    """Probability of class 1 from its logit."""
    return 1 / (1 + np.exp(-z))


def cross_entropy(z: np.ndarray, y: np.ndarray, mistake: str = "none") -> tuple[float, np.ndarray]:
    """Mean loss of logits (N, C) against labels (N,), and its gradient (N, C)."""
    rows = np.arange(len(y))
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if mistake == "log-of-softmax":  # the probability underflows to 0 before its logarithm is taken
        log_p = np.log(np.maximum(np.exp(log_p), np.finfo(np.float32).tiny))
    gradient = np.exp(log_p)
    gradient[slice(None) if mistake == "all-rows" else rows, y] -= 1  # each row has a label of its own
    return float(-log_p[rows, y].mean()), gradient / len(y)


def steps_to_learn(start: float, loss: str) -> tuple[int, list[float]]:
    """Steps of gradient descent at rate 0.5 until p = 0.9 for a single logit with target 1, and p on the way."""
    z, path = start, [sigmoid(start)]
    while path[-1] < 0.9:
        p = path[-1]
        z -= 0.5 * ((p - 1) if loss == "cross-entropy" else 2 * (p - 1) * p * (1 - p))
        path.append(sigmoid(z))
    return len(path) - 1, path


def first_loss(
    rng: np.random.Generator, classes: int, scale: float, widths: tuple[int, ...] = (20, 64), skewed: bool = False
) -> float:
    """Loss of an untrained ReLU network, inputs first, on 500 random examples; `scale` is the size of its logits."""
    x, y = rng.normal(size=(500, widths[0])), rng.integers(0, classes, 500)
    if skewed:  # nine of ten labels are of one class
        y[:450] = 0
    h = x
    for n, m in pairwise(widths):
        h = np.maximum(h @ rng.normal(0, np.sqrt(2 / n), (n, m)), 0)  # (500, m), mean square about 1
    return cross_entropy(h @ rng.normal(0, scale / np.sqrt(widths[-1]), (widths[-1], classes)), y)[0]


def run(
    *,
    probability: Annotated[float, Range(0.001, 0.999), "what the sigmoid gives to the true class"] = 0.01,
    start: Annotated[float, Range(-8.0, 2.0), "first logit of a sigmoid whose target is 1"] = -6.0,
    classes: Annotated[int, Range(2, 1000), "number of classes C of the fresh classifier"] = 10,
    output_scale: Annotated[float, Range(0.0, 20.0), "size of its logits"] = 0.01,
    loud_scale: Annotated[float, Range(0.0, 20.0), "size of the logits of a loud start"] = 5.0,
    confidence: Annotated[float, Range(0.1, 100.0), "factor on the logits of a good classifier"] = 10.0,
    outlier: Annotated[float, Range(0.0, 1000.0), "target that is added to 101 others of median 1"] = 100.0,
    metric: Literal["accuracy", "cross-entropy"] = "accuracy",
    reduction: Literal["sum", "mean"] = "sum",
    mistake: Literal[
        "none", "no-chain-rule", "all-rows", "log-of-mean", "log-of-softmax", "shift-logits", "swap-losses"
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    p = probability
    squared = 2 * (p - 1) * p * (1 - p)
    yield Measure("squared-gradient", squared)
    yield Measure("cross-entropy-gradient", p - 1)
    yield Measure("squared-no-chain", 2 * (p - 1))
    yield Measure("ln-c", np.log(classes))
    rng = np.random.default_rng(seed)
    quiet = first_loss(rng, classes, output_scale)
    yield Measure("first-loss", quiet)

    # The two gradients of one sigmoid, from autograd. The first six outputs are sure and wrong, on both sides.
    wrong = np.array([p, p / 3, p / 10])
    said = np.array([*wrong, *(1 - wrong), 0.2, 0.5, 0.9, 0.2, 0.5, 0.9])  # P(class 1)
    truth = np.array([1.0] * 3 + [0.0] * 3 + [1.0] * 3 + [0.0] * 3)
    logit, aim = torch.tensor(np.log(said / (1 - said)), requires_grad=True), torch.tensor(truth)
    errors = (torch.sigmoid(logit) - aim) ** 2
    (auto_squared,) = torch.autograd.grad(errors.sum(), logit, create_graph=True)
    (bend,) = torch.autograd.grad(auto_squared[0], logit)
    surprise = torch.nn.functional.binary_cross_entropy_with_logits(logit, aim, reduction="sum")
    (auto_cross,) = torch.autograd.grad(surprise, logit)
    slope = 1.0 if mistake == "no-chain-rule" else said * (1 - said)
    off = np.abs(auto_squared.detach().numpy() - 2 * (said - truth) * slope).max()
    yield Claim("squared-error-has-the-factor", measured=off, at_most=1e-9)
    yield Claim("squared-error-vanishes", measured=auto_squared[:6].abs().max().item(), at_most=0.05)
    yield Claim("squared-error-bends-down", measured=bend[0].item(), at_most=-0.01)
    yield Claim("cross-entropy-keeps-pulling", measured=auto_cross[:6].abs().min().item(), at_least=0.9)
    steps, paths = zip(*[steps_to_learn(start, loss) for loss in ("squared error", "cross-entropy")], strict=True)
    series = {name: (range(1, len(path) + 1), path) for name, path in zip(("squared", "cross"), paths, strict=True)}
    yield Plot("learning", series, x_label="step (the first is the start)", y_label="p of the true class", log_x=True)
    yield Measure("steps-ratio", steps[0] / max(steps[1], 1))
    yield Claim("squared-error-stalls", measured=steps[0] / max(steps[1], 1), at_least=10)

    others = np.random.default_rng([seed, 1])
    off, ratios, unlike = [], [], []
    for n, c in ((32, 5), (8, 2), (100, 20)):
        source = rng if n == 32 else others
        z, y = source.normal(0, 2, (n, c)), source.integers(0, c, n)  # (N, C), (N,)
        loss, gradient = cross_entropy(z, y, mistake)
        leaf = torch.tensor(z, requires_grad=True)
        each = torch.nn.functional.cross_entropy(leaf, torch.tensor(y), reduction="none")  # (N,)
        for losses in (each, (leaf**2).sum(1)):
            (by_mean,) = torch.autograd.grad(losses.mean(), leaf, retain_graph=True)
            (chosen,) = torch.autograd.grad(
                losses.sum() if reduction == "sum" else losses.mean(), leaf, retain_graph=True
            )
            ratios.append(float((chosen / by_mean / n - 1).abs().max()))
            if losses is each:
                off.append(np.abs(gradient - by_mean.numpy()).max())
        given = np.exp(z)[np.arange(n), y] / np.exp(z).sum(1)  # (N,): the probability given to each label
        if c == 2:  # a sigmoid of one logit: p for label 1, 1 - p for label 0
            said = sigmoid(z[:, 1] - z[:, 0])
            given = np.where(y == 1, said, 1 - said)
            one = torch.tensor(z[:, 1] - z[:, 0])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(one, torch.tensor(y, dtype=one.dtype)).item()
        likelihood = -np.log(given.mean()) if mistake == "log-of-mean" else -np.log(given.prod()) / n
        unlike.append(abs(loss - likelihood))
    yield Claim("gradient-is-p-minus-y", measured=max(off), at_most=1e-9)
    yield Claim("sum-is-batch-times-mean", measured=1 + max(ratios, key=abs), near=(1.0, 1e-6))
    yield Claim("cross-entropy-is-likelihood", measured=max(unlike), at_most=1e-9)
    far = cross_entropy(np.array([[0.0, 120.0]], dtype=np.float32), np.array([0]), mistake)[0]
    yield Claim("log-softmax-survives", measured=far, near=(120.0, 0.01))

    scales = np.geomspace(0.01, 20, 12)
    curve = [first_loss(rng, classes, scale) for scale in scales]
    series = {"first loss": (scales, curve), "ln C": (scales, [np.log(classes)] * len(scales))}
    yield Plot("first-loss", series, x_label="size of the logits", y_label="cross-entropy", log_x=True)
    shapes = ((20,), (5, 30), (100, 16, 16), (50, 200, 100, 50))  # the first is linear
    starts = [first_loss(others, classes, output_scale, shape, skewed=i % 2 == 1) for i, shape in enumerate(shapes)]
    off = max((loss - np.log(classes) for loss in (quiet, *starts)), key=abs)
    yield Claim("first-loss-is-ln-c", measured=off, near=(0.0, 0.05))
    loud = first_loss(rng, classes, loud_scale)
    yield Claim("loud-start-is-higher", measured=loud - np.log(classes), at_least=1.0)

    # A binary task with overlapping classes, and the model that knows its true probabilities.
    x, w = rng.normal(size=(2000, 3)), np.array([1.0, -1.0, 0.5])
    label = (rng.random(2000) < sigmoid(x @ w)).astype(int)

    def judge(logit: np.ndarray) -> tuple[float, float]:
        """Accuracy and cross-entropy of logits (2000,)."""
        two = np.stack([np.zeros_like(logit), logit], axis=1)  # the sigmoid of z is a softmax over (0, z)
        return float(np.mean((logit > 0) == label)), cross_entropy(two, label)[0]

    which, step = ["accuracy", "cross-entropy"].index(metric), 1e-7
    places = [w, *others.normal(size=(9, 3))]
    slopes = [(judge(x @ (v + step * one))[which] - judge(x @ v)[which]) / step for v in places for one in np.eye(3)]
    yield Claim("accuracy-is-flat", measured=np.abs(slopes).max(), at_most=1e-9)
    shift = 1.0 if mistake == "shift-logits" else 0.0
    calm, sure = judge(x @ w), judge(x @ w * confidence + shift)
    moved = [abs(judge(x @ w * factor + shift)[0] - calm[0]) for factor in (0.01, 0.5, 3.0, 100.0, confidence)]
    rows = [["true probabilities", *calm], [f"logits times {confidence:g}", *sure]]
    yield Table("the same decisions, another confidence", ["model", "accuracy", "cross-entropy"], rows)
    yield Claim("confidence-keeps-accuracy", measured=max(moved), at_most=1e-9)
    decided = [x @ w > 0, x @ w * confidence + shift > 0]
    raised = sure[1] / calm[1] if np.array_equal(*decided) else 0.0  # it counts if no decision has changed
    yield Claim("overconfidence-costs", measured=raised, at_least=1.5)

    # The best constant for skewed targets, by trying 5001 of them.
    targets, constants = rng.lognormal(0, 1, 101), np.linspace(0, 10, 5001)
    with_outlier = np.append(targets, outlier)
    powers = (1, 2) if mistake == "swap-losses" else (2, 1)
    samples = [targets, with_outlier, others.uniform(0, 9, 101), others.gamma(2.0, 1.0, 51)]
    best = {}
    for name, power in zip(("squared", "absolute"), powers, strict=True):
        best[name] = [constants[(np.abs(t - constants[:, None]) ** power).mean(1).argmin()] for t in samples]
    yield Table(
        "the constant with the least error",
        ["error", "101 targets", f"and one of {outlier:g}"],
        [[name, *found[:2]] for name, found in best.items()],
    )
    for claim, name, of in (
        ("squared-error-finds-the-mean", "squared", np.mean),
        ("absolute-error-finds-the-median", "absolute", np.median),
    ):
        off = [found - of(t) for i, (found, t) in enumerate(zip(best[name], samples, strict=True)) if i != 1]
        yield Claim(claim, measured=max(off, key=abs), near=(0.0, 0.005))
    shifts = {name: abs(found[1] - found[0]) for name, found in best.items()}
    yield Claim("outlier-drags-squared-error", measured=shifts["squared"] - shifts["absolute"], at_least=0.5)


if __name__ == "__main__":
    main(run)
