"""Four applications on one page: a picture, a text, a sound, and a sequence turned into another sequence.

The first three share one network. It looks through windows (3 x 3 pixels, two words, eight samples of sound), with
the same weights for each window, keeps the strongest response of each filter, and decides from those:

    windows (N, P, D)  ->  relu(windows · W + b)  ->  maximum over the P windows  ->  softmax(h · V + c)

The fourth learns which input position each output position reads (A), and how to translate what it finds there (M):

    out_t = softmax(Σ_s softmax(A)_ts · onehot(x_s) · M)

Each is compared with the answer that ignores the input. The sound task ends with two cautions: a formula that knows
the physics does as well without training, and with rare events precision falls while the ROC curve stays.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, chapters 9, 11, 12; Kim (2014), Convolutional Neural
Networks for Sentence Classification; Davis & Goadrich (2006), Precision-Recall and ROC Curves.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "wholes-are-rarer": {
        "says": "independent symbols: a whole is right as often as the product of their probabilities says, within 2 "
        "points; five at 90% in 59%, and so with other lengths and rates, one rate for each symbol among them",
        "false_when": {"mistake": "per-symbol"},
    },
    "physics-needs-no-training": {
        "says": "comparing the energy at two known frequencies is at most 2 points less accurate than the network",
        "false_when": {"tones": "shifted"},
    },
    "roc-stays": {
        "says": "when higher tones get 50 times rarer, the area under the ROC curve moves by under 4 points",
        "false_when": {"rare_are": "fainter"},
    },
    "precision-falls": {
        "says": "at the same threshold, precision falls by over 30 points when they get 50 times rarer",
        "false_when": {"rarity": 1},
    },
    "gradient-is-right": {
        "says": "the window network's gradient by hand agrees with finite differences",
        "false_when": {"mistake": "all-windows"},
    },
    "picture-beats-majority": {
        "says": "a plus or a cross anywhere in a noisy picture: over 20 points above the majority answer",
        "false_when": {"window": "one"},
    },
    "linear-pixels-fail": {
        "says": "a linear model on the same pixels is less than 10 points above the majority answer",
        "false_when": {"place": "fixed"},
    },
    "text-beats-majority": {
        "says": "praise or complaint, half of them negated by 'not': over 25 points above the majority answer",
        "false_when": {"window": "one"},
    },
    "sound-beats-majority": {
        "says": "a lower or a higher tone under noise: over 20 points above the majority answer",
        "false_when": {"window": "one"},
    },
    "alignment-gradient-is-right": {
        "says": "the sequence model's gradient by hand agrees with finite differences",
        "false_when": {"mistake": "no-softmax-slope"},
    },
    "sequence-beats-constant": {
        "says": "reverse and translate: over 70 points above the commonest symbol, symbol by symbol",
        "false_when": {"alignment": "in-place"},
    },
    "alignment-is-reversed": {
        "says": "each output position puts over 90% of its weight on the mirrored input position",
        "false_when": {"order": "kept"},
    },
    "in-place-gets-the-middle": {
        "says": "a model that reads its own position only gets the middle of an odd length right and each other "
        "place by chance, within 5 points",
        "false_when": {"order": "kept"},
    },
    "other-axis-is-chance": {
        "says": "with targets reversed along each batch, or along batch and time, not along time alone, the same "
        "model is within 4 points of 1/8",
        "false_when": {"flipped": "time"},
    },
}
measures = {
    "whole-accuracy": "share of sequences of `length` symbols that are right as a whole, `per_symbol` each",
    "per-symbol": "share of single symbols that are right",
    "sum-of-errors": "one minus length times the error of a symbol, at least 0",
    "in-place-accuracy": "per symbol, of the model that reads its own position only",
    "picture-accuracy": "of the window network",
    "text-accuracy": "of the window network",
    "sound-accuracy": "of the window network",
    "precision-when-rare": "of the frequency formula, higher tones `rarity` times rarer than lower ones",
}
predict = {
    "ask": "A detector is right on 90% of either kind. Then one kind gets 50 times rarer. Its precision there:",
    "measure": "precision-when-rare",
    "choices": {"still about 90%": [0.8, 1], "30 to 80%": [0.3, 0.8], "below 30%": [0, 0.3]},
}

MAJORITY = 0.6  # share of the commoner class, the first, in pictures, texts and sounds
SYMBOLS = 8
TIME = np.arange(64)  # samples of a sound
LOW, HIGH = 1 / 8, 1 / 5  # cycles a sample


def classes(rng: np.random.Generator, n: int) -> np.ndarray:
    return (rng.random(n) > MAJORITY).astype(int)


def pictures(rng: np.random.Generator, y: np.ndarray, place: str) -> np.ndarray:
    """A plus (0) or a cross (1) of five bright pixels somewhere in noise: (N, 10, 10)."""
    shapes = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]])
    x = rng.normal(0, 0.35, (len(y), 10, 10))
    corner = rng.integers(0, 8, (len(y), 2)) if place == "anywhere" else np.full((len(y), 2), 3)
    for picture, k, (i, j) in zip(x, y, corner, strict=True):
        picture[i : i + 3, j : j + 3] += shapes[k]
    return x


def texts(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    """Eight words (N, 8): 0-2 praise, 3-5 blame, 6 'not', 7-15 neutral. Each text has one of 0-5 and one 6."""
    words = rng.integers(7, 16, (len(y), 8))
    negated = rng.integers(0, 2, len(y))
    at = rng.integers(1, 4, len(y))  # the telling word; the other pair comes later
    other = rng.integers(5, 8, len(y))
    rows = np.arange(len(y))
    words[rows, at] = rng.integers(0, 3, len(y)) + 3 * (y ^ negated)
    words[rows, np.where(negated == 1, at, other) - 1] = 6
    return words


def sounds(rng: np.random.Generator, y: np.ndarray, tones: str, noise: float = 1.0) -> np.ndarray:
    """A tone of any phase under noise: (N, 64)."""
    pitch = np.where(y == 1, HIGH, LOW) + (0.04 if tones == "shifted" else 0)
    phase = rng.uniform(0, 2 * np.pi, len(y))
    return np.sin(2 * np.pi * pitch[:, None] * TIME + phase[:, None]) + rng.normal(0, noise, (len(y), 64))


def windows(x: np.ndarray, size: int) -> np.ndarray:
    """Every stretch of a sequence, or square of a picture, laid out as a row: (N, P, D)."""
    if x.ndim == 3:
        view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
        return view.reshape(len(x), -1, size * size)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=1)  # (N, P, size)
    return np.eye(16)[view].reshape(*view.shape[:2], -1) if x.dtype.kind == "i" else view


def forward(net: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window of each filter's strongest response and that response (N, F), logits (N, 2)."""
    W, b, V, c = net
    z = x @ W + b  # (N, P, F)
    where = z.argmax(1)
    h = np.maximum(np.take_along_axis(z, where[:, None], 1)[:, 0], 0)
    return where, h, h @ V + c


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """Mean over everything but the last axis, which holds the classes."""
    top = logits.max(-1, keepdims=True)
    shifted = logits - top
    right = np.take_along_axis(shifted, y[..., None], -1)[..., 0]
    return float((np.log(np.exp(shifted).sum(-1)) - right).mean())


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gradient(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mistake: str = "none") -> list[np.ndarray]:
    """Of the cross-entropy. Behind a maximum, the gradient goes to the window that won."""
    where, h, logits = forward(net, x)
    error = (softmax(logits) - np.eye(2)[y]) / len(x)  # (N, 2)
    dz = error @ net[2].T * (h > 0)  # (N, F)
    winners = np.take_along_axis(x, where[:, :, None], 1)  # (N, F, D)
    if mistake == "all-windows":
        winners = np.repeat(x.mean(1, keepdims=True), h.shape[1], 1)
    return [np.einsum("nfd,nf->df", winners, dz), dz.sum(0), h.T @ error, error.sum(0)]


