"""What a mini-batch buys: many cheap updates per pass, by gradients that are good enough far from the minimum.

    updates per epoch = ⌈N / B⌉        gradient work per epoch: the same for each B
    noise scale = tr Σ / |G|²          a batch of that size has as much noise as signal (Σ: covariance
                                       of one example's gradient, G: full gradient)

A matrix product that counts its operations shows what an epoch costs. Linear regression shows when a larger batch
with a larger rate keeps the curve, and where that ends; regression with more weights than points shows what becomes
of "small batches overfit less". Then the fine print: the short last batch, averages of averages, micro-batches.

Sources: Goyal et al. (2017), Accurate, Large Minibatch SGD, sections 2 and 3; McCandlish et al. (2018), An Empirical
Model of Large-Batch Training, section 2; Shallue et al. (2019), Measuring the Effects of Data Parallelism.
"""

import time
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "updates-are-ceil": {
        "says": "a loader that keeps the short batch makes ⌈N / B⌉ updates per epoch, for six pairs of N and B",
        "false_when": {"drop_last": True},
    },
    "gradient-work-is-equal": {
        "says": "an epoch's matrix products take as many operations at each batch size (largest over smallest)",
        "false_when": {"count": "with-updates"},
    },
    "update-work-vanishes": {
        "says": "at batches of 64 the updates are under 1% of all operations",
        "false_when": {"common": 1},
    },
    "agrees-when-far": {
        "says": "far from the minimum batches of 64 point along the full gradient (mean cosine above 0.9)",
        "false_when": {"away": 0.02},
    },
    "noise-scale-grows": {
        "says": "the noise scale grows over tenfold on the way to the minimum (log10)",
        "false_when": {"near": 1.0},
    },
    "linear-scaling-keeps-curve": {
        "says": "at small rates, four times the batch at four times the rate leaves equal loss after equal passes",
        "false_when": {"rate_factor": 1.0},
    },
    "unscaled-needs-more-examples": {
        "says": "at an unchanged small rate four times the batch needs four times the examples to each of 3 losses",
        "false_when": {"kept": 4.0},
    },
    "scaling-ends": {
        "says": "with the batch and the rate both 256 times as large it diverges (log10 of the loss over its start)",
        "false_when": {"large": 4},
    },
    "overfits-sooner": {
        "says": "at one rate and equal passes, batches of 2 have a wider test-training gap than full batches (log10)",
        "false_when": {"compare": "updates"},
    },
    "same-end": {
        "says": "trained until they fit, runs on batches of 2 and on full batches end in the same weights (log10)",
        "false_when": {"fit_passes": 5},
    },
    "short-batch-weighs-more": {
        "says": "with a mean loss an example of the short last batch of r weighs B / r times as much in its epoch",
        "false_when": {"reduction": "sum"},
    },
    "weigh-by-size": {
        "says": "batch means weighted by their sizes give the mean over all examples",
        "false_when": {"mistake": "mean-of-means"},
    },
    "dropped-every-time": {
        "says": "without shuffling, drop_last leaves out the same N mod B examples each epoch: none is ever seen",
        "false_when": {"shuffle": True},
    },
    "micro-batches-add-up": {
        "says": "gradients of k equal micro-batches, each mean loss over k, sum to the batch's gradient: four k",
        "false_when": {"mistake": "undivided"},
    },
}
measures = {
    "updates": "updates in `epochs` epochs of `examples` examples in batches of `size`, the short batch kept",
    "updates-dropped": "the same with the short batch dropped",
    "updates-one-epoch": "the same for one epoch",
    "short-weight": "weight of an example in the short batch over that of another, with a mean loss per batch",
    "short-weight-inverted": "the same the other way round",
    "examples-ratio": "examples to a tenth of the first excess loss, at `factor` times the batch and the same rate",
    "speed-1": "examples per second at batches of 1, gradient and update",
    "speed-512": "examples per second at batches of 512",
}
predict = {
    "ask": "The batch grows fourfold, the small learning rate stays. To the same loss it takes how many examples?",
    "measure": "examples-ratio",
    "choices": {"half as many": [0.2, 0.8], "as many": [0.8, 1.5], "twice": [1.5, 3.0], "four times": [3.0, 6.0]},
}


class Counter:
    """A matrix product that counts its multiplications and additions."""

    def __init__(self) -> None:
        self.operations = 0

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.operations += 2 * a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b


