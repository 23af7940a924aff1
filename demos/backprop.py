"""Backpropagation: one pass back through the network gives the exact gradient of every weight.

    forward    a_0 = x,   a_l = tanh(a_(l-1) W_l),   last layer without tanh
    error      L = mean (a_last - t)²,   δ_last = ∂L/∂a_last = 2 (a_last - t) / B
    backward   ∂L/∂W_l = a_(l-1)ᵀ δ_l,   δ_(l-1) = (δ_l W_lᵀ) ⊙ tanh'_(l-1)

Expect agreement with autograd to rounding and with finite differences to nine digits or so, for the price of two
more forward passes. Expect also that a wrong gradient can train well: a falling loss proves nothing.
A bias is a weight on a constant input; the data have one such column.

Source: Rumelhart, Hinton & Williams (1986), Nature 323; Goodfellow et al. (2016), Deep Learning, sections 6.5, 11.5.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import mse_loss

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "chain-matches-autograd": {
        "says": "on chains of two weights the gradient multiplies the slopes of all steps on the way back",
        "false_when": {"mistake": "direct"},
    },
    "matches-autograd": {
        "says": "gradients by hand equal autograd's, in four nets",
        "false_when": {"mistake": "update-early"},
    },
    "matches-finite-differences": {
        "says": "gradients by hand equal central finite differences to 1e-7 relative, in float64, in four nets",
        "false_when": {"mistake": "no-transpose"},
    },
    "smaller-h-is-worse": {
        "says": "in float64, central differences with h = 1e-12 are over 100 times less exact than h = 1e-5 (log10)",
        "false_when": {"tiny": 1e-6},
    },
    "check-catches-bugs": {
        "says": "a missing tanh' or transpose, an early update: over 0.1 % off autograd and differences (log10)",
        "false_when": {"activation": "identity"},
    },
    "costs-three-forwards": {
        "says": "in matrix products, loss and all gradients cost at most three forward passes, in four nets",
        "false_when": {"method": "finite-differences"},
    },
    "differences-run-twice-a-weight": {
        "says": "counted, central differences cost two forward passes for each weight",
        "false_when": {"mistake": "one-pass"},
    },
    "step-lowers-loss": {
        "says": "small steps against the gradient lower the loss, by 0.5 to 1.2 times rate times |gradient|²",
        "false_when": {"rate": 20.0},
    },
    "wrong-still-learns": {
        "says": "a backward pass that forgets tanh' still brings the training loss below half of its start",
        "false_when": {"bug": "flipped-sign"},
    },
    "paths-add": {
        "says": "a weight, or a matrix, used in two places gets the sum of the gradients of both",
        "false_when": {"mistake": "overwrite"},
    },
    "training-keeps-more": {
        "says": "at 16 hidden layers training keeps over eight times the activations that inference holds at once",
        "false_when": {"deep": 1},
    },
}
measures = {
    "chain": "∂L/∂w1 of y = w2 relu(w1 x) and L = (y - target)² / 2",
    "chain-direct": "the same, with the factors w2 and relu's slope forgotten",
    "chain-at-unit": "the same, with the last factor x forgotten and relu's slope taken as 1",
    "price-ratio": "multiply-adds of all gradients by central differences over those by backpropagation",
    "buggy-loss-ratio": "training loss at the end over the start, with `bug` in the backward pass",
}
predict = {
    "ask": "The backward pass forgets tanh'. After 400 steps with that gradient, the training loss is:",
    "measure": "buggy-loss-ratio",
    "choices": {"less than half of its start": [0.0, 0.5], "about as before": [0.5, 2.0], "far above": [2.0, 1e7]},
}
Arrays = list[np.ndarray]


class Counter:
    """A matrix product that counts its multiply-adds."""

    multiply_adds = 0

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.multiply_adds += a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b


def forward(weights: Arrays, x: np.ndarray, activation: str = "tanh", product: Callable = np.matmul) -> Arrays:
    """Activations of all layers, the input first: the backward pass needs every one of them."""
    kept = [x]  # (B, in)
    for w in weights:
        z = product(kept[-1], w)  # (B, out)
        kept.append(np.tanh(z) if activation == "tanh" and w is not weights[-1] else z)
    return kept


def step(w: np.ndarray, g: np.ndarray, rate: float) -> np.ndarray:
    return w - rate * g


def backward(
    weights: Arrays,
    kept: Arrays,
    t: np.ndarray,
    activation: str = "tanh",
    mistake: str = "none",
    rate: float = 0.0,
    product: Callable = np.matmul,
) -> Arrays:
    """Gradients of all weights, found from the last layer to the first, with the mistakes that learners make."""
    grads: Arrays = []
    delta = 2 * (kept[-1] - t) / len(t)  # (B, 1)
    for w, a in zip(reversed(weights), reversed(kept[:-1]), strict=True):
        grads.insert(0, product(a.T, delta))  # (in, B) (B, out)
        if w is weights[0]:
            break  # nobody asks for the gradient of the data
        if mistake == "update-early":  # but the loss was computed with the old weights
            w = step(w, grads[0], rate)
        square = w.shape[0] == w.shape[1]  # any other shape gives a missing transpose away
        delta = product(delta, w if mistake == "no-transpose" and square else w.T)  # (B, in)
        if activation == "tanh" and mistake != "no-derivative":
            delta = delta * (1 - a**2)  # tanh' = 1 - tanh²
    return [-g for g in grads] if mistake == "flipped-sign" else grads


def by_differences(loss: Callable[[Arrays], float], weights: Arrays, h: float) -> Arrays:
    """Central differences: each single weight nudged up and down, a whole forward pass for either."""
    grads = [np.zeros_like(w) for w in weights]
    for w, g in zip(weights, grads, strict=True):
        for i in np.ndindex(w.shape):
            middle = w[i]
            w[i] = middle + h
            up = loss(weights)
            w[i] = middle - h
            g[i] = (up - loss(weights)) / (2 * h)
            w[i] = middle
    return grads


def error(found: Arrays, right: Arrays) -> float:
    """Largest difference, relative to the largest entry of the right gradient."""
    return max(np.abs(f - r).max() for f, r in zip(found, right, strict=True)) / max(np.abs(r).max() for r in right)


def run(
    *,
    x: Annotated[int, Range(-9, 9), "input of the two-weight chain"] = 2,
    w1: Annotated[int, Range(-9, 9), "its first weight"] = 1,
    w2: Annotated[int, Range(-9, 9), "its second weight"] = 3,
    target: Annotated[int, Range(-50, 50), "its target"] = 5,
    hidden: Annotated[int, Range(2, 32), "units in each of two hidden layers"] = 8,
    rate: Annotated[float, Range(0.0001, 100.0), "learning rate"] = 0.05,
    deep: Annotated[int, Range(1, 64), "hidden layers in the count of activations"] = 16,
    tiny: Annotated[float, Range(1e-14, 0.1), "the small h of the finite differences"] = 1e-12,
    activation: Literal["tanh", "identity"] = "tanh",
    method: Literal["backprop", "finite-differences"] = "backprop",
    mistake: Literal[
        "none", "no-derivative", "no-transpose", "update-early", "overwrite", "direct", "one-pass"
    ] = "none",
    bug: Literal["none", "no-derivative", "flipped-sign"] = "no-derivative",
    seed: int = 0,
) -> Iterator[Evidence]:
    # Two weights in a row: each factor on the way from L back to w1 enters once.
    miss = w2 * max(w1 * x, 0) - target  # ∂L/∂y
    direct = miss * x
    chain = direct * w2 * (w1 * x > 0)
    yield Measure("chain", chain)
    yield Measure("chain-direct", direct)
    at_unit = miss * w2
    yield Measure("chain-at-unit", at_unit)
    # Against autograd, and so for twenty more chains drawn at random, about half of them with the unit off.
    rng = np.random.default_rng(seed)
    gaps = []
    for at, first, second, goal in ((x, w1, w2, target), *rng.normal(0, 3, (20, 4))):
        leaf = torch.tensor(float(first), dtype=torch.float64, requires_grad=True)
        unit = torch.relu(leaf * at)
        loss_there = mse_loss(second * unit, torch.tensor(float(goal), dtype=torch.float64)) / 2
        theirs = torch.autograd.grad(loss_there, (leaf, unit))
        miss = second * max(first * at, 0) - goal
        ours = miss * at if mistake == "direct" else miss * second * (first * at > 0) * at
        gaps += [abs(ours - float(theirs[0])), abs(miss * second - float(theirs[1]))]
    yield Claim("chain-matches-autograd", measured=max(gaps), at_most=1e-6)

    # Widths 8, hidden, hidden, 1. The price is counted on the matrix products themselves.
    shapes = (8, hidden, hidden, 1), (8, 1), (8, 5, 1), (8, 3, 6, 6, 4, 1)
    weights, *others = [[rng.normal(0, n**-0.5, (n, m)) for n, m in pairwise(sizes)] for sizes in shapes]
    data = np.concatenate([rng.normal(size=(64, 7)), np.ones((64, 1))], axis=1)  # (B, 8)
    goal = np.clip(np.diff(data[:, :2]), -2, 2)  # (B, 1)
    once, both = Counter(), Counter()
    forward(weights, data, product=once)
    backward(weights, forward(weights, data, product=both), goal, product=both)
    passes = 1 if mistake == "one-pass" else 2  # a forward pass for each nudge
    differences = passes * sum(w.size for w in weights) * once.multiply_adds
    ratio = differences / both.multiply_adds
    yield Measure("price-ratio", ratio)
    price = both.multiply_adds if method == "backprop" else differences
    prices = [price / once.multiply_adds]
    for net in others:
        alone, whole = Counter(), Counter()
        forward(net, data, product=alone)
        backward(net, forward(net, data, product=whole), goal, product=whole)
        prices.append(whole.multiply_adds / alone.multiply_adds)
    yield Claim("costs-three-forwards", measured=max(prices), at_most=3.0)

    nudged = Counter()
    by_differences(lambda ws: forward(ws, data, product=nudged)[-1][0, 0], weights, 1e-5)
    yield Claim(
        "differences-run-twice-a-weight", measured=nudged.multiply_adds / both.multiply_adds / ratio, near=(1.0, 1e-9)
    )

    def loss(ws: Arrays) -> float:
        return float(((forward(ws, data, activation)[-1] - goal) ** 2).mean())

    def by_torch(ws: Arrays) -> Arrays:
        """The gradients of the same loss in torch, from autograd."""
        leaves = [torch.tensor(w, requires_grad=True) for w in ws]
        out = torch.tensor(data)
        for leaf in leaves:
            out = torch.tanh(out @ leaf) if activation == "tanh" and leaf is not leaves[-1] else out @ leaf
        return [g.numpy() for g in torch.autograd.grad(((out - torch.tensor(goal)) ** 2).mean(), leaves)]

    autograd = by_torch(weights)
    kept = forward(weights, data, activation)
    grads = backward(weights, kept, goal, activation, mistake, rate)
    rows = [[str(g.shape), g[0, 0], a[0, 0]] for g, a in zip(grads, autograd, strict=True)]
    yield Table("first entry of each gradient", ["shape", "by hand", "autograd"], rows)
    agree, apart = [error(grads, autograd)], []
    for net in others:
        found = backward(net, forward(net, data, activation), goal, activation, mistake, rate)
        agree.append(error(found, by_torch(net)))
        apart.append(error(found, by_differences(loss, net, 1e-5)))
    yield Claim("matches-autograd", measured=max(agree), at_most=1e-10)

    # Truncation error falls as h², rounding error grows as 1/h: the best h lies between.
    steps = [10.0**-k for k in range(1, 14)]
    gaps = [error(grads, by_differences(loss, weights, h)) for h in steps]
    yield Plot("error-over-h", {"difference": (steps, gaps)}, "h", "relative difference", log_x=True, log_y=True)
    yield Claim("matches-finite-differences", measured=max(gaps[4], *apart), at_most=1e-7)
    small, good = (error(by_differences(loss, weights, h), autograd) for h in (tiny, 1e-5))
    yield Claim("smaller-h-is-worse", measured=np.log10(small / good), at_least=2.0)

    bugs = ("no-derivative", "no-transpose", "update-early")
    faulty = [backward(weights, kept, goal, activation, name, rate) for name in bugs]
    checked = by_differences(loss, weights, 1e-5)
    moved = [min(error(found, autograd), error(found, checked)) for found in faulty]
    yield Table("what a bug does to the gradient", ["bug", "relative error"], [*zip(bugs, moved, strict=True)])
    yield Claim("check-catches-bugs", measured=np.log10(max(min(moved), 1e-16)), at_least=-3.0)

    # y = tanh(v W) Wᵀ, its entries added up: the way back meets W twice, and each visit adds its part.
    gaps = []
    for shape in ((1, 1), (6, 4), (3, 9)):
        w, v = rng.normal(1.0, 0.1, shape), rng.normal(1.0, 0.1, (2, shape[0]))
        h, ones = np.tanh(v @ w), np.ones_like(v)  # (2, m), ∂/∂y (2, n)
        at_outer, at_inner = ones.T @ h, v.T @ (ones @ w * (1 - h**2))  # (n, m) each
        by_hand = at_inner if mistake == "overwrite" else at_outer + at_inner
        leaf = torch.tensor(w, requires_grad=True)
        (path_sum,) = torch.autograd.grad((torch.tanh(torch.tensor(v) @ leaf) @ leaf.T).sum(), leaf)
        gaps.append(np.abs(by_hand - path_sum.numpy()).max())
    yield Claim("paths-add", measured=max(gaps), at_most=1e-10)

    # What the backward pass will need again, against the two layers that inference holds at a time.
    tower = [np.eye(8, hidden), *[np.eye(hidden)] * (deep - 1), np.eye(hidden, 1)]
    sizes = np.array([a.size for a in forward(tower, data)])
    at_once = (sizes[:-1] + sizes[1:]).max()
    yield Claim("training-keeps-more", measured=sizes.sum() / at_once, between=(8.0, 9.0))

    # The gradient at work: one step, then 400 with the right gradient and with a wrong one.
    def descend(bug: str, count: int) -> list[float]:
        ws, losses = weights, [loss(weights)]
        while len(losses) <= count and losses[-1] < 1e6 * losses[0]:
            found = backward(ws, forward(ws, data, activation), goal, activation, bug)
            ws = [step(w, g, rate) for w, g in zip(ws, found, strict=True)]
            losses.append(loss(ws))
        return losses

    drops = []
    for small in (rate, rate / 10, rate / 100):
        lower = loss([step(w, g, small) for w, g in zip(weights, autograd, strict=True)])
        drops.append((loss(weights) - lower) / (small * sum((g**2).sum() for g in autograd)))
    farthest = max(drops, key=lambda drop: abs(drop - 1))
    yield Claim("step-lowers-loss", measured=farthest, between=(0.5, 1.2))
    right, wrong = descend("none", 400), descend(bug, 400)
    curves = {"right gradient": (range(len(right)), right), f"bug: {bug}": (range(len(wrong)), wrong)}
    yield Plot("loss-curves", curves, "step", "training loss", log_y=True)
    ratio = min(wrong[-1] / wrong[0], 1e6)
    yield Measure("buggy-loss-ratio", ratio)
    yield Claim("wrong-still-learns", measured=ratio, at_most=0.5)
    yield Text("A falling loss says that the direction goes downhill; the check says whether it is the gradient.")


if __name__ == "__main__":
    main(run)
