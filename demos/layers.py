"""A network layer by layer: what each one holds, what passes through, and what a hidden layer is good for.

    h₀ = x (B, n₀),   h_l = tanh(h_{l-1} W_l + b_l),   W_l (n_{l-1}, n_l), b_l (n_l)        the last one without tanh

The input layer is the data: it holds values and no parameters. Every later layer holds n_{l-1} n_l weights and n_l
biases, whatever the batch size B. First the bookkeeping, then what a width decides: the directions of the input that
a narrow layer forgets, and the fences that a hidden layer can put up. A hidden layer that has learned XOR has moved
the four corners so that one line parts them; two hidden units cannot fence in a circle, three can.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, chapter 6; Bishop (2006), Pattern Recognition and
Machine Learning, section 5.1.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, Table, main

claims = {
    "parameters-that-matter": {
        "says": "parameters that can change the output: (n_{l-1} + 1) n_l of each later layer, at 4 shapes",
        "false_when": {"count": "every-layer"},
    },
    "batch-size-is-free": {
        "says": "an example's output is the same alone and in batches of 2 to 32",
        "false_when": {"center": "batch"},
    },
    "hidden-units-swap": {
        "says": "swapping hidden units with their weights in and out leaves the output as it was",
        "false_when": {"mistake": "swap-in-only"},
    },
    "twins-do-not-average": {
        "says": "the mean of a network's weights and its swapped twin's is another function, far from theirs",
        "false_when": {"twin": "same"},
    },
    "narrow-layer-forgets": {
        "says": "first hidden layers narrower than the input leave directions in which the output does not change",
        "false_when": {"first": 8},
    },
    "gradient-checked": {
        "says": "the gradient by hand agrees with finite differences to a relative error of 1e-6",
        "false_when": {"mistake": "no-derivative"},
    },
    "inputs-cross": {
        "says": "in the input plane the hulls of XOR's labels meet, so no line parts them",
        "false_when": {"label": "first-input"},
    },
    "hidden-layer-parts-xor": {
        "says": "once XOR is learned, a line parts its labels behind two hidden units: the hulls are 0.5 apart",
        "false_when": {"activation": "linear"},
    },
    "two-cannot-fence": {
        "says": "two hidden tanh units get at most 90% of two nested circles right, in the best of 12 starts",
        "false_when": {"few": 5},
    },
    "three-can-fence": {
        "says": "three hidden tanh units get all points of two nested circles right, in the best of 12 starts",
        "false_when": {"enough": 2},
    },
}
measures = {
    "parameters": "weights and biases of a network inputs-hidden-outputs",
    "weights-only": "its weights alone, the biases forgotten",
    "input-layer-too": "its parameters, had the input layer weights and biases of its own",
    "fenced-few": "share of points on two circles that `few` hidden units get right, the best of 12 starts",
    "gap-inputs": "distance between the hulls of XOR's labels in the input plane",
    "gap-hidden": "the same behind two hidden units, the median of the runs that learned XOR",
}
predict = {
    "ask": "A circle of one class around a circle of the other: what share of points do two tanh units get right?",
    "measure": "fenced-few",
    "choices": {"all of the points": [0.97, 1], "about three quarters": [0.65, 0.9], "about half": [0, 0.65]},
}
ACTIVATIONS = {  # with the derivative, from the activation's own value
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "linear": (lambda z: z, np.ones_like),
}
Net = list[np.ndarray]


def start(rng: np.random.Generator, sizes: list[int], copies: int = 1) -> Net:
    """Independent networks side by side: W (R, n_in, n_out) and b (R, 1, n_out) for each layer after the input."""
    net = []
    for i in range(1, len(sizes)):
        n_in, n_out = sizes[i - 1], sizes[i]
        net += [rng.normal(0, 1.5 / np.sqrt(n_in), (copies, n_in, n_out)), rng.normal(0, 0.5, (copies, 1, n_out))]
    return net


def parameter_count(sizes: list[int]) -> int:
    """One weight for each input and one bias, for each unit of each layer after the input."""
    return sum((sizes[i - 1] + 1) * sizes[i] for i in range(1, len(sizes)))


def forward(x: np.ndarray, net: Net, activation: str = "tanh") -> list[np.ndarray]:
    """The values of every layer, input and output included: (B, n₀), then (R, B, n_l) each."""
    layers, last = [x], len(net) // 2 - 1
    for i in range(last + 1):
        z = layers[-1] @ net[2 * i] + net[2 * i + 1]
        layers.append(z if i == last else ACTIVATIONS[activation][0](z))
    return layers


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(z / 2)  # which cannot overflow


def losses(x: np.ndarray, t: np.ndarray, net: Net, activation: str) -> np.ndarray:
    """Mean cross-entropy of each network (R,) for labels t (B,)."""
    return np.logaddexp(0, (1 - 2 * t)[:, None] * forward(x, net, activation)[-1]).mean(axis=(1, 2))


def gradient(x: np.ndarray, t: np.ndarray, net: Net, activation: str, mistake: str = "none") -> Net:
    """Backward through the layers, the last one first; one array for each of `net`."""
    layers = forward(x, net, activation)
    dz, parts = (sigmoid(layers[-1]) - t[:, None]) / len(x), []  # (R, B, 1)
    for i in reversed(range(len(net) // 2)):
        parts = [layers[i].swapaxes(-1, -2) @ dz, dz.sum(axis=1, keepdims=True), *parts]
        if i > 0:
            dh = dz @ net[2 * i].swapaxes(1, 2)  # (R, B, n_i)
            dz = dh if mistake == "no-derivative" else dh * ACTIVATIONS[activation][1](layers[i])
    return parts


def train(x: np.ndarray, t: np.ndarray, net: Net, steps: int, activation: str = "tanh") -> np.ndarray:
    """Gradient descent with momentum, in place; the share of points that each network (R,) then gets right."""
    speed = [np.zeros_like(part) for part in net]
    for _ in range(steps):
        for part, pace, slope in zip(net, speed, gradient(x, t, net, activation), strict=True):
            pace *= 0.9
            pace -= 0.2 * slope
            part += pace
    return ((forward(x, net, activation)[-1][..., 0] > 0) == (t > 0.5)).mean(axis=1)


def hull_gap(points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Distance (R,) of the two labels' hulls, for two points each: of two segments. It is 0 where they cross."""
    share = np.linspace(0, 1, 201)[:, None]
    pairs = (points[:, t == label] for label in (0, 1))  # (R, 2, D) each
    zeros, ones = (share * pair[:, [0]] + (1 - share) * pair[:, [1]] for pair in pairs)  # (R, 201, D)
    return np.sqrt(((ones[:, :, None] - zeros[:, None]) ** 2).sum(axis=-1)).min(axis=(1, 2))


