"""Layers that are trained together make features: a linear probe on each one climbs from chance to solved.

The label is the parity of six noisy bits, x = ±1 + noise, y = the product of the six signs. No single input says
anything about it, so least squares on the inputs finds nothing. A network of three hidden ReLU layers is trained on
the raw bits. Then each layer is asked how much of the answer a linear model can read from it, on points that neither
of them was fitted to.

    probe of a layer h:   w minimizes Σ (y - w·h - b)² + ridge on one set;   sign(w·h + b) is judged on another

Sources: Alain & Bengio (2016), Understanding intermediate layers using linear classifier probes; LeCun, Bengio &
Hinton (2015), Deep learning, Nature 521; Lillicrap et al. (2020), Backpropagation and the brain.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, Text, main

claims = {
    "a-third-stays-wrong": {
        "says": "of 64 corners labeled by parity, the best of 20,000 threshold units gets no more than 42 right",
        "false_when": {"bits": 2},
    },
    "gradient-needs-the-weights": {
        "says": "the gradient by hand, sent back through each layer's own weights, agrees with finite differences",
        "false_when": {"mistake": "random-feedback"},
    },
    "probe-is-least-squares": {
        "says": "what a probe leaves over has no mean and no slope along any feature, up to the ridge",
        "false_when": {"mistake": "no-bias"},
    },
    "raw-input-at-chance": {
        "says": "over six data sets, linear probes on the raw input average within 5 points of 50% of new points",
        "false_when": {"bits": 1},
    },
    "hand-made-feature-solves": {
        "says": "with the product of all inputs as an extra column a linear model gets over 90% of new points",
        "false_when": {"extra": "sum"},
    },
    "information-was-there": {
        "says": "in each of six data sets, the nearest training point on the raw input gives the right label in over "
        "90% of new points",
        "false_when": {"noise": 1.0},
    },
    "layers-climb": {
        "says": "averaged over six trained networks each layer's probe beats the one before by over 3 points on new "
        "points",
        "false_when": {"steps": 0},
    },
    "last-layer-solves": {
        "says": "a linear probe on the last trained hidden layer averages over 90% of new points",
        "false_when": {"steps": 0},
    },
    "untrained-stay-low": {
        "says": "in layers of 16 untrained units no layer's probes average over 65% of new points",
        "false_when": {"untrained": 400},
    },
    "linear-layers-at-chance": {
        "says": "without activation functions six such networks average within 5 points of 50% of new points",
        "false_when": {"control": "relu"},
    },
    "one-layer-can": {
        "says": "one hidden layer of 32 units, trained as long, gets over 95% of new points",
        "false_when": {"single": 2},
    },
    "few-examples-fitted": {
        "says": "with 60 examples the network gets over 99% of its training points",
        "false_when": {"steps": 0},
    },
    "few-examples-fail": {
        "says": "with 60 examples the network gets less than 75% of new points",
        "false_when": {"few": 1000},
    },
    "probe-can-cheat": {
        "says": "a probe of 200 random features, fitted to 150 coin flips, gains 30 points there over new ones",
        "false_when": {"probe_points": 3000},
    },
}
measures = {
    "best-count-cut": "largest share of `bits`-bit inputs whose parity a single cut in the number of ones gets right",
    "as-if-chance": "one half: what would be right if no threshold beat guessing",
    "probe-at-look": "held-out accuracy of a linear probe on layer `look` (0: the input)",
    "first-layer": "the same on the first hidden layer",
    "few-test": "accuracy on new points after training on few examples",
}
predict = {
    "ask": "Parity, three trained hidden layers. A linear probe is at chance on the input. On the first layer it is",
    "measure": "first-layer",
    "choices": {"at chance too": [0.0, 0.55], "better, not solved": [0.55, 0.9], "near 100% already": [0.9, 1.0]},
}

NETWORKS, WIDTH, TEST = 6, 16, 1000
Layers = list[list[np.ndarray]]  # [W (R, in, out), b (R, 1, out)]; the last layer is linear


def draw(rng: np.random.Generator, n: int, bits: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Noisy bits (R, n, bits) and the parity of the clean ones, +1 or -1 (R, n, 1)."""
    clean = rng.choice([-1.0, 1.0], (NETWORKS, n, bits))
    x = clean + rng.normal(0, noise, clean.shape)
    return x.astype(np.float32), clean.prod(axis=2, keepdims=True).astype(np.float32)


