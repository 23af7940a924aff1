"""Seven activations side by side: where they end, where their outputs lie, and what they pass back.

    step   z > 0           sigmoid  1/(1 + exp(-z))    tanh   tanh(z)
    ReLU   max(0, z)       leaky    max(az, z)         swish  z σ(z)        softmax  exp(z_i) / Σ_j exp(z_j)

Six of them take one number to one number, and have a slope. Softmax takes a vector to a vector, and has a matrix of
derivatives instead: diag(p) - p pᵀ. Each derivative is written by hand and checked against autograd.

What matters for learning is the slope. An output without bound is no virtue in itself: asinh has no bound and goes
flat all the same, and what grows without bound can overflow.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, section 6.3; Dubey, Singh & Chaudhuri (2022),
Activation functions in deep learning: a comprehensive survey and benchmark.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "derivatives-agree": {
        "says": "the derivatives of sigmoid, tanh, ReLU, leaky ReLU and swish by formula equal autograd's",
        "false_when": {"mistake": "no-product-rule"},
    },
    "step-has-no-slope": {
        "says": "the step has slope 0 on either side of its jump, as central differences confirm",
        "false_when": {"mistake": "soft-step"},
    },
    "softmax-has-a-matrix": {
        "says": "the derivative of softmax is the matrix diag(p) - p pᵀ, as autograd confirms for 2, 5 and 20 classes",
        "false_when": {"mistake": "diagonal"},
    },
    "four-are-bounded": {
        "says": "for z in ±20 step, sigmoid, tanh and softmax stay in ±1; ReLU, leaky ReLU and swish get beyond 19",
        "false_when": {"span": 1.0},
    },
    "three-go-below-zero": {
        "says": "tanh, leaky ReLU and swish put out negative numbers; step, sigmoid, ReLU and softmax do not",
        "false_when": {"leak": 0.0},
    },
    "tanh-alone-is-centered": {
        "says": "for standard normal inputs tanh outputs average 0, those of the six others 0.15 or more",
        "false_when": {"offset": 2.0},
    },
    "flat-ends": {
        "says": "at z = ±10 step, sigmoid, tanh are flat on both sides, ReLU and swish on one, leaky ReLU on none",
        "false_when": {"leak": 0.0},
    },
    "swish-alone-falls": {
        "says": "swish has slopes down to -0.1; those of the five other one-number functions are 0 or more",
        "false_when": {"mistake": "no-product-rule"},
    },
    "order-at-three": {
        "says": "at z = 3 slopes rise from step to tanh, sigmoid, ReLU and swish, by 0.005 or more each time",
        "false_when": {"mistake": "no-product-rule"},
    },
    "swish-needs-its-input": {
        "says": "two inputs with the same swish output can have slopes of opposite sign",
        "false_when": {"mistake": "no-product-rule"},
    },
    "unbounded-yet-flat": {
        "says": "asinh has the slope 0.01 at z = 100, and gains over 2 from each tenfold z to the next, up to 1e15",
        "false_when": {"far": 1.0},
    },
    "unbounded-can-overflow": {
        "says": "20 ReLU layers, weights twice He's: rms outputs outgrow 65,504, the most that float16 can hold",
        "false_when": {"gain": 1.0},
    },
    "bounded-cannot": {
        "says": "in 20 tanh layers with the same weights the outputs keep a root mean square below 1",
        "false_when": {"bounded": "swish"},
    },
}
measures = {
    "leaky-mean": "mean output of a leaky ReLU when z is `size` and -`size` equally often",
    "relu-mean": "the same for ReLU",
    "sum-not-mean": "the sum of both outputs",
    "mean-output": "mean output of `function` for standard normal inputs",
}
predict = {
    "ask": "Which average output has a ReLU unit whose inputs are standard normal?",
    "measure": "mean-output",
    "choices": {"0": [-0.05, 0.05], "about 0.2": [0.1, 0.3], "about 0.4": [0.3, 0.45], "0.5": [0.45, 0.6]},
}
CLASSES, WIDTH = 5, 64
ONE_NUMBER = ("step", "sigmoid", "tanh", "relu", "leaky", "swish")


def sigmoid(z: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(z / 2)) / 2  # 1 / (1 + exp(-z)), which cannot overflow like this


def softmax(z: np.ndarray) -> np.ndarray:
    """Shares along the last axis."""
    exp = np.exp(z - z.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def value(name: str, z: np.ndarray, leak: float = 0.01) -> np.ndarray:
    match name:
        case "step":
            return (z > 0).astype(float)
        case "sigmoid":
            return sigmoid(z)
        case "tanh":
            return np.tanh(z)
        case "relu":
            return np.maximum(z, 0)
        case "leaky":
            return np.where(z > 0, z, leak * z)
        case _:
            return z * sigmoid(z)


def slope(name: str, z: np.ndarray, leak: float = 0.01, mistake: str = "none") -> np.ndarray:
    a = value(name, z, leak)
    match name:
        case "step":  # away from 0; a soft step is what people differentiate in its place
            return sigmoid(z) * (1 - sigmoid(z)) if mistake == "soft-step" else np.zeros_like(z)
        case "sigmoid":
            return a * (1 - a)
        case "tanh":
            return 1 - a**2
        case "relu":
            return (z > 0).astype(float)
        case "leaky":
            return np.where(a > 0, 1.0, leak)  # the output has the sign of the input
        case _:
            gate = sigmoid(z)
            return gate if mistake == "no-product-rule" else gate + a * (1 - gate)


def by_autograd(name: str, z: np.ndarray, leak: float) -> np.ndarray:
    functions = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky": lambda x: torch.nn.functional.leaky_relu(x, leak),
        "swish": torch.nn.functional.silu,
    }
    x = torch.tensor(z, requires_grad=True)
    functions[name](x).sum().backward()
    return x.grad.numpy()


def signal(rng: np.random.Generator, name: str, layers: int, gain: float) -> np.ndarray:
    """Root mean square of the outputs of each layer (layers,), weights of `gain` times He's standard deviation."""
    a, sizes = rng.normal(0, 1, (32, WIDTH)), []
    for _ in range(layers):
        a = value(name, a @ rng.normal(0, gain * np.sqrt(2 / WIDTH), (WIDTH, WIDTH)))  # (32, WIDTH)
        sizes.append(np.sqrt((a**2).mean()))
    return np.array(sizes)