def run(
    *,
    inputs: Annotated[int, Range(1, 5000), "input values"] = 5,
    hidden: Annotated[int, Range(1, 5000), "hidden units"] = 4,
    outputs: Annotated[int, Range(1, 1000), "output units"] = 3,
    count: Annotated[Literal["later-layers", "every-layer"], "which layers are counted"] = "later-layers",
    center: Annotated[Literal["none", "batch"], "subtract the batch's mean from the hidden values?"] = "none",
    twin: Annotated[Literal["swapped", "same"], "what a network's weights are averaged with"] = "swapped",
    first: Annotated[int, Range(1, 12), "units of the layer that 4 and 6 inputs have to pass"] = 3,
    activation: Annotated[Literal["tanh", "linear"], "of the hidden units that learn XOR"] = "tanh",
    label: Annotated[Literal["xor", "first-input"], "of the four corners"] = "xor",
    few: Annotated[int, Range(1, 8), "hidden units that try to fence in a disc"] = 2,
    enough: Annotated[int, Range(1, 8), "hidden units that should succeed"] = 3,
    mistake: Literal["none", "swap-in-only", "no-derivative"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    parameters = parameter_count([inputs, hidden, outputs])
    yield Measure("parameters", parameters)
    yield Measure("weights-only", inputs * hidden + hidden * outputs)
    yield Measure("input-layer-too", parameters + (inputs + 1) * inputs)

    # Which numbers matter? Each one that the network holds is nudged, and the output watched.
    rng = np.random.default_rng(seed)
    off = 0
    for sizes, batch in (([4, 8, 3], 32), ([2, 7, 1], 1), ([3, 5, 2, 4, 1], 20), ([5, 4, 3], 7)):
        net, x = start(rng, sizes), rng.normal(size=(batch, sizes[0]))
        layers = forward(x, net)
        matter = [0] * len(sizes)  # by layer; the input layer holds no numbers of its own
        for i, part in enumerate(net):
            for place in np.ndindex(part.shape):
                part[place] += 0.1
                matter[i // 2 + 1] += bool(np.abs(forward(x, net)[-1] - layers[-1]).max() > 1e-9)
                part[place] -= 0.1
        formula = [parameter_count(sizes[max(i - 1, 0) : i + 1]) for i in range(len(sizes))]
        formula[0] = parameter_count([sizes[0], sizes[0]]) if count == "every-layer" else 0
        off += np.abs(np.subtract(matter, formula)).sum()
    names = ["input", "hidden", "output"]
    rows = [[names[0], f"7 x {sizes[0]}", "none", 0]]
    for i in (1, 2):
        shape = f"{sizes[i - 1]} x {sizes[i]} and {sizes[i]}"
        rows.append([names[i], f"7 x {layers[i].shape[-1]}", shape, net[2 * i - 2].size + net[2 * i - 1].size])
    yield Table("a batch of 7 through 5-4-3", ["layer", "values", "weights and biases", "parameters"], rows)
    yield Claim("parameters-that-matter", measured=off, at_most=0)

    def output(batch: np.ndarray) -> np.ndarray:
        h = forward(batch, net)[1]
        h = h - h.mean(axis=1, keepdims=True) if center == "batch" else h
        return (h @ net[2] + net[3])[0]  # (B, 3)

    many = rng.normal(size=(32, 5))
    alone = np.concatenate([output(many[[i]]) for i in range(32)])
    changes = [np.abs(output(many[:size]) - alone[:size]).max() for size in (2, 7, 20, 32)]
    yield Claim("batch-size-is-free", measured=max(changes), at_most=1e-9)

    order = [2, 0, 3, 1]
    out = net[2] if mistake == "swap-in-only" else net[2][:, order]
    swapped = [net[0][..., order], net[1][..., order], out, net[3]]
    yield Claim("hidden-units-swap", measured=np.abs(forward(x, swapped)[-1] - layers[-1]).max(), at_most=1e-9)

    nets, x = start(rng, sizes, copies=200), rng.normal(size=(50, 5))
    twins = nets if twin == "same" else [nets[0][..., order], nets[1][..., order], nets[2][:, order], nets[3]]
    mean = [(mine + other) / 2 for mine, other in zip(nets, twins, strict=True)]
    common = forward(x, nets)[-1]  # (R, B, 3), the twins' as well
    off = ((forward(x, mean)[-1] - common) ** 2).mean(axis=1) / common.var(axis=1)  # (R, 3)
    yield Claim("twins-do-not-average", measured=np.median(off), at_least=0.2)

    # Inputs into a narrow layer, then wide ones: moves that W₁ maps to zero are lost to all that follows.
    changes = []
    for sizes in ([6, first, 50, 2], [4, first, 9, 1], [20, 2 * first, 50, 50, 3], [100, 10, 500, 1]):
        deep, x = start(rng, sizes), rng.normal(size=(7, sizes[0]))
        direction = np.linalg.svd(deep[0][0].T)[2][-1]  # (n₀,), a unit vector that the first layer hears least
        changes.append(np.abs(forward(x + 3 * direction, deep)[-1] - forward(x, deep)[-1]).max())
    yield Claim("narrow-layer-forgets", measured=max(changes), at_most=1e-9)

    # XOR with two hidden units: where do the corners lie once it is learned?
    x, t = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    t = t if label == "xor" else x[:, 0]
    net, way = start(rng, [2, 4, 3, 1]), start(rng, [2, 4, 3, 1])
    by_hand = sum((g * d).sum() for g, d in zip(gradient(x, t, net, "tanh", mistake), way, strict=True))
    ahead, behind = ([p + e * d for p, d in zip(net, way, strict=True)] for e in (1e-5, -1e-5))
    slope = (losses(x, t, ahead, "tanh")[0] - losses(x, t, behind, "tanh")[0]) / 2e-5
    yield Claim("gradient-checked", measured=abs(by_hand - slope) / abs(slope), at_most=1e-6)

    net = start(rng, [2, 2, 1], copies=24)
    before = forward(x, net, activation)[1]  # (R, 4, 2)
    right = train(x, t, net, 500, activation)
    after, loss = forward(x, net, activation)[1], losses(x, t, net, activation)
    learned = right == 1 if (right == 1).any() else loss <= np.median(loss)
    gaps = hull_gap(after, t)[learned]
    gap_inputs = hull_gap(x[None], t)[0]
    yield Measure("gap-inputs", gap_inputs)
    yield Claim("inputs-cross", measured=gap_inputs, at_most=1e-9)
    yield Measure("gap-hidden", np.median(gaps))
    yield Claim("hidden-layer-parts-xor", measured=gaps.min(), at_least=0.5)
    best = loss.argmin()
    w, c = net[2][best, :, 0], net[3][best, 0, 0]
    rows = [[f"{x[k, 0]:g} {x[k, 1]:g}", int(t[k]), *before[best, k], *after[best, k]] for k in range(4)]
    yield Table("corners behind two hidden units", ["corner", "label", "h1 before", "h2 before", "h1", "h2"], rows)
    edge = np.linspace(-1, 1, 41)
    line = (edge, (-c - w[0] * edge) / w[1]) if abs(w[1]) > abs(w[0]) else ((-c - w[1] * edge) / w[0], edge)
    inside = (np.abs(line[0]) <= 1) & (np.abs(line[1]) <= 1)
    series = {"label 0": after[best, t == 0].T, "label 1": after[best, t == 1].T}
    series["output's line"] = (line[0][inside], line[1][inside])
    yield Plot("hidden-plane", series, x_label="first hidden unit", y_label="second hidden unit", style="points")

    # A circle of radius 0.6 inside one of radius 1.6. Each hidden unit is one direction; two leave the fence open.
    turn = 2 * np.pi * np.arange(30) / 30
    x = np.concatenate([r * np.stack([np.cos(turn), np.sin(turn)], axis=1) for r in (0.6, 1.6)])  # (60, 2)
    t = np.repeat([1.0, 0.0], 30)
    side = np.linspace(-2, 2, 24)
    plane = np.stack(np.meshgrid(side, side[::-1]), axis=-1).reshape(-1, 2)  # (576, 2)
    widths, share, maps = sorted({1, 2, 3, few, enough}), {}, {}
    for done, units in enumerate(widths):
        yield Progress(done, len(widths))
        net = start(rng, [2, units, 1], copies=12)
        share[units] = train(x, t, net, 500).max()
        best = losses(x, t, net, "tanh").argmin()
        if units > 1:
            picture = sigmoid(forward(plane, [part[[best]] for part in net])[-1]).reshape(24, 24)
            maps[f"{units} hidden units"] = picture
    yield Image("output-on-the-plane", dict(list(maps.items())[:3]))
    yield Measure("fenced-few", share[few])
    yield Claim("two-cannot-fence", measured=share[few], at_most=0.9)
    yield Claim("three-can-fence", measured=share[enough], at_least=0.99)


if __name__ == "__main__":
    main(run)
