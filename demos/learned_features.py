"""Hand-made features win on few examples, learned ones on many, and a leaking split makes anything win.

    signal x (16 samples);  answer f(x) = Σ ± relu(w_k · x) over four patterns w_k, plus noise
    hand-made   least squares on the responses relu(w_k · x) to the patterns that an expert knows, three of four
    learned     relu(x W + b) v + c, trained on the raw samples (Adam, early stopping)

The linear model comes quickly down to a floor, the variance of what its features miss. The network starts higher and
falls about as 1/n. The number of examples at which the two meet belongs to this task, not to deep learning. Then
features that were learned elsewhere, and two evaluations that flatter.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 1 and 15.2; Hestness et al. (2017), Deep
Learning Scaling is Predictable, Empirically; Hastie, Tibshirani & Friedman (2009), The Elements of Statistical
Learning, section 7.10.2; Saeb et al. (2017), GigaScience 6(5).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "few-favor-hand-made": {
        "says": "with 32 examples the network's error is over 1.3 times that of three hand-made features",
        "false_when": {"known": 1},
    },
    "many-favor-network": {
        "says": "with 2048 examples the network's error is under a fifth of theirs",
        "false_when": {"known": 4},
    },
    "hand-made-level-off": {
        "says": "from 128 to 2048 examples the linear model's error falls by a power of n no steeper than -0.1",
        "false_when": {"known": 4},
    },
    "network-keeps-falling": {
        "says": "from 128 to 2048 examples the network's error falls by a power of n steeper than -0.7",
        "false_when": {"hidden": 2},
    },
    "curves-meet": {
        "says": "on this task the two curves meet between 80 and 400 examples",
        "false_when": {"known": 4},
    },
    "floor-is-what-is-missed": {
        "says": "the linear model's floor is the variance of what it misses, 0.341 for each of 1 to 3 patterns",
        "false_when": {"counted": "mean-square"},
    },
    "units-find-patterns": {
        "says": "after 2048 examples each pattern has a hidden unit close to it (mean of the best cosines over 0.9)",
        "false_when": {"frozen": True},
    },
    "borrowed-features-pay": {
        "says": "with 64 examples a linear model on units learned on a related task has under half their error",
        "false_when": {"related": False},
    },
    "borrowed-beats-scratch": {
        "says": "and under half the error of a network trained from scratch on the same 64 examples",
        "false_when": {"related": False},
    },
    "gradient-checked": {
        "says": "the network's gradient by hand equals central finite differences to 1e-6 relative",
        "false_when": {"mistake": "no-slope"},
    },
    "row-split-flatters": {
        "says": "labels drawn at random per patient: over 0.9 right if a patient's recordings are split at random",
        "false_when": {"split": "by-patient"},
    },
    "selection-flatters": {
        "says": "on pure noise, columns picked on all rows before cross-validation give over 0.75 right",
        "false_when": {"select": "inside"},
    },
}
measures = {
    "examples-needed": "for an error `shrink` times as small as with `examples` if it goes as n to the minus `power`",
    "examples-linear": "the same if error were inversely proportional to n",
    "split-accuracy": "share of right labels at `recordings` per patient, split as `split` says",
    "hand-made-floor": "the linear model's error with 2048 examples",
    "hand-made-slope": "exponent of n in the linear model's error, from 128 to 2048 examples",
    "network-slope": "exponent of n in the network's error, from 128 to 2048 examples",
    "meeting-point": "examples at which the two curves meet, at most 2048",
}
predict = {
    "ask": "Three of four features known, 16 raw samples: from how many examples on is the network better?",
    "measure": "meeting-point",
    "choices": {"under 80": [1, 80], "80 to 400": [80, 400], "400 to 2000": [400, 2000], "never here": [2000, 1e9]},
}
SAMPLES, PATTERNS, REPEATS, TEST, NOISE = 16, 4, 6, 500, 0.3
SIZES = np.array([32, 64, 128, 256, 512, 1024, 2048])


def gradients(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mistake: str = "none") -> list[np.ndarray]:
    """Of each network's mean squared error; x (R, B, D), y (R, B, 1)."""
    w, b, v, c = net
    h = np.maximum(x @ w + b, 0)  # (R, B, H)
    d_out = 2 * (h @ v + c - y) / x.shape[1]  # (R, B, 1)
    d_z = d_out @ v.swapaxes(1, 2) * (1 if mistake == "no-slope" else h > 0)
    d_w, d_v = x.swapaxes(1, 2) @ d_z, h.swapaxes(1, 2) @ d_out
    return [d_w, d_z.sum(1, keepdims=True), d_v, d_out.sum(1, keepdims=True)]