def run(
    *,
    size: Annotated[float, Range(0.0, 100.0), "size of an input that is as often negative as positive"] = 2.0,
    leak: Annotated[float, Range(0.0, 0.9), "slope of the leaky ReLU below 0"] = 0.01,
    function: Literal["step", "sigmoid", "tanh", "relu", "leaky", "swish"] = "relu",
    span: Annotated[float, Range(1.0, 30.0), "functions are looked at from -span to span"] = 20.0,
    offset: Annotated[float, Range(-5.0, 5.0), "mean of the normal inputs"] = 0.0,
    far: Annotated[float, Range(0.0, 1000.0), "where asinh is looked at"] = 100.0,
    layers: Annotated[int, Range(1, 40), "layers of the deep networks"] = 20,
    gain: Annotated[float, Range(0.5, 4.0), "their weights' standard deviation over He's"] = 2.0,
    bounded: Literal["tanh", "sigmoid", "swish"] = "tanh",
    mistake: Literal["none", "no-product-rule", "diagonal", "soft-step"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("leaky-mean", (size - leak * size) / 2)
    yield Measure("relu-mean", size / 2)
    yield Measure("sum-not-mean", size - leak * size)
    rng = np.random.default_rng(seed)
    z = rng.normal(offset, 1, 100_000)
    means = {name: value(name, z, leak).mean() for name in ONE_NUMBER}
    means["softmax"] = softmax(z.reshape(-1, CLASSES)).mean()
    yield Measure("mean-output", means[function])
    others = min(abs(mean) for name, mean in means.items() if name != "tanh")
    yield Claim("tanh-alone-is-centered", measured=others - abs(means["tanh"]), at_least=0.15)

    grid = np.linspace(-span, span, 4000)  # an even number of points: 0, where some have no slope, is left out
    rows = np.zeros((len(grid), CLASSES))
    rows[:, 0] = grid  # softmax: one logit moves, the others stay at 0
    values = {name: value(name, grid, leak) for name in ONE_NUMBER} | {"softmax": softmax(rows)[:, 0]}
    slopes = {name: slope(name, grid, leak, mistake) for name in ONE_NUMBER}
    near = np.abs(grid) < 5
    curves = {name: (grid[near], curve[near]) for name, curve in values.items()}
    some = {name: curves[name] for name in ("step", "sigmoid", "tanh", "softmax")}
    yield Plot("bounded", some, x_label="z", y_label="output")
    some = {name: curves[name] for name in ("relu", "leaky", "swish")}
    yield Plot("unbounded", some, x_label="z", y_label="output")
    some = {name: (grid[near], slopes[name][near]) for name in ("sigmoid", "tanh", "relu", "swish")}
    yield Plot("slopes", some, x_label="z", y_label="slope")
    columns = ["function", "lowest", "highest", "mean, z ~ N(0, 1)", "steepest"]
    table = [[n, v.min(), v.max(), means[n], slopes[n].max() if n in slopes else "matrix"] for n, v in values.items()]
    yield Table(f"z from {-span:g} to {span:g}", columns, table)

    largest = {name: np.abs(values[name]).max() for name in values}
    apart = min(largest[n] for n in ("relu", "leaky", "swish"))
    apart -= max(largest[n] for n in ("step", "sigmoid", "tanh", "softmax"))
    yield Claim("four-are-bounded", measured=apart, at_least=18.99)
    lowest = {name: values[name].min() for name in values}
    below = max(lowest[n] for n in ("tanh", "leaky", "swish"))
    not_below = min(lowest[n] for n in ("step", "sigmoid", "relu", "softmax"))
    yield Claim("three-go-below-zero", measured=not_below - below, at_least=0.15)

    smooth = [name for name in ONE_NUMBER if name != "step"]
    error = max(np.abs(slopes[name] - by_autograd(name, grid, leak)).max() for name in smooth)
    yield Claim("derivatives-agree", measured=error, at_most=1e-9)
    jump = grid[np.abs(grid) > 1e-3]
    differences = (value("step", jump + 1e-4) - value("step", jump - 1e-4)) / 2e-4
    measured = np.abs(slope("step", jump, leak, mistake) - differences).max() + np.abs(differences).max()
    yield Claim("step-has-no-slope", measured=measured, at_most=1e-9)

    apart = []
    for classes in (2, 20, CLASSES):
        logits = rng.normal(0, 1, classes)
        p = softmax(logits)
        matrix = np.diag(p * (1 - p)) if mistake == "diagonal" else np.diag(p) - np.outer(p, p)
        exact = torch.autograd.functional.jacobian(lambda x: torch.softmax(x, 0), torch.tensor(logits)).numpy()
        apart.append(np.abs(matrix - exact).max())
    yield Table("∂p_i/∂z_j of a softmax", [f"z{j}" for j in range(CLASSES)], matrix)
    yield Claim("softmax-has-a-matrix", measured=max(apart), at_most=1e-9)

    ends = np.array([-10.0, 10.0])
    flat = [int((np.abs(slope(name, ends, leak)) < 1e-3).sum()) for name in ONE_NUMBER]
    yield Table("flat ends at z = ±10", ["function", "flat ends"], list(zip(ONE_NUMBER, flat, strict=True)))
    yield Claim("flat-ends", measured=np.abs(np.subtract(flat, [2, 2, 2, 1, 0, 1])).sum(), at_most=0.5)
    falls = min(slopes[name].min() for name in ONE_NUMBER if name != "swish") - slopes["swish"].min()
    yield Claim("swish-alone-falls", measured=falls, between=(0.0995, 0.1005))
    at_three = [float(slope(n, np.array(3.0), leak, mistake)) for n in ("step", "tanh", "sigmoid", "relu", "swish")]
    yield Claim("order-at-three", measured=np.diff(at_three).min(), at_least=0.005)

    # Swish dips to its minimum near -1.28 and comes back: the same output on both sides of it.
    left = np.linspace(-8, -1.3, 20_000)
    partner = left[np.abs(value("swish", left) - value("swish", np.array(-0.5))).argmin()]
    pair = slope("swish", np.array([-0.5, partner]), leak, mistake)
    yield Text(f"Swish puts out the same at -0.5 and {partner:.2f}, with slopes of {pair[0]:.3f} and {pair[1]:.3f}.")
    yield Claim("swish-needs-its-input", measured=pair.prod(), at_most=-0.001)

    x = torch.tensor(far, requires_grad=True)
    torch.asinh(x).backward()
    gains = np.diff(np.arcsinh(10.0 ** np.arange(16)))  # ln 10 each in the end: the growth does not stop
    yield Claim("unbounded-yet-flat", measured=x.grad.item() if gains.min() > 2 else 1.0, at_most=0.0101)

    # Height by itself: outputs that may grow do grow, by the same factor at each layer.
    rectified = np.median([signal(rng, "relu", layers, gain) for _ in range(11)], axis=0)  # (layers,)
    squashed = np.median([signal(rng, bounded, layers, gain) for _ in range(11)], axis=0)
    depths = range(1, layers + 1)
    curves = {"relu": (depths, rectified), bounded: (depths, squashed)}
    yield Plot("size-by-layer", curves, x_label="layer", y_label="rms output", log_y=True)
    yield Claim("unbounded-can-overflow", measured=np.log10(rectified[-1]), at_least=np.log10(65504))
    yield Claim("bounded-cannot", measured=squashed.max(), at_most=1.0)


if __name__ == "__main__":
    main(run)
