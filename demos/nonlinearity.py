"""Without an activation between them ten layers compute what one does; which one it is decides what can be fitted.

    (x W₁ + b₁) W₂ + b₂ = x (W₁W₂) + (b₁W₂ + b₂)        and so on: a stack of linear layers is one linear layer

The stack's matrix has at most the rank of its narrowest layer, so linear depth can take away and not add. It does
change the training: a product of small matrices waits on a plateau, then learns strong directions before weak ones. On
XOR every linear model stays at a loss of ln 2 or above. With an activation, one hidden layer of enough units gets as
close as one likes to any continuous function on a compact set, if and only if the activation is not a polynomial
(Leshno et al., for locally bounded activations whose discontinuities have a closure of measure zero). That says what
exists: not what training finds, nor what happens outside of the set.

Source: Leshno, Lin, Pinkus & Schocken (1993), Neural Networks 6, pp. 861-867; Saxe, McClelland & Ganguli (2014), Exact
solutions to the nonlinear dynamics of learning in deep linear neural networks, ICLR; Bishop (2006), section 5.1.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, main

claims = {
    "ten-are-one": {
        "says": "ten linear layers compute what one computes whose matrix is the product of theirs",
        "false_when": {"activation": "tanh"},
    },
    "narrowest-caps-rank": {
        "says": "the outputs of linear layers without biases, the narrowest 1 to 5 wide, have just that rank",
        "false_when": {"activation": "tanh"},
    },
    "gradient-checked": {
        "says": "the gradients by hand agree with finite differences to a relative error of 1e-6",
        "false_when": {"mistake": "no-derivative"},
    },
    "xor-loss-floor": {
        "says": "no linear model, of one layer or of ten, gets its cross-entropy on XOR below ln 2",
        "false_when": {"activation": "tanh"},
    },
    "three-of-four": {
        "says": "no linear model, of one layer or of ten, gets more than three of XOR's four points right",
        "false_when": {"product": True},
    },
    "deep-linear-waits": {
        "says": "the first 10% of a direction take two linear layers over 30% of the steps to 90%, one layer under 10%",
        "false_when": {"depth": 1},
    },
    "strong-first": {
        "says": "two linear layers learn strength 2 in at most 0.85 of the time of strength 1, median of five starts",
        "false_when": {"depth": 1},
    },
    "squares-stay-parabolas": {
        "says": "one layer of 200 units z² fits a sine no better than the best parabola",
        "false_when": {"polynomial": "tanh"},
    },
    "squares-fit-xor": {
        "says": "eight units with the activation z² fit XOR exactly",
        "false_when": {"polynomial": "identity"},
    },
    "tanh-units-approximate": {
        "says": "200 random tanh units fit the sine on an interval: 0.01 off at most at any of 400 points",
        "false_when": {"bent": "square"},
    },
    "ends-at-the-border": {
        "says": "outside of that interval, up to twice as far, the same fit has an rms error of 0.05 or more",
        "false_when": {"reach": 1.0},
    },
}
measures = {
    "intercept": "B in the one linear unit Wx + B that equals `links` linear units in a chain",
    "biases-added": "the biases of the chain, simply added",
    "slope": "W in the same",
    "rank": "rank of the outputs of a stack of linear layers, the narrowest `narrow` wide",
    "waiting": "steps to 10% of the strong direction over steps to 90% of it, by `depth` linear layers",
    "square-error": "root mean squared error of 200 units z² on the sine",
    "tanh-error": "the same for 200 tanh units",
}
predict = {
    "ask": "A sine is fitted by 200 hidden units whose activation is z². How small does the error (rms) get?",
    "measure": "square-error",
    "choices": {"below 0.01": [0, 0.01], "0.01 to 0.1": [0.01, 0.1], "above 0.1": [0.1, 10]},
}
ACTIVATIONS = {  # each with its derivative
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}
UNITS = {
    "identity": lambda z: z,
    "square": lambda z: z**2,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
Net = list[np.ndarray]


def start(rng: np.random.Generator, sizes: list[int], copies: int = 1) -> Net:
    """Independent networks side by side: W (R, n_in, n_out) and b (R, 1, n_out) for each layer after the input."""
    net = []
    for i in range(1, len(sizes)):
        net.append(rng.normal(0, 1 / np.sqrt(sizes[i - 1]), (copies, sizes[i - 1], sizes[i])))
        net.append(rng.normal(0, 0.3, (copies, 1, sizes[i])))
    return net


def forward(x: np.ndarray, net: Net, activation: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What goes into each layer, and what comes out of it before its activation; the last layer has none."""
    entering, sums = [x], []
    for i in range(0, len(net), 2):
        sums.append(entering[-1] @ net[i] + net[i + 1])  # (R, N, n_out)
        entering.append(ACTIVATIONS[activation][0](sums[-1]))
    return entering[:-1], sums