def start(rng: np.random.Generator, sizes: list[int]) -> Layers:
    """He's weights, no biases at first."""
    return [
        [rng.normal(0, np.sqrt(2 / i), (NETWORKS, i, o)).astype(np.float32), np.zeros((NETWORKS, 1, o), np.float32)]
        for i, o in np.stack([sizes[:-1], sizes[1:]], axis=1)
    ]


def forward(net: Layers, x: np.ndarray, kind: str = "relu") -> list[np.ndarray]:
    """The input, each hidden layer's activations (R, n, units), and the output (R, n, 1)."""
    hidden = [x]
    for W, b in net[:-1]:
        z = hidden[-1] @ W + b
        hidden.append(z if kind == "linear" else np.maximum(z, 0))
    return [*hidden, hidden[-1] @ net[-1][0] + net[-1][1]]


def gradient(net: Layers, x: np.ndarray, y: np.ndarray, kind: str = "relu", feedback: Layers | None = None) -> Layers:
    """Of the mean of ln(1 + exp(-y out)), by hand. Going back, a layer needs the weights it used going forward."""
    *hidden, out = forward(net, x, kind)
    d = -y / (1 + np.exp(np.clip(y * out, -50, 50))) / x.shape[1]  # (R, n, 1)
    slopes = []
    for (W, _), h in zip((feedback or net)[::-1], hidden[::-1], strict=True):
        slopes.append([h.swapaxes(1, 2) @ d, d.sum(axis=1, keepdims=True)])
        d = d @ W.swapaxes(1, 2) * (1 if kind == "linear" else h > 0)
    return slopes[::-1]


def train(net: Layers, x: np.ndarray, y: np.ndarray, steps: int, kind: str = "relu") -> Layers:
    """Adam, in place."""
    flat = [part for layer in net for part in layer]
    mean, square = [np.zeros_like(part) for part in flat], [np.zeros_like(part) for part in flat]
    for step in range(1, steps + 1):
        slopes = [slope for layer in gradient(net, x, y, kind) for slope in layer]
        for part, m, s, slope in zip(flat, mean, square, slopes, strict=True):
            m += 0.1 * (slope - m)
            s += 0.01 * (slope**2 - s)
            part -= 0.01 * m / (1 - 0.9**step) / (np.sqrt(s / (1 - 0.99**step)) + 1e-8)
    return net


def right(out: np.ndarray, y: np.ndarray) -> float:
    return float((out * y > 0).mean())


def probe(h: np.ndarray, y: np.ndarray, bias: bool = True) -> Callable[[np.ndarray], np.ndarray]:
    """A linear model with a small ridge, fitted to h (R, n, F) and y (R, n, 1): a function of other h."""
    center, level = (part.mean(axis=1, keepdims=True) if bias else 0 for part in (h.astype(np.float64), y))
    scale = h.std(axis=1, keepdims=True) + 1e-6
    z = (h - center) / scale
    gram = z.swapaxes(1, 2) @ z + 1e-3 * h.shape[1] * np.eye(h.shape[2])
    w = np.linalg.solve(gram, z.swapaxes(1, 2) @ (y - level))  # (R, F, 1)
    return lambda other: (other - center) / scale @ w + level


