"""Zero initialization freezes a tanh or ReLU network; any tied start leaves hidden units copies of each other.

    forward    h_l = f(h_(l-1) W_l + b_l)
    backward   ∂L/∂W_l = h_(l-1)ᵀ δ_l,   δ_(l-1) = (δ_l W_lᵀ) ⊙ f'(h_(l-1))

With every weight zero each δ below the output meets a zero matrix, and tanh and ReLU hand on h = 0 besides: only the
output bias gets a gradient. A sigmoid hands on 0.5: its output weights move first, and each layer below follows one
update later, as copies. A constant start trains, but as if each layer had one unit. The task: is |x1| large? That
takes two borders, and one unit per layer draws one.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, section 8.4: breaking symmetry between units.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, Table, Text, main

claims = {
    "zero-freezes-tanh-and-relu": {
        "says": "from zero, no weight and no hidden bias of a tanh or ReLU network moves, at four depths",
        "false_when": {"noise": 0.1},
    },
    "only-output-bias-learns": {
        "says": "such a network learns its output bias alone: it answers each input with the share of positives",
        "false_when": {"noise": 0.1},
    },
    "sigmoid-wakes-backwards": {
        "says": "from zero, a sigmoid network's layers start to move from the top down, one more with each update",
        "false_when": {"positives": 0.5},
    },
    "balanced-sigmoid-sleeps": {
        "says": "with as many positives as negatives, not even a sigmoid network moves from zero, at four depths",
        "false_when": {"noise": 0.1},
    },
    "moving-units-are-copies": {
        "says": "from one constant (of three), and under a sigmoid from zero, the units of each layer move as copies",
        "false_when": {"noise": 0.1},
    },
    "copies-update-is-one-number": {
        "says": "from one constant, the update of the weights into the last hidden layer has equal entries: rank one",
        "false_when": {"noise": 0.1},
    },
    "random-update-has-rank": {
        "says": "from a random start it has rank four or more, of eight",
        "false_when": {"scale": 0.0},
    },
    "copies-are-one-unit": {
        "says": "a trained network of copies computes what one unit per layer does",
        "false_when": {"noise": 0.1},
    },
    "copies-cost-accuracy": {
        "says": "copies end 0.2 nats or more above a random start, on a task that takes two borders",
        "false_when": {"task": "blobs"},
    },
    "unequal-outgoing-frees-last": {
        "says": "hidden weights constant, output weights random: the units of the last hidden layer part",
        "false_when": {"outgoing": "equal"},
    },
    "unequal-outgoing-leaves-first": {
        "says": "in that network the units of the first hidden layer stay copies",
        "false_when": {"noise": 0.1},
    },
    "random-biases-free-units": {
        "says": "every weight zero, one hidden layer: random hidden biases alone make its tanh units part",
        "false_when": {"bias_spread": 0.0},
    },
    "zero-output-layer-trains": {
        "says": "zero output weights above random hidden layers train to under half the loss of guessing",
        "false_when": {"scale": 0.0},
    },
    "zero-output-layer-moves-first": {
        "says": "there update 1 moves the output weights alone, and update 2 all layers, at four depths",
        "false_when": {"scale": 0.0},
    },
    "logistic-learns-from-zero": {
        "says": "a model without hidden layers learns two blobs from zero",
        "false_when": {"linear_layers": 1},
    },
    "near-ties-can-grow": {
        "says": "one layer of tanh units that start 1e-10 apart ends over a hundred times further apart",
        "false_when": {"activation": "relu"},
    },
}
measures = {
    "output-gradient": "first ∂L/∂w of one output weight: sigmoid, one hidden layer, all zero",
    "bias-gradient": "first ∂L/∂b of the output bias in the same network",
    "tanh-output-gradient": "first ∂L/∂w of one output weight with tanh instead",
    "first-layer-wakes": "the update in which the first layer's weights first move: sigmoid, all zero",
    "last-hidden-wakes": "the same for the weights into the last hidden layer",
    "output-wakes": "the same for the output weights",
    "gradient-error": "backward pass against a central difference along the gradient, relative; under 1e-6 they agree",
    "spread": "largest distance between the incoming weights of two units of one hidden layer, after training",
}
predict = {
    "ask": "Any two units of a hidden layer, after training from the chosen start, are:",
    "measure": "spread",
    "choices": {
        "copies of each other": [0.0, 1e-5],
        "slightly different": [1e-5, 0.1],
        "clearly different": [0.1, 1e9],
    },
}

ACTIVATIONS = {  # the function of z, and its derivative in terms of its output h
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda z: np.maximum(z, 0.0), lambda h: (h > 0) * 1.0),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(0.5 * z), lambda h: h * (1 - h)),
    "linear": (lambda z: z, np.ones_like),
}
N = 128  # points; a power of two, so that equal classes give first residuals of ±0.5 / N, which cancel exactly

Network = list[tuple[np.ndarray, np.ndarray]]  # weights (in, out) and biases (out,) of each layer, output layer last


class Trained(NamedTuple):
    end: Network
    change: Network  # since the start
    losses: list[float]
    wakes: list[int]  # per layer, the update in which its weights first moved; 0: never


def make_data(task: str, positives: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points x (N, 2) and labels y (N, 1), of which an exact share is 1."""
    x, ones = rng.normal(size=(N, 2)), round(positives * N)
    if task == "band":
        y = np.argsort(np.argsort(-np.abs(x[:, :1]), axis=0), axis=0) < ones  # the largest |x1|
    else:
        y = np.arange(N)[:, None] < ones
        x = 0.5 * x + np.where(y, 2.0, -2.0) * [1.0, 0.0]
    return x, y.astype(float)


