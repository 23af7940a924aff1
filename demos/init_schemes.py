"""The scale of the initial weights decides whether a signal survives 30 layers, forward and backward.

    h_l = f(h_(l-1) W_l),   Var(w) = g / n    for n inputs a unit

Each linear layer multiplies the mean square of its input by g, and a ReLU keeps half of it. So g = 2 (He) holds a
ReLU network, g = 1 (Glorot, layers of equal width) a linear one; under ReLU g = 1 loses a factor √2 of scale a layer,
2^-15 in 30. tanh is bounded: it cannot explode forward, but its gradient can, saturated or not.

Sources: Glorot & Bengio (2010), AISTATS, section 4.2; He et al. (2015), ICCV, section 2.2; for tanh, Schoenholz
et al. (2017), Deep Information Propagation, ICLR.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, Text, main

claims = {
    "half-is-lost": {
        "says": "a ReLU keeps half of the mean square of an input symmetric about zero, from five distributions",
        "false_when": {"leak": 0.5},
    },
    "small-vanishes": {
        "says": "std 0.01: activations and gradients shrink by over 1e10, under ReLU and tanh, in each of ten draws",
        "false_when": {"small": 1.0},
    },
    "large-explodes-relu": {
        "says": "std 1: ReLU activations and gradients grow by over 1e10, in each of ten draws",
        "false_when": {"large": 2.0},
    },
    "large-saturates-tanh": {
        "says": "std 1: over half of the last tanh layer lies above 0.99 in size, in each of ten draws",
        "false_when": {"large": 2.0},
    },
    "saturated-gradients-explode": {
        "says": "through those saturated layers the gradient grows by over 1e5 on its way back, in each of ten draws",
        "false_when": {"large": 2.0},
    },
    "he-holds-relu": {
        "says": "He: ReLU activations and gradients of all layers stay within a factor of three, in nine of ten draws",
        "false_when": {"he": 1.0},
    },
    "glorot-shrinks-relu": {
        "says": "Glorot: ReLU activations fall by √2 a layer, to 2^-15, within a factor of four, in nine of ten draws",
        "false_when": {"glorot": 2.0},
    },
    "glorot-holds-linear": {
        "says": "Glorot: activations and gradients of linear nets stay within a factor of three, in each of ten draws",
        "false_when": {"glorot": 2.0},
    },
    "he-explodes-linear": {
        "says": "He lets the activations of a linear network grow over a thousandfold, in each of ten draws",
        "false_when": {"he": 1.0},
    },
    "glorot-shrinks-tanh-slowly": {
        "says": "Glorot lets tanh activations shrink to between a twentieth and three tenths, in each of ten draws",
        "false_when": {"glorot": 2.0},
    },
    "he-learns": {
        "says": "from He, 60 updates bring a 30-layer ReLU network over 0.1 nats under ln 2, the loss of guessing",
        "false_when": {"he": 1.0},
    },
    "glorot-stalls": {
        "says": "from Glorot, the same 60 updates leave it within 0.01 nats of ln 2, in each of five draws",
        "false_when": {"glorot": 2.0},
    },
}
measures = {
    "relu-scale": "closed form: root mean square after `depth` ReLU layers of n · Var(w) = `he`, over the input's",
    "relu-mean-square": "the same for the mean square",
    "linear-scale": "the same without the ReLU",
    "saturated-share": "share of the last tanh layer above 0.99 in size, at n · Var(w) = `large`",
    "saturated-gradient": "decades that the gradient grows on its way back through that network",
}
predict = {
    "ask": "Weights so large that most units of 30 tanh layers saturate. The gradient, from last layer to first:",
    "measure": "saturated-gradient",
    "choices": {
        "vanishes (below a thousandth)": [-400, -3],
        "keeps its size": [-3, 3],
        "explodes (beyond a thousandfold)": [3, 400],
    },
}

DRAWS = 10  # of the weights: tables and plots show medians, claims look at each draw
BATCH = 16


def activate(name: str, z: np.ndarray, leak: float) -> np.ndarray:
    if name == "ReLU":
        return np.maximum(z, leak * z)
    return np.tanh(z) if name == "tanh" else z


def slope(name: str, h: np.ndarray, leak: float) -> np.ndarray | float:
    """The activation's derivative in terms of its output h."""
    if name == "ReLU":
        return np.where(h > 0, 1.0, leak)
    return 1 - h * h if name == "tanh" else 1.0


