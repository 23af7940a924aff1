"""A deep belief network: RBMs stacked one by one, what the stacking guarantees, and the 2006 recipe of unrolling it.

    p(v, h1, h2) = p(v | h1) p(h1, h2)        p(h1, h2): the top RBM;  p(v | h1): directed, from the RBM below it
    log p(v) >= Σ_h q(h | v) [log p(h) + log p(v | h)] + H(q)        q(h | v): the lower RBM's sigmoids, frozen

The second RBM starts as the first one turned upside down, so that nothing changes; trained on the first one's hidden
states it then raises this bound. On pictures of 3 by 3 pixels all of it is listed exactly, for eight networks at
once. On 4 by 4 pixels a stack of three is unrolled into an autoencoder of seven layers of units (six of
weights) and fine-tuned by backpropagation, beside networks that start from random weights.

Sources: Hinton, Osindero & Teh (2006), Neural Computation 18; Hinton & Salakhutdinov (2006), Science 313.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "counts-match-arrays": {
        "says": "unrolled, a stack's weights count twice; each unit that computes has one bias",
        "false_when": {"mistake": "weights-only"},
    },
    "first-layer-learns": {
        "says": "the first RBM's exact log-likelihood rises by over a nat a picture under sampled CD-1",
        "false_when": {"mistake": "data-only"},
    },
    "tied-start-changes-nothing": {
        "says": "a second RBM that is the first upside down leaves p(v) as it was",
        "false_when": {"second": "random"},
    },
    "cd-sample-mean": {
        "says": "a sampled CD-1 update on 7,000 rows is the one computed by enumeration, to within 0.03",
        "false_when": {"mistake": "data-only"},
    },
    "top-gradient-right": {
        "says": "the second RBM's exact gradient agrees with finite differences of its log-likelihood",
        "false_when": {"mistake": "data-only"},
    },
    "bound-rises": {
        "says": "trained on hidden states of the data, the second RBM lifts the bound above the first's likelihood",
        "false_when": {"mistake": "model-hidden"},
    },
    "random-start-lowers": {
        "says": "an untrained second RBM of random weights (deviation 1) lowers the likelihood by over 0.1 nats",
        "false_when": {"untrained": "tied"},
    },
    "gap-is-kl": {
        "says": "log-likelihood minus bound equals KL(q(h | v) || p(h | v)), averaged over the pictures",
        "false_when": {"mistake": "reverse-kl"},
    },
    "inference-turns-approximate": {
        "says": "once the second RBM is trained, the first one's sigmoids are no longer the exact posterior",
        "false_when": {"second_steps": 0},
    },
    "top-then-down": {
        "says": "Gibbs steps in the top RBM and one pass down sample the network's exact p(v)",
        "false_when": {"mistake": "lower-gibbs"},
    },
    "probe-on-features": {
        "says": "a linear readout of the first 20 hidden units tells over 60% of bars from stripes; of pixels, half",
        "false_when": {"readout": "pixels"},
    },
    "random-features-too": {
        "says": "20 sigmoid units of random weights serve that readout as well",
        "false_when": {"readout": "pixels"},
    },
    "unrolling-keeps-the-stack": {
        "says": "the unrolled network is the stack's probabilities passed up and down, decoder weights transposed",
        "false_when": {"mistake": "no-hidden-biases"},
    },
    "backward-right": {
        "says": "the unrolled network's gradients by hand agree with finite differences",
        "false_when": {"mistake": "no-slope"},
    },
    "starts-ahead": {
        "says": "before fine-tuning the unrolled network beats the mean picture (11.1 nats) by half a nat to six",
        "false_when": {"pretraining": 0},
    },
    "fine-tuning-finishes": {
        "says": "400 updates of fine-tuning bring the pre-trained sigmoid network below 0.5 nats a picture",
        "false_when": {"pretraining": 0},
    },
    "random-start-stuck": {
        "says": "from small random weights it returns the mean picture, within 0.5 nats, even after 1,000 updates",
        "false_when": {"rbms": 2},
    },
    "tanh-needs-none": {
        "says": "with tanh units and Glorot's scale, 600 updates from random weights get below 1 nat",
        "false_when": {"units": "sigmoid"},
    },
}
measures = {
    "parameters": "weights and biases of an unrolled network with layers V, H, K, H, V, one bias a unit",
    "parameters-weights": "its weights alone",
    "parameters-stack": "parameters of the two RBMs it came from, each RBM with two bias vectors",
    "bound-gain": "mean rise of the bound by the second RBM, nats a picture",
    "start-error": "cross-entropy of the unrolled network before fine-tuning, nats a picture",
    "tuned-error": "the same after fine-tuning",
    "random-error": "the same from small random weights, after 1,000 updates",
}
predict = {
    "ask": "An autoencoder of six sigmoid layers, small random start. The mean picture scores 11.1 nats. It ends at:",
    "measure": "random-error",
    "choices": {"below 1": [0.0, 1.0], "1 to 8": [1.0, 8.0], "about 11": [8.0, 15.0]},
}
COPIES = 8
Rbm = tuple[np.ndarray, ...]  # weights (M, V, H), visible biases (M, 1, V), hidden biases (M, 1, H) of M machines


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def all_states(n: int) -> np.ndarray:
    """Every binary vector of n units, (2^n, n); unit i is bit i of the row's number."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(float)


