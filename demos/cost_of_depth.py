"""What a deep network costs, in weights, operations and bytes, and what a plain model does on few rows.

    hidden-to-hidden weights   (L - 1) W²       4 times as many at twice the width W
    hidden activations kept    B L W            2 times as many (B: batch, L: hidden layers)
    operations of one step     about 6 per weight and example: 2 forward, 4 backward
    bytes per weight in fp32   weight 4 + gradient 4 + Adam's two moments 8 = 16

Then accuracy. A network with early stopping meets least squares on answers that are mostly linear, and boosted stumps
on answers that jump at thresholds in single columns. Rows decide the first match. In the second, boosting lives on
columns that mean something by themselves: both are fitted again after a rotation of the columns.

Sources: Rajbhandari et al. (2020), ZeRO, section 3; Kaplan et al. (2020), Scaling Laws, section 2.1; Grinsztajn
et al. (2022), Why do tree-based models still outperform deep learning on typical tabular data?, section 5.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "hidden-weights-quadruple": {
        "says": "at twice the width there are 4 times as many weights between hidden layers, for three networks",
        "false_when": {"grow": "depth"},
    },
    "activations-double": {
        "says": "at twice the width twice as many bytes of hidden activations are kept, for three networks",
        "false_when": {"grow": "inputs"},
    },
    "activations-outweigh": {
        "says": "at batches of 4096 kept activations take over twice the bytes of weights, gradients and moments",
        "false_when": {"batch": 256},
    },
    "six-per-weight": {
        "says": "in wide networks the matrix products of a step take 6 ± 0.2 operations per weight and row",
        "false_when": {"train": "last-layer"},
    },
    "sixteen-bytes": {
        "says": "fp32 weights, gradients and Adam's moments take 16 bytes per parameter, in six networks",
        "false_when": {"optimizer": "sgd"},
    },
    "gradient-checked": {
        "says": "the network's gradient by hand equals central finite differences to 1e-6 relative",
        "false_when": {"mistake": "no-slope"},
    },
    "adam-checked": {
        "says": "Adam's step by hand after gradients 1 and -2 equals the closed form",
        "false_when": {"mistake": "no-bias-correction"},
    },
    "split-is-best": {
        "says": "the first stump is as good as the best of all splits of all columns",
        "false_when": {"mistake": "first-column"},
    },
    "linear-wins-on-few": {
        "says": "on 50 rows, mostly linear, the network's excess error is over 1.4 times that of least squares",
        "false_when": {"few": 2000},
    },
    "network-wins-on-many": {
        "says": "on 2000 rows of the same task the network has under 0.6 times the excess error of least squares",
        "false_when": {"many": 50},
    },
    "boosting-wins": {
        "says": "on 500 rows with jumps in 4 of 12 columns boosted stumps have under 0.2 times the network's error",
        "false_when": {"rotate": True},
    },
    "rotation-costs-boosting": {
        "says": "rotating those columns raises the stumps' error over 5 times as much as the network's",
        "false_when": {"rotate": True},
    },
}
measures = {
    "states-gb": "GB (1e9 bytes) for weights, gradients and optimizer moments of `millions` parameters in fp32",
    "weights-gb": "GB for the weights alone",
    "no-gradients-gb": "GB for weights and moments, the gradients forgotten",
    "training-hours": "hours for 6 operations per parameter and token at `teraflops` kept up throughout",
    "forward-hours": "hours at 2 operations per parameter and token, the backward pass forgotten",
    "few-ratio": "error of the network over that of least squares on `few` rows",
    "many-ratio": "the same on `many` rows",
    "boosting-ratio": "error of boosted stumps over the network's on `rows` rows",
    "rotated-ratio": "the same after a rotation of the columns",
    "boosting-seconds": "to fit the stumps of one data set",
    "network-seconds": "to fit the network of one data set",
}
predict = {
    "ask": "50 noisy rows, the answer mostly linear. The network's excess error, against least squares, is:",
    "measure": "few-ratio",
    "choices": {"under half": [0, 0.5], "about the same": [0.5, 1.5], "about double": [1.5, 4], "more": [4, 100]},
}
REPEATS, TEST, NOISE, TABLE_WIDTHS = 10, 400, 0.5, (24, 24, 24)
MOMENTS = {"sgd": 0, "momentum": 1, "adam": 2}


class Meter:
    """A matrix product that counts its multiplications and additions."""

    def __init__(self) -> None:
        self.operations = 0

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        product = a @ b
        self.operations += 2 * product.size * a.shape[-1]
        return product


def init(rng: np.random.Generator, sizes: tuple[int, ...], copies: int, kind: type = np.float32) -> list[np.ndarray]:
    """Weights (copies, n, m) and zero biases (copies, 1, m) of every layer in turn."""
    layers = []
    for n, m in pairwise(sizes):
        layers += [rng.normal(0, np.sqrt(2 / n), (copies, n, m)).astype(kind), np.zeros((copies, 1, m), kind)]
    return layers


def forward(net: list[np.ndarray], x: np.ndarray, meter: Meter) -> list[np.ndarray]:
    """What enters each layer, and last the output; the backward pass needs all but the last."""
    kept = [x]
    for w, b in zip(net[::2], net[1::2], strict=True):
        z = meter.multiply(kept[-1], w) + b  # (copies, B, m)
        kept.append(z if w is net[-2] else np.maximum(z, 0))
    return kept


def backward(net: list, kept: list, y: np.ndarray, meter: Meter, mistake: str = "none", stop: int = 0) -> list:
    """Gradients of the mean squared error, from the last layer down to the one at index `stop` of `net`."""
    gradients = [np.zeros_like(part) for part in net]
    d = 2 * (kept[-1] - y) / y.shape[1]  # (copies, B, 1)
    for i in range(len(net) - 2, stop - 1, -2):
        a = kept[i // 2]  # what entered this layer
        gradients[i], gradients[i + 1] = meter.multiply(a.swapaxes(1, 2), d), d.sum(1, keepdims=True)
        if i > stop:  # nothing below the lowest trained layer asks for a gradient
            d = meter.multiply(d, net[i].swapaxes(1, 2)) * (1 if mistake == "no-slope" else a > 0)
    return gradients


def update(net: list, gradients: list, moments: list, step: int, rate: float = 0.01, mistake: str = "none") -> None:
    """In place: SGD without moments, momentum with one list of them, Adam with two."""
    if not moments:
        moves = gradients
    elif len(moments) == 1:
        for m, g in zip(moments[0], gradients, strict=True):
            m *= 0.9
            m += g
        moves = moments[0]
    else:
        correct = (1, 1) if mistake == "no-bias-correction" else (1 - 0.9**step, 1 - 0.999**step)
        for m, v, g in zip(*moments, gradients, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
        moves = [m / correct[0] / (np.sqrt(v / correct[1]) + 1e-8) for m, v in zip(*moments, strict=True)]
    for part, move in zip(net, moves, strict=True):
        part -= rate * move


def fit_network(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Predictions (copies, N, 1) after 300 steps of Adam, each copy at its step of least validation error."""
    x, y, x_test = (part.astype(np.float32) for part in (x, y, x_test))
    held_out, meter = x.shape[1] // 5, Meter()
    net = init(rng, (x.shape[2], *TABLE_WIDTHS, 1), len(x))
    moments = [[np.zeros_like(part) for part in net] for _ in range(2)]
    least, best = np.full((len(x), 1, 1), np.inf), np.zeros((*x_test.shape[:2], 1))
    for step in range(1, 301):
        rows = rng.integers(held_out, x.shape[1], (len(x), 32, 1))
        batch, target = np.take_along_axis(x, rows, 1), np.take_along_axis(y, rows, 1)
        update(net, backward(net, forward(net, batch, meter), target, meter), moments, step)
        if step % 25 == 0:
            wrong = forward(net, x[:, :held_out], meter)[-1] - y[:, :held_out]
            now = (wrong**2).mean((1, 2), keepdims=True)
            best = np.where(now < least, forward(net, x_test, meter)[-1], best)
            least = np.minimum(now, least)
    return best


