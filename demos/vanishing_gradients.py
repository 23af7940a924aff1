"""Why ReLU replaced the sigmoid in deep networks: what 20 layers do to a gradient on its way back.

    δ_l = (δ_{l+1} W_{l+1}) ∘ f'(z_l)        δ_l = ∂L/∂z_l, where z_l goes into layer l's activation f

The sigmoid's slope f' is at most 1/4, so at the usual scale of weights the gradient shrinks about fourfold a layer.
ReLU's slope is 1 on active units and 0 on the others, at the start on half of them; He's weights, of variance 2/n
where Glorot's have 1/n (n units a layer), make up for exactly that half.

All of it is measured at initialization, over nine random networks of each kind: what is plotted are medians. The
backward pass is by hand and checked against finite differences.

Sources: Glorot & Bengio (2010), sections 3 and 4; Glorot, Bordes & Bengio (2011), section 3;
He et al. (2015), section 2.2.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "slope-is-0-or-1": {
        "says": "ReLU's slope is 1 where its input is positive and 0 where it is negative",
        "false_when": {"unit": "leaky"},
    },
    "sigmoid-slope-is-small": {
        "says": "the sigmoid's slope is nowhere above 1/4, which it has at 0",
        "false_when": {"squash": "tanh"},
    },
    "backward-is-right": {
        "says": "passing the gradient on where z was positive agrees with finite differences",
        "false_when": {"mistake": "mask-by-gradient"},
    },
    "sigmoid-vanishes": {
        "says": "20 sigmoid layers, Glorot's weights: the first gradient is under a billionth of the last, in each net",
        "false_when": {"squash": "tanh"},
    },
    "first-layer-stands-still": {
        "says": "a plain gradient step moves the first of 20 sigmoid layers by under a billionth of its weights",
        "false_when": {"squash": "tanh"},
    },
    "relu-with-he-passes": {
        "says": "20 ReLU layers, He's weights: the median first gradient is within a factor of ten of the last",
        "false_when": {"relu_variance": 1.0},
    },
    "glorot-starves-relu": {
        "says": "20 ReLU layers, Glorot's 1/n: the median first gradient is under a hundredth of the last",
        "false_when": {"layers": 4},
    },
    "large-weights-explode": {
        "says": "20 ReLU layers, twice He's deviation: the median first gradient is over ten thousand times the last",
        "false_when": {"layers": 4},
    },
    "half-are-zero": {
        "says": "symmetric weights, no bias, data in [0, 1]: 42% to 58% of the ReLU outputs are exactly 0, in each net",
        "false_when": {"bias": 1.0},
    },
    "mean-is-positive": {
        "says": "ReLU outputs are not centered on 0: their mean is over a quarter of their rms, in each net",
        "false_when": {"unit": "linear"},
    },
    "kink-is-not-hit": {
        "says": "with random weights not one ReLU input in 10,000 is exactly 0, where the slope is undefined",
        "false_when": {"relu_variance": 0.0},
    },
    "rescaling-keeps-output": {
        "says": "doubling any ReLU layer's weights and halving the next one's leaves the output as it was",
        "false_when": {"unit": "softplus"},
    },
    "rescaling-moves-gradient": {
        "says": "the doubled layer's weight gradient is then half as large, the halved layer's twice as large",
        "false_when": {"unit": "softplus"},
    },
    "sigmoid-costs-more": {
        "says": "with exp written as arithmetic, a sigmoid takes over ten times the operations of a ReLU",
        "false_when": {"exp_counts": "one"},
    },
    "product-dominates": {
        "says": "in a dense layer with 1,024 inputs even sigmoids take under 2% of the operations",
        "false_when": {"fan_in": 32},
    },
}
measures = {
    "chain-gradient": "output by input of a chain of sigmoid units, all pre-activations 0",
    "chain-without-slopes": "the same with the slopes forgotten: what active ReLUs would give",
    "chain-without-weights": "the same with the weights forgotten",
    "sigmoid-decades": "powers of ten from the last sigmoid layer's gradient down to the first's",
    "relu-decades": "the same with ReLU; negative where the gradient grows",
    "zero-share": "share of ReLU outputs that are exactly 0",
    "sigmoid-operations": "floating-point operations of one sigmoid",
}
predict = {
    "ask": "20 sigmoid layers, Glorot's weights: the first layer's gradient is smaller than the last's",
    "measure": "sigmoid-decades",
    "choices": {"tenfold": [0, 2], "a thousandfold": [2, 4], "a millionfold": [4, 8], "more than that": [8, 40]},
}


def sigmoid(z: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(z / 2)) / 2  # 1 / (1 + exp(-z)), which cannot overflow like this


ACTIVATIONS = {  # each with its slope, both as functions of the pre-activation z
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "leaky": (lambda z: np.maximum(z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "softplus": (lambda z: np.logaddexp(z, 0), sigmoid),
    "linear": (lambda z: z, np.ones_like),
}
TINY = 1e-300  # keeps logarithms finite where all is zero


def slopes_by_differences(unit: str, points: np.ndarray) -> np.ndarray:
    f = ACTIVATIONS[unit][0]
    return (f(points + 1e-6) - f(points - 1e-6)) / 2e-6


def forward(x: np.ndarray, weights: np.ndarray, unit: str, bias: float = 0.0) -> tuple[list, list]:
    """Activations [x, a_1, …, a_L] and pre-activations [z_1, …, z_L] of dense layers, weights (L, n, n)."""
    a, z = [x], []
    for w in weights:
        z.append(a[-1] @ w.T + bias)  # (B, n)
        a.append(ACTIVATIONS[unit][0](z[-1]))  # (B, n)
    return a, z


def backward(target: np.ndarray, a: list, z: list, weights: np.ndarray, unit: str, mistake: str = "none") -> tuple:
    """Gradients of the loss ½ mean ‖a_L - target‖² by the pre-activations and by the weights, first layer first."""
    upstream = (a[-1] - target) / len(target)  # ∂L/∂a_L, (B, n)
    deltas, gradients = [], []
    for layer in reversed(range(len(weights))):
        # What was active on the way forward decides, not the sign of what comes back.
        delta = upstream * ACTIVATIONS[unit][1](upstream if mistake == "mask-by-gradient" else z[layer])  # (B, n)
        deltas.insert(0, delta)
        gradients.insert(0, delta.T @ a[layer])  # (n, n)
        upstream = delta @ weights[layer]  # (B, n)
    return np.array(deltas), np.array(gradients)  # (L, B, n), (L, n, n)


def gradient_error(rng: np.random.Generator, unit: str, mistake: str) -> float:
    """Largest distance of the gradient by hand from central differences, over the largest difference."""
    weights = rng.normal(0.0, 0.5, (3, 8, 8))
    x, target = rng.normal(0.0, 1.0, (2, 16, 8))
    _, gradients = backward(target, *forward(x, weights, unit), weights, unit, mistake)
    by_hand, by_differences, h = [], [], 1e-7
    for place in zip(*(rng.integers(0, n, 24) for n in weights.shape), strict=True):
        losses = []
        for step in (h, -h):
            moved = weights.copy()
            moved[place] += step
            losses.append(0.5 * ((forward(x, moved, unit)[0][-1] - target) ** 2).sum() / len(target))
        by_differences.append((losses[0] - losses[1]) / (2 * h))
        by_hand.append(gradients[place])
    return np.abs(np.subtract(by_hand, by_differences)).max() / np.abs(by_differences).max()


def profile(rng: np.random.Generator, unit: str, variance: float, layers: int, width: int, bias: float = 0.0) -> dict:
    """For each of 9 networks: log10 of each layer's rms gradient and of the first one's step, shape of outputs."""
    found: dict[str, list] = {"gradient": [], "step": [], "zeros": [], "center": [], "kinks": []}
    for _ in range(9):
        weights = rng.normal(0.0, 1.0, (layers, width, width)) * np.sqrt(variance / width)
        x = rng.uniform(0.0, 1.0, (64, width))  # like pixels, and not centered
        target = rng.normal(0.0, 1.0, (64, width))
        a, z = forward(x, weights, unit, bias)
        deltas, gradients = backward(target, a, z, weights, unit)
        step = 0.1 * np.linalg.norm(gradients[0]) / (np.linalg.norm(weights[0]) + TINY)  # at a learning rate of 0.1
        found["gradient"].append(np.log10(np.sqrt((deltas**2).mean(axis=(1, 2))) + TINY))  # (L,)
        found["step"].append(np.log10(step + TINY))
        found["zeros"].append(np.mean(np.array(a[1:]) == 0))
        found["center"].append(np.mean([h.mean() / (np.sqrt((h**2).mean()) + TINY) for h in a[1:]]))
        found["kinks"].append(np.mean(np.array(z) == 0))
    return {name: np.array(values) for name, values in found.items()}  # (9, L) or (9,)


def counted_exp(x: float) -> tuple[float, int]:
    """exp(x) by arithmetic alone, to float32's precision, and the number of operations that took."""
    k = round(x / np.log(2))  # exp(x) = 2^k exp(r), |r| at most ln(2)/2
    r = x - k * np.log(2)
    value, operations = 1 / 5040, 4
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):  # Taylor's series by Horner's rule
        value = value * r + coefficient
        operations += 2
    return value * 2.0**k, operations + 1


