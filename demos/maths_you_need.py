"""The mathematics behind training a network: shapes, the chain rule, likelihoods, priors and Bayes' rule.

    shapes       (B, D) @ (D, H) is (B, H): inner sizes have to agree, and (A B) v = A (B v) at another price
    chain rule   ∂L/∂W = xᵀ δ,   δ_below = (δ Wᵀ) ⊙ tanh'
    likelihood   minimize -log Π p(y_n) = -Σ log p(y_n)
                 Gaussian: Σ (y - μ)² / 2σ² + N log σ + constant      categorical: N · cross-entropy
                 Laplace:  Σ |y - μ| / σ + N log σ + constant
    prior        maximize likelihood times prior: a Gaussian prior is an L2 penalty, a Laplace prior an L1 penalty
    Bayes        P(ill | positive) = P(positive | ill) P(ill) / P(positive)

Each identity is checked against something independent: loops, finite differences, a grid, counted people.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, chapters 2 and 3, sections 5.5 and 6.5; Bishop (2006),
Pattern Recognition and Machine Learning, section 3.1.
"""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "inner-sizes-agree": {
        "says": "(m, n) @ (p, q) exists just where n = p and has the shape (m, q): share of 256 pairs that obey",
        "false_when": {"mistake": "equal-shapes"},
    },
    "order-of-products": {
        "says": "(A B) v and A (B v) are the same vector as NumPy's, for three shapes; B (A v) is another",
        "false_when": {"mistake": "commuted"},
    },
    "vector-first-is-cheaper": {
        "says": "A (B v) takes under a tenth of the multiplications of (A B) v, for matrices of 64 x 64",
        "false_when": {"columns": 64},
    },
    "chain-rule": {
        "says": "gradients by the chain rule, of weights, biases and inputs, agree with finite differences to 1e-6",
        "false_when": {"mistake": "no-slope"},
    },
    "gaussian-is-squared-error": {
        "says": "Gaussian noise: -log likelihood minus squared error / 2σ² is the same for all predictions (4 σ)",
        "false_when": {"noise": "laplace"},
    },
    "laplace-is-absolute-error": {
        "says": "Laplace noise: -log likelihood minus absolute error / σ is the same for all predictions (4 σ)",
        "false_when": {"heavy": "cauchy"},
    },
    "best-mean": {
        "says": "the best constant under a Gaussian likelihood is the mean, on skewed data too (off by grid steps)",
        "false_when": {"noise": "laplace"},
    },
    "best-sigma": {
        "says": "of two predictors: the Gaussian likelihood is largest at σ = root mean square of the errors (ratio)",
        "false_when": {"mistake": "no-log-sigma"},
    },
    "categorical-is-cross-entropy": {
        "says": "-log of the product of the labels' probabilities is their -log summed, for one prediction N times "
        "the frequencies' cross-entropy, on 12 sets of labels",
        "false_when": {"mistake": "log-of-mean"},
    },
    "frequencies-are-best": {
        "says": "one distribution for all examples, fitted by cross-entropy, ends at the frequencies (12 sets)",
        "false_when": {"mistake": "swapped"},
    },
    "product-underflows": {
        "says": "a product of 2000 probabilities near 1/2 is 0 in float64, the sum of their logarithms is finite",
        "false_when": {"labels": 500},
    },
    "prior-becomes-penalty": {
        "says": "-log of a Laplace prior of all weights is λ Σ|w| plus a constant, at three λ",
        "false_when": {"prior": "gaussian"},
    },
    "map-is-soft-threshold": {
        "says": "squared error / 2 + λ|w| is least at sign(z) max(|z| - λ, 0): against a grid, at three λ",
        "false_when": {"prior": "gaussian"},
    },
    "gaussian-prior-scales": {
        "says": "with a Gaussian prior of precision λ it is least at z / (1 + λ): against a grid, at three λ",
        "false_when": {"mistake": "threshold-both"},
    },
    "zeros": {
        "says": "at λ = 1 over half of 2000 weights, estimated as standard normal, are exactly 0",
        "false_when": {"prior": "gaussian"},
    },
    "bayes-by-counting": {
        "says": "among people who test positive the ill have the share that Bayes' rule says, for four tests",
        "false_when": {"mistake": "inverse"},
    },
}
measures = {
    "posterior": "P(ill | positive) by Bayes' rule",
    "prior-forgotten": "the same as if half of all people were ill",
    "inverse": "P(positive | ill), the condition the wrong way round",
    "order-ratio": "multiplications of (A B) v over those of A (B v)",
    "order-ratio-squared": "n to the power 2, a wrong guess at that ratio",
    "zero-share": "share of weights that the prior sets to exactly 0",
    "counted": "share of the ill among the positive, counted in a simulation",
}
predict = {
    "ask": "1% are ill, the test finds 90% of them and errs on 5% of the healthy. Of the positive, the ill are:",
    "measure": "counted",
    "choices": {
        "about 15%": [0.05, 0.3],
        "about 50%": [0.3, 0.7],
        "about 90%": [0.7, 0.92],
        "95% or more": [0.92, 1],
    },
}