def forward(network: Network, x: np.ndarray, activation: str) -> list[np.ndarray]:
    """Input, hidden outputs (N, H) and logits (N, 1)."""
    hs = [x]
    for W, b in network[:-1]:
        hs.append(ACTIVATIONS[activation][0](hs[-1] @ W + b))
    W, b = network[-1]
    return [*hs, hs[-1] @ W + b]


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    return float((np.logaddexp(0.0, logits) - y * logits).mean())


def backward(network: Network, hs: list[np.ndarray], y: np.ndarray, activation: str) -> Network:
    """Gradients of the mean cross-entropy, in the shapes of the network."""
    delta = (ACTIVATIONS["sigmoid"][0](hs[-1]) - y) / N  # (N, 1): ∂L/∂logit
    gradient: Network = []
    for (W, _), h in zip(network[::-1], hs[-2::-1], strict=True):
        gradient.insert(0, (h.T @ delta, delta.sum(0)))
        delta = delta @ W.T * ACTIVATIONS[activation][1](h)  # one layer down; unused below the first
    return gradient


def shift(network: Network, gradient: Network, amount: float) -> Network:
    """The network, moved by a multiple of a gradient."""
    return [(W + amount * dW, b + amount * db) for (W, b), (dW, db) in zip(network, gradient, strict=True)]


def train(start: Network, x: np.ndarray, y: np.ndarray, activation: str, steps: int, rate: float) -> Trained:
    network, losses, wakes = start, [], [0] * len(start)
    for step in range(1, steps + 1):
        hs = forward(network, x, activation)
        losses.append(cross_entropy(hs[-1], y))
        gradient = backward(network, hs, y, activation)
        network = shift(network, gradient, -rate)
        wakes = [wake or (step if dW.any() else 0) for wake, (dW, _) in zip(wakes, gradient, strict=True)]
    return Trained(network, shift(network, start, -1.0), losses, wakes)


def largest_move(net: Trained) -> float:
    """Of a weight or a hidden bias: of all but the output bias."""
    return max(float(np.abs(d).max()) for d in [d for layer in net.change for d in layer][:-1])


def spread(weights: np.ndarray) -> float:
    """The largest distance between two columns (in, H): the incoming weights of two units."""
    return float(np.linalg.norm(weights[:, :, None] - weights[:, None, :], axis=0).max())


def spread_per_move(net: Trained) -> float:
    """The largest over the hidden layers; one that stood still proves nothing and counts as failed."""
    layers = zip(net.end[:-1], net.change[:-1], strict=True)
    return max(spread(W) / np.abs(dW).max() if dW.any() else 1.0 for (W, _), (dW, _) in layers)


def rank(update: np.ndarray) -> int:
    values = np.linalg.svd(update, compute_uv=False)
    return int((values > max(1e-6 * values[0], 1e-15)).sum())