def bars_and_stripes(n: int) -> np.ndarray:
    """Pictures (N, n²) whose columns, or whose rows, are each all on or all off."""
    states = all_states(n * n)
    grids = states.reshape(-1, n, n)
    return states[(grids == grids[:, :1]).all((1, 2)) | (grids == grids[:, :, :1]).all((1, 2))]


def draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(p.shape) < p).astype(float)


def log_layer(given: np.ndarray, w: np.ndarray, b: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """log p(layer | given) for every pair of a row of `given` (S, I) and one of `layer` (T, J): (M, S, T)."""
    z = given @ w + b
    return z @ layer.T - np.logaddexp(0, z).sum(2, keepdims=True)


def pass_down(log_h: np.ndarray, down: np.ndarray) -> np.ndarray:
    """log p(v), (M, S), from log p(h), (M, T), and log p(v | h), `down` (M, T, S)."""
    return np.logaddexp.reduce(log_h[:, :, None] + down, axis=1)


def log_p(v: np.ndarray, rbm: Rbm) -> np.ndarray:
    """Exact log-probabilities (M, S) of the states v, which have to be ALL visible states."""
    w, b, c = rbm
    score = (v * b).sum(2) + np.logaddexp(0, c + v @ w).sum(2)
    score -= score.max(1, keepdims=True)
    return score - np.log(np.exp(score).sum(1, keepdims=True))


def start(rng: np.random.Generator, visible: int, hidden: int, copies: int, scale: float = 0.1) -> Rbm:
    w = rng.normal(0, scale, (copies, visible, hidden))
    return w, np.zeros((copies, 1, visible)), np.zeros((copies, 1, hidden))


def train_by_cd(x: np.ndarray, rbm: Rbm, steps: int, rng: np.random.Generator, rate: float, mistake: str) -> Rbm:
    """Sampled CD-1 on all rows x, probabilities (N, V) or (M, N, V), drawn anew for each update."""
    w, b, c = (part.copy() for part in rbm)
    negative = 0.0 if mistake == "data-only" else 1.0
    for _ in range(steps):
        v = draw(np.broadcast_to(x, (len(w), *x.shape[-2:])), rng)  # (M, N, V)
        h = sigmoid(v @ w + c)
        v1 = draw(sigmoid(draw(h, rng) @ w.swapaxes(1, 2) + b), rng)
        h1 = sigmoid(v1 @ w + c)
        w += rate * (v.swapaxes(1, 2) @ h - negative * v1.swapaxes(1, 2) @ h1) / x.shape[-2]
        b += rate * (v - negative * v1).mean(1, keepdims=True)
        c += rate * (h - negative * h1).mean(1, keepdims=True)
    return w, b, c


def contrast(v: np.ndarray, data: np.ndarray, model: np.ndarray, rbm: Rbm) -> Rbm:
    """Means of v h, v and h over the states v under the distributions `data` (M, S), minus those under `model`."""
    gap = (data - model)[:, None]  # (M, 1, S)
    h = sigmoid(v @ rbm[0] + rbm[2])  # (M, S, H)
    return v.T @ (gap.swapaxes(1, 2) * h), gap @ v, gap @ h


def train_exactly(v: np.ndarray, target: np.ndarray, rbm: Rbm, steps: int) -> Rbm:
    """Gradient ascent on the exact log-likelihood of the distributions `target` (M, S) over all states v."""
    for _ in range(steps):
        gradient = contrast(v, target, np.exp(log_p(v, rbm)), rbm)
        rbm = tuple(part + slope for part, slope in zip(rbm, gradient, strict=True))
    return rbm


def finite_differences(part: np.ndarray, at: tuple, cost: Callable[[], float]) -> float:
    """Slope of the cost along one entry of `part`, which is put back afterwards."""
    value, ends = part[at], []
    for part[at] in (value + 1e-5, value - 1e-5):
        ends.append(cost())
    part[at] = value
    return (ends[0] - ends[1]) / 2e-5


def unroll(stack: list, mistake: str = "none") -> list[list[np.ndarray]]:
    """Encoder and decoder start from the same weights, as copies: fine-tuning moves each on its own."""
    kept = 0.0 if mistake == "no-hidden-biases" else 1.0
    return [[w, kept * c] for w, _, c in stack] + [[w.T.copy(), b] for w, b, _ in stack[::-1]]


def forward(net: list[list[np.ndarray]], x: np.ndarray, units: str) -> list[np.ndarray]:
    """All layers' activations; the output layer is sigmoid, for pixels between 0 and 1."""
    layers = [x]
    for i, (w, b) in enumerate(net):
        z = layers[-1] @ w + b
        layers.append(np.tanh(z) if units == "tanh" and i < len(net) - 1 else sigmoid(z))
    return layers


def cross_entropy(output: np.ndarray, x: np.ndarray) -> float:
    """Nats a picture, summed over pixels."""
    return float(-(x * np.log(output + 1e-12) + (1 - x) * np.log(1 - output + 1e-12)).sum(1).mean())


def backward(net: list, layers: list[np.ndarray], units: str, mistake: str = "none") -> list[list[np.ndarray]]:
    """Gradients of the cross-entropy between the output and the input, layers[0]."""
    d = (layers[-1] - layers[0]) / len(layers[0])  # by sigmoid and cross-entropy together
    gradients = []
    for (w, _), a in zip(net[::-1], layers[-2::-1], strict=True):
        gradients.append([a.T @ d, d.sum(0)])
        slope = 1 - a**2 if units == "tanh" else a * (1 - a)
        d = d @ w.T * (1.0 if mistake == "no-slope" else slope)
    return gradients[::-1]


def fine_tune(net: list, x: np.ndarray, steps: int, rate: float, units: str = "sigmoid") -> tuple[list, list[float]]:
    """Gradient descent with momentum 0.9 on all rows; the network and its error before each update and at the end."""
    net = [[part.copy() for part in layer] for layer in net]
    speed = [[np.zeros_like(part) for part in layer] for layer in net]
    errors = []
    for _ in range(steps):
        layers = forward(net, x, units)
        errors.append(cross_entropy(layers[-1], x))
        for layer, paces, slopes in zip(net, speed, backward(net, layers, units), strict=True):
            for part, pace, slope in zip(layer, paces, slopes, strict=True):
                pace *= 0.9
                pace -= rate * slope
                part += pace
    return net, [*errors, cross_entropy(forward(net, x, units)[-1], x)]


def run(
    *,
    visible: Annotated[int, Range(1, 2000), "V of the counted network"] = 16,
    hidden: Annotated[int, Range(1, 2000), "H of the counted network"] = 8,
    code: Annotated[int, Range(1, 2000), "K of the counted network"] = 2,
    second: Annotated[Literal["tied", "random"], "how the second RBM starts"] = "tied",
    untrained: Annotated[Literal["random", "tied"], "a second RBM that is not trained at all"] = "random",
    second_steps: Annotated[int, Range(0, 1000), "updates of the second RBM"] = 200,
    readout: Annotated[Literal["features", "pixels"], "what the linear readout sees"] = "features",
    rbms: Annotated[int, Range(2, 3), "RBMs in the stack that is unrolled"] = 3,
    pretraining: Annotated[int, Range(0, 2000), "CD-1 updates for each of them"] = 400,
    units: Annotated[Literal["tanh", "sigmoid"], "hidden units of the Glorot-scaled network"] = "tanh",
    mistake: Literal[
        "none",
        "weights-only",
        "data-only",
        "model-hidden",
        "reverse-kl",
        "lower-gibbs",
        "no-hidden-biases",
        "no-slope",
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    once = visible * hidden + hidden * code  # the weights of the two RBMs
    counts = {
        "parameters": 2 * once + 2 * hidden + code + visible,
        "parameters-weights": 2 * once,
        "parameters-stack": once + visible + 2 * hidden + code,  # the H units between have a bias in either RBM
    }
    for name, count in counts.items():
        yield Measure(name, count)
    if mistake == "weights-only":
        counts["parameters"] = counts["parameters-weights"]
    pair = [[np.zeros(shape) for shape in ((n, m), n, m)] for n, m in pairwise([visible, hidden, code])]
    net = unroll(pair)
    sizes = [sum(part.size for layer in layers for part in layer) for layers in (net, [[w] for w, _ in net], pair)]
    apart = max(abs(count - size) for count, size in zip(counts.values(), sizes, strict=True))
    yield Claim("counts-match-arrays", measured=apart, at_most=0)
    rng = np.random.default_rng(seed)

    # First RBM: 9 pixels, 4 hidden units, 14 pictures.
    pictures, v, h = bars_and_stripes(3), all_states(9), all_states(4)
    rows = (pictures @ 2 ** np.arange(9)).astype(int)
    small = start(rng, 9, 4, COPIES)
    first = train_by_cd(pictures, small, 600, rng, 0.5, mistake)
    likelihood = log_p(v, first)[:, rows].mean(1)  # (M,)
    # From nine coins, -9 ln 2, to 14 equally likely pictures, -ln 14, there are 3.6 nats to gain.
    learned = (likelihood - log_p(v, small)[:, rows].mean(1)).mean()
    yield Claim("first-layer-learns", measured=learned, between=(1.0, 3.6))

    # CD-1 compares the data with pictures one step later: up from the data, and down again.
    wild = w, b, c = tuple(rng.normal(0, 1, part.shape) for part in small)
    up, down = np.exp(log_layer(pictures, w, c, h)), log_layer(h, w.swapaxes(1, 2), b, v)
    data = np.isin(np.arange(512), rows) / len(rows)
    listed = contrast(v, data, np.exp(pass_down(np.log(up.mean(1)), down)), wild)
    moved = train_by_cd(np.tile(pictures, (500, 1)), wild, 1, rng, 0.5, mistake)
    off = [np.abs(now - (was + 0.5 * mean)).max() for now, was, mean in zip(moved, wild, listed, strict=True)]
    yield Claim("cd-sample-mean", measured=max(off), at_most=0.03)

    # Second RBM on top: its visible units are the first one's hidden units.
    w, b, c = first
    log_up = log_layer(pictures, w, c, h)  # log q(h | v), (M, N, 16)
    up = np.exp(log_up)
    down = log_layer(h, w.swapaxes(1, 2), b, v)  # log p(v | h), (M, 16, 512)
    tied = w.swapaxes(1, 2), c, b
    top = tied if second == "tied" else start(rng, 4, 9, COPIES)
    change = np.exp(pass_down(log_p(h, top), down)) - np.exp(log_p(v, first))
    yield Claim("tied-start-changes-nothing", measured=np.abs(change).max(), at_most=1e-9)

    from_data, from_model = up.mean(1), np.exp(log_p(h, tied))  # two distributions over h, (M, 16)
    probe = tuple(rng.normal(0, 1, part[:1].shape) for part in tied)
    model = np.exp(log_p(h, probe))
    by_hand = contrast(h, from_data[:1], 0 * model if mistake == "data-only" else model, probe)
    apart = 0.0
    for part, slope in zip(probe, by_hand, strict=True):
        for at in np.ndindex(part.shape):
            measured = finite_differences(part, at, lambda: float((from_data[:1] * log_p(h, probe)).sum()))
            apart = max(apart, abs(measured - slope[at]))
    yield Claim("top-gradient-right", measured=apart, at_most=1e-6)
    top = train_exactly(h, from_model if mistake == "model-hidden" else from_data, top, second_steps)
    fresh = tied if untrained == "tied" else start(rng, 4, 9, COPIES, 1.0)
    log_down = down[:, :, rows].swapaxes(1, 2)  # (M, N, 16)

    def bound_of(top: Rbm) -> np.ndarray:
        """The bound with this second RBM, mean over the pictures: (M,)."""
        return (up * (log_down + log_p(h, top)[:, None] - log_up)).sum(2).mean(1)

    bound = bound_of(top)
    stacked, stacked_fresh = (pass_down(log_p(h, it), down)[:, rows] for it in (top, fresh))  # log p(v), (M, N)
    posterior = log_down + log_p(h, top)[:, None] - stacked[:, :, None]  # log p(h | v)
    kl = (up * (log_up - posterior)).sum(2).mean(1)
    other = (np.exp(posterior) * (posterior - log_up)).sum(2).mean(1)
    yield Table(
        "nats a picture, mean of 8 networks",
        ["", "bound", "log-likelihood"],
        [
            ["first RBM alone", likelihood.mean(), likelihood.mean()],
            ["random RBM on top, untrained", bound_of(fresh).mean(), stacked_fresh.mean()],
            ["second RBM trained", bound.mean(), stacked.mean()],
        ],
    )
    gain = (bound - likelihood).mean()
    yield Measure("bound-gain", gain)
    yield Claim("bound-rises", measured=gain, between=(0.02, 0.5))
    lost = (stacked_fresh.mean(1) - likelihood).mean()
    yield Claim("random-start-lowers", measured=lost, between=(-4.0, -0.1))
    gap = stacked.mean(1) - bound
    yield Claim("gap-is-kl", measured=np.abs(gap - (other if mistake == "reverse-kl" else kl)).max(), at_most=1e-9)
    yield Claim("inference-turns-approximate", measured=kl.mean(), between=(0.002, 0.1))

    # Sampling, network 0: equilibrium at the top, then down once. The lower RBM's own chain is another model.
    w_top, b_top, c_top = (part[0] for part in top)
    h1 = draw(np.full((30_000, 4), 0.5), rng)
    for _ in range(20):
        if mistake == "lower-gibbs":
            h1 = draw(sigmoid(draw(sigmoid(h1 @ w[0].T + b[0]), rng) @ w[0] + c[0]), rng)
        else:
            h1 = draw(sigmoid(draw(sigmoid(h1 @ w_top + c_top), rng) @ w_top.T + b_top), rng)
    drawn = draw(sigmoid(h1 @ w[0].T + b[0]), rng)
    shares, _ = np.histogram(drawn @ 2 ** np.arange(9), np.arange(513), density=True)  # of the 512 pictures
    exact = np.exp(pass_down(log_p(h, top), down))[0]
    yield Claim("top-then-down", measured=1 - np.minimum(shares, exact).sum(), at_most=0.08)  # total variation

    # 4 by 4 pixels: pre-train layer by layer, each RBM on the activations of the one before.
    pictures = bars_and_stripes(4)  # (30, 16)
    sizes, x, stack = [16, 20, 10, 4][: rbms + 1], pictures, []
    for before, after in pairwise(sizes):
        rbm = train_by_cd(x, start(rng, before, after, 1), pretraining, rng, 0.3, "none")
        stack.append([part.squeeze() for part in rbm])
        x = sigmoid(x @ stack[-1][0] + stack[-1][2])
    unrolled = unroll(stack, mistake)
    for w, b, _ in stack[::-1]:
        x = sigmoid(x @ w.T + b)  # from the top RBM's code down again, RBM by RBM
    difference = np.abs(forward(unrolled, pictures, "sigmoid")[-1] - x).max()
    yield Claim("unrolling-keeps-the-stack", measured=difference, at_most=1e-9)

    mixed = np.ptp(pictures, axis=1) > 0  # all on and all off are both bars and stripes
    is_bar = np.where((pictures.reshape(-1, 4, 4) == pictures[:, None, :4]).all((1, 2)), 1.0, -1.0)[mixed]

    def told(features: np.ndarray) -> int:
        """How many of the 28 others a linear readout tells apart."""
        columns = np.column_stack([features[mixed], np.ones(mixed.sum())])
        return ((columns @ np.linalg.lstsq(columns, is_bar, rcond=None)[0] > 0) == (is_bar > 0)).sum()

    random_layer = sigmoid(pictures @ rng.normal(0, 0.75, (16, 20)))
    learned_layer = forward(unrolled, pictures, "sigmoid")[1]
    if readout == "pixels":
        learned_layer = random_layer = pictures
    yield Claim("probe-on-features", measured=told(learned_layer), at_least=17)
    yield Claim("random-features-too", measured=told(random_layer), at_least=20)

    some, wrong = pictures[3:12], 0.0
    # Weights and biases so small that no output saturates: differences stay exact.
    gentle = [[rng.normal(0, 0.3, part.shape) for part in layer] for layer in unrolled]
    for kind in ("sigmoid", "tanh"):
        by_hand = backward(gentle, forward(gentle, some, kind), kind, mistake)
        for layer, slopes in zip(gentle, by_hand, strict=True):
            for part, slope in zip(layer, slopes, strict=True):
                at = tuple(rng.integers(part.shape))
                measured = finite_differences(
                    part, at, lambda kind=kind: cross_entropy(forward(gentle, some, kind)[-1], some)
                )
                wrong = max(wrong, abs(measured - slope[at]))
    yield Claim("backward-right", measured=wrong, at_most=1e-6)

    tuned, errors = fine_tune(unrolled, pictures, 400, 0.3)
    mean_picture = cross_entropy(np.broadcast_to(pictures.mean(0), pictures.shape), pictures)
    yield Measure("start-error", errors[0])
    yield Measure("tuned-error", errors[-1])
    yield Claim("starts-ahead", measured=mean_picture - errors[0], between=(0.5, 6.0))
    yield Claim("fine-tuning-finishes", measured=errors[-1], at_most=0.5)
    pick = [5, 20]
    yield Image(
        "reconstructions",
        {
            f"{name} {i}": rows[i].reshape(4, 4)
            for i in pick
            for name, rows in (
                ("picture", pictures),
                ("unrolled", forward(unrolled, pictures, "sigmoid")[-1]),
                ("tuned", forward(tuned, pictures, "sigmoid")[-1]),
            )
        },
    )
    near_zero = [[rng.normal(0, 0.1, w.shape), np.zeros(len(b))] for w, b in unrolled]
    _, stuck = fine_tune(near_zero, pictures, 1000, 0.3)
    glorot = [[rng.normal(0, np.sqrt(2 / sum(w.shape)), w.shape), np.zeros(len(b))] for w, b in unrolled]
    _, modern = fine_tune(glorot, pictures, 600, 0.03, units)
    yield Measure("random-error", stuck[-1])
    yield Claim("random-start-stuck", measured=stuck[-1], near=(mean_picture, 0.5))
    yield Claim("tanh-needs-none", measured=modern[-1], at_most=1.0)
    yield Plot(
        "fine-tuning",
        {
            "pre-trained": (range(0, 401, 5), errors[::5]),
            "small random": (range(0, 601, 5), stuck[:601:5]),
            f"{units}, Glorot": (range(0, 601, 5), modern[::5]),
        },
        x_label="update",
        y_label="nats a picture",
        log_y=True,
    )


if __name__ == "__main__":
    main(run)