def multiply(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, int]:
    """The matrix product written out as sums, and how many multiplications it took."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for k in range(a.shape[1]):  # one column of a times one row of b
        out += a[:, k, None] * b[None, k]
    return out, a.shape[1] * out.size


def log_softmax(z: np.ndarray) -> np.ndarray:
    """Log-probabilities along the last axis."""
    shifted = z - z.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def loss(net: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Mean cross-entropy of a network with one tanh layer; x (B, D), y (B,) class numbers."""
    w, b, v, c = net
    return -log_softmax(np.tanh(x @ w + b) @ v + c)[np.arange(len(y)), y].mean()


def chain_rule(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mistake: str) -> list[np.ndarray]:
    """Gradients of that loss by the net's parts and by x: outer derivative times inner derivative, layer by layer."""
    w, b, v, c = net
    h = np.tanh(x @ w + b)  # (B, H)
    d_out = (np.exp(log_softmax(h @ v + c)) - np.eye(len(c))[y]) / len(y)  # (B, C)
    d_z = d_out @ v.T * (1 if mistake == "no-slope" else 1 - h**2)  # (B, H)
    return [x.T @ d_z, d_z.sum(0), h.T @ d_out, d_out.sum(0), d_z @ w.T]


def minus_log_likelihood(y: np.ndarray, mean: float, sigma: float, noise: str, mistake: str = "none") -> float:
    """Of independent y, minus the sum of the logarithms of the densities."""
    if noise == "cauchy":
        return np.log(np.pi * sigma * (1 + ((y - mean) / sigma) ** 2)).sum()
    if noise == "laplace":
        return -np.log(np.exp(-np.abs(y - mean) / sigma) / (2 * sigma)).sum()
    width = 1.0 if mistake == "no-log-sigma" else sigma  # the density's factor 1/σ forgotten
    return -np.log(np.exp(-((y - mean) ** 2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * width)).sum()


def shrink(z: np.ndarray, strength: float, prior: str) -> np.ndarray:
    """The w that minimizes (w - z)² / 2 + penalty: the most probable weight if z is measured with variance 1."""
    if prior == "gaussian":  # penalty strength * w² / 2
        return z / (1 + strength)
    return np.sign(z) * np.maximum(np.abs(z) - strength, 0)


def run(
    *,
    ill: Annotated[float, Range(0.0001, 0.9999), "P(ill)"] = 0.01,
    sensitivity: Annotated[float, Range(0.01, 1), "P(positive | ill)"] = 0.9,
    false_alarm: Annotated[float, Range(0.0001, 1), "P(positive | healthy)"] = 0.05,
    size: Annotated[int, Range(2, 1000), "n, for matrices A and B of n x n"] = 64,
    columns: Annotated[int, Range(1, 64), "columns of v"] = 1,
    labels: Annotated[int, Range(10, 10_000), "labels with a probability near 1/2"] = 2000,
    strength: Annotated[float, Range(0.01, 5), "λ, the strength of the prior"] = 1.0,
    prior: Annotated[Literal["laplace", "gaussian"], "prior of the weights"] = "laplace",
    noise: Annotated[Literal["gaussian", "laplace"], "distribution of the errors"] = "gaussian",
    heavy: Annotated[Literal["laplace", "cauchy"], "a distribution with heavier tails"] = "laplace",
    mistake: Literal[
        "none",
        "equal-shapes",
        "commuted",
        "no-slope",
        "no-log-sigma",
        "log-of-mean",
        "swapped",
        "threshold-both",
        "inverse",
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    posterior = sensitivity * ill / (sensitivity * ill + false_alarm * (1 - ill))
    yield Measure("posterior", posterior)
    yield Measure("prior-forgotten", sensitivity / (sensitivity + false_alarm))
    yield Measure("inverse", sensitivity)
    product_first, vector_first = size**3 + size**2 * columns, 2 * size**2 * columns
    yield Measure("order-ratio", product_first / vector_first)
    yield Measure("order-ratio-squared", size**2)
    rng = np.random.default_rng(seed)

    yield Text("Linear algebra: which products exist, and what they cost.")
    obeyed = []
    for m, n, p, q in product(range(1, 5), repeat=4):
        try:
            shape = np.matmul(np.ones((m, n)), np.ones((p, q))).shape
        except ValueError:
            shape = None
        rule = (m == p and n == q) if mistake == "equal-shapes" else n == p
        obeyed.append(shape == ((m, q) if rule else None))
    yield Claim("inner-sizes-agree", measured=float(np.mean(obeyed)), at_least=1.0)
    off = []
    for n, m in ((5, 30), (20, 7), (64, 64)):
        a, b, v = rng.normal(size=(n, m)), rng.normal(size=(m, n)), rng.normal(size=(n, columns))
        (ab, first), (bv, second) = multiply(a, b), multiply(b, v)
        (left, third), (right, fourth) = multiply(ab, v), multiply(a, bv)
        if mistake == "commuted" and n == m:
            right, _ = multiply(b, multiply(a, v)[0])
        counts = [["(A B) v", first + third, np.abs(left - a @ b @ v).max()]]
        counts += [["A (B v)", second + fourth, np.abs(right - a @ b @ v).max()]]
        off += [row[2] for row in counts]
    yield Table("64 x 64 matrices, a vector last", ["order", "multiplications", "off NumPy's by"], counts)
    yield Claim("order-of-products", measured=max(off), at_most=1e-9)
    yield Claim("vector-first-is-cheaper", measured=(second + fourth) / (first + third), at_most=0.1)

    yield Text("Calculus: the chain rule through tanh, softmax and cross-entropy.")
    net = [rng.normal(size=shape) for shape in ((4, 5), (5,), (5, 3), (3,))]
    x, y = rng.normal(size=(7, 4)), rng.integers(0, 3, 7)
    wrong, largest, rows = 0.0, 0.0, []
    by_hand = chain_rule(net, x, y, mistake)
    for name, part, gradient in zip(("W", "b", "V", "c", "x"), [*net, x], by_hand, strict=True):
        for at in np.ndindex(part.shape):
            here, sides = part[at], []
            for part[at] in (here + 1e-5, here - 1e-5):
                sides.append(loss(net, x, y))
            part[at] = here
            slope = (sides[0] - sides[1]) / 2e-5
            wrong, largest = max(wrong, abs(slope - gradient[at])), max(largest, abs(slope))
        rows.append([name, str(part.shape), gradient[at], slope])
    yield Table("one entry of each gradient", ["of", "shape", "chain rule", "finite difference"], rows)
    yield Claim("chain-rule", measured=wrong / largest, at_most=1e-6)

    yield Text("Probability: from a likelihood to a loss.")
    y = rng.exponential(1.0, 300)  # skewed, so that mean (1) and median (ln 2) differ
    predictions = rng.normal(1, 1, (20, 300))  # of 20 networks for the 300 examples
    errors, spreads = y - predictions, []
    for sigma in (0.5, 0.7, 1.0, 3.0):
        nll = np.array([minus_log_likelihood(y, mean, sigma, noise) for mean in predictions])
        heavy_tailed = np.array([minus_log_likelihood(y, mean, sigma, heavy) for mean in predictions])
        spreads.append(np.ptp(nll - (errors**2).sum(1) / (2 * sigma**2)))
        spreads.append(np.ptp(heavy_tailed - np.abs(errors).sum(1) / sigma))
    yield Claim("gaussian-is-squared-error", measured=max(spreads[::2]), at_most=1e-8)
    yield Claim("laplace-is-absolute-error", measured=max(spreads[1::2]), at_most=1e-8)
    off, worst_ratio, ratios = [], 1.0, np.geomspace(0.4, 2.5, 367)
    for y in (rng.normal(2, 1, 300), rng.uniform(-1, 1, 300), rng.lognormal(0, 0.7, 300), rng.exponential(1, 300)):
        means, right = np.linspace(*np.quantile(y, [0.05, 0.95]), 401), y.std()
        for sigma in (3.0, right, 0.7):
            nll = np.array([minus_log_likelihood(y, mean, sigma, noise) for mean in means])
            off.append(abs(means[nll.argmin()] - y.mean()) / (means[1] - means[0]))
        for errors in (y - y.mean(), y - predictions[0]):  # off the mean, root mean square and deviation differ
            best = np.sqrt((errors**2).mean())
            widths = [minus_log_likelihood(errors, 0.0, ratio * best, "gaussian", mistake) for ratio in ratios]
            worst_ratio = max(worst_ratio, ratios[int(np.argmin(widths))], key=lambda ratio: abs(ratio - 1))
    squared = np.array([((y - mean) ** 2).sum() for mean in means]) / (2 * sigma**2)
    yield Plot(
        "likelihood-and-error",
        {"-log likelihood": (means, nll - nll.min()), "squared error / 2σ²": (means, squared - squared.min())},
        x_label="mean",
        y_label="above its minimum",
    )
    yield Claim("best-mean", measured=max(off), at_most=1)  # the nearest point of the grid lies up to half a step off
    yield Claim("best-sigma", measured=worst_ratio, near=(1, 0.005))

    off, missed = [], []
    for classes in [2, 6, 4] * 4:
        y = rng.permutation(np.repeat(np.arange(classes), rng.integers(3, 12, classes)))  # 3 to 11 of each class
        frequency = np.bincount(y) / len(y)
        p, each = np.exp(log_softmax(rng.normal(size=classes))), log_softmax(rng.normal(size=(len(y), classes)))
        told = -np.log(p[y].mean()) if mistake == "log-of-mean" else -(frequency * np.log(p)).sum()
        off.append(abs(-np.log(np.prod(p[y])) - len(y) * told))
        seen = each[np.arange(len(y)), y]  # log-probabilities of the labels, each example with its own prediction
        off.append(abs(-np.log(np.prod(np.exp(seen))) + seen.sum()))
        z = np.zeros(classes)
        for _ in range(800):
            q = np.exp(log_softmax(z))
            slope = q - frequency
            if mistake == "swapped":  # -Σ q log f: what is fitted and what is given have changed places
                slope = q * (-np.log(frequency) + (q * np.log(frequency)).sum())
            z = z - slope
        fitted = np.exp(log_softmax(z))
        missed.append(np.abs(fitted - frequency).max())
    yield Claim("categorical-is-cross-entropy", measured=max(off), at_most=1e-8)
    names = [str(k) for k in range(classes)]
    yield Plot("fitted", {"labels": (names, frequency), "fitted": (names, fitted)}, y_label="share", style="bars")
    yield Claim("frequencies-are-best", measured=max(missed), at_most=1e-6)
    chances = rng.uniform(0.4, 0.6, labels)
    lost = np.prod(chances) == 0 and np.isfinite(np.log(chances).sum())
    yield Claim("product-underflows", measured=float(lost), at_least=1.0)

    yield Text("Priors: a density of weights becomes a penalty on them.")
    w, some = np.linspace(-3, 3, 6001), rng.normal(size=(20, 5))  # a grid for one weight; 20 networks of five weights
    z = np.linspace(-2.5, 2.5, 21)  # estimates without prior
    spreads, off, off_scaled = [], [], []
    for rate in (strength / 3, 2 * strength, strength):

        def density(weights: np.ndarray, kind: str, rate: float = rate) -> np.ndarray:
            if kind == "laplace":
                return rate / 2 * np.exp(-rate * np.abs(weights))
            return np.sqrt(rate / (2 * np.pi)) * np.exp(-rate * weights**2 / 2)

        spreads.append(np.ptp(-np.log(density(some, prior).prod(1)) - rate * np.abs(some).sum(1)))
        soft = shrink(z, rate, "laplace")
        scaled = shrink(z, rate, "laplace" if mistake == "threshold-both" else "gaussian")
        searched, searched_scaled = (
            w[((w - z[:, None]) ** 2 / 2 - np.log(density(w, kind))).argmin(1)] for kind in (prior, "gaussian")
        )
        off.append(np.abs(searched - soft).max())
        off_scaled.append(np.abs(searched_scaled - scaled).max())
    yield Claim("prior-becomes-penalty", measured=max(spreads), at_most=1e-8)
    yield Plot(
        "shrinkage", {"Laplace": (z, soft), "Gaussian": (z, scaled)}, x_label="without prior", y_label="with prior"
    )
    yield Claim("map-is-soft-threshold", measured=max(off), at_most=0.002)
    yield Claim("gaussian-prior-scales", measured=max(off_scaled), at_most=0.002)
    zero_share = (shrink(rng.normal(size=2000), strength, prior) == 0).mean()
    yield Measure("zero-share", zero_share)
    yield Claim("zeros", measured=zero_share, at_least=0.5)

    yield Text("Bayes' rule: 400,000 people, tested and counted, by four tests.")
    off = []
    for has, hit, alarm in ((0.1, 0.7, 0.2), (0.3, 0.95, 0.5), (0.02, 0.8, 0.1), (ill, sensitivity, false_alarm)):
        sick = rng.random(400_000) < has
        positive = rng.random(400_000) < np.where(sick, hit, alarm)
        counted = (sick & positive).sum() / max(positive.sum(), 1)
        by_rule = hit * has / (hit * has + alarm * (1 - has))
        off.append(abs(counted - (hit if mistake == "inverse" else by_rule)))
    yield Measure("counted", counted)
    yield Claim("bayes-by-counting", measured=max(off), at_most=0.02)


if __name__ == "__main__":
    main(run)