def run(
    *,
    init: Literal["zero", "constant", "random"] = "zero",
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh",
    layers: Annotated[int, Range(1, 4), "hidden layers"] = 2,
    hidden: Annotated[int, Range(2, 32), "units of a hidden layer"] = 8,
    constant: Annotated[float, Range(-2.0, 2.0), "weight of the constant start"] = 0.5,
    scale: Annotated[float, Range(0.0, 4.0), "random start: std of a weight is scale / √inputs"] = 1.0,
    noise: Annotated[float, Range(0.0, 1.0), "std of noise on every weight of the zero and the constant start"] = 0.0,
    bias_spread: Annotated[float, Range(0.0, 2.0), "std of hidden biases above zero weights"] = 0.5,
    outgoing: Literal["random", "equal"] = "random",
    linear_layers: Annotated[int, Range(0, 2), "hidden layers of the linear model"] = 0,
    positives: Annotated[float, Range(0.125, 0.875), "share of points labeled 1"] = 0.375,
    task: Literal["band", "blobs"] = "band",
    steps: Annotated[int, Range(20, 1000), "updates"] = 400,
    rate: Annotated[float, Range(0.01, 1.0), "learning rate"] = 0.5,
    seed: int = 0,
) -> Iterator[Evidence]:
    rng = np.random.default_rng(seed)
    x, y = make_data(task, positives, rng)

    def start(kind: str, depth: int = layers, jitter: float = noise, value: float = constant) -> Network:
        sizes = [2] + [hidden] * depth + [1]
        draws = [rng.normal(size=sizes[i : i + 2]) for i in range(depth + 1)]
        if kind == "random":
            weights = [scale * draw / np.sqrt(len(draw)) for draw in draws]
        else:
            weights = [(value if kind == "constant" else 0.0) + jitter * draw for draw in draws]
        return [(W, np.zeros(W.shape[1])) for W in weights]

    # The first gradients, and the updates in which a layer first moves, take a few steps.
    zero = start("zero", depth=1, jitter=0.0)
    first = {f: backward(zero, forward(zero, x, f), y, f)[-1] for f in ("sigmoid", "tanh")}
    yield Measure("output-gradient", first["sigmoid"][0][0, 0])
    yield Measure("tanh-output-gradient", first["tanh"][0][0, 0])
    yield Measure("bias-gradient", first["sigmoid"][1][0])
    wakes = train(start("zero", jitter=0.0), x, y, "sigmoid", layers + 2, rate).wakes
    yield Measure("first-layer-wakes", wakes[0])
    yield Measure("last-hidden-wakes", wakes[-2])
    yield Measure("output-wakes", wakes[-1])
    late = 0
    for depth, share in [(depth, share) for depth in (1, 2, 3, 4) for share in (positives, 0.125, 0.3, 0.75)]:
        data = make_data(task, share, rng)
        wakes = train(start("zero", depth, jitter=0.0), *data, "sigmoid", depth + 2, rate).wakes
        late += sum(abs(wake - (depth + 1 - i)) for i, wake in enumerate(wakes))
    yield Claim("sigmoid-wakes-backwards", measured=late, at_most=0)
    halves = make_data(task, 0.5, rng)
    balanced = [train(start("zero", depth), *halves, "sigmoid", steps // 4, rate) for depth in (1, 2, 3, 4)]
    yield Claim("balanced-sigmoid-sleeps", measured=max(map(largest_move, balanced)), at_most=1e-12)

    # Is the backward pass right? Along its own gradient the loss must rise with the slope |gradient|².
    probe = start("random")
    gradient = backward(probe, forward(probe, x, activation), y, activation)
    slope = sum(float((d * d).sum()) for layer in gradient for d in layer)
    rise = [cross_entropy(forward(shift(probe, gradient, h), x, activation)[-1], y) for h in (1e-5, -1e-5)]
    yield Measure("gradient-error", abs((rise[0] - rise[1]) / 2e-5 / slope - 1) if slope > 0 else 0.0)

    starts, activations = ("zero", "constant", "random"), ("tanh", "relu", "sigmoid")
    nets, rows = {}, []
    for f, i in [(f, i) for f in activations for i in starts]:
        nets[i, f] = net = train(start(i), x, y, f, steps, rate)
        apart = max(spread(W) for W, _ in net.end[:-1])
        rows.append([f, i, largest_move(net), apart, rank(net.change[-2][0]), net.losses[-1]])
        if (i, f) == (init, activation):
            yield Measure("spread", apart)
        yield Progress(len(nets), len(starts) * len(activations))
    yield Table(
        f"after {steps} updates, {layers} hidden layers of {hidden}",
        ["activation", "start", "largest move", "spread", "rank of update", "loss"],
        rows,
    )
    yield Image("weights-into-last-hidden", {i: nets[i, activation].end[-2][0] for i in starts})
    yield Plot(
        "loss-curves",
        {i: (range(1, steps + 1), nets[i, activation].losses) for i in starts},
        x_label="update",
        y_label="loss (nats)",
    )

    # The rules for ties, at other depths, shares and constants as well.
    frozen, awake, misses = [], [nets["zero", "sigmoid"]], []
    for depth, share in ((layers, positives), (1, 0.2), (3, 0.3), (4, 0.8)):
        points, labels = make_data(task, share, rng)
        for f in ("tanh", "relu"):
            frozen.append(train(start("zero", depth), points, labels, f, steps, rate))
            answers = ACTIVATIONS["sigmoid"][0](forward(frozen[-1].end, points, f)[-1])
            misses.append(np.abs(answers - labels.mean()).max())
        awake.append(train(start("zero", depth), points, labels, "sigmoid", steps, rate))
    moved = max(map(largest_move, frozen))
    yield Claim("zero-freezes-tanh-and-relu", measured=moved, at_most=1e-12)
    yield Claim("only-output-bias-learns", measured=max(moved, *misses), at_most=1e-6)

    tied = [(f, nets["constant", f]) for f in activations]
    for f, c in [(f, c) for f in activations for c in (0.1, 1.0)]:
        tied.append((f, train(start("constant", value=c), x, y, f, steps // 2, rate)))
    apart = max(spread_per_move(net) for net in (*(net for _, net in tied), *awake))
    yield Claim("moving-units-are-copies", measured=apart, at_most=1e-5)
    updates = [net.change[-2][0] for _, net in tied]
    shares = [np.ptp(dW) / np.abs(dW).max() if dW.any() else 1.0 for dW in updates]
    yield Claim("copies-update-is-one-number", measured=max(shares), at_most=1e-6)
    ranks = [rank(nets["random", f].change[-2][0]) for f in activations]
    yield Claim("random-update-has-rank", measured=min(ranks), at_least=4)

    # One unit stands for H copies: keep one column, and sum the rows that leave the copies.
    gaps = []
    for f, net in tied:
        narrow = [(W[:, :1] if i == 0 else W[:, :1].sum(0, keepdims=True), b[:1]) for i, (W, b) in enumerate(net.end)]
        gaps.append(np.abs(forward(narrow, x, f)[-1] - forward(net.end, x, f)[-1]).max())
    yield Claim("copies-are-one-unit", measured=max(gaps), at_most=1e-6)
    cost = min(nets["constant", f].losses[-1] - nets["random", f].losses[-1] for f in ("tanh", "relu"))
    yield Claim("copies-cost-accuracy", measured=cost, at_least=0.2)

    # What breaks a tie: unequal weights above, unequal biases, a random layer below.
    freed, left = [], []
    for c in (0.1, constant, 1.0):
        mixed = start("constant", value=c)
        if outgoing == "random":
            mixed[-1][0][:] = rng.normal(size=(hidden, 1)) / np.sqrt(hidden)
        ends = train(mixed, x, y, "tanh", steps, rate).end
        freed.append(spread(ends[-2][0]))
        left.append(spread(ends[0][0]))
    yield Claim("unequal-outgoing-frees-last", measured=np.mean(freed), at_least=0.05)
    yield Claim("unequal-outgoing-leaves-first", measured=max(left), at_most=1e-5)
    shifted = start("zero", depth=1, jitter=0.0)
    shifted[0][1][:] = bias_spread * rng.normal(size=hidden)
    ends = train(shifted, x, y, "tanh", steps, rate).end
    yield Claim("random-biases-free-units", measured=spread(ends[0][0]), at_least=0.5)
    headless = start("random")
    headless[-1][0][:] = 0.0
    grown = train(headless, x, y, "tanh", steps, rate)
    share = grown.losses[-1] / nets["zero", "tanh"].losses[-1]
    yield Claim("zero-output-layer-trains", measured=share, at_most=0.5)
    early = 0
    for depth in (1, 2, 3, 4):
        headless = start("random", depth)
        headless[-1][0][:] = 0.0
        wakes = train(headless, x, y, "tanh", 2, rate).wakes
        early += sum(abs(wake - due) for wake, due in zip(wakes, [2] * depth + [1], strict=True))
    yield Claim("zero-output-layer-moves-first", measured=early, at_most=0)

    # Without hidden layers there is nothing to tie.
    blobs = make_data("blobs", positives, rng)
    logistic = train(start("zero", depth=linear_layers, jitter=0.0), *blobs, "linear", steps, rate).losses[-1]
    yield Claim("logistic-learns-from-zero", measured=logistic, at_most=0.1)

    # A tie is exact on paper only; 1e-10 stands in for rounding.
    yield Text("One layer of units, equal but for 1e-10, trained on five draws of the data: does the difference grow?")
    growth = []
    for _ in range(5):
        near = start("constant", depth=1, jitter=1e-10)
        end = train(near, *make_data(task, positives, rng), activation, 2 * steps, rate).end
        growth.append(np.log10(max(spread(end[0][0]), 1e-16) / spread(near[0][0])))
    yield Claim("near-ties-can-grow", measured=np.median(growth), at_least=2)


if __name__ == "__main__":
    main(run)
