"""Depth folds: k layers of two ReLUs make 2^k straight pieces, one hidden layer of n units at most n + 1.

    tent(x) = 2 relu(x) - 4 relu(x - 1/2) on [0, 1];   applied k times it is a sawtooth of 2^k pieces

Each layer folds the interval in two, so whatever comes after happens twice. A single layer adds kinks one by one. It
still approximates any continuous function on a closed interval, given enough units. Both are statements about what
exists: random weights are far from folding, and gradient descent from random starts does not find the sawtooth.

Sources: Telgarsky (2015), Representation benefits of deep feedforward networks; Yarotsky (2017), Error bounds for
approximations with deep ReLU networks, section 3.1 (x²); Leshno et al. (1993); Hanin & Rolnick (2019), Complexity of
linear regions in deep networks.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, main

claims = {
    "doubles-each-layer": {
        "says": "k layers of two ReLUs, all but the first with the same weights, make 2^k straight pieces, k = 1 … 6",
        "false_when": {"mistake": "slope-two"},
    },
    "is-the-sawtooth": {
        "says": "the deep network equals the triangle wave's formula on [0, 1]",
        "false_when": {"mistake": "slope-two"},
    },
    "one-layer-adds": {
        "says": "n ReLUs in one hidden layer make at most n + 1 pieces: 4, 16 and 40, each 50 times at random",
        "false_when": {"arrange": "stacked"},
    },
    "wide-needs-a-unit-a-piece": {
        "says": "one hidden layer with 64 ReLUs is the sawtooth of 64 pieces, to rounding, and so for 4, 16 and 256",
        "false_when": {"wide": 32},
    },
    "too-few-units-err": {
        "says": "16 units in one hidden layer get over 35% of 65 alternating labels wrong",
        "false_when": {"few": 1000},
    },
    "fewer-parameters": {
        "says": "for 64 pieces six layers of two need under a fifth of one layer's parameters",
        "false_when": {"layers": 2},
    },
    "square-by-folding": {
        "says": "x minus the sum of the sawtooths s = 1 … k over 4^s misses x² by 4^-(k + 1)",
        "false_when": {"mistake": "halving"},
    },
    "random-nets-fold-little": {
        "says": "8 random layers of 8 units make 0.4 to 1 straight pieces a unit, counted on [-2, 2]",
        "false_when": {"weights": "sawtooth"},
    },
    "gradient-checked": {
        "says": "the gradient through all layers by hand agrees with finite differences",
        "false_when": {"mistake": "no-mask"},
    },
    "random-starts-miss": {
        "says": "trained from 8 random starts, five layers of 8 leave over half of a 32-piece sawtooth's variance, "
        "though with the known weights in two units of each they equal it",
        "false_when": {"taught": 1},
    },
    "near-start-stays": {
        "says": "from the constructed weights, each off by some half percent, training ends under 5% of the variance",
        "false_when": {"start": "random"},
    },
    "more-units-less-error": {
        "says": "one hidden layer of 64 ReLUs is within 0.01 of sin 2πx everywhere on [0, 1]",
        "false_when": {"units": 8},
    },
    "outside-is-lost": {
        "says": "fitted on [0, 1], that layer is off by over 1 somewhere on [1, 2]",
        "false_when": {"reach": 2.0},
    },
    "jump-stays": {
        "says": "at a jump of height 1, 20, 60 and even 200 ReLUs are off by over 0.45 somewhere",
        "false_when": {"edge": "ramp"},
    },
    "square-units-stuck": {
        "says": "4, 16 and 64 units z², fitted by least squares, are all off by over 0.3 from sin 2πx",
        "false_when": {"unit": "relu"},
    },
}
measures = {
    "units-by-counting": "least number of units in one hidden layer that counting pieces does not rule out",
    "a-unit-a-piece": "the same if each piece took a unit",
    "deep-units": "units of the deep network",
    "deep-parameters": "weights and biases of k layers of two ReLUs",
    "wide-parameters": "the same for one hidden layer of 2^k units",
    "random-pieces": "of `random_depth` layers of 8 units with random weights, on [-2, 2], the mean of 40",
    "share-left": "of the 32-piece sawtooth's variance, the best of 8 trained networks",
}
predict = {
    "ask": "Five layers of 2 units can be a 32-piece sawtooth. Five of 8 are trained on it; the best of 8 leaves",
    "measure": "share-left",
    "choices": {"next to no error": [0, 0.05], "up to half": [0.05, 0.5], "over half of the variance": [0.5, 10]},
}

Layers = list[tuple[np.ndarray, np.ndarray]]  # W (…, in, out) and b (…, 1, out); the last layer is linear
RUNS = 8


def sawtooth(x: np.ndarray, k: int) -> np.ndarray:
    """The triangle wave with 2^k pieces on [0, 1], by formula."""
    return 1 - np.abs(x * 2**k % 2 - 1)


def folding(k: int, mistake: str = "none") -> Layers:
    """The tent map k times: each layer takes relu(t) and relu(t - 1/2) of the last layer's tent t."""
    tent = np.array([[2.0], [-2.0 if mistake == "slope-two" else -4.0]])  # (2, 1)
    both, kinks = np.ones((1, 2)), np.array([[0.0, -0.5]])
    return [(both, kinks), *[(tent @ both, kinks)] * (k - 1), (tent, np.zeros((1, 1)))]


