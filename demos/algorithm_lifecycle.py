"""The life of an algorithm: develop it, analyze it by checks that can fail, implement it faster and equal.

    p (N, 1) minus y (N,)  broadcasts to (N, N), and no error is raised:
    mean (p_i - y_j)²  =  var(p) + var(y) + (mean p - mean y)²     smallest where every p_i is the mean of y

A first version of a small network's training has this fault. Its loss falls all the same. Then three faults meet four
checks: each check rests on an assumption of its own, and none of the four finds every fault. At last the
mended version goes from one example at a time to matrices: equal results, as many FLOPs, a fraction of the calls.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, section 11.5 (debugging strategies); NumPy
documentation, broadcasting rules.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "pairs-all-with-all": {
        "says": "predictions (N, 1) minus targets (N,) give N² residuals in place of N, for N = 2, 5, 16 and 128",
        "false_when": {"broadcast": False},
    },
    "loss-splits": {
        "says": "the mean square of those N² residuals is var(p) + var(y) + (mean p - mean y)²",
        "false_when": {"broadcast": False},
    },
    "shuffle-unnoticed": {
        "says": "the faulty loss stays as it is when the targets are shuffled",
        "false_when": {"broadcast": False},
    },
    "loss-falls-anyway": {
        "says": "the faulty version's loss on one batch falls by over a tenth",
        "false_when": {"rate": 0.000001},
    },
    "stalls-at-variance": {
        "says": "on one batch of 16 each copy's faulty loss ends at the variance of the targets (ratio, to 5%)",
        "false_when": {"broadcast": False},
    },
    "mended-fits-one-batch": {
        "says": "on one batch of 16 the mended version ends below 1% of the targets' variance",
        "false_when": {"hidden": 1},
    },
    "gradient-check-misses-it": {
        "says": "the faulty loss passes a gradient check: its gradient agrees with finite differences of itself",
        "false_when": {"mistake": "mended-gradient"},
    },
    "gradient-check-finds-bias": {
        "says": "a hidden bias without its gradient fails the gradient check, by over 3% of the largest one (log10)",
        "false_when": {"bias": "right"},
    },
    "wrong-gradient-fits": {
        "says": "without the gradient of the hidden bias, one batch of 16 is still fitted to 5% of the variance",
        "false_when": {"hidden": 1},
    },
    "misaligned-fits": {
        "says": "with its targets shuffled, one batch of 16 is still fitted to 5% of the variance",
        "false_when": {"hidden": 1},
    },
    "validation-finds-misaligned": {
        "says": "trained on shuffled targets, the network is no better than their mean on validation data",
        "false_when": {"labels": "aligned"},
    },
    "matrices-equal-loops": {
        "says": "gradients from one matrix product a layer are the mean of those from one example at a time, for "
        "several batch sizes",
        "false_when": {"mistake": "sum"},
    },
    "fewer-calls": {
        "says": "one example at a time takes N times as many calls of the matrix product, for several N",
        "false_when": {"mistake": "recompute"},
    },
    "same-flops": {
        "says": "the matrix version takes as many FLOPs as one example at a time, for several batch sizes",
        "false_when": {"mistake": "recompute"},
    },
    "order-matters": {
        "says": "(XᵀX)w takes over 5 times the FLOPs of Xᵀ(Xw) with 100 examples of 20 features",
        "false_when": {"features": 2},
    },
    "break-even-counted": {
        "says": "counted step by step, XᵀX computed once is first ahead at the first step above N D²/(2 N D - D²), "
        "for 100 examples of 20 features and three other shapes",
        "false_when": {"mistake": "one-product"},
    },
    "precomputing-pays": {
        "says": "with XᵀX computed once, 200 steps take under 60% of the FLOPs of Xᵀ(Xw) each time",
        "false_when": {"horizon": 1},
    },
}
measures = {
    "faulty-loss": "least mean square of predictions (N, 1) minus targets (N,), half of them `low`, half `high`",
    "target-deviation": "standard deviation of these targets",
    "gap-squared": "the squared distance of the two kinds of targets",
    "break-even": "first number of steps at which XᵀX computed once takes less work than Xᵀ(Xw) each time",
    "rule-of-thumb": "number of features: the break-even if XᵀX w took as long as one of the two products",
    "one-batch-faulty": "final loss on one batch over the targets' variance, faulty version",
    "one-batch-mended": "the same, mended version",
}
predict = {
    "ask": "One batch, predictions (N, 1) minus targets (N,). At which share of the targets' variance does it end?",
    "measure": "one-batch-faulty",
    "choices": {"near 0": [0.0, 0.1], "near one half": [0.4, 0.6], "near 1": [0.9, 1.1], "above 2": [2.0, 100.0]},
}
COPIES, INPUTS = 8, 4


class Counter:
    """A matrix product that counts its calls and its FLOPs."""

    def __init__(self) -> None:
        self.calls = self.flops = 0

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.calls += 1
        self.flops += 2 * a.size * b.shape[-1]
        return a @ b


def residuals(p: np.ndarray, y: np.ndarray, broadcast: bool) -> np.ndarray:
    """p (N, 1) minus y (N,), in each copy: what NumPy makes of it (…, N, N), or what was meant (…, N, 1)."""
    if not broadcast:
        return p - y[..., None]
    return p - y if y.ndim == 1 else np.stack([p_c - y_c for p_c, y_c in zip(p, y, strict=True)])


def predict_targets(net: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    w, b, v, c = net
    return np.tanh(x @ w + b) @ v + c  # (…, N, 1)


def loss(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, broadcast: bool) -> np.ndarray:
    return (residuals(predict_targets(net, x), y, broadcast) ** 2).mean((-2, -1))


def gradients(
    net: list, x: np.ndarray, y: np.ndarray, broadcast: bool, bias: str, counter: Counter | None = None
) -> list[np.ndarray]:
    """Gradients of `loss` for each copy of the network: net (C, …), x (C, N, D), y (C, N)."""
    w, b, v, c = net
    multiply = (counter or Counter()).multiply
    h = np.tanh(multiply(x, w) + b)  # (C, N, H)
    r = residuals(multiply(h, v) + c, y, broadcast)  # (C, N, 1), or (C, N, N) by the fault
    d_out = 2 * r.mean(-1, keepdims=True) / x.shape[-2]  # (C, N, 1)
    d_z = multiply(d_out, v.swapaxes(-1, -2)) * (1 - h**2)  # (C, N, H)
    d_w, d_v = multiply(x.swapaxes(-1, -2), d_z), multiply(h.swapaxes(-1, -2), d_out)
    d_b = d_z.sum(-2, keepdims=True) if bias == "right" else np.zeros_like(b)
    return [d_w, d_b, d_v, d_out.sum(-2, keepdims=True)]


def check(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, broadcast: bool, by_hand: list[np.ndarray]) -> float:
    """Gradient check: largest difference from central differences, relative to the largest gradient."""
    off, eps = 0.0, 1e-5
    top = max(np.abs(g).max() for g in by_hand)
    for part, g in zip(net, by_hand, strict=True):
        for place in np.ndindex(part.shape[1:]):
            at = (slice(None), *place)  # this weight in each copy; the copies do not meet
            part[at] += eps
            up = loss(net, x, y, broadcast)
            part[at] -= 2 * eps
            down = loss(net, x, y, broadcast)
            part[at] += eps
            off = max(off, np.abs((up - down) / (2 * eps) - g[at]).max())
    return off / top


def train(
    start: list, x: np.ndarray, y: np.ndarray, broadcast: bool, bias: str, steps: int, rate: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Network after gradient descent with momentum on all of x, y, and its loss (steps + 1,), the copies' mean."""
    net, speed, seen = [part.copy() for part in start], [0.0] * 4, []
    for _ in range(steps):
        seen.append(loss(net, x, y, broadcast).mean())
        for i, g in enumerate(gradients(net, x, y, broadcast, bias)):
            speed[i] = 0.9 * speed[i] + g
            net[i] = np.clip(net[i] - rate * speed[i], -1e3, 1e3)  # diverged is diverged
    return net, np.array([*seen, loss(net, x, y, broadcast).mean()])


