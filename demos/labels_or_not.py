"""The targets decide what is learned: labels, the input itself, or its other half, all given to one kind of network.

    h = tanh(xW + b),  out = hV + c        targets: the class | the input x (autoencoder) | the other half of x

Each input has two halves. Both show a hidden class, and each has a loud disturbance of its own. A classifier is told
what counts. An autoencoder is not: its code follows whatever takes up most variance. Predicting one half from the
other (self-supervised learning) keeps what the halves share.

Codes are clustered by k-means and judged by purity, the share of rows that belong to the commonest class of their
cluster. Purity grows with the number of clusters even where there is nothing to find, so chance is measured first.
And two splits leak: the labels are coin flips, and the test accuracy looks like success.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 5.1 and 14.1; Manning, Raghavan & Schütze
(2008), Introduction to Information Retrieval, section 16.3; Hastie, Tibshirani & Friedman (2009), section 7.10.2.
"""

from collections.abc import Iterator
from math import factorial
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, main

claims = {
    "chance-purity": {
        "says": "random clusters of four kinds are as pure as counting labelings says: 0.5625 for 3 rows, 4 classes",
        "false_when": {"mistake": "one-over-classes"},
    },
    "small-clusters-look-pure": {
        "says": "random clusters of 3 rows are over 50% pure, under 4 equally frequent classes and no structure",
        "false_when": {"rows": 30},
    },
    "adjusted-rand-corrects": {
        "says": "the adjusted Rand index of random clusters of 3, 10 or 100 rows is 0 within 0.05, of the classes 1",
        "false_when": {"mistake": "unadjusted"},
    },
    "gradient-is-right": {
        "says": "the gradient by hand agrees with finite differences, for classes and for vectors as targets",
        "false_when": {"mistake": "no-slope"},
    },
    "labels-find-classes": {
        "says": "with labels, the network is right on over 85% of new inputs in spite of a loud disturbance",
        "false_when": {"labels": "shuffled"},
    },
    "code-finds-loud-classes": {
        "says": "where classes are the loudest structure, clusters of the autoencoder's code are over 80% pure",
        "false_when": {"quiet": 4.0},
    },
    "code-follows-loudness": {
        "says": "where a disturbance is louder, the clusters' purity stays within 20 points of chance",
        "false_when": {"loud": 0.2},
    },
    "code-still-reconstructs": {
        "says": "that code keeps over a quarter of the input's variance: it did learn, but not the classes",
        "false_when": {"code_steps": 0},
    },
    "halves-share-classes": {
        "says": "with the loud disturbance, clusters of the code that predicts the other half are over 75% pure",
        "false_when": {"disturbance": "shared"},
    },
    "pretraining-saves-labels": {
        "says": "with 2 labels a class, the nearest class mean in that code is over 8 points better than the network "
        "trained on these labels alone",
        "false_when": {"few": 100},
    },
    "row-split-leaks": {
        "says": "patients' labels are coin flips: split by rows, the nearest neighbor is right on over 90%",
        "false_when": {"spread": 10.0},
    },
    "patient-split-is-honest": {
        "says": "split by patients, the nearest neighbor is right on 50% within 10 points",
        "false_when": {"signal": "real"},
    },
    "selection-leaks": {
        "says": "labels are coin flips: over 75% on test rows if the 20 of 500 noise columns that fit them best "
        "were chosen before the split",
        "false_when": {"choose": "after"},
    },
    "unlabeled-step-is-harmless": {
        "says": "centering and scaling by all rows, a leak without labels, leaves that test at 50% within 10 points",
        "false_when": {"signal": "real"},
    },
}
measures = {
    "chance": "expected purity of random clusters of `rows` rows under `classes` equally frequent classes",
    "one-over-classes": "one over the number of classes",
    "label-accuracy": "of the network trained with labels, on new inputs",
    "code-purity": "of the autoencoder's code under the loud disturbance, as many clusters as classes",
    "code-chance": "of the same clusters with shuffled labels",
    "shared-purity": "of the code that predicts the other half",
    "row-split-accuracy": "nearest neighbor, a coin flip for each patient, rows split at random",
}
predict = {
    "ask": "Each patient's label is a coin flip. Their rows, six each, are split at random. A nearest neighbor gets",
    "measure": "row-split-accuracy",
    "choices": {"about 50% right": [0, 0.6], "60 to 90%": [0.6, 0.9], "over 90%": [0.9, 1]},
}
CLASSES, HALF, CODE = 4, 12, 3


