"""Seven activations race in one deep network, each with its fitting weights; then what GELU and SwiGLU compute.

    sigmoid 1/(1 + e⁻ᶻ)    tanh    ReLU max(0, z)    leaky ReLU max(z, 0.1z)    ELU
    GELU z Φ(z)    SiLU or Swish z σ(z)    SwiGLU(x) = (SiLU(xW) * xV) U, * by elements

Fitting: weights of variance g²/n, where g² E[f(z)²] = 1 for a standard normal z (g² = 2 for ReLU, as He found), which
keeps the mean square the same from layer to layer; for the sigmoid g = 4, which makes up for its slope of 1/4 at 0.
Ten layers, gradient descent with momentum, no normalization and no residual paths, which would change the picture.

Sources: He et al. (2015), Delving Deep into Rectifiers; Hendrycks & Gimpel (2016), Gaussian Error Linear Units;
Ramachandran, Zoph & Le (2017), Searching for Activation Functions; Shazeer (2020), GLU Variants Improve Transformer.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn import functional

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, main

claims = {
    "he-is-the-fitting-gain": {
        "says": "g² = 1 / E[f(z)²] is 2 for ReLU: variance 2/n keeps the mean square to 5%, at widths 16 to 128",
        "false_when": {"mistake": "variance"},
    },
    "sigmoid-stalls": {
        "says": "ten sigmoid layers leave over 90% of the variance, median of three networks, at each of two rates",
        "false_when": {"layers": 2},
    },
    "rectifiers-learn": {
        "says": "with ReLU, leaky ReLU, ELU, GELU and SiLU the same networks leave under 30%, median of three",
        "false_when": {"scale": 0.3},
    },
    "tanh-learns": {
        "says": "tanh, which saturates as well but is centered on 0, learns: each of three networks leaves under 10%",
        "false_when": {"scale": 0.3},
    },
    "init-can-undo-it": {
        "says": "three ReLU and three GELU networks, hidden weights at 0.3 of the fitting scale, leave over 90% each",
        "false_when": {"bad_scale": 1.0},
    },
    "sigmoid-loses-the-input": {
        "says": "at the start under 0.1% of the mean square that the tenth sigmoid layer gets differs between inputs",
        "false_when": {"probe": "tanh"},
    },
    "formulas": {
        "says": "GELU is z Φ(z) and SiLU z σ(z): by hand as in PyTorch",
        "false_when": {"mistake": "gate-alone"},
    },
    "gelu-dips": {
        "says": "GELU has its minimum at z = -0.75 and rises all the way from there to z = -5: it is not monotone",
        "false_when": {"dipping": "relu"},
    },
    "gelu-minimum": {"says": "the smallest value of GELU is -0.17", "false_when": {"dipping": "relu"}},
    "negative-side-passes": {
        "says": "at z = -1 the slopes of leaky ReLU, ELU, GELU and SiLU are over 0.05 in size",
        "false_when": {"negative_side": "relu"},
    },
    "two-gated-units-multiply": {
        "says": "two SwiGLU units compute the product of two inputs exactly",
        "false_when": {"mistake": "one-unit"},
    },
    "two-thirds-keep-the-count": {
        "says": "SwiGLU of hidden width 8d/3 has as many weights as a two-matrix layer of 4d, for d of 48 to 12,288",
        "false_when": {"mistake": "same-width"},
    },
}
measures = {
    "swiglu-hidden": "hidden width that gives SwiGLU the weights of a two-matrix layer of width 4d",
    "same-width": "4d, kept in spite of the third matrix",
    "half-width": "2d, as if there were four matrices",
    "left": "percent of the targets' variance that `activation` leaves after 80 steps at the better of two rates",
    "best-of-family": "percent left by the best of the five rectifiers and relatives",
}
predict = {
    "ask": "Ten layers of tanh, fitting weights, 80 steps. How much of the targets' variance is left?",
    "measure": "left",
    "choices": {"over half": [50.0, 100.0], "10 to 50%": [10.0, 50.0], "under 10%": [0.0, 10.0]},
}
Tensor = torch.Tensor
ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky": lambda z: functional.leaky_relu(z, 0.1),
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}
FAMILY = ("relu", "leaky", "elu", "gelu", "silu")
RATES, COPIES, WIDTH, STEPS = (0.015, 0.3), 3, 24, 80


def gain(name: str, mistake: str = "none") -> float:
    """Standard deviation of weights times √n that keeps the mean square; the expectation is taken on a fine grid."""
    if name == "sigmoid":
        return 4.0
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2)
    f = ACTIVATIONS[name](z)
    if mistake == "variance":  # He's argument is about the mean square: the mean is passed on as well
        f = f - (density * f).sum() / density.sum()
    return float(((density * f**2).sum() / density.sum()) ** -0.5)


def passed_on(width: int, variance: float, generator: torch.Generator) -> float:
    """Mean square of z in one ReLU layer of given width and weight variance over that in the layer before."""
    copies = 32_000 // width
    z = torch.randn(copies, 32, width, generator=generator)
    w = torch.randn(copies, width, width, generator=generator) * variance**0.5
    return float(((torch.relu(z) @ w) ** 2).mean() / (z**2).mean())


def start(name: str, layers: int, scale: float, copies: int, generator: torch.Generator) -> list[Tensor]:
    """Weights (copies, n, m) of a network from 4 inputs through `layers` hidden layers to one output."""
    sizes = [4, *[WIDTH] * layers, 1]
    gains = [*[gain(name) * scale] * layers, 1.0]
    return [
        torch.randn(copies, n, m, generator=generator) * g / n**0.5
        for n, m, g in zip(sizes[:-1], sizes[1:], gains, strict=True)
    ]


def race(name: str, layers: int, scale: float, seed: int) -> tuple[list[float], list[float]]:
    """Share of the targets' variance left after 0, 1, …, 80 steps, median of three networks, at the better rate;
    and what each of them left in the end."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(COPIES, 64, 4, generator=generator)
    directions = torch.randn(COPIES, 4, 2, generator=generator) / 2
    y = torch.sin(1.5 * x @ directions).prod(2, keepdim=True)
    y = (y - y.mean(1, keepdim=True)) / y.std(1, correction=0, keepdim=True)
    x, y = x.repeat(len(RATES), 1, 1), y.repeat(len(RATES), 1, 1)  # rates, then copies
    ws = [w.repeat(len(RATES), 1, 1).requires_grad_() for w in start(name, layers, scale, COPIES, generator)]
    bs = [torch.zeros(len(w), 1, w.shape[2], requires_grad=True) for w in ws]
    speeds = [torch.zeros_like(part) for part in ws + bs]
    rates = torch.tensor(RATES).repeat_interleave(COPIES)[:, None, None]
    left = []
    for _ in range(STEPS + 1):
        a = x
        for w, b in zip(ws[:-1], bs[:-1], strict=True):
            a = ACTIVATIONS[name](torch.baddbmm(b, a, w))  # (rates · copies, N, WIDTH)
        errors = ((torch.baddbmm(bs[-1], a, ws[-1]) - y) ** 2).mean((1, 2))
        left.append(errors.detach())
        gradients = torch.autograd.grad(errors.sum(), ws + bs)
        with torch.no_grad():
            for part, speed, gradient in zip(ws + bs, speeds, gradients, strict=True):
                speed.mul_(0.9).add_(gradient.clamp(-1, 1))
                part -= rates * speed
    # A network that blew up at a rate too high counts as one that learned nothing.
    curves = torch.stack(left).nan_to_num(1.0, 1.0).clamp(max=1.0).reshape(STEPS + 1, len(RATES), COPIES)
    medians = curves.median(2).values  # (STEPS + 1, rates)
    better = int(medians[-1].argmin())
    return medians[:, better].tolist(), curves[-1, better].tolist()