def run(
    *,
    bits: Annotated[int, Range(1, 8), "whose parity is the label"] = 6,
    noise: Annotated[float, Range(0.0, 2.0), "standard deviation added to each bit"] = 0.2,
    examples: Annotated[int, Range(20, 2000), "to train on, and as many to fit the probes on"] = 600,
    few: Annotated[int, Range(10, 2000), "examples where there are few"] = 60,
    steps: Annotated[int, Range(0, 2000), "of training"] = 250,
    untrained: Annotated[int, Range(1, 1000), "units in each of three untrained layers"] = 16,
    control: Annotated[Literal["linear", "relu"], "hidden units of the network without activations"] = "linear",
    single: Annotated[int, Range(1, 200), "units of the network with one hidden layer"] = 32,
    extra: Annotated[Literal["product", "sum"], "of the inputs, the hand-made column"] = "product",
    probe_points: Annotated[int, Range(20, 5000), "coin flips that a probe of 200 features is fitted to"] = 150,
    look: Annotated[int, Range(0, 3), "layer whose probe is measured"] = 0,
    mistake: Literal["none", "random-feedback", "no-bias"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    ones = np.arange(bits + 1)
    inputs = (np.poly1d([1, 1]) ** bits).coeffs / 2**bits  # (bits + 1,), share of the inputs with so many ones
    even = inputs * (1 - ones % 2 * 2)  # positive where parity is even
    cuts = np.abs([even[:c].sum() - even[c:].sum() for c in range(bits + 2)])
    yield Measure("best-count-cut", 0.5 + cuts.max() / 2)
    yield Measure("as-if-chance", 0.5)
    rng = np.random.default_rng(seed)
    corners = 1.0 - 2 * (np.arange(2**bits)[:, None] >> np.arange(bits) & 1)  # (2^bits, bits)
    sides = np.sign(corners @ rng.normal(size=(bits, 20_000)) + rng.normal(size=20_000))  # (2^bits, units)
    best = 0.5 + np.abs(corners.prod(axis=1) @ sides).max() / 2 ** (bits + 1)
    yield Claim("a-third-stays-wrong", measured=max(best, 0.5 + cuts.max() / 2), at_most=42 / 64 + 1e-9)

    x, y = draw(rng, examples, bits, noise)  # to train on
    x_probe, y_probe = draw(rng, examples, bits, noise)  # to fit the probes of layers on
    x_new, y_new = draw(rng, TEST, bits, noise)  # to judge by
    net = start(rng, [bits, 7, 5, 1])
    net = [[W, b + rng.normal(0, 0.3, b.shape)] for W, b in net]
    other = [[rng.normal(size=W.shape), b] for W, b in net] if mistake == "random-feedback" else None
    way = [[rng.normal(size=part.shape) for part in layer] for layer in net]
    slopes = gradient(net, x, y, feedback=other)
    by_hand = sum(
        (g * d).sum(axis=(1, 2)) for gs, ds in zip(slopes, way, strict=True) for g, d in zip(gs, ds, strict=True)
    )
    losses = []
    for e in (1e-6, -1e-6):
        moved = [[part + e * d for part, d in zip(*pair, strict=True)] for pair in zip(net, way, strict=True)]
        losses.append(np.log1p(np.exp(-y * forward(moved, x)[-1].astype(np.float64))).mean(axis=(1, 2)))
    off = np.abs(by_hand - (losses[0] - losses[1]) / 2e-6) / (np.abs(by_hand) + 0.01)  # (R,)
    yield Claim("gradient-needs-the-weights", measured=np.median(off), at_most=1e-4)

    # A probe's residual has no mean and no slope along any feature, though features and targets are off center.
    h, target = x + 1, y + x[..., :1] + 5
    residual = target - probe(h, target, bias=mistake != "no-bias")(h)  # (R, n, 1)
    left = max(np.abs(residual.mean(axis=1)).max(), np.abs((residual * h).mean(axis=1)).max())
    yield Claim("probe-is-least-squares", measured=left, at_most=0.02)

    raw = right(probe(x, y)(x_new), y_new)
    yield Claim("raw-input-at-chance", measured=raw, near=(0.5, 0.05))
    reduce = np.prod if extra == "product" else np.sum
    column, column_new = (np.append(at, reduce(at, axis=2, keepdims=True), axis=2) for at in (x, x_new))
    yield Claim("hand-made-feature-solves", measured=right(probe(column, y)(column_new), y_new), at_least=0.9)
    apart = (x**2).sum(axis=2)[:, None] - 2 * x_new @ x.swapaxes(1, 2)  # (R, TEST, n), squared distance less x_new²
    nearest = np.take_along_axis(y, apart.argmin(axis=2)[..., None], axis=1)  # (R, TEST, 1), the neighbor's label
    least = (nearest * y_new > 0).mean(axis=(1, 2)).min()
    yield Claim("information-was-there", measured=least, at_least=0.9)

    flips, flips_new = (rng.choice([-1.0, 1.0], (NETWORKS, n, 1)) for n in (probe_points, TEST))
    h, h_new = (rng.normal(size=(NETWORKS, n, 200)) for n in (probe_points, TEST))
    read = probe(h, flips)
    yield Claim("probe-can-cheat", measured=right(read(h), flips) - right(read(h_new), flips_new), at_least=0.3)
    yield Progress(1, 5)

    def climb(net: Layers) -> list[float]:
        """Accuracy on new points of a probe on the input and on each hidden layer."""
        pairs = zip(forward(net, x_probe)[:-1], forward(net, x_new)[:-1], strict=True)
        return [right(probe(h, y_probe)(h_new), y_new) for h, h_new in pairs]

    trained = climb(train(start(rng, [bits, WIDTH, WIDTH, WIDTH, 1]), x, y, steps))
    yield Progress(2, 5)
    random = climb(start(rng, [bits, untrained, untrained, untrained, 1]))
    layers = ["input", "hidden 1", "hidden 2", "hidden 3"]
    rows = [*zip(layers, trained, random, strict=True)]
    yield Table("held-out accuracy of a linear probe", ["layer", "trained", "untrained"], rows)
    curves = {"trained": (range(4), trained), "untrained": (range(4), random)}
    yield Plot("probes", curves, x_label="layer", y_label="accuracy")
    yield Measure("probe-at-look", trained[look])
    yield Measure("first-layer", trained[1])
    yield Claim("layers-climb", measured=np.diff(trained).min(), at_least=0.03)
    yield Claim("last-layer-solves", measured=trained[3], at_least=0.9)
    yield Claim("untrained-stay-low", measured=max(random), at_most=0.65)
    yield Text("What else solves it, and what does not:")

    net = train(start(rng, [bits, WIDTH, WIDTH, WIDTH, 1]), x, y, 100, control)
    linear = right(forward(net, x_new, control)[-1], y_new)
    yield Claim("linear-layers-at-chance", measured=linear, near=(0.5, 0.05))
    yield Progress(3, 5)
    one = right(forward(train(start(rng, [bits, single, 1]), x, y, steps), x_new)[-1], y_new)
    yield Claim("one-layer-can", measured=one, at_least=0.95)
    yield Progress(4, 5)
    x_few, y_few = draw(rng, few, bits, noise)
    net = train(start(rng, [bits, WIDTH, WIDTH, WIDTH, 1]), x_few, y_few, steps)
    fit, test = right(forward(net, x_few)[-1], y_few), right(forward(net, x_new)[-1], y_new)
    yield Measure("few-test", test)
    yield Claim("few-examples-fitted", measured=fit, at_least=0.99)
    yield Claim("few-examples-fail", measured=test, at_most=0.75)
    bars = (["linear probe", "linear layers", f"{few} examples", "one hidden layer"], [raw, linear, test, one])
    yield Plot("new-points", {"accuracy": bars}, y_label="accuracy on new points", style="bars")


if __name__ == "__main__":
    main(run)