def run(
    *,
    examples: Annotated[int, Range(2, 1000), "rows of X"] = 100,
    features: Annotated[int, Range(1, 200), "columns of X"] = 20,
    low: Annotated[float, Range(-100.0, 100.0), "half of the targets, in the loss at the best constant"] = 1.0,
    high: Annotated[float, Range(-100.0, 100.0), "the other half"] = 5.0,
    horizon: Annotated[int, Range(1, 10_000), "steps over which XᵀX is reused"] = 200,
    batch: Annotated[int, Range(1, 256), "examples of the batch in matrices and loops"] = 32,
    hidden: Annotated[int, Range(1, 64), "hidden units"] = 24,
    steps: Annotated[int, Range(1, 2000), "training steps"] = 400,
    rate: Annotated[float, Range(0.000001, 0.05), "learning rate, with momentum 0.9"] = 0.05,
    broadcast: Annotated[bool, "the fault: predictions (N, 1) minus targets (N,)"] = True,
    bias: Annotated[Literal["left out", "right"], "gradient of the hidden bias in the second fault"] = "left out",
    labels: Annotated[Literal["misaligned", "aligned"], "targets against inputs in the third fault"] = "misaligned",
    mistake: Literal["none", "mended-gradient", "sum", "recompute", "one-product"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # Analyze: closed forms, on paper.
    pair = np.array([low, high])
    constant = np.full((2, 1), pair.mean())  # the best that each prediction can be
    yield Measure("faulty-loss", (residuals(constant, pair, True) ** 2).mean())
    yield Measure("target-deviation", pair.std())
    yield Measure("gap-squared", (high - low) ** 2)
    each, once = 2 * examples * features, examples * features**2  # multiplications: Xᵀ(Xw), and XᵀX
    saved = each - features**2  # in each step, as (XᵀX)w takes features² of them
    even = once // saved + 1 if saved > 0 else 10**9
    yield Measure("break-even", even)
    yield Measure("rule-of-thumb", features)

    # Develop: a first version, which runs without an error.
    rng = np.random.default_rng(seed)
    start = [
        rng.normal(0, 1 / np.sqrt(INPUTS), (COPIES, INPUTS, hidden)),
        rng.normal(0, 0.5, (COPIES, 1, hidden)),
        rng.normal(0, 1 / np.sqrt(hidden), (COPIES, hidden, 1)),
        rng.normal(0, 0.1, (COPIES, 1, 1)),
    ]
    teacher = rng.normal(size=(COPIES, INPUTS, 2)) * 0.7

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (C, n, D) and targets (C, n) of mean 0 and variance 1 in each copy."""
        x = rng.normal(size=(COPIES, n, INPUTS))
        y = np.sin(x @ teacher).sum(-1) + 0.1 * rng.normal(size=(COPIES, n))
        return x, (y - y.mean(-1, keepdims=True)) / y.std(-1, keepdims=True)

    x, y = sample(16)
    p = predict_targets(start, x)  # (C, 16, 1)
    first = p[0] - y[0] if broadcast else p[0, :, 0] - y[0]
    yield Text(f"Predictions {p[0].shape} minus targets {y[0].shape}: the residuals have the shape {first.shape}.")
    sizes = {}
    for n in (2, 5, 16, 128):
        p_n, y_n = rng.normal(size=(n, 1)), rng.normal(size=n)
        sizes[n] = (p_n - y_n if broadcast else p_n[:, 0] - y_n).size
    yield Claim("pairs-all-with-all", measured=max(abs(size / n - n) for n, size in sizes.items()), near=(0.0, 0.0))
    off = 0.0
    for n in (2, 5, 16, 128):
        p_n, y_n = rng.normal(1, 2, (COPIES, n, 1)), rng.normal(-1, 3, (COPIES, n))
        parts = p_n.var((1, 2)) + y_n.var(1) + (p_n.mean((1, 2)) - y_n.mean(1)) ** 2
        off = max(off, np.abs((residuals(p_n, y_n, broadcast) ** 2).mean((1, 2)) - parts).max())
    yield Claim("loss-splits", measured=off, at_most=1e-9)
    shuffled = rng.permuted(y, axis=1)
    change = loss(start, x, shuffled, broadcast) - loss(start, x, y, broadcast)
    yield Claim("shuffle-unnoticed", measured=np.abs(change).max(), at_most=1e-9)

    # Analyze: three faults (and none) meet four checks.
    x_all, y_all = sample(128)
    x_val, y_val = sample(256)
    mixed = shuffled if labels == "misaligned" else y
    mixed_all = rng.permuted(y_all, axis=1) if labels == "misaligned" else y_all
    cases = {
        "none": (False, "right", y, y_all),
        "broadcast": (broadcast, "right", y, y_all),
        f"bias {bias}": (False, bias, y, y_all),
        f"targets {labels}": (False, "right", mixed, mixed_all),
    }
    rows, curves = [], {}
    for name, (fault, kind, target, target_all) in cases.items():
        wanted = fault and mistake != "mended-gradient"
        gap = check([part.copy() for part in start], x, target, fault, gradients(start, x, target, wanted, kind))
        net, curve = train(start, x, target, fault, kind, steps, rate)
        curves[name] = (np.arange(steps + 1), curve)
        ends = np.minimum(loss(net, x, target, fault), 1e3)  # (C,)
        one_batch = ends.mean()
        if name == "broadcast":
            stalled = ends[np.abs(ends - 1).argmax()]  # of all copies, the one furthest from the variance
        # Shuffled targets raise the loss of a network that has fitted them, unless the loss cannot tell.
        shuffle = (loss(net, x, np.roll(target, 1, axis=1), fault) / loss(net, x, target, fault)).min()
        net, _ = train(start, x_all, target_all, fault, kind, steps // 2, rate)
        error = np.minimum(loss(net, x_val, y_val, False), 1e3).mean()
        rows.append([name, gap, one_batch, shuffle > 1.01, error])
    yield Table(
        "fault against check (targets have variance 1)",
        ["fault", "gradient check", "one batch", "shuffle tells", "validation"],
        [[row, f"{gap:.0e}", f"{fit:.4f}", "yes" if tells else "no", f"{e:.2f}"] for row, gap, fit, tells, e in rows],
    )
    yield Plot("one-batch", curves, x_label="step", y_label="loss on one batch of 16", log_y=True)
    none, faulty, second, third = rows
    yield Claim("gradient-check-misses-it", measured=max(none[1], faulty[1]), at_most=1e-6)
    yield Claim("gradient-check-finds-bias", measured=np.log10(max(second[1], 1e-16)), at_least=-1.5)
    yield Measure("one-batch-mended", none[2])
    yield Measure("one-batch-faulty", faulty[2])
    yield Claim("mended-fits-one-batch", measured=none[2], at_most=0.01)
    falling = curves["broadcast"][1]
    yield Claim("loss-falls-anyway", measured=1 - falling[-1] / falling[0], at_least=0.1)
    yield Claim("stalls-at-variance", measured=stalled, near=(1.0, 0.05))
    yield Claim("wrong-gradient-fits", measured=second[2], at_most=0.05)
    yield Claim("misaligned-fits", measured=third[2], at_most=0.05)
    yield Claim("validation-finds-misaligned", measured=third[4], at_least=1.0)

    # Implement: from one example at a time to matrices, and the cheaper of two equal formulas.
    net, apart, calls, flops = [part[:1] for part in start], 0.0, [], []
    for n in (2, 7, 100, batch):  # the last one is shown
        x, y = rng.normal(size=(1, n, INPUTS)), rng.normal(size=(1, n))
        loops, matrices = Counter(), Counter()
        single = [gradients(net, x[:, [i]], y[:, [i]], False, "right", loops) for i in range(n)]
        means = [np.mean(parts, axis=0) for parts in zip(*single, strict=True)]
        whole = gradients(net, x, y, False, "right", matrices)
        if mistake == "sum":
            whole = [g * n for g in whole]
        if mistake == "recompute":  # the loss from a forward pass of its own
            matrices.multiply(np.tanh(matrices.multiply(x, net[0]) + net[1]), net[2])
        apart = max(apart, *(np.abs(g - m).max() for g, m in zip(whole, means, strict=True)))
        calls.append(abs(loops.calls / matrices.calls - n))
        flops.append(abs(matrices.flops / loops.flops - 1))
    yield Claim("matrices-equal-loops", measured=apart, at_most=1e-9)
    yield Table(
        f"one gradient over {batch} examples",
        ["version", "calls", "FLOPs"],
        [["one example at a time", loops.calls, loops.flops], ["matrices", matrices.calls, matrices.flops]],
    )
    yield Claim("fewer-calls", measured=max(calls), at_most=1e-9)
    yield Claim("same-flops", measured=max(flops), at_most=1e-9)

    data, w = rng.normal(size=(examples, features)), rng.normal(size=(features, 1))
    right, left, kept = Counter(), Counter(), Counter()
    right.multiply(data.T, right.multiply(data, w))
    left.multiply(left.multiply(data.T, data), w)
    yield Claim("order-matters", measured=left.flops / right.flops, at_least=5.0)
    gram = kept.multiply(data.T, data)
    for _ in range(horizon):
        kept.multiply(gram, w)
    off = []
    for n, d in ((examples, features), (300, 7), (50, 30), (30, 40)):  # rows and columns
        rows, w_d, gram_d = rng.normal(size=(n, d)), rng.normal(size=(d, 1)), np.empty((d, d))
        twice, reuse, step = Counter(), Counter(), 0
        reuse.multiply(rows.T, rows)
        while reuse.flops >= twice.flops and step < 1000:
            step += 1
            twice.multiply(rows.T, twice.multiply(rows, w_d))
            reuse.multiply(gram_d, w_d)
        least = n * d * d // (2 * n * d - d * d) + 1 if 2 * n > d else 1000
        off.append(abs(step - (d if mistake == "one-product" else min(least, 1000))))
    yield Claim("break-even-counted", measured=max(off), near=(0.0, 0.0))
    yield Claim("precomputing-pays", measured=kept.flops / (horizon * right.flops), at_most=0.6)


if __name__ == "__main__":
    main(run)
