"""The parts of an autoencoder: the code's width, what the last layer can say, and how a decoder goes back up.

    x (D) --encoder--> h (H) --> code (K) --decoder--> h' (H) --> x̂ (D)        loss = ‖x̂ − x‖², summed over features

Pictures of one bright blob have many pixels but two numbers behind them, its row and its column. Codes of 1, 2, 4 and
8 units are trained on them side by side and measured on fresh pictures, against PCA with as many components. Then the
two ways of building a decoder out of an encoder: its transposed weights (tied), and the transposed convolution,

    n' = (n − 1) s − 2p + k + output padding        the encoder's convolution: m = ⌊(n + 2p − k) / s⌋ + 1

Sources: Goodfellow, Bengio & Courville (2016), chapter 14; Dumoulin & Visin (2016), chapter 4; Odena et al. (2016).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, Text, main

claims = {
    "transpose-of-the-matrix": {
        "says": "stamping the kernel once per code value multiplies by the transpose of the convolution's matrix",
        "false_when": {"mistake": "flipped-kernel"},
    },
    "size-formula": {
        "says": "the formula for n' gives the length at which stamping arrives, for 162 choices of its parts",
        "false_when": {"mistake": "one-sided-padding"},
    },
    "sizes-collide": {
        "says": "at stride 2 a convolution gives two input sizes one output size, so half of them do not come back",
        "false_when": {"stride": 1},
    },
    "output-padding-mends": {
        "says": "output padding of (n + 2p − k) mod s brings every size n back",
        "false_when": {"mistake": "no-output-padding"},
    },
    "no-inverse": {
        "says": "convolving and then transposed convolving with one kernel does not return the signal, even rescaled",
        "false_when": {"kernel": 1, "stride": 1},
    },
    "uneven-overlap": {
        "says": "kernel 3 at stride 2 puts one stamp and two stamps in turn on the inner positions",
        "false_when": {"kernel": 4},
    },
    "tying-counts": {
        "says": "in networks of 20 random shapes tying saves half of the weights and none of the biases",
        "false_when": {"mistake": "tied-biases"},
    },
    "tied-gradient-adds": {
        "says": "the gradient of a tied matrix, by finite differences, is the encoder's share plus the decoder's",
        "false_when": {"mistake": "encoder-share"},
    },
    "tied-reaches-pca": {
        "says": "a linear autoencoder ends within 1% of PCA's error, tied or with separate matrices",
        "false_when": {"mistake": "encoder-share"},
    },
    "tied-turns-orthonormal": {
        "says": "the tied one's columns end orthonormal without a penalty that makes them so",
        "false_when": {"kind": "separate"},
    },
    "copied-drifts": {
        "says": "a decoder that only starts as the encoder's transpose is over 10% off it after 50 updates (tanh)",
        "false_when": {"start": "tied"},
    },
    "gradients-right": {
        "says": "the deep network's gradients by hand agree with finite differences",
        "false_when": {"mistake": "no-slope"},
    },
    "two-factors-two-units": {
        "says": "two units leave under a quarter of the error of one, as two numbers make a picture",
        "false_when": {"hidden": 1},
    },
    "little-left-after": {
        "says": "from two units to eight the error falls by less than a tenth of the pictures' variance",
        "false_when": {"activation": "identity"},
    },
    "two-units-beat-pca": {
        "says": "two units leave under a third of the error of two principal components",
        "false_when": {"activation": "identity"},
    },
    "range-sets-a-floor": {
        "says": "with sigmoid outputs, standardized pixels stop just above what cutting them to 0..1 costs",
        "false_when": {"output": "linear"},
    },
}
measures = {
    "decoder-size": "length after `layers` equal transposed convolutions of a map of length `size`",
    "forgot-both-sides": "the same with the padding taken off on one side only",
    "forward-formula": "the same by the formula of the convolution",
    "tied-parameters": "of a tied network D, H, K, H, D: two matrices, and a bias for each unit but the inputs",
    "untied-parameters": "the same with matrices of its own in the decoder",
    "half-the-untied": "half of that",
    "components-needed": "how many principal components have an error as low as the code of `width` units",
    "kept": "share of the fresh pictures' variance that a code of `width` units keeps, in percent",
    "kept-by-pca": "the same for as many principal components",
}
predict = {
    "ask": "Blobs on 6 by 6 pixels, a code of two units. How many principal components reach the same error?",
    "measure": "components-needed",
    "choices": {"two, the same": [0, 2], "three or four": [3, 4], "five to twelve": [5, 12], "over twelve": [13, 36]},
}
SIDE, ROWS, COPIES = 6, 200, 2
CODES = {"one": 1, "two": 2, "four": 4, "eight": 8}


def parameters(d: int, h: int, k: int, tied: bool) -> int:
    """Of layers d, h, k, h, d: matrices, and a bias for each unit but the inputs."""
    return (1 if tied else 2) * (d * h + h * k) + 2 * h + k + d


def back_size(n: int, k: int, s: int, p: int, extra: int = 0) -> int:
    return (n - 1) * s - 2 * p + k + extra


def conv_size(n: int, k: int, s: int, p: int) -> int:
    return (n + 2 * p - k) // s + 1


def conv(x: np.ndarray, kernel: np.ndarray, s: int, p: int) -> np.ndarray:
    x = np.pad(x, p)
    return np.array([x[i : i + len(kernel)] @ kernel for i in range(0, len(x) - len(kernel) + 1, s)])


def transposed_conv(y: np.ndarray, kernel: np.ndarray, s: int, p: int, extra: int) -> np.ndarray:
    """Stamp the kernel at every s-th place, weighted by y, and cut the padding off; `extra` is the output padding."""
    out = np.zeros((len(y) - 1) * s + len(kernel) + extra)
    for i, weight in enumerate(y):
        out[i * s : i * s + len(kernel)] += weight * kernel
    return out[p : len(out) - p]


def shares(
    x: np.ndarray, encoder: np.ndarray, decoder: np.ndarray, curved: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss of x̂ = f(xE)D and its gradients by E (D, K) and D (K, D); f is tanh or the identity."""
    h = np.tanh(x @ encoder) if curved else x @ encoder  # (N, K)
    d = 2 / len(x) * (h @ decoder - x)  # ∂loss/∂x̂ (N, D)
    to_encoder = x.T @ (d @ decoder.T * (1 - h**2 if curved else 1.0))
    return float(((h @ decoder - x) ** 2).sum(1).mean()), to_encoder, h.T @ d


