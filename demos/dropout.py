"""Dropout multiplies activations by a random mask that keeps their mean, and trades a worse fit for a smaller gap.

    training:    h_j = a_j m_j / (1 - p),   m_j = 0 with probability p (the drop rate), else 1
    evaluation:  h_j = a_j

The mean over masks is a_j, the variance a_j² p/(1 - p). Averaged over all masks, a linear layer gives what one pass
without masks gives; with a ReLU behind it the two are close, not equal. In linear regression the noise adds
Σ_j w_j² p/(1 - p) Σ_i x_ij² to the squared error, a ridge penalty scaled by the inputs. At the end a small network
with noisy targets is trained with and without dropout, on few points and on plenty.

Sources: Srivastava et al. (2014), Dropout, sections 4 and 9.1; Goodfellow, Bengio & Courville (2016), section 7.12.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import mse_loss

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, Text, main

claims = {
    "zeros-overlap": {
        "says": "behind a ReLU that half of the units pass, a share (1 - p)/2 is not zero, at four rates p",
        "false_when": {"mistake": "add-shares"},
    },
    "noise-of-a-sum": {
        "says": "a sum of n contributions of 1 has standard deviation √(n p/(1 - p)), 1 - p times that if unscaled",
        "false_when": {"mistake": "no-rescale"},
    },
    "expectation-kept": {
        "says": "averaged over masks each unit is as it was, at rates of 0.1, 0.2, 0.5 and 0.8",
        "false_when": {"mistake": "no-rescale"},
    },
    "variance": {
        "says": "a unit of activation 1 gets variance p/(1 - p), at rates of 0.1, 0.2, 0.5 and 0.8",
        "false_when": {"mistake": "no-rescale"},
    },
    "masks-differ-by-example": {
        "says": "each example has a mask of its own, in torch too: two disagree on a share 2p(1 - p) of the units",
        "false_when": {"mistake": "one-mask"},
    },
    "torch-scales-survivors": {
        "says": "in training mode PyTorch's dropout divides the survivors by 1 - p, at four drop rates p",
        "false_when": {"mistake": "no-rescale"},
    },
    "eval-is-identity": {
        "says": "in evaluation mode PyTorch's dropout returns its input: nothing dropped, nothing scaled",
        "false_when": {"mistake": "left-on"},
    },
    "same-mask-backward": {
        "says": "the backward pass uses the mask of the forward pass, by hand and in PyTorch's layer",
        "false_when": {"mistake": "fresh-mask"},
    },
    "evaluation-matches-torch": {
        "says": "with the same masks, and without any, the network by hand has the error of torch's",
        "false_when": {"mistake": "left-on"},
    },
    "linear-average-is-exact": {
        "says": "the average of a linear layer over all masks of its inputs equals one pass without masks",
        "false_when": {"mistake": "no-rescale"},
    },
    "linear-variance": {
        "says": "over all masks of its inputs a linear layer's output has the variance Σ_j a_j² w_j² p/(1 - p)",
        "false_when": {"mistake": "no-rescale"},
    },
    "nonlinear-average-is-close": {
        "says": "with a ReLU behind, one pass without masks misses the mask average, by less than a masked pass",
        "false_when": {"after": "linear"},
    },
    "scaled-ridge": {
        "says": "in linear regression, input dropout adds Σ w_j² p/(1 - p) Σ x_ij² to the expected squared error",
        "false_when": {"mistake": "plain-ridge"},
    },
    "noise-raises-training-loss": {
        "says": "one trained network has a higher error on its training points with masks on than off",
        "false_when": {"drop": 0.0},
    },
    "left-on-costs": {"says": "masks left on raise a trained network's test error", "false_when": {"drop": 0.0}},
    "train-error-rises": {
        "says": "on few noisy points dropout leaves over three times the training error, with masks off (log10)",
        "false_when": {"drop": 0.0},
    },
    "gap-narrows": {
        "says": "on few noisy points dropout narrows the gap between test and training error, by 25 to 80%",
        "false_when": {"drop": 0.0},
    },
    "test-error-falls": {"says": "on few noisy points dropout lowers the test error", "false_when": {"points": 600}},
    "hurts-with-plenty": {
        "says": "a small network with plenty of points ends with higher training and test errors under dropout",
        "false_when": {"plenty": 40},
    },
}
measures = {
    "noise-sd": "standard deviation that dropout adds to a sum of `units` contributions of 1",
    "noise-variance": "its square: the root was not taken",
    "noise-sd-unscaled": "the same if survivors were not scaled",
    "zero-share": "share of zeros after a ReLU layer, whose inputs are negative half the time, and dropout",
    "gap-ratio": "test minus training error on few points, with dropout over without",
    "few-ratio": "test error on few points, with dropout over without",
    "plenty-ratio": "test error on plenty of points, with dropout over without",
}
predict = {
    "ask": "A network of 161 parameters, 600 noisy training points. What does dropout of 0.5 do to its test error?",
    "measure": "plenty-ratio",
    "choices": {"lowers it": [0.0, 0.95], "leaves it as it was": [0.95, 1.05], "raises it": [1.05, 100.0]},
}
INPUTS, HIDDEN, REPEATS, NOISE = 8, 16, 21, 0.2


def dropout_mask(shape: tuple[int, ...], p: float, rng: np.random.Generator, mistake: str = "none") -> np.ndarray:
    """A factor for each activation, 0 or 1/(1 - p); the last two axes are examples and units."""
    drawn = (*shape[:-2], 1, shape[-1]) if mistake == "one-mask" else shape
    kept = np.broadcast_to(rng.random(drawn) >= p, shape)
    return kept * 1.0 if mistake == "no-rescale" else kept / (1 - p)


def init(rng: np.random.Generator, copies: int) -> list[np.ndarray]:
    """Weights and biases of `copies` independent networks with one hidden ReLU layer."""
    w = rng.normal(0, 0.5, (copies, INPUTS, HIDDEN))
    v = rng.normal(0, 0.25, (copies, HIDDEN, 1))  # variances 2/INPUTS and 1/HIDDEN
    return [w, np.zeros((copies, 1, HIDDEN)), v, np.zeros((copies, 1, 1))]


def error(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mask: np.ndarray | float = 1.0) -> np.ndarray:
    """Mean squared error of each network (copies,), with masks or, as in evaluation, without."""
    w, b, v, c = net
    return ((np.maximum(x @ w + b, 0) * mask @ v + c - y) ** 2).mean((1, 2))


def gradients(
    net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mask: np.ndarray, fresh: np.ndarray | None = None
) -> list[np.ndarray]:
    """Gradients of the mean squared error; a `fresh` mask for the backward pass is a mistake."""
    w, b, v, c = net
    back = mask if fresh is None else fresh
    z = x @ w + b  # (copies, N, HIDDEN)
    h = np.maximum(z, 0) * mask
    d_out = 2 * (h @ v + c - y) / x.shape[1]  # (copies, N, 1)
    d_z = d_out @ v.swapaxes(1, 2) * back * (z > 0)
    d_w, d_v = x.swapaxes(1, 2) @ d_z, h.swapaxes(1, 2) @ d_out
    return [d_w, d_z.sum(1, keepdims=True), d_v, d_out.sum(1, keepdims=True)]


def sample(rng: np.random.Generator, teacher: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (copies, points, INPUTS) and noisy targets (copies, points, 1)."""
    x = rng.normal(0, 1, (len(teacher), points, INPUTS))
    return x, rng.normal(np.tanh(x @ teacher), NOISE)