def losses(x: np.ndarray, t: np.ndarray, net: Net, activation: str) -> np.ndarray:
    """Mean cross-entropy of each network (R,) for labels t (N,)."""
    return np.logaddexp(0, (1 - 2 * t)[:, None] * forward(x, net, activation)[1][-1]).mean(axis=(1, 2))


def gradient(x: np.ndarray, t: np.ndarray, net: Net, activation: str, mistake: str = "none") -> Net:
    entering, sums = forward(x, net, activation)
    dz, parts = (0.5 + 0.5 * np.tanh(sums[-1] / 2) - t[:, None]) / len(x), []  # sigmoid minus label, (R, N, 1)
    for i in reversed(range(len(sums))):
        parts = [entering[i].swapaxes(-1, -2) @ dz, dz.sum(axis=1, keepdims=True), *parts]
        if i > 0:
            dz = dz @ net[2 * i].swapaxes(1, 2)  # (R, N, n_i)
            dz = dz if mistake == "no-derivative" else dz * ACTIVATIONS[activation][1](sums[i - 1])
    return parts


def map_gradient(layers: Net, target: np.ndarray) -> tuple[np.ndarray, Net]:
    """The product of matrices (n, n), and the gradients of half its squared distance to the target."""
    before = [np.eye(len(target))]  # products of the layers up to each one
    for layer in layers:
        before.append(before[-1] @ layer)
    error, behind, slopes = before[-1] - target, np.eye(len(target)), []
    for i in reversed(range(len(layers))):
        slopes.insert(0, before[i].T @ error @ behind.T)
        behind = layers[i] @ behind
    return before[-1], slopes


def learn_map(target: np.ndarray, depth: int, rng: np.random.Generator, steps: int) -> np.ndarray:
    """Products (steps, n, n) under gradient descent: the squared error of linear layers, for whitened inputs."""
    layers = [0.005 ** (1 / depth) * np.linalg.qr(rng.normal(size=target.shape))[0] for _ in range(depth)]
    products = []
    for _ in range(steps):
        product, slopes = map_gradient(layers, target)
        products.append(product)
        layers = [layer - 0.02 * slope for layer, slope in zip(layers, slopes, strict=True)]
    return np.array(products)


def mismatch(parameters: Net, way: Net, slopes: Net, loss: Callable[[Net], float]) -> float:
    """Relative error of a gradient along a direction, against central differences."""
    by_hand = sum((slope * step).sum() for slope, step in zip(slopes, way, strict=True))
    ahead, behind = ([p + e * d for p, d in zip(parameters, way, strict=True)] for e in (1e-5, -1e-5))
    difference = (loss(ahead) - loss(behind)) / 2e-5
    return abs(by_hand - difference) / abs(difference)


def reached(curve: np.ndarray, level: float) -> int:
    """Steps until a curve first exceeds the level, or all of its steps; at least 1."""
    above = np.flatnonzero(curve > level)
    return max(1, int(above[0])) if above.size else len(curve)


def hidden_features(x: np.ndarray, unit: str, units: int, rng: np.random.Generator) -> np.ndarray:
    """Values (N, units + 1) of a random, untrained hidden layer for x (N, D), and a constant."""
    w, b = rng.normal(0, 3, (x.shape[1], units)), rng.normal(0, 3, units)
    return np.concatenate([UNITS[unit](x @ w + b), np.ones((len(x), 1))], axis=1)