def tied_gradient(x: np.ndarray, w: np.ndarray, curved: bool, mistake: str = "none") -> tuple[float, np.ndarray]:
    """Loss of x̂ = f(xW)Wᵀ and its gradient by W (D, K), which appears twice."""
    loss, as_encoder, as_decoder = shares(x, w, w.T, curved)
    return loss, as_encoder + (0.0 if mistake == "encoder-share" else as_decoder.T)


def train_pair(
    x: np.ndarray, encoder: np.ndarray, decoder: np.ndarray, steps: int, curved: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Encoder (D, K) and decoder (K, D) as matrices of their own, by gradient descent."""
    for _ in range(steps):
        _, to_encoder, to_decoder = shares(x, encoder, decoder, curved)
        encoder, decoder = encoder - 0.03 * to_encoder, decoder - 0.03 * to_decoder
    return encoder, decoder


def blobs(rng: np.random.Generator) -> np.ndarray:
    """Pictures (ROWS, 36) with values in 0..1: a Gaussian blob, its center uniform over the inner pixels."""
    center = rng.uniform(1, SIDE - 2, (ROWS, 2, 1))
    profile = np.exp(-((np.arange(SIDE) - center) ** 2) / 2)  # (ROWS, 2, 6)
    return (profile[:, 0, :, None] * profile[:, 1, None, :]).reshape(ROWS, -1)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -60, 60)))


def forward(net: list, x: np.ndarray, mask: np.ndarray, squash: np.ndarray, bend: bool) -> list[np.ndarray]:
    """Layers of M networks at once, x (M, N, D); `mask` (M, 1, 8) closes code units, `squash` (M, 1, 1) means σ."""
    w1, b1, w2, b2, w3, b3, w4, b4 = net
    h = x @ w1 + b1  # (M, N, H)
    h = np.tanh(h) if bend else h
    code = (h @ w2 + b2) * mask  # (M, N, 8)
    up = code @ w3 + b3
    up = np.tanh(up) if bend else up
    z = up @ w4 + b4
    return [h, code, up, np.where(squash > 0, sigmoid(z), z)]  # the last is x̂ (M, N, D)


def backward(
    net: list, x: np.ndarray, layers: list, mask: np.ndarray, squash: np.ndarray, bend: bool, mistake: str = "none"
) -> list[np.ndarray]:
    """Gradients of ‖x̂ − x‖², summed over features and averaged over rows, for each of the networks."""
    h, code, up, out = layers
    d = 2 / x.shape[1] * (out - x) * np.where(squash > 0, out * (1 - out), 1.0)
    gradients = []
    for below, w, slope in ((up, net[6], 1 - up**2), (code, net[4], mask), (h, net[2], 1 - h**2), (x, None, None)):
        gradients[:0] = [below.swapaxes(1, 2) @ d, d.sum(1, keepdims=True)]
        if w is not None:
            flat = slope is not mask and (mistake == "no-slope" or not bend)
            d = d @ w.swapaxes(1, 2) * (1.0 if flat else slope)
    return gradients


def run(
    *,
    size: Annotated[int, Range(1, 64), "length n of the decoder's map in the size measures"] = 7,
    kernel: Annotated[int, Range(1, 7), "kernel size k"] = 3,
    stride: Annotated[int, Range(1, 3), "stride s"] = 2,
    padding: Annotated[int, Range(0, 3), "padding p"] = 1,
    extra: Annotated[int, Range(0, 2), "output padding in the size measures"] = 0,
    layers: Annotated[int, Range(1, 3), "transposed convolutions in the size measures"] = 2,
    inputs: Annotated[int, Range(1, 2000), "D in the parameter measures"] = 20,
    units: Annotated[int, Range(1, 2000), "H in the parameter measures"] = 8,
    code: Annotated[int, Range(1, 2000), "K in the parameter measures"] = 2,
    width: Annotated[Literal["one", "two", "four", "eight"], "code units of the measured network"] = "two",
    hidden: Annotated[int, Range(1, 64), "hidden units in the trained networks"] = 24,
    activation: Annotated[Literal["tanh", "identity"], "identity takes out the output's sigmoid as well"] = "tanh",
    output: Annotated[Literal["sigmoid", "linear"], "last layer for standardized pixels"] = "sigmoid",
    kind: Annotated[Literal["tied", "separate"], "matrices of the linear autoencoder"] = "tied",
    start: Annotated[Literal["copied", "tied"], "how the pair with the tanh code is kept"] = "copied",
    mistake: Literal[
        "none", "flipped-kernel", "one-sided-padding", "no-output-padding", "tied-biases", "encoder-share", "no-slope"
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    right = one_side = by_conv = size
    for _ in range(layers):
        right = back_size(right, kernel, stride, padding, extra)
        one_side = back_size(one_side, kernel, stride, padding, extra) + padding
        by_conv = conv_size(by_conv, kernel, stride, padding)
    yield Measure("decoder-size", right)
    yield Measure("forgot-both-sides", one_side)
    yield Measure("forward-formula", by_conv)
    yield Measure("tied-parameters", parameters(inputs, units, code, True))
    yield Measure("untied-parameters", parameters(inputs, units, code, False))
    yield Measure("half-the-untied", parameters(inputs, units, code, False) / 2)
    rng = np.random.default_rng(seed)

    # 1. The transposed convolution, on sizes 8 to 31.
    stamp = rng.normal(size=kernel)
    stamp /= np.linalg.norm(stamp)
    wrong, off, returned, mended, left, rows = 0.0, 0, [], [], [], []
    for n in range(8, 32):
        matrix = np.array([conv(e, stamp, stride, padding) for e in np.eye(n)]).T  # (m, n)
        m, remainder = conv_size(n, kernel, stride, padding), (n + 2 * padding - kernel) % stride
        used = stamp[::-1] if mistake == "flipped-kernel" else stamp
        y, x = rng.normal(size=m), rng.normal(size=n)
        wrong = max(wrong, np.abs(transposed_conv(y, used, stride, padding, remainder) - matrix.T @ y).max())
        plain = len(transposed_conv(y, stamp, stride, padding, 0))
        formula = back_size(m, kernel, stride, padding) + (padding if mistake == "one-sided-padding" else 0)
        full = len(transposed_conv(y, stamp, stride, padding, remainder))
        off = max(off, abs(plain - formula), abs(full - back_size(m, kernel, stride, padding, remainder)))
        returned.append(plain == n)
        added = 0 if mistake == "no-output-padding" else remainder
        mended.append(len(transposed_conv(y, stamp, stride, padding, added)) == n)
        back = matrix.T @ (matrix @ x)
        left.append(np.linalg.norm(x - back * (x @ back) / (back @ back)) / np.linalg.norm(x))  # best factor
        rows.append([n, m, plain, remainder])
    yield Table("one convolution down, one up", ["input", "code", "back", "output padding"], rows[:6])
    for k, s, p, more in np.ndindex(6, 3, 3, 3):  # kernel sizes 1 to 6, strides 1 to 3
        formula = back_size(9, k + 1, s + 1, p, more) + (p if mistake == "one-sided-padding" else 0)
        off = max(off, abs(len(transposed_conv(np.ones(9), np.ones(k + 1), s + 1, p, more)) - formula))
    yield Claim("transpose-of-the-matrix", measured=wrong, at_most=1e-9)
    yield Claim("size-formula", measured=off, at_most=0)
    yield Claim("sizes-collide", measured=np.mean(returned), near=(0.5, 0.01))
    yield Claim("output-padding-mends", measured=np.mean(mended), at_least=1.0)
    yield Claim("no-inverse", measured=np.min(left), at_least=0.1)
    cover = transposed_conv(np.ones(12), np.ones(kernel), stride, 0, 0)
    inner = cover[kernel : len(cover) - kernel]
    yield Plot("overlap", {"stamps": (range(len(cover)), cover)}, x_label="position", style="points")
    due = 1 + np.arange(kernel + 1, len(cover) - kernel + 1) % 2  # by position: 2 on even ones, 1 on odd ones
    yield Claim("uneven-overlap", measured=np.abs(inner - due).max(), at_most=1e-9)

    # 2. Tied weights: their number in layers d, h, k, h, d, then their gradient.
    off = 0
    for d, h, k in rng.integers(1, 50, (20, 3)):
        pairs = [(np.zeros(shape), np.zeros(shape[1])) for shape in ((d, h), (h, k), (k, h), (h, d))]
        weights, biases = (sum(pair[i].size for pair in pairs) for i in (0, 1))
        saved = sum(pair[0].size + (pair[1].size if mistake == "tied-biases" else 0) for pair in pairs[2:])
        both, single = (parameters(d, h, k, tied) for tied in (False, True))
        off = max(off, abs(both - weights - biases), abs(saved - weights // 2), abs(both - single - saved))
    yield Claim("tying-counts", measured=off, at_most=0)

    x, w = rng.normal(size=(7, 5)), rng.normal(0, 0.5, (5, 3))
    slopes, measured = tied_gradient(x, w, True, mistake)[1], np.zeros_like(w)
    for at in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[at] = 1e-5
        measured[at] = (tied_gradient(x, w + step, True)[0] - tied_gradient(x, w - step, True)[0]) / 2e-5
    yield Claim("tied-gradient-adds", measured=np.abs(measured - slopes).max(), at_most=1e-6)

    raw = rng.normal(size=(100, 5))
    white = np.linalg.svd(raw - raw.mean(0), full_matrices=False)[0] * 10  # (N, 5), covariance I
    x = white * np.sqrt([4.0, 2.0, 1.0, 0.5, 0.25]) @ np.linalg.qr(rng.normal(size=(5, 5)))[0].T
    first, second = rng.normal(0, 0.4, (5, 2)), rng.normal(0, 0.4, (2, 5))
    w = first.copy()
    for _ in range(600):
        w = w - 0.03 * tied_gradient(x, w, False, mistake)[1]
    pair = train_pair(x, first, second, 600, False)
    nets = {"tied": (w, w.T), "separate": pair}
    gaps = {name: np.abs(e.T @ e - np.eye(2)).max() for name, (e, _) in nets.items()}
    ratios = {name: float(((x @ e @ d - x) ** 2).sum(1).mean() / 1.75) for name, (e, d) in nets.items()}
    rows = [[name, ratios[name], gaps[name]] for name in nets]
    yield Table("linear, two code units", ["matrices", "error / PCA's", "largest entry of EᵀE − I"], rows)
    yield Claim("tied-reaches-pca", measured=max(abs(ratio - 1) for ratio in ratios.values()), at_most=0.01)
    yield Claim("tied-turns-orthonormal", measured=gaps[kind], at_most=1e-6)
    copied, other = train_pair(x, first, first.T, 50, True)
    if start == "tied":
        other = copied.T
    apart = np.linalg.norm(copied - other.T) / np.linalg.norm(copied)
    yield Claim("copied-drifts", measured=apart, at_least=0.1)

    # 3. The code's width: two copies of each, and one network for standardized pixels, all in one batch.
    train, fresh = blobs(rng), blobs(rng)  # (N, D)
    mean, deviation = train.mean(0), train.std(0)
    M = len(CODES) * COPIES + 1
    widths = np.array([*CODES.values()] * COPIES + [8])
    mask = (np.arange(8) < widths[:, None, None]).astype(float)  # (M, 1, 8)
    bend = activation == "tanh"
    squash = np.array([float(bend)] * (M - 1) + [float(output == "sigmoid")])[:, None, None]
    seen = np.stack([train] * (M - 1) + [(train - mean) / deviation])  # (M, N, D)
    net = []
    for before, after in ((SIDE**2, hidden), (hidden, 8), (8, hidden), (hidden, SIDE**2)):
        net += [rng.normal(0, 1 / np.sqrt(before), (M, before, after)), rng.normal(0, 0.1, (M, 1, after))]

    few = seen[:, :10]
    by_hand = backward(net, few, forward(net, few, mask, squash, bend), mask, squash, bend, mistake)
    worst = 0.0
    for part, slopes in zip(net, by_hand, strict=True):
        at = (0, *(int(rng.integers(n)) for n in part.shape[1:-1]), 0)  # code unit 0 is open in each network
        value, ends = part[at], []
        for part[at] in (value + 1e-5, value - 1e-5):
            ends.append(((forward(net, few, mask, squash, bend)[-1][0] - few[0]) ** 2).sum(1).mean())
        part[at] = value
        worst = max(worst, abs((ends[0] - ends[1]) / 2e-5 - slopes[at]))
    yield Claim("gradients-right", measured=worst, at_most=1e-6)

    pace, size_of = [np.zeros_like(part) for part in net], [np.zeros_like(part) for part in net]
    steps = 400
    for step in range(1, steps + 1):  # Adam on batches of 32, its rate falling to 0
        batch = seen[:, rng.integers(ROWS, size=32)]
        slopes = backward(net, batch, forward(net, batch, mask, squash, bend), mask, squash, bend)
        for part, m, v, g in zip(net, pace, size_of, slopes, strict=True):
            m += 0.1 * (g - m)
            v += 0.01 * (g * g - v)
            part -= 0.02 * (1 - step / steps) * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)

    def error(x: np.ndarray) -> np.ndarray:
        return ((forward(net, x, mask, squash, bend)[-1] - x) ** 2).sum(2).mean(1)  # (M,)

    on_train = error(seen)[:-1].reshape(COPIES, -1)  # the copy that fits the training pictures better is kept
    standard = (fresh - mean) / deviation
    on_fresh = error(np.stack([fresh] * (M - 1) + [standard]))
    best = on_train.argmin(0)  # (4,)
    kept = on_fresh[:-1].reshape(COPIES, -1)[best, range(4)]
    axes = np.linalg.svd(train - mean, full_matrices=False)[2]
    lost = np.cumsum(((fresh - mean) @ axes.T) ** 2, axis=1).mean(0)
    variance = lost[-1]
    pca = variance - np.concatenate([[0.0], lost])  # by number of components, from 0
    ours, units_measured = dict(zip(CODES.values(), kept, strict=True)), CODES[width]
    rows = [[k, 100 * ours[k] / variance, 100 * pca[k] / variance, int((pca > ours[k]).sum())] for k in ours]
    yield Text("Error on fresh pictures in percent of their variance; how many components PCA needs to get there.")
    yield Table("what a code loses", ["units", "autoencoder", "PCA", "components needed"], rows)
    yield Plot(
        "error-over-code-size",
        {"autoencoder": (list(ours), [row[1] for row in rows]), "PCA": (list(ours), [row[2] for row in rows])},
        x_label="code units",
        y_label="% of variance lost",
        log_y=True,
    )
    shown = forward(net, np.stack([fresh] * M), mask, squash, bend)[-1]
    of_two = shown[best[1] * len(CODES) + 1]
    flat = mean + (fresh - mean) @ axes[:2].T @ axes[:2]
    sources = {"fresh": fresh, "code 2": of_two, "PCA 2": flat}
    pictures = {f"{name}, {i}": x[i].reshape(SIDE, SIDE) for i in (0, 1) for name, x in sources.items()}
    yield Image("blobs", pictures)
    yield Measure("components-needed", (pca > ours[units_measured]).sum())
    yield Measure("kept", round(100 * (1 - ours[units_measured] / variance), 1))
    yield Measure("kept-by-pca", 100 * (1 - pca[units_measured] / variance))
    yield Claim("two-factors-two-units", measured=ours[2] / ours[1], at_most=0.25)
    yield Claim("little-left-after", measured=(ours[2] - ours[8]) / variance, at_most=0.1)
    yield Claim("two-units-beat-pca", measured=ours[2] / pca[2], at_most=0.33)
    floor = ((standard - np.clip(standard, 0, 1)) ** 2).sum(1).mean()
    yield Claim("range-sets-a-floor", measured=on_fresh[-1] / floor, between=(1.0, 1.1))


if __name__ == "__main__":
    main(run)