def read(net: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alignment (T, T), what is read (N, T, S) and logits (N, T, S) for one-hot inputs (N, T, S)."""
    A, M = net
    align = softmax(A)
    found = align @ x
    return align, found, found @ M


def read_gradient(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mistake: str = "none") -> list[np.ndarray]:
    align, found, logits = read(net, x)
    error = (softmax(logits) - np.eye(SYMBOLS)[y]) / y.size  # (N, T, S)
    d_align = np.einsum("nts,nus->tu", error @ net[1].T, x)
    slope = d_align if mistake == "no-softmax-slope" else d_align - (d_align * align).sum(1, keepdims=True)
    return [align * slope, np.einsum("ntr,nts->rs", found, error)]


def descend(rng: np.random.Generator, net: list, gradient_of: Callable, x, y, steps: int, rate: float) -> list:
    """Gradient descent with momentum on batches of 50."""
    speed = [np.zeros_like(part) for part in net]
    for _ in range(steps):
        rows = rng.integers(0, len(x), 50)
        for part, pace, slope in zip(net, speed, gradient_of(net, x[rows], y[rows]), strict=True):
            pace *= 0.9
            pace -= rate * slope
            part += pace
    return net


def worst_slope(rng: np.random.Generator, net: list, loss: Callable, slopes: list) -> float:
    """Largest difference between slopes by hand and finite differences, along one random way in each part."""
    off = 0.0
    for place, slope in enumerate(slopes):
        way = rng.normal(size=slope.shape)
        up, down = ([*net[:place], net[place] + e * way, *net[place + 1 :]] for e in (1e-6, -1e-6))
        off = max(off, abs((loss(up) - loss(down)) / 2e-6 - (slope * way).sum()))
    return off


def energy_ratio(x: np.ndarray) -> np.ndarray:
    """Log of the energy at the higher over that at the lower frequency: (N,)."""
    at = [np.abs(x @ np.exp(-2j * np.pi * pitch * TIME)) ** 2 for pitch in (LOW, HIGH)]
    return np.log(at[1] + 1e-12) - np.log(at[0] + 1e-12)


def roc_area(scores: np.ndarray, y: np.ndarray) -> float:
    """Share of pairs, one of each class, in which the positive one has the higher score."""
    ranks = scores.argsort().argsort() + 1
    positives = y.sum()
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y) - positives)))


def run(
    *,
    length: Annotated[int, Range(2, 9), "symbols in a sequence"] = 5,
    per_symbol: Annotated[float, Range(0.0, 1.0), "accuracy for each symbol, where whole sequences count"] = 0.9,
    rarity: Annotated[int, Range(1, 200), "lower tones for each higher one"] = 50,
    window: Annotated[Literal["fitting", "one"], "pixel, word or sample at a time"] = "fitting",
    place: Annotated[Literal["anywhere", "fixed"], "of the shape in a picture"] = "anywhere",
    tones: Annotated[Literal["known", "shifted"], "against what the formula listens for"] = "known",
    rare_are: Annotated[Literal["alike", "fainter"], "higher tones when they are rare"] = "alike",
    alignment: Literal["learned", "in-place"] = "learned",
    order: Annotated[Literal["reversed", "kept"], "of the symbols in the target"] = "reversed",
    flipped: Annotated[Literal["batch", "time"], "what the mistaken targets are reversed along"] = "batch",
    mistake: Literal["none", "per-symbol", "all-windows", "no-softmax-slope"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    whole = per_symbol**length
    yield Measure("whole-accuracy", whole)
    yield Measure("per-symbol", per_symbol)
    yield Measure("sum-of-errors", max(0.0, 1 - length * (1 - per_symbol)))
    rng = np.random.default_rng(seed)
    off = []
    for rates in ([per_symbol] * length, [0.8] * 3, [0.5] * 2, [0.98] * 30, [0.95, 0.9, 0.8, 0.6]):
        counted = (rng.random((40_000, len(rates))) < rates).all(1).mean()
        off.append(abs(counted - (np.mean(rates) if mistake == "per-symbol" else np.prod(rates))))
    yield Claim("wholes-are-rarer", measured=max(off), at_most=0.02)

    x = rng.normal(size=(20, 6, 5))
    y = classes(rng, 20)
    net = [rng.normal(0, 0.6, size) for size in ((5, 4), (4,), (4, 2), (2,))]
    off = worst_slope(rng, net, lambda n: cross_entropy(forward(n, x)[2], y), gradient(net, x, y, mistake))
    yield Claim("gradient-is-right", measured=off, at_most=1e-6)

    # Tones so faint that the formula errs on one in ten.
    truth = np.repeat([0, 1], 10_000)
    score = energy_ratio(sounds(rng, truth, "known", 2.2))
    kept = np.r_[0:10_000, 10_000 : 10_000 + 10_000 // rarity]  # all lower tones, some of the higher ones
    rare_score, rare_truth = score[kept], truth[kept]
    if rare_are == "fainter":
        rare_score = energy_ratio(sounds(rng, rare_truth, "known", 4.0))
    # With equal numbers, each higher tone against one lower tone estimates the same area without any ranks.
    areas = np.mean(score[10_000:] > score[:10_000]), roc_area(rare_score, rare_truth)
    precise = [t[s > 0].mean() for s, t in ((score, truth), (rare_score, rare_truth))]
    yield Table(
        "one threshold, two mixes",
        ["higher : lower tones", "area under ROC", "precision"],
        [["1 : 1", areas[0], precise[0]], [f"1 : {rarity}", areas[1], precise[1]]],
    )
    yield Measure("precision-when-rare", precise[1])
    yield Claim("roc-stays", measured=areas[0] - areas[1], near=(0, 0.04))
    yield Claim("precision-falls", measured=precise[0] - precise[1], at_least=0.3)

    codebook = rng.permutation(SYMBOLS)
    x, x_test = rng.integers(0, SYMBOLS, (400, length)), rng.integers(0, SYMBOLS, (1500, length))
    y, y_test = (codebook[part[:, ::-1] if order == "reversed" else part] for part in (x, x_test))
    onehot, onehot_test = np.eye(SYMBOLS)[x], np.eye(SYMBOLS)[x_test]  # (N, T, S)
    start = [rng.normal(0, 0.1, (length, length)), rng.normal(0, 0.1, (SYMBOLS, SYMBOLS))]
    slopes = read_gradient(start, onehot[:20], y[:20], mistake)
    off = worst_slope(rng, start, lambda net: cross_entropy(read(net, onehot[:20])[2], y[:20]), slopes)
    yield Claim("alignment-gradient-is-right", measured=off, at_most=1e-6)
    in_place = [50 * np.eye(length), start[1].copy()]  # whose softmax reads the own position; no step moves it
    in_place = descend(rng, in_place, lambda *batch: [0, read_gradient(*batch)[1]], onehot, y, 200, 1.0)
    each_place = (read(in_place, onehot_test)[2].argmax(2) == y_test).mean(0)  # (T,)
    by_place = each_place.mean()
    reader = in_place if alignment == "in-place" else descend(rng, start, read_gradient, onehot, y, 300, 1.0)
    align, _, logits = read(reader, onehot_test)
    by_symbol = (logits.argmax(2) == y_test).mean()
    commonest = np.bincount(y_test.ravel()).max() / y_test.size
    yield Measure("in-place-accuracy", by_place)
    yield Image("alignment", {"output by input": align})
    yield Claim("sequence-beats-constant", measured=by_symbol - commonest, at_least=0.7)
    yield Claim("alignment-is-reversed", measured=align[::-1].diagonal().min(), at_least=0.9)
    off = []
    for axes in [(0,), (0, 1)] if flipped == "batch" else [(1,)]:  # axis 0 counts examples, axis 1 is time

        def astray_slopes(net: list, *_batch: np.ndarray, axes: tuple = axes) -> list[np.ndarray]:
            drawn = rng.integers(0, SYMBOLS, (50, length))  # each batch afresh, and reversed as it is
            return read_gradient(net, np.eye(SYMBOLS)[drawn], codebook[np.flip(drawn, axes)])

        astray = [rng.normal(0, 0.1, (length, length)), rng.normal(0, 0.1, (SYMBOLS, SYMBOLS))]
        astray = descend(rng, astray, astray_slopes, onehot, y, 300, 1.0)
        by_astray = (read(astray, onehot_test)[2].argmax(2) == codebook[np.flip(x_test, axes)]).mean()
        off.append(abs(by_astray - 1 / SYMBOLS))
    yield Claim("other-axis-is-chance", measured=max(off), at_most=0.04)
    expected = np.where(np.arange(length) * 2 == length - 1, 1.0, 1 / SYMBOLS)
    yield Claim("in-place-gets-the-middle", measured=np.abs(each_place - expected).max(), at_most=0.05)

    y, y_test = classes(rng, 1000), classes(rng, 1000)
    majority = (y_test == 0).mean()
    tasks = {
        "picture": (3, pictures(rng, y, place), pictures(rng, y_test, place)),
        "text": (2, texts(rng, y), texts(rng, y_test)),
        "sound": (8, sounds(rng, y, tones), sounds(rng, y_test, tones)),
    }
    gains, nets = {}, {}
    for name, (size, x, x_test) in tasks.items():
        seen, unseen = (windows(part, size if window == "fitting" else 1) for part in (x, x_test))
        D, F = seen.shape[2], 12
        net = [rng.normal(0, np.sqrt(1 / D), (D, F)), np.zeros(F), rng.normal(0, 0.3, (F, 2)), np.zeros(2)]
        nets[name] = descend(rng, net, gradient, seen, y, 200, 0.05)
        gains[name] = (forward(nets[name], unseen)[2].argmax(1) == y_test).mean() - majority
    yield Measure("picture-accuracy", majority + gains["picture"])
    yield Claim("picture-beats-majority", measured=gains["picture"], at_least=0.2)
    if window == "fitting":
        strongest = np.abs(nets["picture"][2][:, 1] - nets["picture"][2][:, 0]).argsort()[:-4:-1]
        filters = nets["picture"][0].T.reshape(-1, 3, 3)
        yield Image("picture-filters", {f"filter {k}": filters[k] for k in strongest})
    flat, flat_test = (np.c_[part.reshape(len(part), -1), np.ones(len(part))] for part in tasks["picture"][1:])
    line = np.linalg.solve(flat.T @ flat, flat.T @ (2.0 * y - 1))  # least squares
    by_pixels = ((flat_test @ line > 0) == y_test).mean()
    yield Claim("linear-pixels-fail", measured=by_pixels - majority, at_most=0.1)
    yield Measure("text-accuracy", majority + gains["text"])
    yield Claim("text-beats-majority", measured=gains["text"], at_least=0.25)
    yield Measure("sound-accuracy", majority + gains["sound"])
    yield Claim("sound-beats-majority", measured=gains["sound"], at_least=0.2)
    by_formula = ((energy_ratio(tasks["sound"][2]) > 0) == y_test).mean()
    yield Claim("physics-needs-no-training", measured=by_formula - majority - gains["sound"], at_least=-0.02)
    learned = [majority + gain for gain in gains.values()]
    names = [*gains, "sequence"]
    yield Table(
        "accuracy on new inputs",
        ["task", "input ignored", "learned", "something simpler"],
        [
            ["picture: plus or cross", majority, learned[0], f"linear on pixels {by_pixels:.2f}"],
            ["text: praise or blame", majority, learned[1], ""],
            ["sound: low or high", majority, learned[2], f"formula, no training {by_formula:.2f}"],
            ["sequence reversed", commonest, by_symbol, f"own position only {by_place:.2f}"],
        ],
    )
    yield Plot(
        "four-tasks",
        {"input ignored": (names, [majority] * 3 + [commonest]), "learned": (names, [*learned, by_symbol])},
        y_label="accuracy",
        style="bars",
    )


if __name__ == "__main__":
    main(run)
