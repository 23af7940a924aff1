"""One softmax, in the right place: none before a loss that has its own, none between hidden layers, one in attention.

    CrossEntropyLoss(z)   = -ln softmax(z)[y]               wants logits z
    NLLLoss(q)            = -q[y]                           wants log-probabilities q
    softmax fed to cross-entropy: the loss stays above ln(1 + (C - 1)/e), as inputs in [0, 1] differ by at most 1

Between hidden layers softmax puts n units on a simplex: they share one unit of mass, compete for it, and near the
uniform point their slopes are about 1/n. In attention that is just what is wanted: an average over positions, however
many there are.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, section 6.2.2.3; Vaswani et al. (2017), Attention Is
All You Need, section 3.2.1; PyTorch's documentation of CrossEntropyLoss and NLLLoss.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn import functional

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "floor": {
        "says": "fed with perfect probabilities, CrossEntropyLoss still gives ln(1 + (C - 1)/e): C from 2 to 1,000",
        "false_when": {"feed": "logits"},
    },
    "backward-by-hand": {
        "says": "the second softmax multiplies the gradient by the Jacobian diag(p) - p pᵀ: by hand as by autograd",
        "false_when": {"mistake": "no-jacobian"},
    },
    "start-is-c-times-weaker": {
        "says": "at equal logits the gradient through two softmaxes is 1/C of that through one",
        "false_when": {"feed": "logits"},
    },
    "training-ends-near-floor": {
        "says": "a classifier trained on its probabilities ends within 0.15 of the floor, not of 0",
        "false_when": {"feed": "logits"},
    },
    "accuracy-hides-it": {
        "says": "from zero weights it reaches 97% accuracy all the same, and softmax keeps the order of its classes",
        "false_when": {"start": "wrong"},
    },
    "sure-and-wrong-stays": {
        "says": "started sure and wrong, trained on its probabilities, it is at 20% accuracy or below after 300 steps",
        "false_when": {"feed": "logits"},
    },
    "reports-other-share": {
        "says": "trained on overlapping labels with a share q it learns p = (1 + ln(q/(1 - q)))/2, not q",
        "false_when": {"feed": "logits"},
    },
    "nll-of-probabilities": {
        "says": "NLLLoss fed with probabilities is minus the mean probability of the label: negative",
        "false_when": {"nll_input": "log-probabilities"},
    },
    "nll-hardly-pulls": {
        "says": "fed with probabilities, NLLLoss gives a label of probability 0.001 a gradient below 0.01",
        "false_when": {"nll_input": "log-probabilities"},
    },
    "examples-stay-apart": {
        "says": "softmax over the classes gives an example the same output whatever else is in the batch",
        "false_when": {"mistake": "wrong-dim"},
    },
    "hidden-on-a-simplex": {
        "says": "the units of a hidden softmax layer sum to 1 for every input",
        "false_when": {"hidden": "relu"},
    },
    "hidden-units-compete": {
        "says": "raising the input of one hidden softmax unit lowers every other unit of the layer",
        "false_when": {"hidden": "relu"},
    },
    "spread-shrinks-n-fold": {
        "says": "weights of variance 1/n: hidden softmax layers after the first divide the spread by n each, three n",
        "false_when": {"hidden": "relu"},
    },
    "hidden-softmaxes-stall": {
        "says": "three hidden softmax layers leave over 90% of the targets' variance, at each of four learning rates",
        "false_when": {"hidden": "relu"},
    },
    "attention-matches-torch": {
        "says": "attention by hand, softmax over the keys, equals PyTorch's scaled_dot_product_attention",
        "false_when": {"mistake": "wrong-dim"},
    },
    "attention-averages": {
        "says": "where all positions hold the same value, attention returns it, for 1, 7 and 40 positions",
        "false_when": {"attend": "sigmoid"},
    },
    "attention-selects": {
        "says": "a query that fits one of the keys well gets that key's value, to 5%",
        "false_when": {"sharp": 0.0},
    },
}
measures = {
    "top-probability": "largest probability the loss can see if it is fed with probabilities",
    "top-as-fed": "what was fed: softmax is taken to keep it",
    "uniform-share": "1/C, what equal inputs would get",
    "floor-loss": "minus the logarithm of the top probability",
    "shrink": "factor by which a hidden layer (from the second on) divides the spread over inputs",
    "final-loss": "after training, for `feed`",
}
predict = {
    "ask": "Ten classes, softmax put before CrossEntropyLoss: where does the loss end when 99% are classified right?",
    "measure": "final-loss",
    "choices": {"below 0.2": [0.0, 0.2], "0.2 to 1": [0.2, 1.0], "above 1": [1.0, 10.0]},
}
INPUTS, EXAMPLES = 30, 400


def softmax(z: np.ndarray, axis: int = -1) -> np.ndarray:
    exp = np.exp(z - z.max(axis, keepdims=True))
    return exp / exp.sum(axis, keepdims=True)


def back(p: np.ndarray, d_p: np.ndarray) -> np.ndarray:
    """The gradient before a softmax from that behind it: (diag(p) - p pᵀ) d_p for each row."""
    return p * (d_p - (p * d_p).sum(-1, keepdims=True))


def cross_entropy(z: np.ndarray, target: np.ndarray, feed: str, mistake: str = "none") -> tuple[float, np.ndarray]:
    """CrossEntropyLoss of logits z (N, C), fed as they are or as probabilities, and the gradient at z (N, C)."""
    p = softmax(z)
    q = softmax(p) if feed == "probabilities" else p  # the loss applies its own softmax
    d = (q - target) / len(z)
    if feed == "probabilities" and mistake != "no-jacobian":
        d = back(p, d)
    return float(-(target * np.log(np.maximum(q, 1e-300))).sum(1).mean()), d


def train(x: np.ndarray, target: np.ndarray, w: np.ndarray, feed: str) -> tuple[list[float], float, bool]:
    """Losses of a linear classifier over 300 steps, its final accuracy, and if softmax keeps the classes in order."""
    losses = []
    for _ in range(300):
        loss, d_z = cross_entropy(x @ w, target, feed)
        losses.append(loss)
        w = w - 0.1 * x.T @ d_z
    z = x @ w
    in_order = bool((softmax(z).argsort(1) == z.argsort(1)).all())
    return losses, float(np.mean(z.argmax(1) == target.argmax(1))), in_order


def hidden_layer(z: np.ndarray, kind: str) -> np.ndarray:
    return softmax(z) if kind == "softmax" else np.maximum(z, 0)


def train_hidden(kind: str, rates: list[float], generator: torch.Generator) -> torch.Tensor:
    """Error over the targets' variance of a net with three hidden layers after 300 steps, for each rate (R,)."""
    x = torch.randn(100, 8, generator=generator)
    y = torch.tanh(x @ torch.randn(8, 3, generator=generator)) @ torch.randn(3, 1, generator=generator)  # (N, 1)
    ws = [torch.randn(n, m, generator=generator) * (2 / n) ** 0.5 for n, m in ((8, 24), (24, 24), (24, 24), (24, 1))]
    ws = [w.repeat(len(rates), 1, 1).requires_grad_() for w in ws]  # (R, n, m)
    bs = [torch.zeros(len(rates), 1, w.shape[2], requires_grad=True) for w in ws]
    for _ in range(300):
        a = x
        for w, b in zip(ws[:3], bs[:3], strict=True):
            a = torch.softmax(a @ w + b, -1) if kind == "softmax" else torch.relu(a @ w + b)  # (R, N, 24)
        errors = ((a @ ws[3] + bs[3] - y) ** 2).mean((1, 2))
        gradients = torch.autograd.grad(errors.sum(), ws + bs)
        with torch.no_grad():
            for part, gradient in zip(ws + bs, gradients, strict=True):
                # Clipped, so that a rate too high stays finite.
                part -= torch.tensor(rates)[:, None, None] * gradient.clamp(-1, 1)
    return errors.detach() / y.var()


