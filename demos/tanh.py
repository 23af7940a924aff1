"""tanh is a sigmoid that was stretched and moved: the same networks, with outputs around 0 and slopes up to 1.

    tanh(z) = 2σ(2z) - 1        tanh'(z) = 1 - tanh²(z) = 4σ'(2z)

So every tanh layer can be written as a sigmoid layer: double its weights and biases, double the next weights, and
take their sum off the next bias. What can be computed stays the same; how well it trains does not, because
outputs around 1/2 give the next layer an ill-conditioned problem. The price of the stretch: tanh saturates sooner,
and beyond |z| = 1.66 it is the flatter of the two.

Sources: LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, sections 4.3 and 4.4; Goodfellow, Bengio &
Courville (2016), Deep Learning, section 6.3.2.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "is-rescaled-sigmoid": {
        "says": "tanh(z) = 2σ(2z) - 1",
        "false_when": {"mistake": "no-doubling"},
    },
    "slope-from-output": {
        "says": "the slope is 1 - a² for an output of a, as central differences confirm",
        "false_when": {"mistake": "sigmoid-slope"},
    },
    "slope-up-to-one": {
        "says": "the largest slope is 1, four times the sigmoid's, and it is at z = 0",
        "false_when": {"unit": "sigmoid"},
    },
    "saturates-as-well": {
        "says": "from z = ±3 on the slope is under 1% of its largest, 0.01; the sigmoid's is from ±6 on",
        "false_when": {"far": 1.5},
    },
    "saturates-sooner": {
        "says": "beyond |z| = 1.66 tanh has a smaller slope than the sigmoid",
        "false_when": {"mistake": "no-doubling"},
    },
    "mean-near-zero": {
        "says": "inputs symmetric about 0, of four distributions, give outputs with a mean of 0",
        "false_when": {"unit": "sigmoid"},
    },
    "offset-passes-through": {
        "says": "inputs with a mean of 1 and a deviation of 1 give outputs with a mean above 0.5",
        "false_when": {"offset": 0.0},
    },
    "large-inputs-saturate": {
        "says": "for normal inputs with a deviation of 5, over half of the units have a slope below 0.01",
        "false_when": {"spread": 1.0},
    },
    "same-network": {
        "says": "each hidden layer doubled, and the next one made up for it, a sigmoid net equals a tanh net",
        "false_when": {"mistake": "no-bias-shift"},
    },
    "backward-is-right": {
        "says": "the gradients by hand of tanh and of sigmoid nets equal central differences",
        "false_when": {"mistake": "sigmoid-slope"},
    },
    "same-best-fit": {
        "says": "written with sigmoids or tanh, the hidden layer allows the next one the same least error",
        "false_when": {"mistake": "no-bias"},
    },
    "next-layer-is-conditioned": {
        "says": "written with sigmoids, the same hidden layer gives the next one 8 to 24 times the condition number",
        "false_when": {"rival": "centered"},
    },
    "next-layer-learns-faster": {
        "says": "fitting that next layer, each at its best rate, takes 5 to 20 times the steps with sigmoids",
        "false_when": {"rival": "centered"},
    },
}
measures = {
    "slope": "slope of a tanh unit whose output is `output`",
    "slope-of-sigmoid": "the same by the sigmoid's formula, a(1 - a)",
    "new-bias": "output bias of the sigmoid net that equals a tanh net with two hidden units",
    "bias-kept": "the tanh net's own bias",
    "bias-added": "the bias when the sum of weights is added instead",
    "flat-share": "share of tanh units with a slope below 0.01, inputs normal with deviation `spread`",
    "crossing": "largest |z| at which tanh is not flatter than the sigmoid",
    "condition-ratio": "condition number with sigmoids over condition number with tanh",
    "step-ratio": "steps with sigmoids over steps with tanh",
}
predict = {
    "ask": "From which |z| on is tanh the flatter one, with a smaller slope than the sigmoid?",
    "measure": "crossing",
    "choices": {"about 0.5": [0, 1], "about 1.7": [1, 2.5], "about 4": [2.5, 6], "nowhere": [6, 100]},
}
INPUTS, HIDDEN, OUTPUTS = 5, 12, 3
LAYERS, STEPS = 41, 1500


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def from_sigmoid(z: np.ndarray, mistake: str) -> np.ndarray:
    """tanh by way of the sigmoid."""
    return 2 * sigmoid(z if mistake == "no-doubling" else 2 * z) - 1


def activate(z: np.ndarray, unit: str) -> np.ndarray:
    return sigmoid(z) if unit == "sigmoid" else np.tanh(z)


def slope(a: np.ndarray, unit: str) -> np.ndarray:
    """The unit's slope, from its output a."""
    return a * (1 - a) if unit == "sigmoid" else 1 - a**2