def run(
    *,
    layers: Annotated[int, Range(2, 40), "depth of the networks"] = 20,
    width: Annotated[int, Range(16, 128), "units a layer"] = 64,
    relu_variance: Annotated[float, Range(0.0, 16.0), "of a ReLU weight, times n: He 2, Glorot 1"] = 2.0,
    bias: Annotated[float, Range(-2.0, 2.0), "of every ReLU unit"] = 0.0,
    unit: Literal["relu", "leaky", "softplus", "linear"] = "relu",
    squash: Literal["sigmoid", "tanh"] = "sigmoid",
    mistake: Literal["none", "mask-by-gradient"] = "none",
    links: Annotated[int, Range(1, 20), "units in a chain one unit wide"] = 3,
    weight: Annotated[float, Range(-16.0, 16.0), "each weight of that chain"] = 2.0,
    fan_in: Annotated[int, Range(1, 16384), "inputs of the layer whose operations are counted"] = 1024,
    exp_counts: Literal["as-arithmetic", "one"] = "as-arithmetic",
    seed: int = 0,
) -> Iterator[Evidence]:
    # A chain of single units, biased so that each works at 0, where the sigmoid is steepest.
    slope = float(ACTIVATIONS["sigmoid"][1](0.0))
    yield Measure("chain-gradient", (weight * slope) ** links)
    yield Measure("chain-without-slopes", weight**links)
    yield Measure("chain-without-weights", slope**links)

    value, exp_operations = counted_exp(-1.7)
    operations = 3 + (exp_operations if exp_counts == "as-arithmetic" else 1)  # 1 / (1 + exp(-z))
    yield Text(
        f"max(0, z) is 1 operation, a sigmoid {operations}; exp alone takes {exp_operations}, written as arithmetic"
        f" (relative error {abs(value / np.exp(-1.7) - 1):.0e})."
    )
    yield Measure("sigmoid-operations", operations)
    yield Claim("sigmoid-costs-more", measured=operations, at_least=10)
    # The layer's product takes a multiplication and an addition for each input of each unit.
    yield Claim("product-dominates", measured=operations / (operations + 2 * fan_in), at_most=0.02)

    rng = np.random.default_rng(seed)
    points = np.linspace(-3.0, 3.0, 100)  # an even number of them: 0 is not among them
    slopes = slopes_by_differences(unit, points)
    yield Claim("slope-is-0-or-1", measured=np.abs(slopes - (points > 0)).max(), at_most=1e-4)
    steepest = slopes_by_differences(squash, np.linspace(-8.0, 8.0, 1601)).max()
    at_zero = slopes_by_differences(squash, np.zeros(1))[0]
    yield Claim("sigmoid-slope-is-small", measured=max(steepest, 0.5 - at_zero), near=(0.25, 1e-6))
    yield Claim("backward-is-right", measured=gradient_error(rng, unit, mistake), at_most=1e-4)

    networks = {
        f"{squash}, 1/n (Glorot)": profile(rng, squash, 1.0, layers, width),
        f"{unit}, {relu_variance:g}/n as set": profile(rng, unit, relu_variance, layers, width, bias),
        "relu, 1/n (Glorot)": profile(rng, "relu", 1.0, layers, width),
        "relu, 8/n (twice He's)": profile(rng, "relu", 8.0, layers, width),
    }
    medians = {name: np.median(net["gradient"], axis=0) for name, net in networks.items()}  # (layers,) each
    curves = {name: median - median[-1] for name, median in medians.items()}
    yield Plot(
        "gradient-by-layer",
        {name: (range(1, layers + 1), 10.0**curve) for name, curve in curves.items()},
        x_label="layer",
        y_label="gradient / last layer's",
        log_y=True,
    )
    yield Table("first gradient / last gradient", ["network", "log10"], [[name, c[0]] for name, c in curves.items()])
    of_sigmoid, of_relu, of_glorot, of_large = (float(curve[0]) for curve in curves.values())
    sigmoids, rectifiers, *_ = networks.values()
    yield Measure("sigmoid-decades", -of_sigmoid)
    yield Measure("relu-decades", -of_relu)
    each = sigmoids["gradient"][:, 0] - sigmoids["gradient"][:, -1]  # (9,)
    yield Claim("sigmoid-vanishes", measured=each.max(), at_most=-9)
    yield Claim("first-layer-stands-still", measured=sigmoids["step"].max(), at_most=-9)
    yield Claim("relu-with-he-passes", measured=of_relu, between=(-1, 1))
    yield Claim("glorot-starves-relu", measured=of_glorot, at_most=-2)
    yield Claim("large-weights-explode", measured=of_large, at_least=4)

    yield Measure("zero-share", np.median(rectifiers["zeros"]))
    yield Claim("half-are-zero", measured=np.abs(rectifiers["zeros"] - 0.5).max(), at_most=0.08)
    yield Claim("mean-is-positive", measured=rectifiers["center"].min(), at_least=0.25)
    yield Claim("kink-is-not-hit", measured=rectifiers["kinks"].max(), at_most=1e-4)

    # relu(2z) = 2 relu(z): a factor can move from one layer to the next.
    weights = rng.normal(0.0, 1.0, (4, 16, 16)) * np.sqrt(2 / 16)
    x, target = rng.normal(0.0, 1.0, (2, 64, 16))
    outputs, sizes = [], []
    for factors in ([1, 1, 1, 1], [2, 0.5, 1, 1], [1, 2, 0.5, 1], [1, 1, 2, 0.5]):
        scaled = weights * np.reshape(factors, (4, 1, 1))
        a, z = forward(x, scaled, unit)
        _, gradients = backward(target, a, z, scaled, unit)
        outputs.append(a[-1])
        sizes.append(np.linalg.norm(gradients, axis=(1, 2)) * factors)  # (4,), as before if factor and size cancel
    yield Claim("rescaling-keeps-output", measured=np.ptp(outputs, axis=0).max(), at_most=1e-9)
    yield Claim("rescaling-moves-gradient", measured=np.abs(sizes / sizes[0] - 1).max(), at_most=1e-6)


if __name__ == "__main__":
    main(run)
