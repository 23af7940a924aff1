"""A deep autoencoder bends: one number for a point on an arc, where PCA and a shallow autoencoder have only a line.

    shallow:  x̂ = v f(u·x + c) + b                  f = tanh, one code unit, no hidden layers: a line along v
    deep:     code = encoder(x), x̂ = decoder(code)   each with one hidden layer of 8 tanh units, the code linear

Points lie on an open arc of a circle, more than half of it. Whatever f is, the shallow network's outputs lie on one
straight line, and the best line is PCA's. The decoder's bend lets the outputs follow the arc; the encoder's bend
keeps points apart that have the same shadow on a line. A closed circle stays out of reach for one unit: on the way
round, a continuous code has to come back, so two opposite points share a value. All weights start at random.

Sources: Goodfellow, Bengio & Courville (2016), section 14.3; Hinton & Salakhutdinov (2006), Science 313.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "line-error-right": {
        "says": "arcs of half-angle a: the best line loses 1/2 + sin 2a / 4a − (sin a / a)², keeps 1/2 − sin 2a / 4a",
        "false_when": {"mistake": "no-mean"},
    },
    "gradients-right": {
        "says": "each network's gradients by hand agree with finite differences",
        "false_when": {"mistake": "no-slope"},
    },
    "outputs-on-a-line": {
        "says": "without a hidden layer in the decoder all outputs lie on one straight line",
        "false_when": {"shallow_decoder": "tanh"},
    },
    "no-better-than-pca": {
        "says": "shallow, deep in the encoder only, deep but linear: each ends between 99% and 105% of PCA's error",
        "false_when": {"shallow_decoder": "tanh"},
    },
    "deep-beats-pca": {
        "says": "on fresh points the deep autoencoder, trained directly, has under a tenth of PCA's error",
        "false_when": {"activation": "identity"},
    },
    "deep-beats-shallow": {
        "says": "and under a tenth of the shallow one's, with a code of equal size",
        "false_when": {"activation": "identity"},
    },
    "linear-encoder-folds": {
        "says": "each linear code folds the arc; before a deep decoder it misses points by over 0.1 radius (rms)",
        "false_when": {"arc": 150},
    },
    "code-orders-the-arc": {
        "says": "the deep code rises all along the arc, or falls: over 85% of its steps go one way",
        "false_when": {"code_of": "linear encoder"},
    },
    "circle-tears": {
        "says": "on a closed circle some point comes back over one radius away from where it was",
        "false_when": {"loop": 240},
    },
}
measures = {
    "line-error": "squared error of the best line, summed over coordinates, for points spread evenly over the arc",
    "chord-variance": "variance along the chord, which that line keeps",
    "line-through-origin": "squared error of the best line through the circle's center",
    "deep-share": "error of the deep autoencoder on fresh points over PCA's",
    "opposite-points-bound": "what a code shared by two opposite points costs one of them at least, in radii",
    "worst-distance": "farthest that a point of the loop comes back from where it was, in radii",
}
predict = {
    "ask": "A closed circle of radius 1, a code of one unit, deep on both sides. How far off is the worst point?",
    "measure": "worst-distance",
    "choices": {"hardly at all": [0.0, 0.3], "about half a radius": [0.3, 0.9], "a radius or more": [0.9, 10.0]},
}
HIDDEN, COPIES, POINTS, STEPS = 8, 4, 50, 700
# Which of the three layers bend: the encoder's hidden layer, the code, the decoder's hidden layer. A layer that does
# not bend multiplies into the next one, so that "shallow" is one linear map, one tanh, one linear map.
BENDS = {
    "deep": (1, 0, 1),
    "linear encoder": (0, 0, 1),
    "linear decoder": (1, 0, 0),
    "shallow": (0, 1, 0),
    "deep, linear": (0, 0, 0),
    "loop": (1, 0, 1),
}


def on_circle(angles: np.ndarray) -> np.ndarray:
    """Points (N, 2) of the unit circle; angle 0 is at the top, in the middle of each arc."""
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def by_formula(a: float) -> tuple[float, float, float]:
    """An arc's mean square along its chord, across it from the center, and across it from the mean."""
    along, across = 0.5 - np.sin(2 * a) / (4 * a), 0.5 + np.sin(2 * a) / (4 * a)
    return along, across, across - (np.sin(a) / a) ** 2