def differences(f: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> np.ndarray:
    return (f(points + 1e-5) - f(points - 1e-5)) / 2e-5


def outputs(net: list[np.ndarray], x: np.ndarray, unit: str) -> np.ndarray:
    """Outputs (B, OUTPUTS) of a net of any depth: weights and bias of each layer in turn, the last one linear."""
    for w, b in zip(net[:-2:2], net[1:-2:2], strict=True):
        x = activate(x @ w + b, unit)
    return x @ net[-2] + net[-1]


def with_sigmoids(net: list[np.ndarray], mistake: str) -> list[np.ndarray]:
    """The tanh net's twin. Each hidden layer in turn is doubled, and the next one makes up for it."""
    twin = list(net)
    for k in range(0, len(net) - 2, 2):
        w, b, v, c = twin[k : k + 4]
        twin[k : k + 4] = [2 * w, 2 * b, 2 * v, c if mistake == "no-bias-shift" else c - v.sum(0)]
    return twin


def loss(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, unit: str) -> float:
    return 0.5 * ((outputs(net, x, unit) - y) ** 2).sum() / len(x)


def gradients(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, unit: str, mistake: str) -> list[np.ndarray]:
    w, b, v, c = net
    h = activate(x @ w + b, unit)  # (B, HIDDEN)
    delta = (h @ v + c - y) / len(x)  # (B, OUTPUTS)
    d_z = delta @ v.T * slope(h, "sigmoid" if mistake == "sigmoid-slope" else unit)  # (B, HIDDEN)
    return [x.T @ d_z, d_z.sum(0), h.T @ delta, delta.sum(0)]


def gradient_error(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, unit: str, mistake: str) -> float:
    """Largest distance of a gradient by hand from central differences, over all parameters."""
    worst = 0.0
    for part, gradient in zip(net, gradients(net, x, y, unit, mistake), strict=True):
        for place in np.ndindex(part.shape):
            kept, losses = part[place], []
            for step in (1e-5, -1e-5):
                part[place] = kept + step
                losses.append(loss(net, x, y, unit))
            part[place] = kept
            worst = max(worst, abs((losses[0] - losses[1]) / 2e-5 - gradient[place]))
    return worst


def descend(h: np.ndarray, target: np.ndarray, mistake: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear layers with bias, fitted to target (LAYERS, B, 1) on h (LAYERS, B, HIDDEN) by gradient descent from 0.

    Returns condition numbers and errors of the best fits, (LAYERS,) each, and the excess by step (STEPS, LAYERS).
    """
    ones = [] if mistake == "no-bias" else [np.ones_like(target)]  # the bias is a weight on a constant
    design = np.concatenate([h, *ones], axis=2)  # (LAYERS, B, HIDDEN + 1)
    hessian = design.swapaxes(1, 2) @ design / h.shape[1]  # (LAYERS, HIDDEN + 1, HIDDEN + 1)
    pull = design.swapaxes(1, 2) @ target / h.shape[1]
    best = np.linalg.solve(hessian, pull)
    flattest, steepest = np.linalg.eigvalsh(hessian)[:, [0, -1]].T
    rate = (2 / (flattest + steepest))[:, None, None]  # both directions shrink alike: no rate is faster in the end
    w, excess = np.zeros_like(best), []
    for _ in range(STEPS):
        away = w - best
        excess.append(0.5 * (away * (hessian @ away)).sum((1, 2)))
        w = w - rate * (hessian @ w - pull)
    return steepest / flattest, 0.5 * ((design @ best - target) ** 2).mean((1, 2)), np.array(excess)


def run(
    *,
    output: Annotated[float, Range(-0.99, 0.99), "output a of a tanh unit"] = 0.6,
    first: Annotated[float, Range(-10.0, 10.0), "first output weight of a tanh net with two hidden units"] = 2.0,
    second: Annotated[float, Range(-10.0, 10.0), "second output weight"] = -0.5,
    bias: Annotated[float, Range(-10.0, 10.0), "output bias"] = 1.0,
    spread: Annotated[float, Range(0.1, 50.0), "standard deviation of a unit's inputs"] = 5.0,
    offset: Annotated[float, Range(-10.0, 10.0), "mean of inputs that are not centered"] = 1.0,
    far: Annotated[float, Range(0.0, 8.0), "where saturation is measured"] = 3.0,
    unit: Literal["tanh", "sigmoid"] = "tanh",
    rival: Literal["sigmoid", "centered"] = "sigmoid",
    mistake: Literal["none", "no-doubling", "sigmoid-slope", "no-bias-shift", "no-bias"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("slope", 1 - output**2)
    yield Measure("slope-of-sigmoid", output * (1 - output))
    yield Measure("new-bias", bias - first - second)
    yield Measure("bias-kept", bias)
    yield Measure("bias-added", bias + first + second)
    rng = np.random.default_rng(seed)
    flat = (1 - np.tanh(rng.normal(0, spread, 100_000)) ** 2 < 0.01).mean()
    yield Measure("flat-share", flat)
    yield Claim("large-inputs-saturate", measured=flat, between=(0.5, 0.6))

    grid = np.linspace(-8, 8, 1601)  # 0 is among them
    rescaled = from_sigmoid(grid, mistake)
    yield Claim("is-rescaled-sigmoid", measured=np.abs(rescaled - np.tanh(grid)).max(), at_most=1e-12)
    steepness = differences(lambda z: activate(z, unit), grid)
    by_formula = slope(activate(grid, unit), "sigmoid" if mistake == "sigmoid-slope" else unit)
    yield Claim("slope-from-output", measured=np.abs(by_formula - steepness).max(), at_most=1e-8)
    of_tanh, of_sigmoid = differences(lambda z: from_sigmoid(z, mistake), grid), differences(sigmoid, grid)
    peak, place = steepness.max(), grid[steepness.argmax()]
    off = max(abs(peak - 1), abs(place), abs(peak / of_sigmoid.max() - 4))
    yield Claim("slope-up-to-one", measured=off, at_most=1e-6)
    beyond = np.linspace(far, 16, 100)
    both = np.append(-beyond, beyond)
    left_over = [slope(np.tanh(both), "tanh").max(), slope(sigmoid(2 * both), "sigmoid").max() / of_sigmoid.max()]
    yield Claim("saturates-as-well", measured=max(left_over), at_most=0.01)

    yield Plot("slopes", {"tanh'(z)": (grid, of_tanh), "σ'(z)": (grid, of_sigmoid)}, x_label="z", y_label="slope")
    crossing = np.abs(grid[of_tanh >= of_sigmoid]).max()
    yield Measure("crossing", crossing)
    yield Claim("saturates-sooner", measured=crossing, near=(1.66, 0.005))

    z = rng.normal(0, 2, 60_000)
    symmetric = (z, rng.uniform(-3, 3, len(z)), rng.laplace(0, 1, len(z)), rng.choice([-1.0, 1.0], len(z)) + z / 4)
    yield Claim("mean-near-zero", measured=max(abs(activate(s, unit).mean()) for s in symmetric), at_most=0.02)
    yield Claim("offset-passes-through", measured=np.tanh(offset + z / 2).mean(), between=(0.5, 0.6))

    # One function, two sets of parameters: nets of three, two and one hidden layers, the last of them kept.
    x, y = rng.normal(0, 1, (30, INPUTS)), rng.normal(0, 1, (30, OUTPUTS))
    distances = []
    for depth in (3, 2, 1):
        sizes = [INPUTS, *[HIDDEN] * depth, OUTPUTS]
        net = [rng.normal(0, 1, shape) for n, m in pairwise(sizes) for shape in ((n, m), m)]
        twin = with_sigmoids(net, mistake)
        distances.append(np.abs(outputs(net, x, "tanh") - outputs(twin, x, "sigmoid")).max())
    yield Claim("same-network", measured=max(distances), at_most=1e-9)
    errors = [gradient_error(net, x, y, "tanh", mistake), gradient_error(twin, x, y, "sigmoid", mistake)]
    yield Claim("backward-is-right", measured=max(errors), at_most=1e-6)

    # A hidden layer of 12 units on 20 inputs, written in both ways; only the layer behind it is fitted.
    x = rng.normal(0, 1, (LAYERS, 200, 20))
    z = x @ rng.normal(0, 0.22, (LAYERS, 20, HIDDEN)) + rng.normal(0, 0.3, (LAYERS, 1, HIDDEN))
    target = np.tanh(x @ rng.normal(0, 0.22, (LAYERS, 20, 1)))
    ways = {rival: sigmoid(2 * z) - (0.5 if rival == "centered" else 0), "tanh": np.tanh(z)}
    fits = {way: descend(h, target, mistake) for way, h in ways.items()}
    steps = {way: (excess > 0.01 * excess[0]).sum(0) for way, (_, _, excess) in fits.items()}  # (LAYERS,) each
    curves = {way: (range(200), excess[:200, 0] / excess[0, 0]) for way, (_, _, excess) in fits.items()}
    yield Text("One hidden layer, written with sigmoids and with tanh: the next layer's error above its best fit.")
    yield Plot("next-layer", curves, x_label="step", y_label="excess error / first", log_y=True)
    rows = [[way, np.median(condition), np.median(steps[way])] for way, (condition, _, _) in fits.items()]
    yield Table(f"medians of {LAYERS} layers", ["hidden outputs", "condition number", "steps to 1%"], rows)
    condition_ratio = np.median(fits[rival][0] / fits["tanh"][0])
    step_ratio = np.median(steps[rival] / steps["tanh"])
    error = np.abs(fits[rival][1] / fits["tanh"][1] - 1).max()
    yield Claim("same-best-fit", measured=error, at_most=1e-9)
    yield Measure("condition-ratio", condition_ratio)
    yield Measure("step-ratio", step_ratio)
    yield Claim("next-layer-is-conditioned", measured=condition_ratio, between=(8, 24))
    yield Claim("next-layer-learns-faster", measured=step_ratio, between=(5, 20))


if __name__ == "__main__":
    main(run)