def batches(order: np.ndarray, size: int, drop_last: bool = False) -> list[np.ndarray]:
    """One epoch's batches of indices, as a data loader cuts them."""
    cut = [order[i : i + size] for i in range(0, len(order), size)]
    return [batch for batch in cut if len(batch) == size or not drop_last]


def gradients(
    x: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray, counter: Counter
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients, for W1 (D, H) and W2 (H, K), of half the squared error of a ReLU network, averaged over examples."""
    h = np.maximum(counter.multiply(x, W1), 0)  # (B, H)
    error = (counter.multiply(h, W2) - y) / len(x)  # (B, K)
    dz = counter.multiply(error, W2.T) * (h > 0)  # (B, H)
    return counter.multiply(x.T, dz), counter.multiply(h.T, error)


def price_of_epoch(x: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray, size: int) -> tuple[int, int, float]:
    """Operations for gradients and for updates, and seconds, of an epoch in batches of `size`."""
    seconds = []
    for _ in range(3):  # the fastest of three, as other programs may interfere
        counter, updates, weights = Counter(), 0, [W1, W2]
        start = time.perf_counter()
        for batch in batches(np.arange(len(x)), size):
            slopes = gradients(x[batch], y[batch], *weights, counter)
            weights = [w - 0.01 * slope for w, slope in zip(weights, slopes, strict=True)]
            updates += 2 * (W1.size + W2.size)
        seconds.append(time.perf_counter() - start)
    return counter.operations, updates, min(seconds)


def descend(x: np.ndarray, y: np.ndarray, rate: float, size: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (steps + 1, R, D) of R regressions on data x (R, N, D), y (R, N), from 0, on shuffled batches."""
    runs, n, _ = x.shape
    theta, path = np.zeros((runs, x.shape[2])), []
    rows, per_epoch = np.arange(runs)[:, None], n // size
    for step in range(steps + 1):
        path.append(theta)
        if step % per_epoch == 0:
            order = rng.random((runs, n)).argsort(axis=1)
        chosen = order[:, step % per_epoch * size :][:, :size]  # (R, B)
        seen = x[rows, chosen]  # (R, B, D)
        error = (seen @ theta[:, :, None])[..., 0] - y[rows, chosen]
        theta = np.clip(theta - rate * (error[:, None] @ seen)[:, 0] / size, -1e6, 1e6)
    return np.array(path)


def run(
    *,
    examples: Annotated[int, Range(2, 100_000), "N in the counts of updates and weights"] = 1000,
    size: Annotated[int, Range(1, 10_000), "batch size B there"] = 300,
    epochs: Annotated[int, Range(1, 100), "epochs there"] = 5,
    factor: Annotated[int, Range(2, 16), "growth of the batch size"] = 4,
    rate_factor: Annotated[float, Range(0.1, 16.0), "growth of the rate under the scaling rule"] = 4.0,
    kept: Annotated[float, Range(0.1, 16.0), "growth of the rate where it is to stay"] = 1.0,
    large: Annotated[int, Range(2, 256), "growth of batch and rate beyond the limit"] = 256,
    common: Annotated[int, Range(1, 512), "a common batch size"] = 64,
    away: Annotated[float, Range(0.01, 1.0), "share of the distance to the minimum that is left, when far"] = 1.0,
    near: Annotated[float, Range(0.01, 1.0), "the same when near"] = 0.05,
    fit_passes: Annotated[int, Range(5, 1000), "passes over the 20 points until they are fitted"] = 250,
    compare: Literal["passes", "updates"] = "passes",
    count: Literal["gradients", "with-updates"] = "gradients",
    reduction: Literal["mean", "sum"] = "mean",
    mistake: Literal["none", "mean-of-means", "undivided"] = "none",
    drop_last: bool = False,
    shuffle: bool = False,
    seed: int = 0,
) -> Iterator[Evidence]:
    everything = np.arange(examples)
    short = (examples - 1) % size + 1  # examples in the last batch; the whole of B if B divides N
    yield Measure("updates", epochs * len(batches(everything, size)))
    yield Measure("updates-dropped", epochs * len(batches(everything, size, drop_last=True)))
    yield Measure("updates-one-epoch", len(batches(everything, size)))
    yield Measure("short-weight", min(size, examples) / short)
    yield Measure("short-weight-inverted", short / min(size, examples))
    pairs = [(examples, size), (7, 3), (512, 64), (100, 128), (1001, 250), (999, 1)]
    extra = [len(batches(np.arange(n), b, drop_last)) - (n // b + (n % b > 0)) for n, b in pairs]
    yield Claim("updates-are-ceil", measured=max(extra, key=abs), near=(0.0, 0.0))

    # The price of an epoch.
    rng = np.random.default_rng(seed)
    inputs, targets = rng.normal(size=(512, 16)), rng.normal(size=(512, 8))
    net = [np.random.default_rng([seed, 1]).normal(size=shape) / 4 for shape in ((16, 16), (16, 8))]
    work = {b: price_of_epoch(inputs, targets, *net, b) for b in sorted({1, 8, 64, 100, 300, 512, common})}
    yield Table(
        "one epoch of 512 examples",
        ["B", "updates", "operations, gradients", "operations, updates"],
        [[b, -(-512 // b), gradient, update] for b, (gradient, update, _) in work.items()],
    )
    yield Text("Examples per second depend on the machine; a batch lets it do in one call what it else does in many.")
    yield Measure("speed-1", 512 / work[1][2], timing=True)
    yield Measure("speed-512", 512 / work[512][2], timing=True)
    costs = [gradient + (update if count == "with-updates" else 0) for gradient, update, _ in work.values()]
    yield Claim("gradient-work-is-equal", measured=max(costs) / min(costs), at_most=1.001)
    gradient_work, update_work, _ = work[common]
    yield Claim("update-work-vanishes", measured=update_work / (gradient_work + update_work), at_most=0.01)

    # Signal and noise, in 32 linear regressions of 1024 points and 4 weights, with curvatures from 1 down to 1/4.
    runs, n, d = 32, 1024, 4
    x = rng.normal(size=(runs, n, d)) * np.linspace(1.0, 0.5, d)  # (R, N, D)
    truth = np.array([1.0, -2.0, 2.0, -3.0])
    y = x @ truth + rng.normal(size=(runs, n))  # (R, N)
    hessian = x.swapaxes(1, 2) @ x / n  # (R, D, D)
    best = np.linalg.solve(hessian, (y[:, None] @ x / n).swapaxes(1, 2))[..., 0]  # (R, D)

    def single_gradients(left: float) -> np.ndarray:
        """Each example's gradient (R, N, D) where a share `left` of the distance from 0 to the minimum is left."""
        theta = (1 - left) * best
        return ((x @ theta[:, :, None])[..., 0] - y)[..., None] * x

    def noise_scale(left: float) -> float:
        rows = single_gradients(left)
        signal = rows.mean(1)
        return float((((rows - signal[:, None]) ** 2).sum(2).mean(1) / (signal**2).sum(1)).mean())

    def agreement(left: float, b: int) -> float:
        """Mean cosine between the gradients of batches and the full ones."""
        rows = single_gradients(left)
        part, whole = rows[:, : n // b * b].reshape(runs, -1, b, d).mean(2), rows.mean(1)[:, None]
        return float(((part * whole).sum(2) / np.linalg.norm(part, axis=2) / np.linalg.norm(whole, axis=2)).mean())

    sizes = [1, 4, 16, 64, 256]
    yield Plot(
        "agreement-with-the-full-gradient",
        {
            "far from the minimum": (sizes, [agreement(away, b) for b in sizes]),
            "near it": (sizes, [agreement(near, b) for b in sizes]),
        },
        x_label="batch size",
        y_label="cosine",
        log_x=True,
    )
    yield Claim("agrees-when-far", measured=agreement(away, 64), at_least=0.9)
    yield Claim("noise-scale-grows", measured=np.log10(noise_scale(near) / noise_scale(1.0)), at_least=1.0)

    def curve(b: int, rate: float, steps: int) -> np.ndarray:
        """Excess loss over that at the start, averaged over the regressions, before and after each update."""
        off = descend(x, y, rate, b, steps, rng) - best  # (steps + 1, R, D)
        excess = np.einsum("srd,rde,sre->s", off, hessian, off)
        return excess / excess[0]

    base = curve(4, 0.01, 768)  # three passes
    scaled = curve(4 * factor, 0.01 * rate_factor, 768 // factor)
    unscaled = curve(4 * factor, 0.01 * kept, 768)
    beyond = curve(4 * large, 0.01 * large, 20)
    yield Plot(
        "four-times-the-batch",
        {
            "B": (np.arange(769) * 4, base),
            "more, rate scaled": (np.arange(len(scaled)) * 4 * factor, scaled),
            "more, rate kept": (np.arange(193) * 4 * factor, unscaled[:193]),
        },
        x_label="examples seen",
        y_label="excess loss",
        log_y=True,
    )
    yield Claim("linear-scaling-keeps-curve", measured=scaled[-1] / base[768 // factor * factor], near=(1.0, 0.1))
    updates = [max((unscaled > left).argmin(), 1) / max((base > left).argmin(), 1) for left in (0.1, 0.2, 0.4)]
    yield Measure("examples-ratio", factor * updates[0])
    worst = max(updates, key=lambda ratio: abs(ratio - 1))
    yield Claim("unscaled-needs-more-examples", measured=worst, near=(1.0, 0.1))
    yield Claim("scaling-ends", measured=np.log10(beyond[-1]), at_least=2.0)

    # 20 noisy points, 60 weights: each run ends by fitting them all. The inputs have variance 1, so the test error
    # is the squared distance from the truth plus the noise's variance, here 1.
    points, target = rng.normal(size=(runs, 20, 60)), rng.normal(size=(runs, 60)) / np.sqrt(60)
    labels = (points @ target[:, :, None])[..., 0] + rng.normal(size=(runs, 20))
    two = descend(points, labels, 0.02, 2, 10 * fit_passes, rng)
    full = descend(points, labels, 0.15, 20, fit_passes, rng)
    slow = descend(points, labels, 0.02, 20, 50, rng)

    def gap(theta: np.ndarray) -> float:
        """Test minus training error, averaged over the data sets."""
        training = (((points @ theta[:, :, None])[..., 0] - labels) ** 2).mean()
        return float(((theta - target) ** 2).sum(1).mean() + 1 - training)

    rows = [["2", 50, "5", gap(two[50])], ["20 (all)", 5, "5", gap(slow[5])], ["20 (all)", 50, "50", gap(slow[50])]]
    yield Table("test minus training error, rate 0.02", ["B", "updates", "passes", "gap"], rows)
    other = slow[5] if compare == "passes" else slow[50]
    yield Claim("overfits-sooner", measured=np.log10(gap(two[50]) / gap(other)), at_least=0.1)
    apart = np.linalg.norm(two[-1] - full[-1], axis=1) / np.linalg.norm(full[-1], axis=1)  # (R,)
    yield Claim("same-end", measured=np.log10(apart.max()), at_most=-2.0)

    # The fine print: weights of examples, averages of averages, dropped examples, micro-batches.
    ratios, off, unseen = [], [], []
    for n, b in pairs:
        order = rng.permutation(n)
        weights = np.zeros(n)
        for batch in batches(order, b):
            weights[batch] = 1 / len(batch) if reduction == "mean" else 1.0
        rest = (n - 1) % b + 1
        ratios.append(weights[order[-1]] / weights[order[0]] / (min(b, n) / rest))
        values = rng.exponential(size=n) * (1 + np.arange(n) / n)  # losses that drift along the data
        parts = batches(np.arange(n), b)
        means, shares = [values[part].mean() for part in parts], [len(part) for part in parts]
        average = np.mean(means) if mistake == "mean-of-means" else np.average(means, weights=shares)
        off.append(abs(average - values.mean()))
        seen = np.zeros(n, dtype=bool)
        for _ in range(20):
            for batch in batches(rng.permutation(n) if shuffle else np.arange(n), b, drop_last=True):
                seen[batch] = True
        unseen.append((~seen).sum() - n % b)
    yield Claim("short-batch-weighs-more", measured=max(ratios, key=lambda r: abs(r - 1)), near=(1.0, 1e-9))
    yield Claim("weigh-by-size", measured=max(off), at_most=1e-9)
    yield Claim("dropped-every-time", measured=max(unseen, key=abs), near=(0.0, 0.0))
    whole, off = gradients(inputs[:64], targets[:64], *net, Counter()), []
    for k in (2, 4, 16, 64):
        share = 1 if mistake == "undivided" else k
        each = [gradients(inputs[part], targets[part], *net, Counter()) for part in batches(np.arange(64), 64 // k)]
        for layer, exact in enumerate(whole):
            added = sum(pair[layer] / share for pair in each)
            off.append(np.abs(added - exact).max() / np.abs(exact).max())
    yield Claim("micro-batches-add-up", measured=max(off), at_most=1e-9)


if __name__ == "__main__":
    main(run)