def run(
    *,
    classes: Annotated[int, Range(2, 200), "number of classes C"] = 10,
    feed: Annotated[Literal["probabilities", "logits"], "what CrossEntropyLoss is fed with"] = "probabilities",
    nll_input: Annotated[Literal["probabilities", "log-probabilities"], "what NLLLoss is fed with"] = "probabilities",
    start: Annotated[Literal["zero", "wrong"], "first weights of the classifier"] = "zero",
    share: Annotated[float, Range(0.3, 0.7), "share q of class 1 among overlapping labels"] = 0.7,
    hidden: Annotated[Literal["softmax", "relu"], "activation of the hidden layers"] = "softmax",
    units: Annotated[int, Range(4, 512), "units n of a hidden layer in the chain"] = 64,
    attend: Annotated[Literal["softmax", "sigmoid"], "what turns attention's scores into weights"] = "softmax",
    sharp: Annotated[float, Range(0.0, 5.0), "length of the query, as a multiple of the fitting key"] = 2.0,
    mistake: Literal["none", "no-jacobian", "wrong-dim"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    top = np.e / (np.e + classes - 1)
    floor = -np.log(top)  # ln(1 + (C - 1)/e)
    yield Measure("top-probability", top)
    yield Measure("top-as-fed", 1.0)
    yield Measure("uniform-share", 1 / classes)
    yield Measure("floor-loss", floor)
    rng = np.random.default_rng(seed)

    # A chain of hidden layers with weights of variance 1/n: how far apart do 200 different inputs stay?
    factors = {}
    for n in (16, 256, units):  # the last one is drawn
        spreads, a = [], rng.normal(size=(200, n))
        for _ in range(5):
            z = a @ rng.normal(0, np.sqrt(1 / n), (n, n))
            a = hidden_layer(z, hidden)
            spreads.append(np.sqrt(a.var(0).mean()))
            if len(spreads) == 1:
                first, first_z = a, z
        factors[n] = (spreads[0] / max(spreads[4], 1e-300)) ** (1 / 4)
    yield Measure("shrink", factors[units])
    yield Plot("spread", {hidden: (range(1, 6), np.maximum(spreads, 1e-300))}, "hidden layer", "spread", log_y=True)
    yield Claim("spread-shrinks-n-fold", measured=max(abs(factors[n] / n - 1) for n in factors), at_most=0.3)
    yield Claim("hidden-on-a-simplex", measured=np.abs(first.sum(1) - 1).max(), at_most=1e-9)
    raised = first_z.copy()
    raised[:, 0] += 0.5
    fell = (hidden_layer(raised, hidden) < first)[:, 1:].mean()
    yield Claim("hidden-units-compete", measured=fell, at_least=1.0)

    # The loss: torch's own on perfect answers, then the same by hand.
    off = []
    for c in (2, 10, 100, 1000, classes):
        perfect = torch.eye(c, dtype=torch.float64) * (1.0 if feed == "probabilities" else 50.0)
        off.append(abs(float(functional.cross_entropy(perfect, torch.arange(c))) - np.log(1 + (c - 1) / np.e)))
    yield Claim("floor", measured=max(off), at_most=1e-6)
    labels = rng.integers(0, classes, 7)
    target = np.eye(classes)[labels]
    z = torch.tensor(rng.normal(0, 2, (7, classes)), requires_grad=True)
    loss = functional.cross_entropy(torch.softmax(z, 1), torch.tensor(labels))
    by_torch = torch.autograd.grad(loss, z)[0].numpy()
    mine, by_hand = cross_entropy(z.detach().numpy(), target, "probabilities", mistake)
    apart = max(abs(mine - loss.item()), np.abs(by_hand - by_torch).max())
    yield Claim("backward-by-hand", measured=apart, at_most=1e-9)
    level = np.zeros((7, classes))
    fed, direct = (np.linalg.norm(cross_entropy(level, target, how)[1]) for how in (feed, "logits"))
    yield Claim("start-is-c-times-weaker", measured=fed / direct * classes, near=(1.0, 1e-6))

    # Clusters that a linear classifier can tell apart; the wrong start takes each class for another, and is sure.
    centers = rng.normal(size=(classes, INPUTS))
    target = np.eye(classes)[rng.integers(0, classes, EXAMPLES)]  # (N, C)
    x = target @ centers + rng.normal(size=(EXAMPLES, INPUTS))  # (N, INPUTS)
    zero, wrong = np.zeros((INPUTS, classes)), np.roll(centers, 1, 0).T
    losses, accuracy, in_order = train(x, target, zero if start == "zero" else wrong, feed)
    once, once_accuracy, _ = train(x, target, zero, "logits")
    steps = range(300)
    yield Plot(
        "losses",
        {f"fed {feed}": (steps, losses), "fed logits": (steps, once), "floor": ([0, 299], [floor, floor])},
        "step",
        "loss",
    )
    _, stuck, _ = train(x, target, wrong, feed)
    rows = [["fed logits", once[-1], once_accuracy], [f"fed {feed}", losses[-1], accuracy]]
    yield Table("after 300 steps", ["cross-entropy", "loss", "accuracy"], rows)
    yield Measure("final-loss", losses[-1])
    yield Claim("training-ends-near-floor", measured=losses[-1] - floor, near=(0.0, 0.15))
    yield Claim("accuracy-hides-it", measured=accuracy if in_order else 0.0, at_least=0.97)
    yield Claim("sure-and-wrong-stays", measured=stuck, at_most=0.2)

    # Two classes on one and the same input: which probability does training end at?
    z, shares = np.zeros((1, 2)), np.array([[share, 1 - share]])
    for _ in range(1000):
        z = z - cross_entropy(z, shares, feed)[1]
    learned = softmax(z)[0, 0]
    yield Claim("reports-other-share", measured=learned, near=((1 + np.log(share / (1 - share))) / 2, 0.01))

    p = rng.dirichlet(np.ones(classes), 7)
    fed = torch.tensor(p if nll_input == "probabilities" else np.log(p))
    off = float(functional.nll_loss(fed, torch.tensor(labels))) + p[np.arange(7), labels].mean()
    yield Claim("nll-of-probabilities", measured=abs(off), at_most=1e-9)
    z = torch.tensor([[0.0, np.log(999.0)]], requires_grad=True)  # probability 0.001 for the label
    p = torch.softmax(z, 1)
    loss = functional.nll_loss(p if nll_input == "probabilities" else p.log(), torch.tensor([0]))
    yield Claim("nll-hardly-pulls", measured=float(torch.autograd.grad(loss, z)[0].abs().max()), at_most=0.01)

    axis = 0 if mistake == "wrong-dim" else -1
    logits = rng.normal(size=(7, classes))
    others = np.concatenate([logits[:1], rng.normal(size=(6, classes))])  # the first example is the same
    moved = np.abs(softmax(logits, axis)[0] - softmax(others, axis)[0]).max()
    yield Claim("examples-stay-apart", measured=moved, at_most=1e-12)

    errors = train_hidden(hidden, [0.03, 0.1, 0.3, 1.0], torch.Generator().manual_seed(seed))
    yield Claim("hidden-softmaxes-stall", measured=float(errors.min()), at_least=0.9)

    # Attention: 5 queries, 40 keys of width 64, values of width 3; the queries fit the first five keys.
    k, v = rng.normal(size=(40, 64)), rng.normal(size=(40, 3))
    scores = sharp * k[:5] @ k.T / np.sqrt(64)  # (5, 40)
    weights = softmax(scores, axis) if attend == "softmax" else 1 / (1 + np.exp(-scores))
    batch = [torch.tensor(part)[None] for part in (sharp * k[:5], k, v)]
    by_torch = functional.scaled_dot_product_attention(*batch)[0]
    yield Image("attention", {"weights of 5 queries (rows) on 40 keys": weights})
    yield Claim("attention-matches-torch", measured=np.abs(weights @ v - by_torch.numpy()).max(), at_most=1e-9)
    off = []
    for n in (1, 7, 40):  # the first n keys alone, all with the value v[0]
        among = softmax(scores[:, :n], axis) if attend == "softmax" else 1 / (1 + np.exp(-scores[:, :n]))
        off.append(np.abs(among @ np.tile(v[0], (n, 1)) - v[0]).max())
    yield Claim("attention-averages", measured=max(off), at_most=1e-9)
    missed = np.linalg.norm(weights @ v - v[:5]) / np.linalg.norm(v[:5])
    yield Claim("attention-selects", measured=missed, at_most=0.05)


if __name__ == "__main__":
    main(run)