def random_layers(rng: np.random.Generator, k: int, shape: tuple[int, ...] = ()) -> Layers:
    """k layers of 8 units with He's weights, and biases that spread the kinks."""
    sizes = [(1, 8), *[(8, 8)] * (k - 1), (8, 1)]
    return [(rng.normal(0, np.sqrt(2 / i), (*shape, i, o)), rng.normal(0, 0.3, (*shape, 1, o))) for i, o in sizes]


def forward(net: Layers, x: np.ndarray) -> list[np.ndarray]:
    """What goes into each layer (…, N, in), and at the end the output (…, N, 1)."""
    out = [x]
    for W, b in net[:-1]:
        out.append(np.maximum(out[-1] @ W + b, 0))
    return [*out, out[-1] @ net[-1][0] + net[-1][1]]


def pieces(net: Layers, low: float, high: float) -> int:
    """Straight pieces between low and high: layer by layer, units are cut where they cross 0."""
    x = np.array([low, high])
    h = x[:, None]  # (N, units), straight between neighboring x
    for W, b in net[:-1]:
        z = h @ W + b
        i, unit = np.nonzero(z[:-1] * z[1:] < 0)
        cuts = x[i] + (x[i + 1] - x[i]) * z[i, unit] / (z[i, unit] - z[i + 1, unit])
        finer = np.unique(np.append(x, cuts).round(12))
        h = np.maximum(np.stack([np.interp(finer, x, column) for column in z.T], axis=1), 0)
        x = finer
    slopes = np.diff((h @ net[-1][0])[:, 0]) / np.diff(x)
    return 1 + int((np.abs(np.diff(slopes)) > 1e-6).sum())


def one_layer(f: Callable, units: int, reach: float = 1.0) -> Layers:
    """A hidden layer that passes through f at 0, where f is 0, 1/units, …: each unit turns the slope at its kink."""
    knots = np.linspace(0, reach, units + 1)
    slopes = np.diff(f(knots)) / np.diff(knots)  # (units,)
    turns = np.diff(slopes, prepend=0.0)[:, None]
    return [(np.ones((1, units)), -knots[None, :-1]), (turns, np.zeros((1, 1)))]


def gradient(net: Layers, x: np.ndarray, y: np.ndarray, mistake: str = "none") -> tuple[Layers, np.ndarray]:
    """Of each network's mean squared error, by hand; the errors (R,) come along."""
    *into, out = forward(net, x)
    d = 2 * (out - y) / x.shape[-2]  # (R, N, 1)
    slopes = []
    for (W, _), h in zip(net[::-1], into[::-1], strict=True):
        slopes.append((h.swapaxes(-1, -2) @ d, d.sum(axis=-2, keepdims=True)))
        d = d @ W.swapaxes(-1, -2) * (1 if mistake == "no-mask" else h > 0)
    return slopes[::-1], ((out - y) ** 2).mean(axis=(-1, -2))


def train(net: Layers, x: np.ndarray, y: np.ndarray, steps: int, rate: float | np.ndarray) -> np.ndarray:
    """Adam, in place, at a rate (each network's, or one) that falls to 0; returns the shares of variance left (R,)."""
    flat = [part for layer in net for part in layer]
    mean, square = [np.zeros_like(part) for part in flat], [np.zeros_like(part) for part in flat]
    for step in range(1, steps + 1):
        slopes = [slope for layer in gradient(net, x, y)[0] for slope in layer]
        for part, m, s, slope in zip(flat, mean, square, slopes, strict=True):
            m += 0.1 * (slope - m)
            s += 0.01 * (slope**2 - s)
            part -= rate * (1 - step / steps) * m / (1 - 0.9**step) / (np.sqrt(s / (1 - 0.99**step)) + 1e-8)
    return gradient(net, x, y)[1] / y.var()