def varying_share(name: str, layers: int, seed: int) -> float:
    """Share of the last hidden layer's mean square (of z, at the start) that differs from input to input."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(20, 64, 4, generator=generator)
    for w in start(name, layers, 1.0, 20, generator)[:-1]:
        z = a @ w  # (copies, N, WIDTH)
        a = ACTIVATIONS[name](z)
    return float(z.var(1).mean() / (z**2).mean())


def swiglu(x: Tensor, w: Tensor, v: Tensor, u: Tensor) -> Tensor:
    """Inputs (N, D) to outputs (N, M) through H gated units: w and v (D, H), u (H, M)."""
    return (functional.silu(x @ w) * (x @ v)) @ u


def run(
    *,
    width: Annotated[int, Range(6, 20_000), "model width d in the count of weights"] = 768,
    activation: Annotated[
        Literal["sigmoid", "tanh", "relu", "leaky", "elu", "gelu", "silu"], "whose remaining variance is measured"
    ] = "tanh",
    layers: Annotated[int, Range(1, 12), "hidden layers"] = 10,
    scale: Annotated[float, Range(0.1, 3.0), "factor on all fitting hidden weights"] = 1.0,
    bad_scale: Annotated[float, Range(0.1, 3.0), "the same for one more ReLU and one more GELU network"] = 0.3,
    probe: Annotated[Literal["sigmoid", "tanh", "relu"], "activation in the test of differing inputs"] = "sigmoid",
    dipping: Literal["gelu", "relu"] = "gelu",
    negative_side: Annotated[Literal["relatives", "relu"], "whose slope at -1 is taken"] = "relatives",
    mistake: Literal["none", "variance", "gate-alone", "one-unit", "same-width"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("swiglu-hidden", 8 * width / 3)
    yield Measure("same-width", 4.0 * width)
    yield Measure("half-width", 2.0 * width)
    off = 0.0
    for d in (48, width, 3072, 12_288):
        hidden = 4 * d if mistake == "same-width" else 8 * d / 3
        off = max(off, abs((d * hidden + d * hidden + hidden * d) / (d * 4 * d + 4 * d * d) - 1))
    yield Claim("two-thirds-keep-the-count", measured=off, at_most=1e-9)

    z = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    cdf, logistic = 0.5 * (1 + torch.erf(z / 2**0.5)), 1 / (1 + torch.exp(-z))
    by_hand = {"gelu": z * cdf, "silu": z * logistic}
    if mistake == "gate-alone":
        by_hand = {"gelu": cdf, "silu": logistic}
    curves = {name: (z[200:801:10], ACTIVATIONS[name](z)[200:801:10]) for name in ("relu", "gelu", "silu")}
    yield Plot("shapes", curves, "z", "f(z)")
    off = max(float((mine - ACTIVATIONS[name](z)).abs().max()) for name, mine in by_hand.items())
    yield Claim("formulas", measured=off, at_most=1e-9)
    dip = ACTIVATIONS[dipping](z)
    rises = bool((dip[: dip.argmin()].diff() < 0).all())  # from the minimum to the left, as far as -5
    yield Claim("gelu-dips", measured=float(z[dip.argmin()]) if rises else 0.0, near=(-0.75, 0.015))
    yield Claim("gelu-minimum", measured=float(dip.min()), near=(-0.17, 0.001))
    at = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    names = FAMILY[1:] if negative_side == "relatives" else ("relu",)
    slopes = [float(torch.autograd.grad(ACTIVATIONS[name](at), at)[0]) for name in names]
    yield Claim("negative-side-passes", measured=min(np.abs(slopes)), at_least=0.05)
    fitting, generator = gain("relu", mistake) ** 2, torch.Generator().manual_seed(seed)
    ratios = [passed_on(n, 2 / n, generator) for n in (16, 48, 128)]  # g² itself has to be 2, and 2/n has to do it
    off = max(abs(fitting - 2), *(abs(ratio - 1) for ratio in ratios))
    yield Claim("he-is-the-fitting-gain", measured=off, at_most=0.05)

    # SiLU(z) - SiLU(-z) = z, so two gated units, one the mirror of the other, give z times the second input.
    pairs = torch.randn(50, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    w, v, u = (torch.tensor(part, dtype=torch.float64) for part in ([[1, -1], [0, 0]], [[0, 0], [1, -1]], [[1], [1]]))
    kept = slice(0, 1 if mistake == "one-unit" else 2)
    product = swiglu(pairs, w[:, kept], v[:, kept], u[kept])[:, 0]
    yield Claim("two-gated-units-multiply", measured=float((product - pairs.prod(1)).abs().max()), at_most=1e-9)

    yield Claim("sigmoid-loses-the-input", measured=varying_share(probe, layers, seed), at_most=1e-3)
    left, ends = {}, {}
    for name in ACTIVATIONS:
        left[name], ends[name] = race(name, layers, scale, seed)
        yield Progress(len(left), len(ACTIVATIONS) + 2)
    bad = {name: min(race(name, layers, bad_scale, seed)[1]) for name in ("relu", "gelu")}
    steps = range(STEPS + 1)
    shown = {name: (steps, left[name]) for name in ("sigmoid", "tanh", "relu", "gelu")}
    yield Plot("race", shown, "step", "share of the variance left")
    rows = [[name, gain(name) * scale, 100 * curve[-1]] for name, curve in left.items()]
    rows += [[f"{name}, small", gain(name) * bad_scale, 100 * value] for name, value in bad.items()]
    yield Table("after 80 steps", ["activation", "gain of the weights", "% left"], rows)
    yield Measure("left", 100 * left[activation][-1])
    yield Measure("best-of-family", 100 * min(left[name][-1] for name in FAMILY))
    yield Claim("sigmoid-stalls", measured=left["sigmoid"][-1], at_least=0.9)
    yield Claim("rectifiers-learn", measured=max(left[name][-1] for name in FAMILY), at_most=0.3)
    yield Claim("tanh-learns", measured=max(ends["tanh"]), at_most=0.1)
    yield Claim("init-can-undo-it", measured=min(bad.values()), at_least=0.9)


if __name__ == "__main__":
    main(run)