def output(net: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Predictions (R, N, 1)."""
    w, b, v, c = net
    return np.maximum(x @ w + b, 0) @ v + c


def train(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, n: np.ndarray, hidden: int, frozen: bool) -> list:
    """R networks, each on its first n (R,) rows, a fifth of them held out: 400 steps of Adam, the best kept."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    held_out, copies = n // 5, len(x)
    w = rng.normal(0, np.sqrt(2 / SAMPLES), (copies, SAMPLES, hidden))
    v = rng.normal(0, np.sqrt(1 / hidden), (copies, hidden, 1))
    start = [w, np.zeros((copies, 1, hidden)), v, np.zeros((copies, 1, 1))]
    net = [part.astype(np.float32) for part in start]
    m, s = [np.zeros_like(part) for part in net], [np.zeros_like(part) for part in net]
    kept, least = [part.copy() for part in net], np.full((copies, 1, 1), np.inf)
    held_x, held_y = x[:, : held_out.max()], y[:, : held_out.max()]
    counts = (np.arange(held_out.max()) < held_out[:, None])[..., None]  # a row past the held-out ones does not count
    for step in range(1, 401):
        rows = (held_out[:, None] + rng.random((copies, 48)) * (n - held_out)[:, None]).astype(int)[..., None]
        slopes = gradients(net, np.take_along_axis(x, rows, 1), np.take_along_axis(y, rows, 1))
        rate = 0.02 * min(1, 2.02 - 2 * step / 400)  # constant, then down to almost 0
        for i in range(2 if frozen else 0, 4):
            m[i] += 0.1 * (slopes[i] - m[i])
            s[i] += 0.001 * (slopes[i] ** 2 - s[i])
            net[i] -= rate * m[i] / (1 - 0.9**step) / (np.sqrt(s[i] / (1 - 0.999**step)) + 1e-8)
        if step % 40 == 0:
            now = ((output(net, held_x) - held_y) ** 2 * counts).sum((1, 2), keepdims=True)
            kept = [np.where(now < least, part, before) for part, before in zip(net, kept, strict=True)]
            least = np.minimum(now, least)
    return kept


def least_squares(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Predictions (R, N, 1) from features x, each data set with its own intercept."""
    x, x_test = (np.concatenate([part, np.ones((*part.shape[:2], 1))], 2) for part in (x, x_test))
    return x_test @ np.array([np.linalg.lstsq(*one, rcond=None)[0] for one in zip(x, y, strict=True)])


def error(out: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Squared error against the exact answers: geometric mean over the data sets on the last axis but two."""
    return np.exp(np.log(((out - exact) ** 2).mean((-1, -2))).mean(-1))


def patient_split(rng: np.random.Generator, recordings: int, split: str) -> float:
    """Accuracy of the nearest neighbor on a held-out fifth, 100 patients, labels by coin toss: nothing to learn."""
    right = []
    for _ in range(40):
        patient = np.repeat(np.arange(100), recordings)
        x = rng.normal(size=(100, SAMPLES))[patient] + rng.normal(0, 0.3, (len(patient), SAMPLES))
        label = rng.integers(0, 2, 100)[patient]
        held_out = rng.permutation(100)[patient] < 20 if split == "by-patient" else rng.random(len(patient)) < 0.2
        seen, new = x[~held_out], x[held_out]
        distance = (seen**2).sum(1) - 2 * new @ seen.T  # (new, seen), up to a term that is equal along a row
        right.append((label[~held_out][distance.argmin(1)] == label[held_out]).mean())
    return float(np.mean(right))


def noise_selection(rng: np.random.Generator, select: str) -> float:
    """Cross-validated accuracy of the nearest class mean on the 10 best of 1000 columns of noise, 60 rows."""
    right = []
    for _ in range(5):
        x, label = rng.normal(size=(60, 1000)), rng.permutation(np.arange(60) % 2)
        for fold in np.array_split(rng.permutation(60), 5):
            seen = np.delete(np.arange(60), fold)
            rows = seen if select == "inside" else np.arange(60)
            apart = x[rows][label[rows] == 1].mean(0) - x[rows][label[rows] == 0].mean(0)
            best = np.argsort(-np.abs(apart))[:10]
            means = [x[seen][label[seen] == k][:, best].mean(0) for k in (0, 1)]
            to_0, to_1 = (((x[fold][:, best] - mean) ** 2).sum(1) for mean in means)
            right.append(((to_1 < to_0) == label[fold]).mean())
    return float(np.mean(right))


def run(
    *,
    examples: Annotated[int, Range(1, 1e9), "examples now, in the extrapolation"] = 1000,
    shrink: Annotated[float, Range(1, 1000), "factor by which its error has to fall"] = 2.0,
    power: Annotated[float, Range(0.05, 2), "its error goes as n to the minus this"] = 0.5,
    recordings: Annotated[int, Range(1, 10), "recordings per patient"] = 5,
    split: Annotated[Literal["by-row", "by-patient"], "what is held out at random"] = "by-row",
    select: Annotated[Literal["before", "inside"], "columns picked before the folds or inside each"] = "before",
    known: Annotated[int, Range(0, 4), "patterns that the expert knows, of 4"] = 3,
    hidden: Annotated[int, Range(1, 64), "hidden units"] = 24,
    frozen: Annotated[bool, "leave the hidden layer as it was drawn"] = False,
    related: Annotated[bool, "the other task shares the patterns"] = True,
    counted: Annotated[Literal["variance", "mean-square"], "of the missed response, in the floor"] = "variance",
    mistake: Literal["none", "no-slope"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("examples-needed", examples * shrink ** (1 / power))
    yield Measure("examples-linear", examples * shrink)
    rng = np.random.default_rng(seed)
    accuracy = patient_split(rng, recordings, split)
    yield Measure("split-accuracy", accuracy)

    net = [rng.normal(size=shape) for shape in ((2, 3, 5), (2, 1, 5), (2, 5, 1), (2, 1, 1))]
    x, y = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7, 1))
    wrong, size = 0.0, 0.0
    for part, gradient in zip(net, gradients(net, x, y, mistake), strict=True):
        for at in np.ndindex(part.shape):
            loss, here = [], part[at]
            for part[at] in (here + 1e-6, here - 1e-6):
                loss.append(((output(net, x) - y) ** 2).mean((1, 2)).sum())
            part[at] = here
            slope = (loss[0] - loss[1]) / 2e-6
            wrong, size = max(wrong, abs(slope - gradient[at])), max(size, abs(slope))
    yield Claim("gradient-checked", measured=wrong / size, at_most=1e-6)

    # The patterns of each data set are orthonormal, so their responses are independent.
    both = np.linalg.qr(rng.normal(size=(REPEATS, SAMPLES, SAMPLES)))[0]
    patterns, others = both[..., :PATTERNS], both[..., PATTERNS : 2 * PATTERNS]  # (R, D, 4)
    signs, new_signs = np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])
    x = rng.normal(size=(REPEATS, SIZES[-1] + TEST, SAMPLES))
    response = np.maximum(x @ patterns, 0)  # (R, N, 4)
    exact = (response * signs).sum(2, keepdims=True)
    y = exact + rng.normal(0, NOISE, exact.shape)
    x_test, test, features = x[:, -TEST:], exact[:, -TEST:], response[..., :known]
    hand_made = np.array([error(least_squares(features[:, :n], y[:, :n], features[:, -TEST:]), test) for n in SIZES])

    # One network for each size and data set, all trained at once.
    per_size = [np.tile(part, (len(SIZES), 1, 1)) for part in (x, y)]
    nets = train(rng, *per_size, np.repeat(SIZES, REPEATS), hidden, frozen)
    out = output(nets, np.tile(x_test, (len(SIZES), 1, 1))).reshape(len(SIZES), REPEATS, TEST, 1)
    learned = error(out, test)
    yield Plot(
        "learning-curves",
        {"hand-made features": (SIZES, hand_made), "network on raw samples": (SIZES, learned)},
        x_label="examples",
        y_label="squared error",
        log_x=True,
        log_y=True,
    )
    rows = [[int(n), a, b] for n, a, b in zip(SIZES, hand_made, learned, strict=True)]
    yield Table(f"squared error, {known} of 4 patterns known", ["examples", "hand-made", "network"], rows)
    yield Claim("few-favor-hand-made", measured=learned[0] / hand_made[0], at_least=1.3)
    yield Claim("many-favor-network", measured=learned[-1] / hand_made[-1], at_most=0.2)
    slopes = [np.log(curve[-1] / curve[2]) / np.log(SIZES[-1] / SIZES[2]) for curve in (hand_made, learned)]
    yield Measure("hand-made-slope", slopes[0])
    yield Claim("hand-made-level-off", measured=slopes[0], at_least=-0.1)
    yield Measure("network-slope", slopes[1])
    yield Claim("network-keeps-falling", measured=slopes[1], at_most=-0.7)
    lead = np.log(learned / hand_made)  # positive while the hand-made features lead
    after = int(np.argmax(lead < 0)) if (lead < 0).any() else -1
    meeting = float(SIZES[max(after, 0)] if after >= 0 else SIZES[-1])
    if after > 0:  # between two sizes: straight lines in the log-log plot
        share = lead[after - 1] / (lead[after - 1] - lead[after])
        meeting = SIZES[after - 1] * (SIZES[after] / SIZES[after - 1]) ** share
    yield Measure("meeting-point", meeting)
    yield Claim("curves-meet", measured=meeting, between=(80, 400))
    yield Measure("hand-made-floor", hand_made[-1])
    missed = np.maximum(rng.normal(size=20_000), 0)  # a response to a pattern that is not among the features
    a_pattern = (missed**2).mean() if counted == "mean-square" else missed.var()
    off = []
    for missing in (1, 2, 3):
        features = response[..., missing:]
        for n in SIZES[-3:]:  # the floor stays where it is
            left = error(least_squares(features[:, :n], y[:, :n], features[:, -TEST:]), test)
            off.append(a_pattern - left / missing)
    yield Claim("floor-is-what-is-missed", measured=max(off, key=abs), near=(0, 0.08))

    units = nets[0][-REPEATS:]  # (R, D, H), learned from the largest sets
    cosine = patterns.swapaxes(1, 2) @ units / np.linalg.norm(units, axis=1, keepdims=True)  # (R, 4, H)
    yield Claim("units-find-patterns", measured=cosine.max(2).mean(), at_least=0.9)
    shared = np.maximum(x @ (patterns if related else others), 0)
    new_exact = (shared * new_signs).sum(2, keepdims=True)
    new_y = new_exact + rng.normal(0, NOISE, new_exact.shape)
    borrowed = np.maximum(x @ units + nets[1][-REPEATS:], 0)
    ours = error(least_squares(borrowed[:, :64], new_y[:, :64], borrowed[:, -TEST:]), new_exact[:, -TEST:])
    expert = shared[..., :known]
    theirs = error(least_squares(expert[:, :64], new_y[:, :64], expert[:, -TEST:]), new_exact[:, -TEST:])
    chosen = noise_selection(rng, select)
    started = train(rng, x[:, :64], new_y[:, :64], np.full(REPEATS, 64), hidden, frozen)
    from_scratch = error(output(started, x_test), new_exact[:, -TEST:])
    yield Table(
        "another task, 64 examples, least squares on",
        ["features", "error"],
        [["hand-made", theirs], ["learned elsewhere", ours], ["network from scratch", from_scratch]],
    )
    yield Claim("borrowed-features-pay", measured=ours / theirs, at_most=0.5)
    yield Claim("borrowed-beats-scratch", measured=ours / from_scratch, at_most=0.5)

    yield Text("Last, two evaluations of models that cannot have learned anything: the labels are coin tosses.")
    names = [f"split {split}", f"picked {select}"]
    yield Plot("flattered", {"share right": (names, [accuracy, chosen]), "truth": (names, [0.5, 0.5])}, style="bars")
    yield Claim("row-split-flatters", measured=accuracy, at_least=0.9)
    yield Claim("selection-flatters", measured=chosen, at_least=0.75)


if __name__ == "__main__":
    main(run)