def run(
    *,
    layers: Annotated[int, Range(1, 12), "of the deep network, k"] = 6,
    wide: Annotated[int, Range(1, 4096), "units of the wide network for a sawtooth of 64 pieces"] = 64,
    few: Annotated[int, Range(1, 2000), "units with random kinks"] = 16,
    arrange: Annotated[Literal["one-layer", "stacked"], "16 units side by side, or folding in pairs"] = "one-layer",
    random_depth: Annotated[int, Range(1, 12), "layers of 8 units with random weights"] = 8,
    weights: Annotated[Literal["random", "sawtooth"], "of the network whose pieces are counted"] = "random",
    taught: Annotated[int, Range(1, 5), "layers of 8 units, and of the sawtooth they are taught"] = 5,
    start: Annotated[Literal["constructed", "random"], "of the second training"] = "constructed",
    steps: Annotated[int, Range(10, 5000), "of training"] = 400,
    units: Annotated[int, Range(1, 1000), "in one hidden layer, for sin 2πx"] = 64,
    reach: Annotated[float, Range(0.5, 4.0), "right end of the interval they are fitted on"] = 1.0,
    edge: Annotated[Literal["jump", "ramp"], "at 1/2, from 0 to 1"] = "jump",
    unit: Annotated[Literal["square", "relu"], "activation of random units"] = "square",
    mistake: Literal["none", "slope-two", "halving", "no-mask"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("units-by-counting", 2**layers - 1)
    yield Measure("a-unit-a-piece", 2**layers)
    yield Measure("deep-units", 2 * layers)
    deep = folding(layers, mistake)
    deep_size = sum(W.size + b.size for W, b in deep)
    wide_size = sum(W.size + b.size for W, b in one_layer(lambda x: sawtooth(x, layers), 2**layers))
    yield Measure("deep-parameters", deep_size)
    yield Measure("wide-parameters", wide_size)
    yield Claim("fewer-parameters", measured=deep_size / wide_size, at_most=0.2)

    rng = np.random.default_rng(seed)
    ratios = np.array([pieces(folding(k, mistake), 0, 1) / 2**k for k in range(1, layers + 1)])
    yield Claim("doubles-each-layer", measured=ratios[np.abs(ratios - 1).argmax()], near=(1, 1e-9))
    x = np.sort(rng.uniform(0, 1, (2000, 1)), axis=0)  # (N, 1)
    off = np.abs(forward(deep, x)[-1] - sawtooth(x, layers)).max()
    yield Claim("is-the-sawtooth", measured=off, at_most=1e-9)
    off = 0.0
    for k in (2, 4, 6, 8):  # at the default as many units as pieces, 2^k
        net = one_layer(lambda x, k=k: sawtooth(x, k), max(1, wide * 2**k // 64))
        off = max(off, np.abs(forward(net, x)[-1] - sawtooth(x, k)).max())
    yield Claim("wide-needs-a-unit-a-piece", measured=off, at_most=1e-9)
    curves = {f"{k} layers" if k > 1 else "1 layer": (x[::10, 0], sawtooth(x[::10, 0], k)) for k in (1, 3)}
    yield Plot("folded-interval", curves, x_label="input", y_label="output")
    rows = [[2**k, sum(W.size + b.size for W, b in folding(k)), 3 * 2**k + 1] for k in (2, 4, 6, 8, 10)]
    yield Table("parameters for one sawtooth", ["pieces", "layers of two", "one layer"], rows)

    beyond = []  # pieces more than units
    for n in (4, 16, 40) * 50:
        W, b = rng.normal(size=(1, n)), rng.normal(size=(1, n))
        shallow = [(W, b), (rng.normal(size=(n, 1)), np.zeros((1, 1)))]
        beyond.append(pieces(folding(8) if arrange == "stacked" else shallow, -20, 20) - n)
    yield Claim("one-layer-adds", measured=max(beyond), between=(0, 1))

    # n + 1 pieces cross 1/2 at most n + 1 times: of labels that alternate over 65 points, (64 - n - 1)/2 are missed.
    grid = np.linspace(0, 1, 65)[:, None]  # (65, 1)
    wrong = []
    for _ in range(20):
        kinks, sides = rng.uniform(0, 1, few), rng.choice([-1.0, 1.0], few)
        h = np.append(np.maximum(sides * (grid - kinks), 0), np.ones((65, 1)), axis=1)  # (65, few + 1)
        fit = h @ np.linalg.lstsq(h, sawtooth(grid, 6), rcond=None)[0]
        wrong.append(((fit > 0.5) != (sawtooth(grid, 6) > 0.5)).mean())
    yield Claim("too-few-units-err", measured=min(wrong), at_least=0.35)

    # x² from sawtooths: the interpolation at 2^k points, by k layers.
    scales = [2.0**s if mistake == "halving" else 4.0**s for s in range(1, 7)]
    fold = x - sum(sawtooth(x, s) / scale for s, scale in enumerate(scales, start=1))
    yield Claim("square-by-folding", measured=np.abs(fold - x**2).max() * 4**7, near=(1, 0.01))

    counts = [pieces(random_layers(rng, random_depth), -2, 2) for _ in range(40)]
    yield Measure("random-pieces", np.mean(counts))
    share = pieces(folding(8), 0, 1) / 16 if weights == "sawtooth" else np.mean(counts) / (8 * random_depth)
    yield Claim("random-nets-fold-little", measured=share, between=(0.4, 1.0))
    yield Progress(1, 3)

    # One hidden layer approximates, on a closed interval and where the target is continuous.
    fine = np.linspace(0, 1, 5001)[:, None]
    wave = one_layer(lambda x: np.sin(2 * np.pi * x), units, reach)
    errors = [np.abs(forward(wave, at)[-1] - np.sin(2 * np.pi * at)).max() for at in (fine, fine + 1)]
    yield Claim("more-units-less-error", measured=errors[0], at_most=0.01)
    yield Claim("outside-is-lost", measured=errors[1], at_least=1)
    step = (lambda x: (x > 0.5) * 1.0) if edge == "jump" else (lambda x: np.clip((x - 0.45) / 0.1, 0, 1))
    jumps = [np.abs(forward(one_layer(step, n), fine)[-1] - step(fine)).max() for n in (20, 60, 200)]
    yield Claim("jump-stays", measured=min(jumps), at_least=0.45)
    at, missed = fine[::5], []  # (1001, 1)
    for n in (4, 16, 64):
        z = rng.normal(size=n) * (at - rng.uniform(0, 1, n))  # (1001, n)
        h = np.append(z**2 if unit == "square" else np.maximum(z, 0), np.ones_like(at), axis=1)
        fit = h @ np.linalg.lstsq(h, np.sin(2 * np.pi * at), rcond=None)[0]
        missed.append(np.abs(fit - np.sin(2 * np.pi * at)).max())
    yield Claim("square-units-stuck", measured=min(missed), at_least=0.3)

    net, x = random_layers(rng, 3, (5,)), rng.uniform(0, 1, (5, 9, 1))
    way = [(rng.normal(size=W.shape), rng.normal(size=b.shape)) for W, b in net]
    slopes, _ = gradient(net, x, sawtooth(x, 2), mistake)
    by_hand = sum(
        (s * d).sum(axis=(1, 2)) for pair in zip(slopes, way, strict=True) for s, d in zip(*pair, strict=True)
    )
    losses = []
    for e in (1e-6, -1e-6):
        moved = [(W + e * dW, b + e * db) for (W, b), (dW, db) in zip(net, way, strict=True)]
        losses.append(((forward(moved, x)[-1] - sawtooth(x, 2)) ** 2).mean(axis=(1, 2)))
    off = np.abs(by_hand - (losses[0] - losses[1]) / 2e-6) / (np.abs(by_hand) + 0.1)
    yield Claim("gradient-checked", measured=np.median(off), at_most=1e-5)

    # What exists has to be found: from random starts, and from close by.
    x = np.tile(grid, (RUNS, 1, 1))  # (R, 65, 1)
    rates = np.repeat([0.002, 0.01], RUNS // 2)[:, None, None]  # the second run's, and one that gets further
    net = random_layers(rng, taught, (RUNS,))

    def widened(part: np.ndarray, like: np.ndarray) -> np.ndarray:
        return np.pad(part, [(0, more - size) for more, size in zip(like.shape[1:], part.shape, strict=True)])

    # Could these layers be the sawtooth? The known weights go into their first two units, zeros into the others.
    known = [(widened(V, W), widened(c, b)) for (V, c), (W, b) in zip(folding(taught), net, strict=True)]
    equal = np.abs(forward(known, fine)[-1] - sawtooth(fine, taught)).max() < 1e-9
    left = train(net, x, sawtooth(x, taught), steps, rates)
    yield Progress(2, 3)
    net = random_layers(rng, 5, (RUNS,))
    if start == "constructed":
        net = [
            (W * rng.normal(1, 0.005, (RUNS, *W.shape)), b * rng.normal(1, 0.005, (RUNS, *b.shape)))
            for W, b in folding(5)
        ]
    near = train(net, x, sawtooth(x, 5), steps, 0.002)
    ends = (
        ["random starts, best", "random starts, median", f"{start} start, median"],
        [left.min(), np.median(left), np.median(near)],
    )
    yield Plot("variance-left", {"share": ends}, y_label="share of the sawtooth's variance left", style="bars")
    yield Measure("share-left", left.min())
    yield Claim("random-starts-miss", measured=left.min() if equal else 0.0, at_least=0.5)
    yield Claim("near-start-stays", measured=np.median(near), at_most=0.05)


if __name__ == "__main__":
    main(run)