def fit_linear(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Predictions of least squares with an intercept, for each of the data sets."""
    x, x_test = (np.concatenate([part, np.ones((*part.shape[:2], 1))], 2) for part in (x, x_test))
    fits = [np.linalg.lstsq(*one, rcond=None)[0] for one in zip(x, y, strict=True)]
    return x_test @ np.array(fits)


def best_split(x: np.ndarray, order: np.ndarray, r: np.ndarray) -> tuple[int, float, float, float]:
    """Column, cut, and the means left and right of it that lower the squared error of r most; order sorts x."""
    left = r[order].cumsum(0)[:-1]  # (N - 1, D), sums over the 1, 2, ... smallest of each column
    k, right = np.arange(1, len(x))[:, None], r.sum() - left
    i, j = np.unravel_index((left**2 / k + right**2 / (len(x) - k)).argmax(), left.shape)
    cut = x[order[i : i + 2, j], j].mean()
    return j, cut, left[i, j] / (i + 1), right[i, j] / (len(x) - i - 1)


def fit_boosting(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Predictions (N, 1) of 200 stumps, each fitted to a fifth of what the ones before left over."""
    out, r, order = np.full(len(x_test), y.mean()), y[:, 0] - y.mean(), x.argsort(0)
    for _ in range(200):
        column, cut, low, high = best_split(x, order, r)
        r = r - 0.2 * np.where(x[:, column] <= cut, low, high)
        out += 0.2 * np.where(x_test[:, column] <= cut, low, high)
    return out[:, None]


def mostly_linear(rng: np.random.Generator, rows: int) -> list[np.ndarray]:
    """Inputs and noisy answers to fit, inputs and exact answers to test: a linear part and a bend, 10 columns."""
    a, u = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in rng.normal(size=(2, REPEATS, 10, 1)))
    x = rng.normal(size=(REPEATS, rows + TEST, 10))
    exact = x @ a + 0.7 * np.abs(x @ u)
    return [x[:, :rows], exact[:, :rows] + NOISE * rng.normal(size=(REPEATS, rows, 1)), x[:, rows:], exact[:, rows:]]


