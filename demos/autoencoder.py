"""A linear autoencoder learns PCA's subspace; a curved decoder, or noise on the input, makes it learn something else.

    code h = (x − μ) E        reconstruction x̂ = μ + h D        loss = mean ‖x̂ − x‖², summed over features

The data have eight features and known variances λ along their principal directions, so that every right answer is
known: the best code of k units loses the λ that it leaves out. E and D are found by gradient descent, by hand. A code
as wide as the input learns to copy anything. With noise of variance σ² on the input it instead multiplies each
direction by λ / (λ + σ²). On a curve, one code unit and a nonlinear decoder beat PCA.

Source: Baldi & Hornik (1989), Neural Networks 2; Goodfellow, Bengio & Courville (2016), Deep Learning, chapter 14.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Table, Text, main

claims = {
    "reaches-pca-error": {
        "says": "for every code size from 1 to 6 a linear autoencoder ends within 1% of PCA's error",
        "false_when": {"mistake": "no-centering"},
    },
    "finds-pca-subspace": {
        "says": "for each of these sizes its decoder spans the space of as many leading principal directions",
        "false_when": {"mistake": "no-centering"},
    },
    "units-are-not-components": {
        "says": "its code units are correlated with each other, which principal components are not",
        "false_when": {"init": "pca"},
    },
    "raw-rows-cost": {
        "says": "without biases, on raw rows whose mean is far from the origin, it ends well above PCA's error",
        "false_when": {"mean": 0.0},
    },
    "mixing-is-free": {
        "says": "mix the code by any invertible matrix, undo it in the decoder: the same reconstructions",
        "false_when": {"mistake": "one-sided"},
    },
    "wide-code-copies": {
        "says": "trained with a code as wide as the input, it also copies data of another kind, error under 1%",
        "false_when": {"wide": 3},
    },
    "far-point-passes": {
        "says": "a point ten standard deviations out along a kept direction has a smaller error than normal data",
        "false_when": {"far_along": 8},
    },
    "near-point-flagged": {
        "says": "a point at ordinary distance along a discarded direction has a larger error than 95% of the data",
        "false_when": {"near_along": 1},
    },
    "noise-sets-gains": {
        "says": "trained to undo noise, a wide code no longer copies: variance 1 is multiplied by 1 / (1 + σ²)",
        "false_when": {"target": "noisy"},
    },
    "denoises": {
        "says": "on fresh data its output is closer to the clean point than the noisy input was",
        "false_when": {"target": "noisy"},
    },
    "curved-beats-pca": {
        "says": "on a curve, one code unit with a nonlinear decoder has under a tenth of PCA's error",
        "false_when": {"activation": "identity"},
    },
}
measures = {
    "discarded-variance": "the variances that a code of that size leaves out, added up",
    "kept-variance": "the variances that it keeps, added up",
    "next-variance": "the largest variance that it leaves out",
    "gain": "what training against noise multiplies the direction of variance 1 by",
    "gain-from-deviations": "the gain with standard deviations put in the place of variances",
    "error": "mean squared reconstruction error of the chosen code size",
}
predict = {
    "ask": "Eight code units for eight features, trained to undo noise of variance 1. A direction of variance 1:",
    "measure": "gain",
    "choices": {
        "is copied (times 1)": [0.75, 1.1],
        "is about halved": [0.25, 0.75],
        "is erased (times 0)": [-0.1, 0.25],
    },
}

VARIANCES = np.array([10.0, 6.0, 4.0, 2.0, 1.0, 0.5, 0.3, 0.2])

Weights = tuple[np.ndarray, np.ndarray]


def error(output: np.ndarray, target: np.ndarray) -> float:
    """Squared distance, summed over features, mean over examples."""
    return float(((output - target) ** 2).sum(1).mean())


def train(
    x: np.ndarray, start: Weights, steps: int, rng: np.random.Generator, noise: float = 0.0, target: str = "clean"
) -> Weights:
    """Encoder (8, code) and decoder (code, 8) after gradient descent, with fresh noise on the input in each step."""
    encoder, decoder = (weights.copy() for weights in start)
    rate = 0.2 / (np.linalg.norm(x, 2) ** 2 / len(x) + noise**2)  # in units of the steepest direction
    for _ in range(steps):
        seen = x + rng.normal(0.0, noise, x.shape) if noise else x  # (N, 8)
        h = seen @ encoder  # (N, code)
        slope = 2 / len(x) * (h @ decoder - (seen if target == "noisy" else x))  # ∂loss/∂x̂ (N, 8)
        to_encoder = seen.T @ (slope @ decoder.T)  # the chain rule: through the decoder, then to the weights
        decoder -= rate * h.T @ slope
        encoder -= rate * to_encoder
    return encoder, decoder


def train_on_curve(x: np.ndarray, activation: str, rng: np.random.Generator) -> np.ndarray:
    """Reconstructions (N, 2) of points x (N, 2) from one linear code unit and a decoder with eight hidden units."""
    encoder, w, bias = rng.normal(0.0, 0.5, (2, 1)), rng.normal(size=(1, 8)), rng.normal(size=8)
    decoder, offset = rng.normal(0.0, 0.3, (8, 2)), np.zeros(2)
    weights = encoder, w, bias, decoder, offset
    velocities = [np.zeros_like(weight) for weight in weights]
    for _ in range(800):
        h = x @ encoder  # (N, 1)
        z = h @ w + bias  # (N, 8)
        u = np.tanh(z) if activation == "tanh" else z
        slope = 2 / len(x) * (u @ decoder + offset - x)  # ∂loss/∂x̂ (N, 2)
        back = slope @ decoder.T * (1 - u**2 if activation == "tanh" else 1.0)  # ∂loss/∂z (N, 8)
        gradients = x.T @ (back @ w.T), h.T @ back, back.sum(0), u.T @ slope, slope.sum(0)
        for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
            velocity *= 0.9  # momentum: plain descent needs several times the steps here
            velocity -= 0.02 * gradient
            weight += velocity
    return u @ decoder + offset


def run(
    *,
    code: Annotated[int, Range(1, 6), "code units of the narrow autoencoder"] = 3,
    wide: Annotated[int, Range(1, 16), "code units of the wide autoencoder"] = 8,
    noise: Annotated[float, Range(0.1, 3.0), "standard deviation σ of the noise to be undone"] = 1.0,
    far_along: Annotated[int, Range(1, 8), "principal direction in which the far point lies"] = 1,
    near_along: Annotated[int, Range(1, 8), "principal direction in which the near point lies"] = 8,
    mean: Annotated[float, Range(0.0, 10.0), "mean of raw rows, along each direction"] = 2.0,
    init: Literal["random", "pca"] = "random",
    target: Literal["clean", "noisy"] = "clean",
    activation: Literal["tanh", "identity"] = "tanh",
    mistake: Literal["none", "no-centering", "one-sided"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("discarded-variance", VARIANCES[code:].sum())
    yield Measure("kept-variance", VARIANCES[:code].sum())
    yield Measure("next-variance", VARIANCES[code])
    yield Measure("gain-from-deviations", 1 / (1 + noise))

    # Whitened first, so that the variances along the axes are exactly the ones above.
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(200, 8))
    white = np.linalg.svd(raw - raw.mean(0), full_matrices=False)[0] * np.sqrt(200)  # (N, 8), covariance I
    axes = np.linalg.qr(rng.normal(size=(8, 8)))[0]  # (8, 8), a principal direction in each column
    x = white * np.sqrt(VARIANCES) @ axes.T  # (N, 8), mean 0
    if mistake == "no-centering":
        x += mean

    def start(units: int) -> Weights:
        if init == "pca":
            return axes[:, :units], axes[:, :units].T
        return rng.normal(0.0, 0.3, (8, units)), rng.normal(0.0, 0.3, (units, 8))

    # 1. A narrow code against PCA.
    sizes, errors, sines, correlations = range(1, 7), [], [], []
    for units in sizes:
        encoder, decoder = train(x, start(units), 2400, rng)
        errors.append(error(x @ encoder @ decoder, x))
        cosines = np.linalg.svd(np.linalg.qr(decoder.T)[0].T @ axes[:, :units])[1]  # of the angles between two spaces
        sines.append(np.sqrt(max(0.0, 1 - cosines.min() ** 2)))
        if units > 1:
            table = np.corrcoef(x @ encoder, rowvar=False)  # (units, units)
            correlations.append(np.abs(table[np.triu_indices(units, 1)]).mean())
        if units == code:
            narrow = encoder, decoder
        yield Progress(units, len(sizes))
    best = np.array([VARIANCES[units:].sum() for units in sizes])
    yield Plot(
        "error-over-code-size",
        {"autoencoder": (sizes, errors), "variance left out (PCA)": (sizes, best)},
        x_label="code units",
        y_label="squared error",
    )
    yield Measure("error", errors[code - 1])
    yield Claim("reaches-pca-error", measured=np.abs(errors / best - 1).max(), at_most=0.01)
    encoder, decoder = narrow
    yield Claim("finds-pca-subspace", measured=max(sines), at_most=0.01)
    yield Claim("units-are-not-components", measured=np.mean(correlations), at_least=0.1)
    raw_rows = x + mean * axes.sum(1)  # a mean with an equal share along each principal direction
    raw_encoder, raw_decoder = train(raw_rows, start(code), 1500, rng)
    raw_error = error(raw_rows @ raw_encoder @ raw_decoder, raw_rows)  # PCA centers, so its error stays `best`
    yield Claim("raw-rows-cost", measured=raw_error / best[code - 1], at_least=1.1)
    mix = rng.normal(size=(code, code)) + 3 * np.eye(code)
    undo = np.eye(code) if mistake == "one-sided" else np.linalg.inv(mix)
    gap = np.abs(x @ encoder @ mix @ undo @ decoder - x @ encoder @ decoder).max()
    yield Claim("mixing-is-free", measured=gap, at_most=1e-9)

    # 2. Reconstruction error as an alarm: it sees the distance from the subspace, not from the data.
    far = 10 * np.sqrt(VARIANCES[far_along - 1]) * axes[:, far_along - 1]
    near = np.median(np.linalg.norm(x, axis=1)) * axes[:, near_along - 1]
    alarms = ((x @ encoder @ decoder - x) ** 2).sum(1)  # (N,)
    far_error, near_error = (error(point[None] @ encoder @ decoder, point[None]) for point in (far, near))
    rows = [["the data, median", np.median(np.linalg.norm(x, axis=1)), np.median(alarms)]]
    rows += [["far point", np.linalg.norm(far), far_error], ["near point", np.linalg.norm(near), near_error]]
    yield Table("reconstruction error as an alarm", ["point", "distance from the mean", "error"], rows)
    yield Claim("far-point-passes", measured=far_error / np.median(alarms), at_most=0.1)
    yield Claim("near-point-flagged", measured=(alarms >= near_error).mean(), at_most=0.05)

    # 3. A wide code, without noise and with it.
    encoder, decoder = train(x, start(wide), 1500, rng)
    unrelated = rng.uniform(-20.0, 20.0, (200, 8))
    lost = error(unrelated @ encoder @ decoder, unrelated) / error(0 * unrelated, unrelated)
    yield Claim("wide-code-copies", measured=lost, at_most=0.01)
    encoder, decoder = train(x, start(8), 800, rng, noise, target)
    gains = np.diag(axes.T @ encoder @ decoder @ axes)  # along each principal direction
    shrinkage = VARIANCES / (VARIANCES + noise**2)
    rows = [list(row) for row in zip(VARIANCES, gains, shrinkage, strict=True)]
    yield Table("what training against noise multiplies by", ["variance λ", "gain", "λ / (λ + σ²)"], rows)
    yield Measure("gain", gains[4])
    yield Claim("noise-sets-gains", measured=gains[4], near=(1 / (1 + noise**2), 0.05))
    fresh = rng.normal(size=(500, 8)) * np.sqrt(VARIANCES) @ axes.T
    noisy = fresh + rng.normal(0.0, noise, fresh.shape)
    yield Claim("denoises", measured=error(noisy @ encoder @ decoder, fresh) / error(noisy, fresh), at_most=0.8)

    # 4. Points on an arc: one number says where, but no straight line goes through them.
    angles = rng.uniform(-1.2, 1.2, 100)
    arc = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    arc -= arc.mean(0)
    line = np.linalg.svd(arc, full_matrices=False)[2][:1]  # (1, 2), the first principal direction
    straight, curved = arc @ line.T @ line, train_on_curve(arc, activation, rng)
    shown = {"data": arc, "PCA": straight, "autoencoder": curved}
    yield Text("One code unit for points on an arc: PCA can only lay a line through them.")
    yield Plot("arc", {name: (points[:, 0], points[:, 1]) for name, points in shown.items()}, style="points")
    yield Claim("curved-beats-pca", measured=error(curved, arc) / error(straight, arc), at_most=0.1)


if __name__ == "__main__":
    main(run)
