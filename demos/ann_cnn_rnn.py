"""MLP, CNN and RNN with 265 parameters each: the one whose assumption fits the data wins, and none wins everywhere.

    MLP  z = v · tanh(W x + b) + c                            each of the 64 inputs has a meaning of its own
    CNN  z = v · max over places of ReLU(K * x + b) + c       what counts is local and may be anywhere
    RNN  z = v · h_8 + c,  h_t = tanh(W x_t + U h_{t-1} + b)  one rule for each step, a state that carries on

All three read the same 8×8 numbers: as 64 columns, as a picture, as 8 steps of 8. A fixed permutation of all pixels
leaves a picture's information in place and destroys its layout. And none of the three is a supervised algorithm: in
the end the CNN and the RNN learn from data without labels, to predict a hidden part from the rest.

Sources: Goodfellow, Bengio & Courville (2016), sections 6.4, 9.2 and 10.1; Wolpert (1996).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, Table, Text, main

claims = {
    "budgets-are-equal": {
        "says": "the three nets have equal numbers of parameters",
        "false_when": {"mlp_units": 8},
    },
    "gradients-are-right": {
        "says": "the gradients by hand of all three nets agree with finite differences",
        "false_when": {"mistake": "last-step"},
    },
    "mlp-wins-table": {
        "says": "where the label depends on certain columns, the MLP beats CNN and RNN by over 10 points",
        "false_when": {"rules": "misfit"},
    },
    "cnn-wins-picture": {
        "says": "where a small pattern may be anywhere, the CNN beats MLP and RNN by over 5 points",
        "false_when": {"rules": "misfit"},
    },
    "rnn-wins-sequence": {
        "says": "where the order of three scattered symbols decides, the RNN beats MLP and CNN by over 8 points",
        "false_when": {"rules": "misfit"},
    },
    "permuting-hurts-cnn": {
        "says": "one fixed permutation of all pixels, before training, costs the CNN over 20 points",
        "false_when": {"permute": "none"},
    },
    "permuting-hurts-row-reader": {
        "says": "it also costs the RNN, which reads the picture row by row, over 5 points",
        "false_when": {"permute": "none"},
    },
    "permuting-spares-mlp": {
        "says": "it changes the MLP's accuracy by less than 8 points",
        "false_when": {"permute": "anew-each-picture"},
    },
    "trains-without-labels": {
        "says": "trained without labels, CNN and RNN predict a hidden part with under half the mean's squared error",
        "false_when": {"unlabeled": "noise"},
    },
}
measures = {
    "matching-filters": "3×3 filters that give the CNN as many parameters as the MLP has",
    "filters-without-readout": "the same if a filter's weight in the readout is forgotten (rounded down)",
    "accuracy": "of `net` on `task`, on new examples, mean of two trained nets",
}
predict = {
    "ask": "One fixed permutation scrambles the pixels of all pictures, training and test. The CNN's accuracy?",
    "measure": "accuracy",
    "choices": {"under 75%": [0.0, 0.75], "75% to 95%": [0.75, 0.95], "over 95%, as before": [0.95, 1.0]},
}
Parts = list[np.ndarray]
Backward = Callable[[np.ndarray], Parts]


def mlp(x: np.ndarray, net: Parts) -> tuple[np.ndarray, Backward]:
    """Outputs (B,) for x (B, 64), and the function from ∂loss/∂outputs to the gradients."""
    w, b, v, c = net  # (64, H), (H,), (H,), ()
    h = np.tanh(x @ w + b)  # (B, H)

    def backward(dz: np.ndarray) -> Parts:
        da = np.outer(dz, v) * (1 - h**2)
        return [x.T @ da, da.sum(0), h.T @ dz, dz.sum()]

    return h @ v + c, backward


def cnn(x: np.ndarray, net: Parts) -> tuple[np.ndarray, Backward]:
    """The same for the 3×3 patches x (B, places, 9) of each picture."""
    w, b, v, c = net  # (9, F), (F,), (F,), ()
    a = (x.reshape(-1, 9) @ w).reshape(len(x), -1, w.shape[1])  # (B, places, F)
    peak = a.max(1) + b  # (B, F); ReLU keeps the order, so that it may come after the maximum
    h = np.maximum(peak, 0.0)

    def backward(dz: np.ndarray) -> Parts:
        da = np.outer(dz, v) * (peak > 0)  # (B, F)
        patches = x[np.arange(len(x))[:, None], a.argmax(1)]  # (B, F, 9): only the winning place gets a gradient
        return [np.einsum("bfk,bf->kf", patches, da), da.sum(0), h.T @ dz, dz.sum()]

    return h @ v + c, backward


def rnn(x: np.ndarray, net: Parts, mistake: str = "none") -> tuple[np.ndarray, Backward]:
    """The same for sequences x (B, T, 8)."""
    w, b, v, c, u = net  # (8, H), (H,), (H,), (), (H, H)
    h = [np.zeros((len(x), len(b)))]
    for t in range(x.shape[1]):
        h.append(np.tanh(x[:, t] @ w + h[-1] @ u + b))

    def backward(dz: np.ndarray) -> Parts:
        dw, db, du, dh = np.zeros_like(w), np.zeros_like(b), np.zeros_like(u), np.outer(dz, v)
        for t in reversed(range(x.shape[1])):
            da = dh * (1 - h[t + 1] ** 2)
            dw, db, du, dh = dw + x[:, t].T @ da, db + da.sum(0), du + h[t].T @ da, da @ u.T
            if mistake == "last-step":  # the weights are used at the earlier steps as well
                break
        return [dw, db, h[-1].T @ dz, dz.sum(), du]

    return h[-1] @ v + c, backward


NETS = {"mlp": mlp, "cnn": cnn, "rnn": rnn}


def start(kind: str, units: int, rng: np.random.Generator) -> Parts:
    fan_in = {"mlp": 64, "cnn": 9, "rnn": 8}[kind]
    w, v = rng.normal(0, fan_in**-0.5, (fan_in, units)), rng.normal(0, units**-0.5, units)
    u = [0.7 * np.eye(units) + rng.normal(0, 0.05, (units, units))] if kind == "rnn" else []
    return [w, np.zeros(units), v, np.zeros(()), *u]


def view(kind: str, x: np.ndarray) -> np.ndarray:
    """What a net makes of x (B, 8, 8): 64 columns, 36 patches of 9, or 8 steps of 8."""
    if kind == "cnn":
        return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2)).reshape(len(x), -1, 9)
    return x.reshape(len(x), 64) if kind == "mlp" else x


def residual(z: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    """∂loss/∂z of the mean loss: cross-entropy of a sigmoid, or half the squared error."""
    return ((1 / (1 + np.exp(-z)) if loss == "cross-entropy" else z) - y) / len(z)


def train(kind: str, net: Parts, x: np.ndarray, y: np.ndarray, loss: str, rng: np.random.Generator) -> Parts:
    """The net after 250 steps of Adam on 32 examples each."""
    mean, square = ([np.zeros_like(part) for part in net] for _ in range(2))
    for step in range(1, 251):
        batch = rng.integers(0, len(x), 32)
        z, backward = NETS[kind](x[batch], net)
        for i, slope in enumerate(backward(residual(z, y[batch], loss))):
            mean[i] = 0.9 * mean[i] + 0.1 * slope
            square[i] = 0.99 * square[i] + 0.01 * slope**2
            rate = 0.02 * np.sqrt(1 - 0.99**step) / (1 - 0.9**step)
            net[i] = net[i] - rate * mean[i] / (np.sqrt(square[i]) + 1e-8)
    return net


def table(n: int, rules: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """64 columns (as 8×8); the label depends on three of them (misfit: on whether any of them is large)."""
    x = rng.normal(size=(n, 8, 8))
    columns = x.reshape(n, 64)
    y = columns[:, 3] + columns[:, 17] > columns[:, 40] if rules == "fit" else columns.max(1) > 2.3
    return x, y.astype(float)


def picture(n: int, rules: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A diagonal of four pixels anywhere in noise (misfit: in the middle); the label is 1 if it falls."""
    x, y = rng.normal(0, 0.3, (n, 8, 8)), rng.integers(0, 2, n)
    top, left = rng.integers(0, 5, (2, n)) if rules == "fit" else np.full((2, n), 2)
    for k in range(4):
        x[np.arange(n), top + k, left + np.where(y == 1, k, 3 - k)] += 1.0
    return x, y.astype(float)