def forward(net: list[np.ndarray], x: np.ndarray, bends: np.ndarray) -> list[np.ndarray]:
    """Activations of M networks at once on x (M, N, 2), layer by layer; `bends` (3, M, 1, 1)."""
    layers, a = [], x
    for i in range(4):
        z = a @ net[2 * i] + net[2 * i + 1]
        a = np.where(bends[i] > 0, np.tanh(z), z) if i < 3 else z
        layers.append(a)  # (M, N, 8), then the code (M, N, 1), (M, N, 8), (M, N, 2)
    return layers


def backward(
    net: list[np.ndarray], x: np.ndarray, layers: list[np.ndarray], bends: np.ndarray, mistake: str = "none"
) -> list[np.ndarray]:
    """Gradients of ‖x̂ − x‖², summed over coordinates, mean over points."""
    d = 2 / x.shape[1] * (layers[-1] - x)  # ∂loss/∂x̂ (M, N, 2)
    gradients = []
    for i in (3, 2, 1, 0):
        below = layers[i - 1] if i else x
        gradients[:0] = [below.swapaxes(1, 2) @ d, d.sum(1, keepdims=True)]
        d = d @ net[2 * i].swapaxes(1, 2)
        if i and mistake != "no-slope":
            d = d * np.where(bends[i - 1] > 0, 1 - below**2, 1.0)
    return gradients


def train(net: list[np.ndarray], x: np.ndarray, bends: np.ndarray) -> None:
    """Adam on all points, its rate falling to 0."""
    means, squares = [np.zeros_like(part) for part in net], [np.zeros_like(part) for part in net]
    for step in range(1, STEPS + 1):
        slopes = backward(net, x, forward(net, x, bends), bends)
        for part, m, v, g in zip(net, means, squares, slopes, strict=True):
            m += 0.1 * (g - m)
            v += 0.01 * (g * g - v)
            part -= 0.02 * (1 - step / STEPS) * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)


def errors(outputs: np.ndarray, x: np.ndarray) -> np.ndarray:
    return ((outputs - x) ** 2).sum(-1)