def expected_purity(rows: int, classes: int) -> float:
    """Mean of the commonest class's share in a cluster, its rows' classes independent and uniform."""
    mean_top = 0.0
    for m in range(rows):  # E[top] = Σ P(top > m); labelings with top ≤ m are counted by (Σ_{j≤m} t^j/j!)^classes
        counts = np.ones(1)
        for _ in range(classes):
            counts = np.convolve(counts, [1 / factorial(j) for j in range(m + 1)])
        ways = counts[rows] * factorial(rows) if len(counts) > rows else 0.0
        mean_top += 1 - ways / classes**rows
    return mean_top / rows


def contingency(clusters: np.ndarray, labels: np.ndarray) -> np.ndarray:
    table = np.zeros((clusters.max() + 1, labels.max() + 1))  # (clusters, classes)
    np.add.at(table, (clusters, labels), 1)
    return table


def purity(clusters: np.ndarray, labels: np.ndarray) -> float:
    return float(contingency(clusters, labels).max(1).sum() / len(labels))


def rand_index(clusters: np.ndarray, labels: np.ndarray, adjusted: bool) -> float:
    """Share of pairs on which clusters and classes agree; adjusted: 0 is expected by chance, 1 is perfect."""
    table = contingency(clusters, labels)
    both, in_cluster, in_class = ((n * (n - 1) / 2).sum() for n in (table, table.sum(1), table.sum(0)))
    total = len(labels) * (len(labels) - 1) / 2
    if not adjusted:
        return float((total + 2 * both - in_cluster - in_class) / total)
    chance = in_cluster * in_class / total
    return float((both - chance) / ((in_cluster + in_class) / 2 - chance))


def k_means(rng: np.random.Generator, x: np.ndarray, k: int, starts: int = 6) -> np.ndarray:
    """Cluster of each row, from the best of several starts."""
    best, lowest = np.zeros(len(x), int), np.inf
    for _ in range(starts):
        centers = x[rng.choice(len(x), k, replace=False)]  # (k, D)
        for _ in range(15):
            distance = ((x[:, None] - centers) ** 2).sum(-1)  # (N, k)
            nearest = distance.argmin(1)
            for j in np.unique(nearest):
                centers[j] = x[nearest == j].mean(0)
        if distance.min(1).sum() < lowest:
            best, lowest = nearest, distance.min(1).sum()
    return best