def sequence(n: int, rules: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """8 steps of one-hot symbols, A, B and C once each; the label is 1 for ABC, BCA, CAB (misfit: the last step)."""
    symbols, y = rng.integers(3, 8, (n, 8)), rng.integers(0, 2, n)
    places = np.sort(np.argsort(rng.random((n, 8)), axis=1)[:, :3], axis=1)
    first = rng.integers(0, 3, n)
    for k in range(3):
        symbols[np.arange(n), places[:, k]] = (first + k * np.where(y == 1, 1, -1)) % 3
    if rules == "misfit":
        symbols[:, -1] = y
    return np.eye(8)[symbols], y.astype(float)


def permuted(x: np.ndarray, permute: str, rng: np.random.Generator) -> np.ndarray:
    """Pictures (B, 8, 8) with their pixels in another order."""
    order = rng.permutation(64)
    if permute == "anew-each-picture":
        return rng.permuted(x.reshape(-1, 64), axis=1).reshape(x.shape)
    return x if permute == "none" else x.reshape(-1, 64)[:, order].reshape(x.shape)


def run(
    *,
    mlp_units: Annotated[int, Range(1, 64), "hidden units of the MLP"] = 4,
    filters: Annotated[int, Range(1, 128), "3×3 filters of the CNN"] = 24,
    rnn_units: Annotated[int, Range(1, 64), "hidden units of the RNN"] = 12,
    examples: Annotated[int, Range(100, 5000), "examples to learn from, in each task"] = 500,
    net: Literal["mlp", "cnn", "rnn"] = "cnn",
    task: Literal["table", "picture", "permuted", "sequence"] = "permuted",
    rules: Literal["fit", "misfit"] = "fit",
    permute: Literal["all-alike", "none", "anew-each-picture"] = "all-alike",
    unlabeled: Literal["waves", "noise"] = "waves",
    mistake: Literal["none", "last-step"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    rng = np.random.default_rng(seed)
    units = {"mlp": mlp_units, "cnn": filters, "rnn": rnn_units}
    sizes = {kind: sum(part.size for part in start(kind, units[kind], rng)) for kind in NETS}
    # A filter costs nine weights, a bias and a weight in the readout; the readout's bias is there anyway.
    yield Measure("matching-filters", (sizes["mlp"] - 1) / (9 + 1 + 1))
    yield Measure("filters-without-readout", (sizes["mlp"] - 1) // (9 + 1))
    yield Text(", ".join(f"{kind.upper()} {size}" for kind, size in sizes.items()) + " parameters.")
    yield Claim("budgets-are-equal", measured=max(sizes.values()) - min(sizes.values()), at_most=0)

    # Along a random direction, the slope of the loss by hand and by finite differences.
    worst = 0.0
    x, y = rng.normal(size=(5, 8, 8)), rng.integers(0, 2, 5)
    for kind, forward in NETS.items():
        parts = [part + rng.normal(0, 0.3, part.shape) for part in start(kind, units[kind], rng)]
        ways = [rng.normal(size=part.shape) for part in parts]
        seen = view(kind, x)
        z, backward = rnn(seen, parts, mistake) if kind == "rnn" else forward(seen, parts)
        slopes = backward(residual(z, y, "cross-entropy"))
        losses = []
        for step in (1e-7, -1e-7):
            moved = [part + step * way for part, way in zip(parts, ways, strict=True)]
            z, _ = forward(seen, moved)
            losses.append((np.logaddexp(0, z) - y * z).mean())
        by_hand = sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True))
        worst = max(worst, abs(by_hand - (losses[0] - losses[1]) / 2e-7))
    yield Claim("gradients-are-right", measured=worst, at_most=1e-6)

    # Four tasks, three nets, two repetitions with new data and new starts.
    results: dict[tuple[str, str], list[float]] = {}
    for repeat in range(2):
        x, y = picture(examples + 1000, rules, rng)
        scrambled = permuted(x, permute, rng)
        tasks = {
            "table": table(examples + 1000, rules, rng),
            "picture": (x, y),
            "permuted": (scrambled, y),
            "sequence": sequence(examples + 1000, rules, rng),
        }
        if repeat == 0:
            upright, falling = int(y.argmin()), int(y.argmax())
            yield Image("pictures", {"label 0": x[upright], "label 1": x[falling], "1, permuted": scrambled[falling]})
        for name, (x, y) in tasks.items():
            for kind in NETS:
                seen = view(kind, x)
                parts = start(kind, units[kind], rng)
                parts = train(kind, parts, seen[:examples], y[:examples], "cross-entropy", rng)
                right = (NETS[kind](seen[examples:], parts)[0] > 0) == (y[examples:] > 0)
                results.setdefault((name, kind), []).append(float(right.mean()))
        yield Progress(repeat + 1, 2)
    accuracy = {cell: float(np.mean(values)) for cell, values in results.items()}
    yield Table(
        "accuracy on new examples",
        ["task", *NETS],
        [[name, *(round(accuracy[name, kind], 3) for kind in NETS)] for name in tasks],
    )
    yield Plot(
        "accuracy",
        {kind: (list(tasks), [accuracy[name, kind] for name in tasks]) for kind in NETS},
        y_label="share of new examples",
        style="bars",
    )
    yield Measure("accuracy", accuracy[task, net])
    for claim, name, winner, lead in (
        ("mlp-wins-table", "table", "mlp", 0.1),
        ("cnn-wins-picture", "picture", "cnn", 0.05),
        ("rnn-wins-sequence", "sequence", "rnn", 0.08),
    ):
        second = max(accuracy[name, kind] for kind in NETS if kind != winner)
        yield Claim(claim, measured=accuracy[name, winner] - second, at_least=lead)
    lost = {kind: accuracy["picture", kind] - accuracy["permuted", kind] for kind in NETS}
    yield Claim("permuting-hurts-cnn", measured=lost["cnn"], at_least=0.2)
    yield Claim("permuting-hurts-row-reader", measured=lost["rnn"], at_least=0.05)
    yield Claim("permuting-spares-mlp", measured=abs(lost["mlp"]), at_most=0.08)

    # No labels: the data are their own target. Waves run across 8×8 numbers, as a picture or as 8 steps in time.
    phase, down, across = rng.uniform(0, 2 * np.pi, 1000), rng.uniform(0.2, 0.8, 1000), rng.uniform(0.2, 0.8, 1000)
    t, j = np.arange(8)[None, :, None], np.arange(8)[None, None, :]
    x = np.sin(phase[:, None, None] + down[:, None, None] * t + across[:, None, None] * j)
    x = rng.normal(size=x.shape) if unlabeled == "noise" else x + rng.normal(0, 0.1, x.shape)
    # A prediction at each place in place of one maximum over them: to the CNN each patch is a picture of its own.
    patches = view("cnn", x).reshape(-1, 1, 9).copy()  # (36,000, 1, 9), the patches of a picture in a row
    center = patches[:, 0, 4].copy()
    patches[:, :, 4] = 0.0
    hidden = {"cnn": (patches, center), "rnn": (x[:, :7], x[:, 7, 0])}  # the pixel inside, or the next step
    shares = []
    for kind, (seen, target) in hidden.items():
        half = len(seen) // 2
        parts = train(kind, start(kind, units[kind], rng), seen[:half], target[:half], "squared", rng)
        z = NETS[kind](seen[half:], parts)[0]
        shares.append(float(((z - target[half:]) ** 2).mean() / target[half:].var()))
    yield Table("error on hidden parts, over that of the mean", [*hidden], [shares])
    yield Claim("trains-without-labels", measured=max(shares), at_most=0.5)


if __name__ == "__main__":
    main(run)