def run(
    *,
    links: Annotated[int, Range(1, 10), "linear units in a chain, each h -> weight h + bias"] = 3,
    weight: Annotated[float, Range(-4.0, 4.0), "weight of each of them"] = 2.0,
    bias: Annotated[float, Range(-4.0, 4.0), "bias of each of them"] = 1.0,
    activation: Annotated[Literal["linear", "tanh"], "between the layers of a stack"] = "linear",
    narrow: Annotated[int, Range(1, 6), "units of the narrowest of six layers"] = 2,
    product: Annotated[bool, "may the linear models read the product of the two inputs too?"] = False,
    depth: Annotated[int, Range(1, 4), "linear layers that learn a map"] = 2,
    polynomial: Annotated[Literal["square", "identity", "tanh"], "a polynomial activation"] = "square",
    bent: Annotated[Literal["tanh", "relu", "square"], "an activation that is no polynomial"] = "tanh",
    reach: Annotated[float, Range(1.0, 5.0), "the fit on [-1, 1] is looked at on [-reach, reach]"] = 2.0,
    mistake: Literal["none", "no-derivative"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    slope, intercept, at_three = 1.0, 0.0, 3.0
    for _ in range(links):
        slope, intercept = weight * slope, weight * intercept + bias
        at_three = weight * at_three + bias  # the chain itself, for x = 3
    yield Measure("intercept", intercept)
    yield Measure("biases-added", links * bias)
    yield Measure("slope", slope)

    rng = np.random.default_rng(seed)
    net, x = start(rng, [6, 8, 5, 9, 4, 7, 6, 8, 5, 7, 3]), rng.normal(size=(20, 6))
    w, b = np.eye(6), np.zeros((1, 6))
    for i in range(0, len(net), 2):
        w, b = w @ net[i][0], b @ net[i][0] + net[i + 1][0]  # (6, n_l), (1, n_l)
    stack = forward(x, net, activation)[1][-1][0]  # (20, 3)
    apart = np.abs(stack - (x @ w + b)).max() / np.abs(stack).max()
    yield Claim("ten-are-one", measured=max(apart, abs(3 * slope + intercept - at_three)), at_most=1e-9)

    ranks = {}
    for units in sorted({1, 2, 3, 4, 5, narrow}):
        narrowed = start(np.random.default_rng(seed + units), [6, 6, 6, units, 6, 6, 6])
        narrowed[1::2] = [0 * part for part in narrowed[1::2]]
        out = forward(x, narrowed, activation)[1][-1][0]  # (20, 6)
        strengths = np.linalg.svd(out, compute_uv=False)
        ranks[units] = (strengths > 1e-9 * strengths[0]).sum()
    yield Measure("rank", ranks[narrow])
    yield Claim("narrowest-caps-rank", measured=max(abs(ranks[units] - units) for units in ranks), at_most=0)

    # XOR: 20,000 lines picked at random, and ten layers trained from 16 starts.
    x, t = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    if product:
        x = np.concatenate([x, x[:, :1] * x[:, 1:]], axis=1)
    sizes = [x.shape[1], *[4] * 9, 1]
    net, way = start(rng, sizes), start(rng, sizes)
    slopes = gradient(x, t, net, "tanh", mistake)
    wrong = mismatch(net, way, slopes, lambda moved: losses(x, t, moved, "tanh")[0])
    goal, maps, steps = rng.normal(size=(4, 4)), list(rng.normal(size=(3, 4, 4))), list(rng.normal(size=(3, 4, 4)))
    half_square = mismatch(
        maps, steps, map_gradient(maps, goal)[1], lambda moved: ((map_gradient(moved, goal)[0] - goal) ** 2).sum() / 2
    )
    yield Claim("gradient-checked", measured=max(wrong, half_square), at_most=1e-6)
    lines = start(rng, [x.shape[1], 1], copies=20_000)
    nets = start(rng, sizes, copies=16)
    for _ in range(200):
        for part, step in zip(nets, gradient(x, t, nets, activation), strict=True):
            part -= 0.3 * np.clip(step, -1, 1)
    rows, best = [], []
    for name, models in (("20,000 lines", lines), ("ten layers, 16 starts", nets)):
        right = ((forward(x, models, activation)[1][-1][..., 0] > 0) == (t > 0.5)).sum(axis=1)
        best.append((losses(x, t, models, activation).min(), right.max()))
        rows.append([name, *best[-1]])
    yield Table("XOR by linear models (ln 2 = 0.6931)", ["models", "lowest loss", "most points right"], rows)
    yield Claim("xor-loss-floor", measured=min(loss for loss, _ in best), at_least=np.log(2) - 1e-5)
    yield Claim("three-of-four", measured=max(right for _, right in best), at_most=3)

    # One map, learned by one matrix and by a product: the function is the same in the end, the way is not.
    u, v = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    target = u @ np.diag([2.0, 1.0, 0, 0]) @ v.T
    learned = learn_map(target, depth, rng, 800)
    strong, weak = (np.einsum("i,tij,j->t", u[:, k], learned, v[:, k]) / (2.0, 1.0)[k] for k in (0, 1))
    single = np.einsum("i,tij,j->t", u[:, 0], learn_map(target, 1, rng, 800), v[:, 0]) / 2
    ratios = [reached(strong, 0.5) / reached(weak, 0.5)]  # of the times to learn half; other starts learn the same map
    for again in range(1, 5):
        other = learn_map(target, depth, np.random.default_rng(seed + again), 800)
        times = [reached(u[:, k] @ (other @ v[:, k]).T / (2.0, 1.0)[k], 0.5) for k in (0, 1)]
        ratios.append(times[0] / times[1])
    waiting = reached(strong, 0.1) / reached(strong, 0.9)
    curves = {"one layer, strong": single, f"depth {depth}, strong": strong, f"depth {depth}, weak": weak}
    series = {name: (np.arange(800), curve) for name, curve in curves.items()}
    yield Plot("share-learned", series, x_label="steps", y_label="share of the direction")
    yield Measure("waiting", waiting)
    at_once = reached(single, 0.1) < 0.1 * reached(single, 0.9)  # by one layer
    yield Claim("deep-linear-waits", measured=waiting if at_once else 0.0, at_least=0.3)
    yield Claim("strong-first", measured=np.median(ratios), at_most=0.85)

    # One random hidden layer and a fitted linear output: which functions of x are within its reach?
    inside = np.linspace(-1, 1, 400)
    everywhere = np.concatenate([inside, np.linspace(-reach, reach, 401)])  # (801,), the fit sees the first 400
    sine, widths, errors, farthest = np.sin(np.pi * everywhere), [2, 5, 10, 20, 50, 100, 200], {}, {}
    for unit in (polynomial, bent):
        errors[unit] = []
        for units in widths:
            features = hidden_features(everywhere[:, None], unit, units, rng)
            off = features @ np.linalg.lstsq(features[:400], sine[:400], rcond=1e-9)[0] - sine
            errors[unit].append(np.sqrt((off[:400] ** 2).mean()))
        farthest[unit] = np.abs(off[:400]).max()  # by 200 units
    beyond = np.abs(everywhere[400:]) >= 1
    outside = np.sqrt((off[400:][beyond] ** 2).mean())  # of the last fit, by 200 units of the kind `bent`
    parabola = np.polynomial.Polynomial.fit(inside, sine[:400], 2)
    floor = np.sqrt(((parabola(inside) - sine[:400]) ** 2).mean())
    series = {unit: (widths, errors[unit]) for unit in errors}
    yield Plot("error-over-width", series, x_label="hidden units", y_label="error (rms)", log_x=True, log_y=True)
    yield Measure("square-error", errors[polynomial][-1])
    yield Measure("tanh-error", errors[bent][-1])
    yield Claim("squares-stay-parabolas", measured=errors[polynomial][-1] / floor, near=(1, 1e-6))
    yield Claim("tanh-units-approximate", measured=farthest[bent], at_most=0.01)
    yield Claim("ends-at-the-border", measured=outside, at_least=0.05)
    features = hidden_features(x[:, :2], polynomial, 8, rng)
    misfit = np.abs(features @ np.linalg.lstsq(features, t, rcond=None)[0] - t).max()
    yield Claim("squares-fit-xor", measured=misfit, at_most=1e-9)


if __name__ == "__main__":
    main(run)
