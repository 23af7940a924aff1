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
    "units-stay-identical": {
        "says": "hidden units that start as copies end as copies",
        "false_when": {"init": "random"},
    },
    "zero-freezes-tanh-and-relu": {
        "says": "from zero, no weight and no hidden bias of a tanh or ReLU network ever moves",
        "false_when": {"noise": 0.1},
    },
    "only-output-bias-learns": {
        "says": "from zero, all that such a network learns is to answer each input with the share of positives",
        "false_when": {"noise": 0.1},
    },
    "sigmoid-wakes-backwards": {
        "says": "from zero, a sigmoid network's layers start to move from the top down, one more with each update",
        "false_when": {"positives": 0.5},
    },
    "balanced-sigmoid-sleeps": {
        "says": "with as many positives as negatives, not even a sigmoid network moves from zero",
        "false_when": {"noise": 0.1},
    },
    "moving-units-are-copies": {
        "says": "units that move, from one constant or under a sigmoid from zero, move as copies of each other",
        "false_when": {"noise": 0.1},
    },
    "copies-update-has-rank-one": {
        "says": "from one constant, the update of the weights into the last hidden layer has rank one",
        "false_when": {"noise": 0.1},
    },
    "random-update-has-rank": {
        "says": "from a random start it has rank four or more, of eight",
        "false_when": {"scale": 0.0},
    },
    "copies-are-one-unit": {
        "says": "a trained network of copies computes exactly what one unit per layer does",
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
    "rank": "rank of the update of the weights into the last hidden layer: singular values over 1e-6 of the largest",
    "loss": "nats, after training",
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

Network = tuple[list[np.ndarray], list[np.ndarray]]  # weights (in, out) and biases (out,) of each layer


class Trained(NamedTuple):
    end: Network
    losses: list[float]
    wakes: list[int]  # per layer, the update in which its weights first moved; 0: never
    spreads: list[float]  # of units, before every tenth update and at the end
    moved: float  # the largest change of a weight or a hidden bias
    rank: int  # of the update of the weights into the last hidden layer


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
    weights, biases = network
    hs = [x]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        hs.append(ACTIVATIONS[activation][0](hs[-1] @ W + b))
    return [*hs, hs[-1] @ weights[-1] + biases[-1]]


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    return float((np.logaddexp(0.0, logits) - y * logits).mean())


def backward(network: Network, hs: list[np.ndarray], y: np.ndarray, activation: str) -> Network:
    """Gradients of the mean cross-entropy, in the shapes of the network."""
    weights = network[0]
    delta = (ACTIVATIONS["sigmoid"][0](hs[-1]) - y) / N  # (N, 1): ∂L/∂logit
    dW, db = [], []
    for W, h in zip(weights[::-1], hs[-2::-1], strict=True):
        dW.insert(0, h.T @ delta)
        db.insert(0, delta.sum(0))
        delta = delta @ W.T * ACTIVATIONS[activation][1](h)  # one layer down; unused below the first
    return dW, db


def spread(weights: np.ndarray) -> float:
    """The largest distance between two columns (in, H): the incoming weights of two units."""
    return float(np.linalg.norm(weights[:, :, None] - weights[:, None, :], axis=0).max())


def shift(network: Network, gradient: Network, amount: float) -> Network:
    """The network, moved by a multiple of a gradient."""
    weights, biases = (
        [p + amount * d for p, d in zip(*pair, strict=True)] for pair in zip(network, gradient, strict=True)
    )
    return weights, biases


def train(start: Network, x: np.ndarray, y: np.ndarray, activation: str, steps: int, rate: float) -> Trained:
    network, losses, wakes, spreads = start, [], [0] * len(start[0]), []
    for step in range(1, steps + 1):
        if step % 10 == 1:
            spreads.append(max((spread(W) for W in network[0][:-1]), default=0.0))
        hs = forward(network, x, activation)
        losses.append(cross_entropy(hs[-1], y))
        gradient = backward(network, hs, y, activation)
        network = shift(network, gradient, -rate)
        wakes = [wake or (step if dW.any() else 0) for wake, dW in zip(wakes, gradient[0], strict=True)]
    spreads.append(max((spread(W) for W in network[0][:-1]), default=0.0))
    changes = shift(network, start, -1.0)
    values = np.linalg.svd(changes[0][max(len(wakes) - 2, 0)], compute_uv=False)
    rank = int((values > max(1e-6 * values[0], 1e-15)).sum())
    moved = max(float(np.abs(change).max()) for change in changes[0] + changes[1][:-1])
    return Trained(network, losses, wakes, spreads, moved, rank)


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

    def start(kind: str, depth: int = layers, jitter: float = noise) -> Network:
        sizes = [2] + [hidden] * depth + [1]
        draws = [rng.normal(size=sizes[i : i + 2]) for i in range(depth + 1)]
        if kind == "random":
            weights = [scale * draw / np.sqrt(len(draw)) for draw in draws]
        else:
            weights = [(constant if kind == "constant" else 0.0) + jitter * draw for draw in draws]
        return weights, [np.zeros(size) for size in sizes[1:]]

    # The first gradients, and the updates in which a layer first moves, need a few steps only.
    zero = start("zero", depth=1, jitter=0.0)
    for name, f in (("output-gradient", "sigmoid"), ("tanh-output-gradient", "tanh")):
        dW, db = backward(zero, forward(zero, x, f), y, f)
        yield Measure(name, dW[-1][0, 0])
    yield Measure("bias-gradient", db[-1][0])
    wakes = train(start("zero", jitter=0.0), x, y, "sigmoid", layers + 2, rate).wakes
    yield Measure("first-layer-wakes", wakes[0])
    yield Measure("last-hidden-wakes", wakes[-2])
    yield Measure("output-wakes", wakes[-1])
    late = sum(abs(wake - (layers + 1 - i)) for i, wake in enumerate(wakes))
    yield Claim("sigmoid-wakes-backwards", measured=late, at_most=0)
    balanced = train(start("zero"), *make_data(task, 0.5, rng), "sigmoid", steps, rate)
    yield Claim("balanced-sigmoid-sleeps", measured=balanced.moved, at_most=1e-12)

    starts, activations = ("zero", "constant", "random"), ("tanh", "relu", "sigmoid")
    # Is the backward pass right? Along its own gradient the loss must rise with the slope |gradient|².
    net = start("random")
    dW, db = backward(net, forward(net, x, activation), y, activation)
    slope = sum(float((d * d).sum()) for d in dW + db)
    rise = [cross_entropy(forward(shift(net, (dW, db), h), x, activation)[-1], y) for h in (1e-5, -1e-5)]
    yield Measure("gradient-error", abs((rise[0] - rise[1]) / 2e-5 / slope - 1) if slope > 0 else 0.0)

    nets = {}
    for i, f in [(i, f) for f in activations for i in starts]:
        nets[i, f] = train(start(i), x, y, f, steps, rate)
        yield Progress(len(nets), len(starts) * len(activations))
    yield Table(
        f"after {steps} updates, {layers} hidden layers of {hidden}",
        ["activation", "start", "largest move", "spread", "rank of update", "loss"],
        [[f, i, net.moved, net.spreads[-1], net.rank, net.losses[-1]] for (i, f), net in nets.items()],
    )
    chosen = nets[init, activation]
    weights, biases = chosen.end
    yield Table(
        f"the units of the first hidden layer: {activation}, {init}",
        ["unit", "weight from x1", "weight from x2", "bias", "weight to the next unit 1"],
        [[str(i + 1), *weights[0][:, i], biases[0][i], weights[1][i, 0]] for i in range(min(hidden, 8))],
    )
    yield Image("weights-into-last-hidden", {i: nets[i, activation].end[0][-2] for i in starts})
    yield Plot(
        "loss-curves",
        {i: (range(1, steps + 1), nets[i, activation].losses) for i in starts},
        x_label="update",
        y_label="loss (nats)",
    )
    yield Measure("spread", chosen.spreads[-1])
    yield Measure("rank", chosen.rank)
    yield Measure("loss", chosen.losses[-1])
    yield Claim("units-stay-identical", measured=chosen.spreads[-1], at_most=1e-5)

    frozen = {f: nets["zero", f] for f in ("tanh", "relu")}
    yield Claim("zero-freezes-tanh-and-relu", measured=max(net.moved for net in frozen.values()), at_most=1e-12)
    logits = np.stack([forward(net.end, x, f)[-1] for f, net in frozen.items()])
    misses = np.abs(ACTIVATIONS["sigmoid"][0](logits) - y.mean())
    yield Claim("only-output-bias-learns", measured=misses.max(), at_most=1e-6)

    tied = {f: nets["constant", f] for f in activations}
    apart = [net.spreads[-1] if net.moved > 1e-3 else 1.0 for net in (*tied.values(), nets["zero", "sigmoid"])]
    yield Claim("moving-units-are-copies", measured=max(apart), at_most=1e-5)
    yield Claim("copies-update-has-rank-one", measured=max(abs(net.rank - 1) for net in tied.values()), at_most=0)
    yield Claim("random-update-has-rank", measured=min(nets["random", f].rank for f in activations), at_least=4)

    # One unit stands for H copies: keep one column, and sum the rows that leave the copies.
    gaps = []
    for f, net in tied.items():
        first, *rest = net.end[0]
        narrow = [first[:, :1], *(W[:, :1].sum(0, keepdims=True) for W in rest)], [b[:1] for b in net.end[1]]
        gaps.append(np.abs(forward(narrow, x, f)[-1] - forward(net.end, x, f)[-1]).max())
    yield Claim("copies-are-one-unit", measured=max(gaps), at_most=1e-6)
    cost = min(nets["constant", f].losses[-1] - nets["random", f].losses[-1] for f in ("tanh", "relu"))
    yield Claim("copies-cost-accuracy", measured=cost, at_least=0.2)

    # What breaks a tie: unequal weights above, unequal biases, a random layer below.
    mixed = start("constant")
    if outgoing == "random":
        mixed[0][-1][:] = rng.normal(size=(hidden, 1)) / np.sqrt(hidden)
    ends = train(mixed, x, y, "tanh", steps, rate).end[0]
    yield Claim("unequal-outgoing-frees-last", measured=spread(ends[-2]), at_least=0.1)
    yield Claim("unequal-outgoing-leaves-first", measured=spread(ends[0]), at_most=1e-5)
    shifted = start("zero", depth=1, jitter=0.0)
    shifted[1][0][:] = bias_spread * rng.normal(size=hidden)
    parted = train(shifted, x, y, "tanh", steps, rate).spreads[-1]
    yield Claim("random-biases-free-units", measured=parted, at_least=0.5)
    headless = start("random")
    headless[0][-1][:] = 0.0
    share = train(headless, x, y, "tanh", steps, rate).losses[-1] / nets["zero", "tanh"].losses[-1]
    yield Claim("zero-output-layer-trains", measured=share, at_most=0.5)

    # Without hidden layers there is nothing to tie.
    blobs = make_data("blobs", positives, rng)
    logistic = train(start("zero", depth=linear_layers, jitter=0.0), *blobs, "linear", steps, rate).losses[-1]
    yield Claim("logistic-learns-from-zero", measured=logistic, at_most=0.1)

    # A tie is exact on paper only; 1e-10 stands in for rounding.
    yield Text("One layer of units, equal but for 1e-10, trained on five draws of the data: does the difference grow?")
    near = []
    for _ in range(5):
        data = make_data(task, positives, rng)
        near.append(train(start("constant", depth=1, jitter=1e-10), *data, activation, 2 * steps, rate).spreads)
    yield Plot(
        "near-ties",
        {f"draw {i + 1}": ([*range(0, 2 * steps, 10), 2 * steps], spreads) for i, spreads in enumerate(near)},
        x_label="update",
        y_label="distance between units",
        log_y=True,
    )
    growth = np.median([np.log10(spreads[-1] / spreads[0]) for spreads in near])
    yield Claim("near-ties-can-grow", measured=growth, at_least=2)


if __name__ == "__main__":
    main(run)