def run(
    *,
    arc: Annotated[int, Range(60, 330), "degrees of the open arc"] = 240,
    loop: Annotated[int, Range(60, 360), "degrees of the loop, closed at 360"] = 360,
    activation: Annotated[Literal["tanh", "identity"], "of all layers that bend"] = "tanh",
    shallow_decoder: Annotated[Literal["linear", "tanh"], "tanh gives the shallow one a hidden layer"] = "linear",
    code_of: Annotated[Literal["deep", "linear encoder"], "whose code is held against the position"] = "deep",
    mistake: Literal["none", "no-mean", "no-slope"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    half = np.deg2rad(arc) / 2
    along_chord, about_center, line_error = by_formula(half)
    yield Measure("line-error", line_error)
    yield Measure("chord-variance", along_chord)
    yield Measure("opposite-points-bound", np.linalg.norm(np.diff(on_circle(np.array([0, np.pi])), axis=0)) / 2)
    yield Measure("line-through-origin", min(about_center, along_chord))
    apart = 0.0
    for a in (half, *np.deg2rad(range(30, 181, 15))):  # arcs of 60 to 360 degrees
        dense = on_circle(np.linspace(-a, a, 4001))
        most, least = np.linalg.svd(dense - dense.mean(0), compute_uv=False) ** 2 / len(dense)
        kept, uncentered, lost = by_formula(a)
        apart = max(apart, abs((uncentered if mistake == "no-mean" else lost) - least), abs(kept - most))
    yield Claim("line-error-right", measured=apart, at_most=1e-3)

    rng = np.random.default_rng(seed)
    around = np.deg2rad(loop) / 2
    points = on_circle(rng.uniform(-half, half, POINTS))
    center = points.mean(0)
    looped = on_circle(rng.uniform(-around, around, POINTS))
    table = np.array(list(BENDS.values()))
    if shallow_decoder == "tanh":
        table[3, 2] = 1
    table = table * (activation == "tanh")
    bends = np.repeat(table, COPIES, axis=0).T[:, :, None, None]  # (3, M, 1, 1)
    x = np.repeat(np.stack([points - center] * 5 + [looped]), COPIES, axis=0)  # (M, N, 2), four starts each
    net = []
    for before, after in ((2, HIDDEN), (HIDDEN, 1), (1, HIDDEN), (HIDDEN, 2)):
        net.append(rng.normal(0, 1 / np.sqrt(before), (len(x), before, after)))
        net.append(rng.normal(0, 1 if after == HIDDEN else 0.1, (len(x), 1, after)))

    by_hand = backward(net, x, forward(net, x, bends), bends, mistake)
    worst = 0.0
    for part, slopes in zip(net, by_hand, strict=True):
        at = tuple(int(rng.integers(n)) for n in part.shape[1:])
        kept, ends = part[:, *at].copy(), []
        for shift in (1e-5, -1e-5):
            part[:, *at] = kept + shift
            ends.append(errors(forward(net, x, bends)[-1], x).mean(1))  # (M,)
        part[:, *at] = kept
        worst = max(worst, np.abs((ends[0] - ends[1]) / 2e-5 - slopes[:, *at]).max())
    yield Claim("gradients-right", measured=worst, at_most=1e-6)

    train(net, x, bends)
    reached = forward(net, x, bends)[-1]
    fit = errors(reached, x).mean(1).reshape(-1, COPIES)  # (kinds, copies)
    best = np.arange(0, len(x), COPIES) + fit.argmin(1)  # the start that fits its own points best
    on_train = dict(zip(BENDS, fit.min(1), strict=True))
    axis = np.linalg.svd(x[0], full_matrices=False)[2][:1]  # (1, 2), the first principal direction
    pca = errors(x[0] @ axis.T @ axis, x[0]).mean()

    flat_kinds = ("linear decoder", "shallow", "deep, linear")
    spreads = []
    for kind in flat_kinds:
        for out in reached.reshape(-1, COPIES, POINTS, 2)[list(BENDS).index(kind)]:
            values = np.linalg.svd(out - out.mean(0), compute_uv=False)
            spreads.append(values[1])  # how far off the best line, all points together
    yield Claim("outputs-on-a-line", measured=max(spreads), at_most=1e-9)
    ratios = [on_train[kind] / pca for kind in flat_kinds]
    yield Claim("no-better-than-pca", measured=max(ratios, key=lambda ratio: abs(ratio - 1)), between=(0.99, 1.05))

    # Fresh points, evenly spaced, so that nothing between two training points stays hidden.
    position, turn = np.linspace(-half, half, 200), np.linspace(-around, around, 200)
    fresh, fresh_loop = on_circle(position) - center, on_circle(turn)
    layers = forward(net, np.repeat(np.stack([fresh] * 5 + [fresh_loop]), COPIES, axis=0), bends)
    codes = dict(zip(BENDS, layers[1][best][:, :, 0], strict=True))  # (200,) each
    outputs = dict(zip(BENDS, layers[-1][best], strict=True))
    flat = fresh @ axis.T @ axis
    off = {kind: errors(outputs[kind], fresh).mean() for kind in BENDS if kind != "loop"}
    off["PCA"] = errors(flat, fresh).mean()
    yield Table("error on fresh points, one code unit", ["kind", "squared error"], [list(row) for row in off.items()])
    shown = {"fresh points": fresh, "PCA": flat, "deep": outputs["deep"]}
    yield Plot("arc", {name: (p[::4, 0], p[::4, 1]) for name, p in shown.items()}, style="points")
    yield Measure("deep-share", off["deep"] / off["PCA"])
    yield Claim("deep-beats-pca", measured=off["deep"] / off["PCA"], at_most=0.1)
    yield Claim("deep-beats-shallow", measured=off["deep"] / off["shallow"], at_most=0.1)
    shadows = on_circle(position) @ on_circle(np.linspace(0, np.pi, 180)).T  # (200, 180), one column a direction
    rises = (np.diff(shadows, axis=0) > 0).mean(0)
    folds = ((rises > 0) & (rises < 1)).all()  # whichever way it projects, the code turns back somewhere
    yield Claim("linear-encoder-folds", measured=np.sqrt(off["linear encoder"]) * folds, at_least=0.1)
    scaled = {k: (codes[k] - codes[k].mean()) / max(codes[k].std(), 1e-9) for k in ("deep", "linear encoder")}
    yield Plot(
        "code",
        {name: (np.rad2deg(position), code) for name, code in scaled.items()},
        x_label="position on the arc (degrees)",
        y_label="code, standardized",
    )
    rising = np.mean(np.diff(codes[code_of]) > 0)  # which end is high is chance
    yield Claim("code-orders-the-arc", measured=max(rising, 1 - rising), at_least=0.85)

    distance = np.sqrt(errors(outputs["loop"], fresh_loop))
    yield Text(f"The same deep network for {loop} degrees of a circle: where does it fail?")
    yield Plot(
        "around-the-loop",
        {"distance": (np.rad2deg(turn), distance)},
        x_label="position on the loop (degrees)",
        y_label="distance from the reconstruction (radii)",
    )
    yield Measure("worst-distance", round(distance.max(), 2))
    yield Claim("circle-tears", measured=distance.max(), at_least=1.0)


if __name__ == "__main__":
    main(run)