def rms(values: np.ndarray) -> float:
    """Root mean square, kept off zero so that it has a logarithm."""
    return max(float(np.sqrt(np.mean(values**2))), 1e-150)


def propagate(
    name: str, g: float, draws: list[np.ndarray], x: np.ndarray, top: np.ndarray, leak: float
) -> tuple[list[float], list[float], np.ndarray]:
    """Scales of activations (input first), of gradients (top first), and the last layer's outputs."""
    std = np.sqrt(g / x.shape[1])
    hs = [x]
    for draw in draws:
        hs.append(activate(name, hs[-1] @ draw * std, leak))  # (BATCH, n)
    deltas = [top]
    for draw, h in zip(draws[::-1], hs[:0:-1], strict=True):
        deltas.append((deltas[-1] * slope(name, h, leak)) @ draw.T * std)  # (BATCH, n)
    return [rms(h) for h in hs], [rms(delta) for delta in deltas], hs[-1]


def learn(g: float, depth: int, rng: np.random.Generator) -> list[float]:
    """Training losses of a ReLU network of width 64 on 32 points with two equal classes, 60 updates at rate 0.02."""
    x = rng.normal(size=(32, 64))
    y = np.where(x[:, 0] > np.median(x[:, 0]), 1.0, -1.0)
    weights = [rng.normal(0.0, np.sqrt(g / 64), (64, 64)) for _ in range(depth)]
    v = rng.normal(0.0, np.sqrt(g / 64), 64)
    losses = []
    for _ in range(60):
        hs = [x]
        for W in weights:
            hs.append(np.maximum(hs[-1] @ W, 0.0))
        margins = np.clip(np.nan_to_num(y * (hs[-1] @ v)), -50.0, 50.0)  # an exploded network stays finite
        losses.append(float(np.logaddexp(0.0, -margins).mean()))
        residuals = -y / (1 + np.exp(margins)) / len(y)  # (32,): ∂loss/∂logit
        delta = residuals[:, None] * v
        v = v - 0.02 * hs[-1].T @ residuals
        for layer in reversed(range(depth)):
            delta = delta * (hs[layer + 1] > 0)
            dW = hs[layer].T @ delta
            delta = delta @ weights[layer].T
            weights[layer] -= 0.02 * dW
    return losses