def forward(net: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code (N, CODE) and outputs (N, O)."""
    W, b, V, c = net
    h = np.tanh(x @ W + b)
    return h, h @ V + c


def loss(net: list[np.ndarray], x: np.ndarray, targets: np.ndarray) -> float:
    """Mean over rows of the cross-entropy for classes, or of half the squared error for vectors."""
    out = forward(net, x)[1]
    if targets.ndim == 2:
        return float(((out - targets) ** 2).sum() / 2 / len(x))
    return float((np.log(np.exp(out).sum(1)) - out[np.arange(len(x)), targets]).mean())


def gradient(net: list[np.ndarray], x: np.ndarray, targets: np.ndarray, mistake: str = "none") -> list[np.ndarray]:
    """Of that loss. Classes and vectors differ in one line: the error is p - y here, out - y there."""
    h, out = forward(net, x)
    if targets.ndim == 1:
        out = np.exp(out - out.max(1, keepdims=True))
        out, targets = out / out.sum(1, keepdims=True), np.eye(out.shape[1])[targets]
    error = (out - targets) / len(x)  # (N, O)
    dz = error @ net[2].T * (1 if mistake == "no-slope" else 1 - h**2)  # (N, CODE)
    return [x.T @ dz, dz.sum(0), h.T @ error, error.sum(0)]


def train(rng: np.random.Generator, x: np.ndarray, targets: np.ndarray, steps: int) -> list[np.ndarray]:
    """Gradient descent with momentum on all rows."""
    D, out = x.shape[1], targets.shape[1] if targets.ndim == 2 else CLASSES
    net = [rng.normal(0, 0.1, (D, CODE)), np.zeros(CODE), rng.normal(0, 0.5, (CODE, out)), np.zeros(out)]
    speed = [np.zeros_like(part) for part in net]
    for _ in range(steps):
        for part, pace, slope in zip(net, speed, gradient(net, x, targets), strict=True):
            pace *= 0.9
            pace -= 0.01 * slope
            part += pace
    return net


def nearest(x: np.ndarray, y: np.ndarray, seen: np.ndarray, means: bool) -> float:
    """Accuracy on the rows not seen: the class of the nearest seen row, or of the nearest class mean."""
    points, classes = x[seen], y[seen]
    if means:
        classes = np.unique(y[seen])
        points = np.stack([x[seen & (y == k)].mean(0) for k in classes])
    distance = (points**2).sum(1) - 2 * x[~seen] @ points.T  # (unseen, points), up to a constant for each row
    return float((classes[distance.argmin(1)] == y[~seen]).mean())


def patients(rng: np.random.Generator, split_by: str, spread: float, signal: str) -> float:
    """40 patients of six rows each, a coin flip for each patient; half of the patients or rows are for testing."""
    who, coin = np.repeat(np.arange(40), 6), rng.integers(0, 2, 40)
    x = rng.normal(size=(40, 10))[who] + rng.normal(0, spread, (240, 10))
    x[:, 0] += (5 if signal == "real" else 0) * coin[who]
    half = rng.permutation(40)[:20] if split_by == "patients" else rng.permutation(240)[:120]
    seen = np.isin(who if split_by == "patients" else np.arange(240), half)
    return nearest(x, coin[who], seen, means=False)


def columns(rng: np.random.Generator, choose: str, signal: str) -> float:
    """40 rows of 500 noise columns, a coin flip for each row; the 20 columns that fit the labels best are kept."""
    x, y = rng.normal(size=(40, 500)), np.arange(40) % 2
    x[:, :20] += (2 if signal == "real" else 0) * y[:, None]
    x = (x - x.mean(0)) / x.std(0)  # by all rows: a leak, but one without labels
    seen = np.repeat(rng.permutation(20) < 10, 2)  # ten of each class
    rows = np.ones(40, bool) if choose == "before" else seen
    fit = np.abs((x[rows] - x[rows].mean(0)).T @ (y[rows] - y[rows].mean()))
    return nearest(x[:, np.argsort(-fit)[:20]], y, seen, means=True)


def run(
    *,
    rows: Annotated[int, Range(1, 60), "rows in a random cluster"] = 3,
    classes: Annotated[int, Range(2, 6), "equally frequent classes, for the level of chance"] = 4,
    loud: Annotated[float, Range(0.0, 10.0), "size of the disturbance"] = 5.0,
    quiet: Annotated[float, Range(0.0, 10.0), "its size where classes are to be loudest"] = 0.2,
    disturbance: Annotated[Literal["private", "shared"], "to each half, or between both"] = "private",
    code_steps: Annotated[int, Range(0, 2000), "training steps of the autoencoder"] = 400,
    few: Annotated[int, Range(1, 100), "labels a class where labels are few"] = 2,
    labels: Literal["true", "shuffled"] = "true",
    spread: Annotated[float, Range(0.0, 10.0), "of one patient's rows"] = 0.2,
    choose: Annotated[Literal["before", "after"], "the split"] = "before",
    signal: Annotated[Literal["none", "real"], "of the labels in the inputs, where splits are compared"] = "none",
    mistake: Literal["none", "one-over-classes", "unadjusted", "no-slope"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("chance", expected_purity(rows, classes))
    yield Measure("one-over-classes", 1 / classes)
    rng = np.random.default_rng(seed)
    off = []
    for n, c in ((2, 2), (3, 3), (10, 5), (rows, classes)):
        at_random, uniform = rng.permutation(18_000) // n, rng.integers(0, c, 18_000)
        found = purity(at_random, uniform)
        off.append(found - (1 / c if mistake == "one-over-classes" else expected_purity(n, c)))
    yield Claim("chance-purity", measured=max(off, key=abs), near=(0, 0.02))
    yield Claim("small-clusters-look-pure", measured=found, at_least=0.5)
    adjusted = mistake != "unadjusted"
    small = rand_index(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]), adjusted)  # (1 - 1/3) / (3/2 - 1/3) by hand
    off = [rand_index(rng.permutation(18_000) // n, uniform, adjusted) for n in (rows, 10, 100)]
    off += [rand_index(uniform, uniform, adjusted) - 1, small - 4 / 7]
    yield Claim("adjusted-rand-corrects", measured=np.abs(off).max(), at_most=0.05)

    split = np.mean([patients(rng, "rows", spread, signal) for _ in range(40)])
    yield Measure("row-split-accuracy", split)
    yield Claim("row-split-leaks", measured=split, at_least=0.9)
    honest = np.mean([patients(rng, "patients", spread, signal) for _ in range(40)])
    yield Claim("patient-split-is-honest", measured=honest, near=(0.5, 0.1))
    chosen = np.mean([columns(rng, choose, signal) for _ in range(40)])
    yield Claim("selection-leaks", measured=chosen, at_least=0.75)
    scaled = np.mean([columns(rng, "after", signal) for _ in range(40)])
    yield Claim("unlabeled-step-is-harmless", measured=scaled, near=(0.5, 0.1))
    yield Table(
        "labels by coin flip: accuracy on test rows",
        ["split", "accuracy"],
        [
            ["by rows, six rows a patient", split],
            ["by patients", honest],
            [f"columns chosen {choose} the split", chosen],
            ["scaled before the split, chosen after", scaled],
        ],
    )

    off = 0.0
    for targets in (rng.integers(0, CLASSES, 9), rng.normal(size=(9, CLASSES))):
        net = [rng.normal(0, 0.7, size) for size in ((5, CODE), (CODE,), (CODE, CLASSES), (CLASSES,))]
        x = rng.normal(size=(9, 5))
        for place, slope in enumerate(gradient(net, x, targets, mistake)):
            way = rng.normal(size=slope.shape)
            up, down = ([*net[:place], net[place] + e * way, *net[place + 1 :]] for e in (1e-6, -1e-6))
            off = max(off, abs((loss(up, x, targets) - loss(down, x, targets)) / 2e-6 - (slope * way).sum()))
    yield Claim("gradient-is-right", measured=off, at_most=1e-6)

    patterns = rng.normal(size=(CLASSES, 2, HALF))
    ways = np.stack([np.linalg.qr(rng.normal(size=(HALF, 2)))[0].T for _ in range(2)])  # (half, direction, HALF)

    def draw(n: int, size: float) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (n, 2 · HALF) and classes (n,): each half is its class's pattern, a disturbance and noise."""
        y = rng.integers(0, CLASSES, n)
        push = rng.normal(0, size, (n, 2, 2))  # (n, half, direction)
        if disturbance == "shared":
            push[:, 1] = push[:, 0]
        x = patterns[y] + np.einsum("nhk,hkd->nhd", push, ways) + rng.normal(0, 0.4, (n, 2, HALF))
        return x.reshape(n, -1), y

    x, y = draw(800, loud)
    x_test, y_test = draw(400, loud)
    net = train(rng, x, rng.permutation(y) if labels == "shuffled" else y, 400)
    by_labels = (forward(net, x_test)[1].argmax(1) == y_test).mean()
    yield Measure("label-accuracy", by_labels)
    yield Claim("labels-find-classes", measured=by_labels, at_least=0.85)

    x_quiet, _ = draw(800, quiet)
    x_quiet_test, y_quiet = draw(400, quiet)
    quiet_code = forward(train(rng, x_quiet, x_quiet, 400), x_quiet_test)[0]
    quiet_purity = purity(k_means(rng, quiet_code, CLASSES), y_quiet)
    yield Claim("code-finds-loud-classes", measured=quiet_purity, at_least=0.8)

    code, rebuilt = forward(train(rng, x, x, code_steps), x_test)
    clusters = k_means(rng, code, CLASSES)
    found = purity(clusters, y_test)
    chance = np.mean([purity(clusters, rng.permutation(y_test)) for _ in range(20)])
    yield Measure("code-purity", found)
    yield Measure("code-chance", chance)
    yield Claim("code-follows-loudness", measured=found - chance, at_most=0.2)
    kept = 1 - ((x_test - rebuilt) ** 2).sum() / ((x_test - x_test.mean(0)) ** 2).sum()
    yield Claim("code-still-reconstructs", measured=kept, at_least=0.25)

    net = train(rng, x[:, :HALF], x[:, HALF:], 400)
    shared_code = forward(net, x_test[:, :HALF])[0]
    shared = purity(k_means(rng, shared_code, CLASSES), y_test)
    yield Measure("shared-purity", shared)
    yield Claim("halves-share-classes", measured=shared, at_least=0.75)
    yield Plot(
        "codes-by-class",
        {f"class {k}": (shared_code[y_test == k, 0], shared_code[y_test == k, 1]) for k in range(CLASSES)},
        x_label="unit 1 of the code that predicts the other half",
        y_label="unit 2",
        style="points",
    )

    scores = []
    for _ in range(8):
        picked = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:few] for k in range(CLASSES)])
        alone = train(rng, x[picked], y[picked], 200)
        scores.append([(forward(alone, x_test)[1].argmax(1) == y_test).mean()])
        both = np.concatenate([forward(net, x[picked, :HALF])[0], shared_code])
        known = np.arange(len(both)) < len(picked)
        scores[-1].append(nearest(both, np.concatenate([y[picked], y_test]), known, means=True))
    alone, pretrained = np.mean(scores, axis=0)
    yield Table(
        f"loud disturbance, {CLASSES} classes",
        ["targets", "labels used", "judged by", "score"],
        [
            ["classes", len(x), "accuracy", by_labels],
            ["classes", len(picked), "accuracy", alone],
            ["the input itself", 0, "purity", found],
            ["  the same, labels shuffled", 0, "purity", chance],
            ["the other half", 0, "purity", shared],
            ["the other half, then class means", len(picked), "accuracy", pretrained],
        ],
    )
    yield Claim("pretraining-saves-labels", measured=pretrained - alone, at_least=0.08)

    numbers = [2, 4, 8, 16, 40, 130]
    grown = np.array([[k_means(rng, c, k, 1) for k in numbers] for c in (code, shared_code)])
    yield Plot(
        "purity-over-clusters",
        {
            "other half": (numbers, [purity(c, y_test) for c in grown[1]]),
            "autoencoder": (numbers, [purity(c, y_test) for c in grown[0]]),
            "autoencoder, labels shuffled": (numbers, [purity(c, rng.permutation(y_test)) for c in grown[0]]),
        },
        x_label="clusters, of 400 rows",
        y_label="purity",
        log_x=True,
    )


if __name__ == "__main__":
    main(run)
