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
        "says": "(A B) v and A (B v) are the same vector as NumPy's, B (A v) is another",
        "false_when": {"mistake": "commuted"},
    },
    "vector-first-is-cheaper": {
        "says": "A (B v) takes under a tenth of the multiplications of (A B) v, for matrices of 64 x 64",
        "false_when": {"columns": 64},
    },
    "chain-rule": {
        "says": "gradients by the chain rule equal central finite differences to 1e-6 relative",
        "false_when": {"mistake": "no-slope"},
    },
    "gaussian-is-squared-error": {
        "says": "Gaussian noise: -log likelihood minus squared error / 2σ² is one constant for all means",
        "false_when": {"noise": "laplace"},
    },
    "laplace-is-absolute-error": {
        "says": "Laplace noise: -log likelihood minus absolute error / σ is one constant for all means",
        "false_when": {"heavy": "cauchy"},
    },
    "best-mean": {
        "says": "on skewed data the Gaussian likelihood is largest at the mean of the data",
        "false_when": {"noise": "laplace"},
    },
    "best-sigma": {
        "says": "the Gaussian likelihood is largest at σ equal to the root mean square of the errors (ratio)",
        "false_when": {"mistake": "no-log-sigma"},
    },
    "categorical-is-cross-entropy": {
        "says": "-log of the product of all labels' probabilities is N times their frequencies' cross-entropy",
        "false_when": {"mistake": "log-of-mean"},
    },
    "frequencies-are-best": {
        "says": "one distribution for all examples, fitted by cross-entropy, ends at the labels' frequencies",
        "false_when": {"mistake": "swapped"},
    },
    "product-underflows": {
        "says": "a product of 2000 probabilities near 1/2 is 0 in float64, the sum of their logarithms is finite",
        "false_when": {"labels": 500},
    },
    "prior-becomes-penalty": {
        "says": "-log of a Laplace prior is λ|w| plus a constant",
        "false_when": {"prior": "gaussian"},
    },
    "map-is-soft-threshold": {
        "says": "squared error / 2 with the prior's penalty is least at sign(z) max(|z| - λ, 0): against a grid",
        "false_when": {"prior": "gaussian"},
    },
    "gaussian-prior-scales": {
        "says": "with a Gaussian prior of precision λ it is least at z / (1 + λ), again against a grid",
        "false_when": {"mistake": "threshold-both"},
    },
    "zeros": {
        "says": "at λ = 1 over half of 2000 weights, estimated as standard normal, are exactly 0",
        "false_when": {"prior": "gaussian"},
    },
    "bayes-by-counting": {
        "says": "among people who test positive the ill have the share that Bayes' rule says",
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
    """Gradients of that loss, from the output back: outer derivative times inner derivative, layer by layer."""
    w, b, v, c = net
    h = np.tanh(x @ w + b)  # (B, H)
    d_out = (np.exp(log_softmax(h @ v + c)) - np.eye(len(c))[y]) / len(y)  # (B, C)
    d_z = d_out @ v.T * (1 if mistake == "no-slope" else 1 - h**2)  # (B, H)
    return [x.T @ d_z, d_z.sum(0), h.T @ d_out, d_out.sum(0)]


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
    a, b, v = rng.normal(size=(64, 64)), rng.normal(size=(64, 64)), rng.normal(size=(64, columns))
    (ab, first), (bv, second) = multiply(a, b), multiply(b, v)
    (left, third), (right, fourth) = multiply(ab, v), multiply(a, bv)
    if mistake == "commuted":
        right, _ = multiply(b, multiply(a, v)[0])
    counts = [["(A B) v", first + third, np.abs(left - a @ b @ v).max()]]
    counts += [["A (B v)", second + fourth, np.abs(right - a @ b @ v).max()]]
    yield Table("64 x 64 matrices, a vector last", ["order", "multiplications", "off NumPy's by"], counts)
    yield Claim("order-of-products", measured=max(row[2] for row in counts), at_most=1e-9)
    yield Claim("vector-first-is-cheaper", measured=(second + fourth) / (first + third), at_most=0.1)

    yield Text("Calculus: the chain rule through tanh, softmax and cross-entropy.")
    net = [rng.normal(size=shape) for shape in ((4, 5), (5,), (5, 3), (3,))]
    x, y = rng.normal(size=(7, 4)), rng.integers(0, 3, 7)
    wrong, largest, rows = 0.0, 0.0, []
    for name, part, gradient in zip(("W", "b", "V", "c"), net, chain_rule(net, x, y, mistake), strict=True):
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
    sigma, means = 0.7, np.linspace(0.3, 1.7, 1401)
    nll = np.array([minus_log_likelihood(y, mean, sigma, noise) for mean in means])
    squared = np.array([((y - mean) ** 2).sum() for mean in means]) / (2 * sigma**2)
    yield Plot(
        "likelihood-and-error",
        {"-log likelihood": (means, nll - nll.min()), "squared error / 2σ²": (means, squared - squared.min())},
        x_label="mean",
        y_label="above its minimum",
    )
    yield Claim("gaussian-is-squared-error", measured=np.ptp(nll - squared), at_most=1e-8)
    absolute = np.array([np.abs(y - mean).sum() for mean in means]) / sigma
    heavy_tailed = np.array([minus_log_likelihood(y, mean, sigma, heavy) for mean in means])
    yield Claim("laplace-is-absolute-error", measured=np.ptp(heavy_tailed - absolute), at_most=1e-8)
    yield Claim("best-mean", measured=abs(means[nll.argmin()] - y.mean()), at_most=0.005)
    ratios, right = np.geomspace(0.4, 2.5, 367), np.sqrt(((y - y.mean()) ** 2).mean())
    widths = [minus_log_likelihood(y, y.mean(), ratio * right, "gaussian", mistake) for ratio in ratios]
    yield Claim("best-sigma", measured=ratios[int(np.argmin(widths))], near=(1, 0.02))

    y = rng.permutation(np.repeat([0, 1, 2, 3], [8, 12, 4, 16]))  # 40 labels
    frequency = np.bincount(y) / len(y)
    p = np.exp(log_softmax(rng.normal(size=4)))
    likelihood = np.prod(p[y])
    cross_entropy = -(frequency * np.log(p)).sum()
    told = -np.log(p[y].mean()) if mistake == "log-of-mean" else cross_entropy
    yield Claim("categorical-is-cross-entropy", measured=abs(-np.log(likelihood) - len(y) * told), at_most=1e-8)
    z = np.zeros(4)
    for _ in range(300):
        q = np.exp(log_softmax(z))
        slope = q - frequency
        if mistake == "swapped":  # -Σ q log f: what is fitted and what is given have changed places
            slope = q * (-np.log(frequency) + (q * np.log(frequency)).sum())
        z = z - slope
    fitted = np.exp(log_softmax(z))
    yield Plot("fitted", {"labels": ("0123", frequency), "fitted": ("0123", fitted)}, y_label="share", style="bars")
    yield Claim("frequencies-are-best", measured=np.abs(fitted - frequency).max(), at_most=1e-6)
    chances = rng.uniform(0.4, 0.6, labels)
    lost = np.prod(chances) == 0 and np.isfinite(np.log(chances).sum())
    yield Claim("product-underflows", measured=float(lost), at_least=1.0)

    yield Text("Priors: a density of weights becomes a penalty on them.")
    w = np.linspace(-3, 3, 6001)
    laplace = strength / 2 * np.exp(-strength * np.abs(w))
    gaussian = np.sqrt(strength / (2 * np.pi)) * np.exp(-strength * w**2 / 2)
    chosen = laplace if prior == "laplace" else gaussian
    yield Claim("prior-becomes-penalty", measured=np.ptp(-np.log(chosen) - strength * np.abs(w)), at_most=1e-8)
    z = np.linspace(-2.5, 2.5, 21)  # estimates without prior
    soft = shrink(z, strength, "laplace")
    scaled = shrink(z, strength, "laplace" if mistake == "threshold-both" else "gaussian")
    yield Plot(
        "shrinkage", {"Laplace": (z, soft), "Gaussian": (z, scaled)}, x_label="without prior", y_label="with prior"
    )
    searched = [w[((w - z[:, None]) ** 2 / 2 - np.log(density)).argmin(1)] for density in (chosen, gaussian)]
    yield Claim("map-is-soft-threshold", measured=np.abs(searched[0] - soft).max(), at_most=0.002)
    yield Claim("gaussian-prior-scales", measured=np.abs(searched[1] - scaled).max(), at_most=0.002)
    zero_share = (shrink(rng.normal(size=2000), strength, prior) == 0).mean()
    yield Measure("zero-share", zero_share)
    yield Claim("zeros", measured=zero_share, at_least=0.5)

    yield Text("Bayes' rule: 400,000 people, tested and counted.")
    sick = rng.random(400_000) < ill
    positive = rng.random(400_000) < np.where(sick, sensitivity, false_alarm)
    counted = (sick & positive).sum() / max(positive.sum(), 1)
    yield Measure("counted", counted)
    told = sensitivity if mistake == "inverse" else posterior
    yield Claim("bayes-by-counting", measured=abs(counted - told), at_most=0.02)


if __name__ == "__main__":
    main(run)