def run(
    *,
    depth: Annotated[int, Range(2, 60), "layers"] = 30,
    width: Annotated[int, Range(16, 512), "units of a layer n"] = 256,
    small: Annotated[
        float, Range(1e-4, 1000.0), "n · Var(w) that is too small; 0.0256 is std 0.01 at n = 256"
    ] = 0.0256,
    glorot: Annotated[float, Range(1e-4, 1000.0), "n · Var(w) of Glorot"] = 1.0,
    he: Annotated[float, Range(1e-4, 1000.0), "n · Var(w) of He"] = 2.0,
    large: Annotated[float, Range(1e-4, 1000.0), "n · Var(w) that is too large; 256 is std 1 at n = 256"] = 256.0,
    leak: Annotated[float, Range(0.0, 1.0), "slope of the rectifier below zero: 0 is ReLU, 1 is linear"] = 0.0,
    seed: int = 0,
) -> Iterator[Evidence]:
    kept = (1 + leak**2) / 2
    yield Measure("relu-scale", (he * kept) ** (depth / 2))
    yield Measure("relu-mean-square", (he * kept) ** depth)
    yield Measure("linear-scale", he ** (depth / 2))

    rng = np.random.default_rng(seed)
    schemes = {"small": small, "Glorot": glorot, "He": he, "large": large}
    forward, backward, shares = {}, {}, []
    for i in range(DRAWS):
        draws = [rng.normal(size=(width, width)) for _ in range(depth)]
        x, top = rng.normal(size=(2, BATCH, width))
        for name in ("ReLU", "tanh", "linear"):
            for scheme, g in schemes.items():
                ahead, back, last = propagate(name, g, draws, x, top, leak)
                forward.setdefault((name, scheme), []).append(np.log10(ahead) - np.log10(ahead[0]))
                backward.setdefault((name, scheme), []).append(np.log10(back) - np.log10(back[0]))
                if (name, scheme) == ("tanh", "large"):
                    shares.append(np.mean(np.abs(last) > 0.99))
        yield Progress(i + 1, DRAWS)
    # Decades from the start, layer by layer: (DRAWS, depth + 1) for each activation and scheme.
    forward = {key: np.array(curves) for key, curves in forward.items()}
    backward = {key: np.array(curves) for key, curves in backward.items()}
    up = {key: curves[:, -1] for key, curves in forward.items()}  # (DRAWS,), over all layers
    down = {key: curves[:, -1] for key, curves in backward.items()}

    yield Table(
        f"scale after {depth} layers of {width}, over the scale before",
        ["activation", "start", "n · Var(w)", "activations", "gradients"],
        [[*key, schemes[key[1]], 10 ** np.median(up[key]), 10 ** np.median(down[key])] for key in up],
    )
    layers = range(depth + 1)
    yield Plot(
        "relu-activations",
        {scheme: (layers, 10 ** np.median(forward["ReLU", scheme], axis=0)) for scheme in schemes},
        x_label="layer",
        y_label="root mean square of ReLU activations",
        log_y=True,
    )
    yield Plot(
        "tanh-gradients",
        {scheme: (range(depth, -1, -1), 10 ** np.median(backward["tanh", scheme], axis=0)) for scheme in schemes},
        x_label="layer",
        y_label="root mean square of gradients under tanh",
        log_y=True,
    )
    yield Measure("saturated-share", np.median(shares))
    yield Measure("saturated-gradient", np.median(down["tanh", "large"]))

    shape, other = (400, width), np.random.default_rng([seed, 1])
    inputs = [other.normal(size=shape) @ draws[0]]  # a layer's, from random weights of mean zero
    inputs += [other.normal(0, 9, shape), other.uniform(-1, 1, shape), other.laplace(0, 5, shape)]
    inputs += [other.choice([-1, 1], shape)]
    halves = [(rms(activate("ReLU", z, leak)) / rms(z)) ** 2 for z in inputs]
    yield Claim("half-is-lost", measured=max(halves, key=lambda half: abs(half - 0.5)), near=(0.5, 0.03))

    def strays(key: tuple[str, str], expected: np.ndarray | float = 0.0) -> np.ndarray:
        """How many decades the worst layer of each draw, forward or backward, is off: (DRAWS,), in rising order."""
        curves = np.concatenate([forward[key] - expected, backward[key] - expected], axis=1)
        return np.sort(np.abs(curves).max(axis=1))

    pairs = [(name, "small") for name in ("ReLU", "tanh")]
    yield Claim("small-vanishes", measured=max(max(*up[pair], *down[pair]) for pair in pairs), at_most=-10)
    yield Claim("large-explodes-relu", measured=min(*up["ReLU", "large"], *down["ReLU", "large"]), at_least=10)
    yield Claim("large-saturates-tanh", measured=min(shares), at_least=0.5)
    yield Claim("saturated-gradients-explode", measured=min(down["tanh", "large"]), at_least=5)
    yield Claim("he-holds-relu", measured=strays(("ReLU", "He"))[-2], at_most=np.log10(3))
    halving = -np.arange(depth + 1) / 2 * np.log10(2)  # √2 a layer
    yield Claim("glorot-shrinks-relu", measured=strays(("ReLU", "Glorot"), halving)[-2], at_most=np.log10(4))
    yield Claim("glorot-holds-linear", measured=strays(("linear", "Glorot"))[-1], at_most=np.log10(3))
    yield Claim("he-explodes-linear", measured=min(up["linear", "He"]), at_least=3)
    scales = 10 ** up["tanh", "Glorot"]
    off = np.abs(np.log10(scales / 0.12)).max()  # within a factor of 2.4: 0.05 to 0.29
    yield Claim("glorot-shrinks-tanh-slowly", measured=off, at_most=np.log10(2.4))

    yield Text("So what? The same ReLU network, 64 wide, trained by plain gradient descent from He and from Glorot.")
    losses = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for scheme in ("He", "Glorot"):
            losses[scheme] = [learn(schemes[scheme], depth, rng) for _ in range(5)]
    yield Plot(
        "loss-curves",
        {scheme: (range(1, 61), np.median(curves, axis=0)) for scheme, curves in losses.items()},
        x_label="update",
        y_label="training loss (nats)",
    )
    falls = {scheme: np.log(2) - np.min(curves, axis=1) for scheme, curves in losses.items()}  # one a network
    yield Claim("he-learns", measured=np.median(falls["He"]), at_least=0.1)
    yield Claim("glorot-stalls", measured=max(np.abs(falls["Glorot"])), at_most=0.01)


if __name__ == "__main__":
    main(run)