def noise_of_sum(n: int, p: float) -> tuple[float, float]:
    """Standard deviation over masks of a sum of n contributions of 1, survivors scaled and left as they are."""
    scaled = np.sqrt(n * p / (1 - p))
    return scaled, scaled * (1 - p)


def over_masks(outputs: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of outputs (examples, masks, outputs) over masks that have these probabilities."""
    mean = np.einsum("m,imo->io", chance, outputs)
    return mean, np.einsum("m,imo->io", chance, (outputs - mean[:, None]) ** 2)


def train(start: list[np.ndarray], x: np.ndarray, y: np.ndarray, p: float, seed: int) -> list[np.ndarray]:
    """400 steps of gradient descent with momentum, on up to 40 points at a time."""
    rng = np.random.default_rng(seed)
    net, speed = [part.copy() for part in start], [np.zeros_like(part) for part in start]
    for _ in range(400):
        rows = rng.choice(x.shape[1], min(40, x.shape[1]), replace=False)
        mask = dropout_mask((len(x), len(rows), HIDDEN), p, rng)
        for part, pace, gradient in zip(net, speed, gradients(net, x[:, rows], y[:, rows], mask), strict=True):
            pace *= 0.9
            pace -= 0.03 * np.clip(gradient, -1, 1)  # at a drop rate of 0.9 a rare survivor kicks hard
            part += pace
    return net


def run(
    *,
    drop: Annotated[float, Range(0.0, 0.9), "drop rate p"] = 0.5,
    units: Annotated[int, Range(1, 10_000), "units that feed the sum in the noise measures"] = 100,
    uneven: Annotated[float, Range(0.0, 0.9), "another drop rate: 0.5 cannot tell p from 1 - p"] = 0.2,
    points: Annotated[int, Range(20, 2000), "few training points"] = 40,
    plenty: Annotated[int, Range(20, 2000), "plenty of training points"] = 600,
    after: Annotated[Literal["relu", "linear"], "what stands behind the masked layer"] = "relu",
    mistake: Literal["none", "no-rescale", "one-mask", "left-on", "fresh-mask", "plain-ridge", "add-shares"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    sd, sd_unscaled = noise_of_sum(units, drop)
    yield Measure("noise-sd", sd)
    yield Measure("noise-variance", sd**2)
    yield Measure("noise-sd-unscaled", sd_unscaled)
    rng = np.random.default_rng(seed)
    active = np.maximum(rng.normal(size=(200, 1000)), 0)  # (examples, units)
    rates = (drop, uneven, 0.1, 0.8)
    zeros = [np.mean(active * dropout_mask(active.shape, p, rng) == 0) for p in rates]
    yield Measure("zero-share", zeros[0])
    expected = [0.5 + p if mistake == "add-shares" else 1 - (1 - p) / 2 for p in rates]
    yield Claim("zeros-overlap", measured=np.abs(np.subtract(zeros, expected)).max(), at_most=0.01)
    gaps = []
    for p in rates[:2]:
        kept = rng.binomial(units, 1 - p, 100_000)  # survivors in each of so many sums
        sums = kept if mistake == "no-rescale" else kept / (1 - p)
        gaps += [abs(it.std() - right) for it, right in zip((sums, kept), noise_of_sum(units, p), strict=True)]
    yield Claim("noise-of-a-sum", measured=max(gaps), at_most=0.02 * (1 + sd))

    # A unit of activation 1 turns into its mask, so the mask's mean and variance are the unit's.
    torch.manual_seed(seed)
    ones, a = np.ones((2000, 200)), rng.normal(size=(20, 200))  # (examples, units)
    off: dict[str, list[float]] = {name: [] for name in ("mean", "variance", "differ", "scale", "back", "evaluation")}
    for p in reversed(rates):
        mask, layer = dropout_mask(ones.shape, p, rng, mistake), torch.nn.Dropout(p)
        off["mean"].append(abs(mask.mean() - 1))
        variance = noise_of_sum(1, p)[0] ** 2  # p/(1 - p)
        off["variance"].append(abs(mask.var() - variance) / (1 + variance))
        for drawn in (mask, layer(torch.tensor(ones)).numpy()):
            off["differ"].append(abs(np.mean((drawn[0::2] > 0) != (drawn[1::2] > 0)) - 2 * p * (1 - p)))
        leaf = torch.tensor(a, requires_grad=True)
        out = layer(leaf)
        out.sum().backward()
        got = out.detach().numpy()
        scale = 1.0 if mistake == "no-rescale" else 1 / (1 - p)
        off["scale"].append(np.abs(got - a * (got != 0) * scale).max())
        back = (layer(leaf).detach().numpy() if mistake == "fresh-mask" else got) != 0
        off["back"].append(np.abs(leaf.grad.numpy() - back / (1 - p)).max())
        layer.train(mistake == "left-on")
        off["evaluation"].append(np.abs(layer(leaf).detach().numpy() - a).max())
    yield Image("masks", {"12 examples (rows) by 40 units (columns)": mask[:12, :40]})
    yield Claim("variance", measured=max(off["variance"]), at_most=0.03)
    yield Claim("masks-differ-by-example", measured=max(off["differ"]), at_most=0.02)
    yield Claim("torch-scales-survivors", measured=max(off["scale"]), at_most=1e-9)
    yield Claim("eval-is-identity", measured=max(off["evaluation"]), at_most=1e-12)

    net, teacher = init(rng, REPEATS), rng.normal(0, 0.7, (REPEATS, INPUTS, 1))
    x, y = sample(rng, teacher, points)
    shape = (REPEATS, points, HIDDEN)
    mask = dropout_mask(shape, drop, rng)
    shaken = [rng.normal(part, 0.1) for part in net]  # no bias is zero
    by_hand = gradients(shaken, x, y, mask, dropout_mask(shape, drop, rng) if mistake == "fresh-mask" else None)
    w, b, v, c = leaves = [torch.tensor(part, requires_grad=True) for part in shaken]
    hidden = torch.relu(torch.tensor(x) @ w + b)  # (copies, points, HIDDEN)
    outs = hidden * torch.tensor(mask) @ v + c, layer(hidden) @ v + c  # (copies, points, 1)
    masked, whole = (mse_loss(out, torch.tensor(y), reduction="none").mean((1, 2)) for out in outs)  # (copies,)
    reference = torch.autograd.grad(masked.sum(), leaves)
    wrong = max(np.abs(mine - theirs.numpy()).max() for mine, theirs in zip(by_hand, reference, strict=True))
    yield Claim("same-mask-backward", measured=max(wrong, *off["back"]), at_most=1e-9)
    errors = error(shaken, x, y, mask), error(shaken, x, y)
    wrong = max(np.abs(e - t.detach().numpy()).max() for e, t in zip(errors, (masked, whole), strict=True))
    yield Claim("evaluation-matches-torch", measured=wrong, at_most=1e-9)

    # All 2^10 masks of ten activations, each with its probability: averages without sampling error. Beside them a
    # linear regression on the same ten inputs, its expected squared error by enumeration and in closed form.
    kept = (np.arange(2**10)[:, None] >> np.arange(10)) & 1  # (masks, units)
    a, w = np.abs(rng.normal(size=(30, 10))), rng.normal(size=(10, 8))
    u, target = rng.normal(size=10), rng.normal(size=30)
    energy = len(a) if mistake == "plain-ridge" else (a**2).sum(0)  # (10,)
    gaps = []
    for p in reversed(rates):  # `drop` last: the ReLU below stands behind what it leaves
        chance = np.where(kept == 1, 1 - p, p).prod(1)  # (masks,)
        inputs = a[:, None] * kept * (1.0 if mistake == "no-rescale" else 1 / (1 - p))  # (examples, masks, units)
        masked, one_pass = inputs @ w, a @ w  # (examples, masks, outputs), (examples, outputs)
        off["mean"].append(np.abs(over_masks(inputs, chance)[0] - a).max())  # of each single activation
        average, spread = over_masks(masked, chance)  # (examples, outputs) each
        expected = chance @ ((target[:, None] - inputs @ u) ** 2).sum(0)
        closed_form = ((target - a @ u) ** 2).sum() + p / (1 - p) * (u**2 * energy).sum()
        linear = np.abs(average - one_pass).max(), np.abs(spread - p / (1 - p) * a**2 @ w**2).max()
        gaps.append([*linear, abs(expected / closed_form - 1)])
    of_average, of_variance, of_ridge = np.max(gaps, axis=0)
    yield Claim("expectation-kept", measured=max(off["mean"]), at_most=0.02)
    yield Claim("linear-average-is-exact", measured=of_average, at_most=1e-9)
    yield Claim("linear-variance", measured=of_variance, at_most=1e-9)
    yield Claim("scaled-ridge", measured=of_ridge, at_most=1e-9)
    if after == "relu":
        masked, one_pass = np.maximum(masked, 0), np.maximum(one_pass, 0)
    average, spread = over_masks(masked, chance)
    apart = np.linalg.norm(one_pass - average) / max(np.linalg.norm(np.sqrt(spread)), 1e-9)
    yield Claim("nonlinear-average-is-close", measured=apart, between=(0.02, 0.9))
    yield Text("So far identities. Now one network is trained from the same start with and without dropout.")

    found = []
    for size in (plenty, points):  # few points last: the claims after the loop read what it leaves behind
        training, test = sample(rng, teacher, size), sample(rng, teacher, 500)
        plain, dropped = (train(net, *training, p, seed) for p in (0.0, drop))
        found.append([[error(it, *data) for data in (training, test)] for it in (plain, dropped)])
    errors = np.array(found)  # (plenty or few, without or with dropout, training or test, copies)
    names = [f"{plenty}", f"{plenty}, dropout", f"{points}", f"{points}, dropout"]
    fits, tests = np.median(errors, axis=3).reshape(4, 2).T
    rows = [*zip(names, fits, tests, strict=True)]
    yield Table(f"mean squared error, median of {REPEATS} networks", ["points", "training", "test"], rows)
    yield Plot("errors", {"training": (names, fits), "test": (names, tests)}, y_label="squared error", style="bars")
    fit_drop, test_drop = errors[1, 1]
    noisy_fit = error(dropped, *training, dropout_mask((REPEATS, points, HIDDEN), drop, rng))
    noisy_test = error(dropped, *test, dropout_mask((REPEATS, 500, HIDDEN), drop, rng))
    yield Claim("noise-raises-training-loss", measured=np.median(noisy_fit / fit_drop), at_least=1.1)
    yield Claim("left-on-costs", measured=np.median(noisy_test / test_drop), at_least=1.1)
    (plenty_fit, plenty_ratio), (few_fit, few_ratio) = np.median(errors[:, 1] / errors[:, 0], axis=2)
    yield Claim("train-error-rises", measured=np.log10(few_fit), at_least=0.5)
    gaps = np.diff(errors[1], axis=1)  # test minus training: (without or with dropout, 1, copies)
    gap_ratio = np.median(gaps[1] / gaps[0])
    yield Measure("gap-ratio", gap_ratio)
    yield Claim("gap-narrows", measured=gap_ratio, between=(0.2, 0.75))
    yield Measure("few-ratio", few_ratio)
    yield Claim("test-error-falls", measured=few_ratio, at_most=0.9)
    yield Measure("plenty-ratio", plenty_ratio)
    yield Claim("hurts-with-plenty", measured=min(plenty_ratio, plenty_fit), at_least=1.05)


if __name__ == "__main__":
    main(run)