def thresholds(rng: np.random.Generator, rows: int) -> list[np.ndarray]:
    """The same for answers that jump in four of twelve columns."""
    x = rng.normal(size=(REPEATS, rows + TEST, 12))
    cuts = rng.uniform(-0.8, 0.8, (REPEATS, 1, 4))
    exact = ((x[..., :4] > cuts) * rng.choice([-1, 1], (REPEATS, 1, 4))).sum(2, keepdims=True)
    return [x[:, :rows], exact[:, :rows] + NOISE * rng.normal(size=(REPEATS, rows, 1)), x[:, rows:], exact[:, rows:]]


def run(
    *,
    millions: Annotated[float, Range(0.1, 1e6), "millions of parameters in the bytes and hours"] = 100.0,
    optimizer: Annotated[Literal["adam", "momentum", "sgd"], "whose moments are counted"] = "adam",
    tokens: Annotated[float, Range(0.001, 1e6), "billions of tokens in the hours"] = 2.0,
    teraflops: Annotated[float, Range(0.1, 1e6), "1e12 operations per second, kept up"] = 100.0,
    width: Annotated[int, Range(8, 256), "W of the network whose cost is counted"] = 128,
    layers: Annotated[int, Range(2, 6), "its hidden layers L"] = 3,
    batch: Annotated[int, Range(1, 4096), "examples in its batch B"] = 4096,
    grow: Annotated[Literal["width", "depth", "inputs"], "what is doubled"] = "width",
    train: Annotated[Literal["all", "last-layer"], "which layers get gradients"] = "all",
    few: Annotated[int, Range(20, 4000), "few rows"] = 50,
    many: Annotated[int, Range(20, 4000), "many rows"] = 2000,
    rows: Annotated[int, Range(50, 1000), "rows of the table with thresholds"] = 500,
    rotate: Annotated[bool, "rotate its columns from the start"] = False,
    mistake: Literal["none", "no-slope", "no-bias-correction", "first-column"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    buffers = 2 + MOMENTS[optimizer]  # weights, gradients, moments: 4 bytes each
    yield Measure("states-gb", millions * 4 * buffers / 1000)
    yield Measure("weights-gb", millions * 4 / 1000)
    yield Measure("no-gradients-gb", millions * 4 * (buffers - 1) / 1000)
    hours = millions * 1e6 * tokens * 1e9 / (teraflops * 1e12) / 3600
    yield Measure("training-hours", 6 * hours)
    yield Measure("forward-hours", 2 * hours)

    rng = np.random.default_rng(seed)
    hidden_growth, kept_growth, per_weight, per_parameter = [], [], [], []
    for w, depth, seen in ((64, 4, 32), (256, 2, 32), (width, layers, batch)):
        table, hidden, kept_bytes = [], [], []
        for times in (1, 2):
            factor = {name: times if grow == name else 1 for name in ("width", "depth", "inputs")}
            sizes = (10 * factor["inputs"], *[w * factor["width"]] * (depth * factor["depth"]), 1)
            net, meter = init(rng, sizes, 1), Meter()
            x = rng.normal(size=(1, seen, sizes[0])).astype(np.float32)
            kept = forward(net, x, meter)
            forward_operations = meter.operations
            y = np.ones((1, seen, 1), np.float32)
            gradients = backward(net, kept, y, meter, stop=len(net) - 2 if train == "last-layer" else 0)
            moments = [[np.zeros_like(part) for part in net] for _ in range(MOMENTS[optimizer])]
            update(net, gradients, moments, 1)
            parameters = sum(part.size for part in net)
            state_bytes = sum(part.nbytes for group in (net, gradients, *moments) for part in group)
            hidden.append(sum(part.size for part in net[2:-2:2]))
            kept_bytes.append(sum(a.nbytes for a in kept[1:-1]))
            per_weight.append(meter.operations / seen / sum(part.size for part in net[::2]))
            per_parameter.append(state_bytes / parameters)
            table.append([f"{grow} x{times}", parameters, hidden[-1], forward_operations // seen])
            table[-1] += [round(state_bytes / 1e6, 3), round(kept_bytes[-1] / 1e6, 3)]
            if times == 1:
                outweighs = kept_bytes[0] / state_bytes
        hidden_growth.append(hidden[1] / hidden[0])
        kept_growth.append(kept_bytes[1] / kept_bytes[0])

    def worst(found: list[float], of: float) -> float:
        return max(found, key=lambda value: abs(value - of))

    names = ["doubled", "parameters", "hidden to hidden", "forward op./row", "states MB", "kept MB"]
    yield Table(f"{layers} hidden layers of {width} on 10 inputs, batches of {batch}, {optimizer}", names, table)
    yield Claim("six-per-weight", measured=worst(per_weight, 6), near=(6, 0.2))
    yield Claim("sixteen-bytes", measured=worst(per_parameter, 16), near=(16, 1e-9))
    yield Claim("activations-outweigh", measured=outweighs, at_least=2.0)
    yield Claim("hidden-weights-quadruple", measured=worst(hidden_growth, 4), near=(4, 0.01))
    yield Claim("activations-double", measured=worst(kept_growth, 2), near=(2, 0.01))
    widths = 2 ** np.arange(4, 13)
    weight_bytes, activation_bytes = 16 * (layers - 1) * widths**2 / 1e6, 4 * batch * layers * widths / 1e6
    series = {"states, hidden to hidden": (widths, weight_bytes), "kept activations": (widths, activation_bytes)}
    yield Plot("memory-over-width", series, x_label="width", y_label="MB", log_x=True, log_y=True)

    # The tools of the contest, each against something slower: finite differences, a closed form, a full search.
    net, meter = init(rng, (3, 5, 4, 1), 2, np.float64), Meter()
    for bias in net[1::2]:
        bias += rng.normal(0, 0.5, bias.shape)
    x, y = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7, 1))
    gradients = backward(net, forward(net, x, meter), y, meter, mistake)
    wrong, size = 0.0, 0.0
    for part, gradient in zip(net, gradients, strict=True):
        for at in np.ndindex(part.shape):
            loss, here = [], part[at]
            for part[at] in (here + 1e-6, here - 1e-6):
                loss.append(((forward(net, x, meter)[-1] - y) ** 2).mean((1, 2)).sum())
            part[at] = here
            slope = (loss[0] - loss[1]) / 2e-6
            wrong, size = max(wrong, abs(slope - gradient[at])), max(size, abs(slope))
    yield Claim("gradient-checked", measured=wrong / size, at_most=1e-6)
    one, moments = [np.zeros(1)], [[np.zeros(1)], [np.zeros(1)]]
    for step, gradient in ((1, 1.0), (2, -2.0)):
        before = one[0].copy()
        update(one, [np.full(1, gradient)], moments, step, 1.0, mistake)
    closed_form = -(0.9 - 2) / 1.9 / np.sqrt((0.999 + 4) / 1.999)  # weighted means of (1, -2) and of (1, 4)
    yield Claim("adam-checked", measured=abs((one[0] - before)[0] - closed_form), at_most=1e-6)
    x, r = rng.normal(size=(40, 5)), rng.normal(size=40)
    x[:, 2] += r  # so that the best split is in this column
    columns = x[:, :1] if mistake == "first-column" else x
    column, cut, low, high = best_split(columns, columns.argsort(0), r)
    split_error = ((r - np.where(x[:, column] <= cut, low, high)) ** 2).sum()
    sides = [x[:, j] <= cut for j in range(5) for cut in np.sort(x[:, j])[:-1]]
    searched = min(len(r[s]) * r[s].var() + len(r[~s]) * r[~s].var() for s in sides)
    yield Claim("split-is-best", measured=split_error / searched - 1, at_most=1e-9)

    yield Text("Now accuracy: squared error against exact answers, the geometric mean of 10 data sets.")
    results = []
    for count in (few, many):
        x, y, x_test, exact = mostly_linear(rng, count)
        linear, deep = fit_linear(x, y, x_test), fit_network(rng, x, y, x_test)
        results.append([np.exp(np.log(((out - exact) ** 2).mean((1, 2))).mean()) for out in (linear, deep)])
    x, y, x_test, exact = thresholds(rng, rows)
    rotation = np.linalg.qr(rng.normal(size=(REPEATS, 12, 12)))[0]  # hides the columns and keeps what they tell
    for turned in (rotate, True):
        x_seen, x_asked = (x @ rotation, x_test @ rotation) if turned else (x, x_test)
        start = time.perf_counter()
        deep = fit_network(rng, x_seen, y, x_asked)
        middle = time.perf_counter()
        boosted = np.array([fit_boosting(*one) for one in zip(x_seen, y, x_asked, strict=True)])
        end = time.perf_counter()
        results.append([np.exp(np.log(((out - exact) ** 2).mean((1, 2))).mean()) for out in (boosted, deep)])
    names = [f"{few} rows, linear", f"{many} rows, linear", f"{rows} rows, jumps", "the same, rotated"]
    plain, deep_errors = zip(*results, strict=True)
    parts = [[name, *pair] for name, pair in zip(names, results, strict=True)]
    yield Table("plain: least squares for linear, stumps for jumps", ["task", "plain", "network"], parts)
    yield Plot("errors", {"plain": (names, plain), "network": (names, deep_errors)}, y_label="error", style="bars")
    ratios = [deep_error / other for other, deep_error in results]
    yield Measure("few-ratio", ratios[0])
    yield Claim("linear-wins-on-few", measured=ratios[0], at_least=1.4)
    yield Measure("many-ratio", ratios[1])
    yield Claim("network-wins-on-many", measured=ratios[1], at_most=0.6)
    yield Measure("boosting-ratio", 1 / ratios[2])
    yield Claim("boosting-wins", measured=1 / ratios[2], at_most=0.2)
    yield Measure("rotated-ratio", 1 / ratios[3])
    yield Claim("rotation-costs-boosting", measured=ratios[2] / ratios[3], at_least=5.0)
    yield Measure("network-seconds", (middle - start) / REPEATS, timing=True)
    yield Measure("boosting-seconds", (end - middle) / REPEATS, timing=True)


if __name__ == "__main__":
    main(run)
