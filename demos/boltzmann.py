"""A Boltzmann machine turns energies into probabilities; with hidden units it learns, by an update that is biased.

    p(s) = exp(-E(s)) / Z        E(s) = -Σ_{i<j} w_ij s_i s_j - Σ_i b_i s_i        s_i in {0, 1}
    p(s_i = 1 | the others) = σ(Σ_j w_ij s_j + b_i)
    ∂ log p(v) / ∂w_ij = <v_i h_j> given v - <v_i h_j> of the model

Every machine here is so small that all its states can be listed, so Z, likelihoods and gradients are exact, and Gibbs
sampling and contrastive divergence (CD-k: k Gibbs steps from the data stand in for samples of the model) are held
against them. A restricted machine (RBM) has no weights within a layer. Twelve of them learn the ten bars-and-stripes
pictures of 2 by 3 pixels; even the average CD-1 update, free of sampling noise, at first raises and then lowers their
likelihood.

Sources: Hinton (2002), Neural Computation 14; Fischer & Igel (2010), ICANN.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "chance-from-list": {
        "says": "a unit with two active neighbors is on with probability σ(b + 2w), as listing all three units says",
        "false_when": {"mistake": "double-count"},
    },
    "sigmoid-conditional": {
        "says": "given the others, a unit is on with probability σ(Σ w s + b), just as the list of all states says",
        "false_when": {"mistake": "double-count"},
    },
    "gibbs-matches-exact": {
        "says": "20,000 Gibbs chains, one unit at a time, come within 5% of the exact distribution of 6 units",
        "false_when": {"mistake": "all-at-once"},
    },
    "strong-weights-trap": {
        "says": "with two modes and strong weights, under 10% of the chains end in the mode they did not start in",
        "false_when": {"weight": 1.0},
    },
    "hidden-independent": {
        "says": "in an RBM the hidden units are independent given the visible ones",
        "false_when": {"lateral": 1.0},
    },
    "free-energy": {
        "says": "F(v) = -b·v - Σ_j log(1 + exp(c_j + v·w_j)) is -log Σ_h exp(-E(v, h)): -log p(v) up to log Z",
        "false_when": {"mistake": "mean-hidden"},
    },
    "gradient-exact": {
        "says": "data minus model correlations, and means for biases, equal the log-likelihood's finite differences",
        "false_when": {"mistake": "data-only"},
    },
    "pairs-miss-parity": {
        "says": "three visible units trained on the patterns of even parity gain nothing over coin flips",
        "false_when": {"rule": "copy"},
    },
    "pairs-find-copies": {
        "says": "the same three units trained on a third bit that copies the first gain over 0.6 of 0.69 nats",
        "false_when": {"other": "parity"},
    },
    "hidden-find-parity": {
        "says": "with 4 hidden units the median of 12 machines gains over 0.5 of the possible 0.69 nats",
        "false_when": {"parity_hidden": 1},
    },
    "cd-sample-mean": {
        "says": "sampled CD-1 updates average to the update computed by enumeration",
        "false_when": {"mistake": "old-hidden"},
    },
    "cd-raises-likelihood": {
        "says": "600 sampled CD-1 updates raise the median exact log-likelihood by over 0.4 nats a picture",
        "false_when": {"mistake": "data-only"},
    },
    "cd-is-biased": {
        "says": "after exact training the average CD-1 update is off by over a quarter of the gradient's size",
        "false_when": {"cd_steps": 300},
    },
    "likelihood-can-fall": {
        "says": "in most of 12 machines the last 400 average CD-1 updates lower the exact likelihood",
        "false_when": {"cd_steps": 20},
    },
    "ends-below-best": {
        "says": "most of these machines end over 0.01 nats a picture below the best likelihood on their way",
        "false_when": {"cd_steps": 10},
    },
    "reconstruction-misses-it": {
        "says": "in at least half of them the reconstruction error falls meanwhile too: it looks like progress",
        "false_when": {"cd_steps": 20},
    },
}
measures = {
    "chance-on": "probability that a unit with bias `bias` and two active neighbors, at `link` each, is on",
    "chance-flipped": "the same with the energy's sign flipped",
    "chance-no-bias": "the same without the bias",
    "crossed": "percent of chains that, started with all units off, have most units on after 50 sweeps",
    "parallel-error": "total variation distance between updating all units at once and the exact distribution",
    "bias-share": "size of the average CD update's error over the gradient's, after exact training",
    "fall": "how far below its best the likelihood ends under the average CD update, nats a picture (median)",
}
predict = {
    "ask": "Six units, two equally likely modes, weights of 5. How many of 2,000 chains change modes in 50 sweeps?",
    "measure": "crossed",
    "choices": {"about half": [30.0, 100.0], "a tenth to a third": [10.0, 30.0], "almost none": [0.0, 10.0]},
}
COPIES = 12
Rbm = tuple[np.ndarray, ...]  # weights (M, V, H), visible biases (M, 1, V), hidden biases (M, 1, H) of M machines


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def all_states(n: int) -> np.ndarray:
    """Every binary vector of n units, (2^n, n); unit i is bit i of the row's number."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(float)


def boltzmann(s: np.ndarray, w: np.ndarray, b: np.ndarray, mistake: str = "none") -> np.ndarray:
    """Exact probabilities of the states s (S, n) of a machine whose weights stand above the diagonal of w (n, n)."""
    pairs = w if mistake == "double-count" else np.triu(w, 1)  # a symmetric w holds each pair twice
    energy = -np.einsum("si,ij,sj->s", s, pairs, s) - s @ b
    p = np.exp(energy.min() - energy)
    return p / p.sum()


def gibbs(
    s: np.ndarray, w: np.ndarray, b: np.ndarray, sweeps: int, rng: np.random.Generator, at_once: bool
) -> np.ndarray:
    """States (chains, n) after so many sweeps; each unit sees its neighbors as they are, unless all move at once."""
    s, n = s.copy(), s.shape[1]
    turns = [np.arange(n)] if at_once else np.arange(n)[:, None]  # which units move together
    for _ in range(sweeps):
        for i in turns:
            s[:, i] = rng.random((len(s), len(i))) < sigmoid(s @ w[:, i] + b[i])
    return s


def free_energy(v: np.ndarray, rbm: Rbm) -> np.ndarray:
    """F(v) = -log Σ_h exp(-E(v, h)) of the states v (S, V), without listing h: (M, S)."""
    w, b, c = rbm
    return -(v * b).sum(2) - np.logaddexp(0, c + v @ w).sum(2)


def log_p(v: np.ndarray, rbm: Rbm) -> np.ndarray:
    """Exact log-probabilities (M, S) of the states v, which have to be ALL visible states."""
    score = -free_energy(v, rbm)
    score -= score.max(1, keepdims=True)
    return score - np.log(np.exp(score).sum(1, keepdims=True))


def contrast(v: np.ndarray, data: np.ndarray, model: np.ndarray, rbm: Rbm) -> Rbm:
    """Means of v h, v and h over the states v under the distribution `data` (S,) minus those under `model` (M, S)."""
    gap = data - model
    h = sigmoid(v @ rbm[0] + rbm[2])  # (M, S, H)
    return v.T @ (gap[:, :, None] * h), gap[:, None] @ v, gap[:, None] @ h


def after_gibbs(v: np.ndarray, p: np.ndarray, rbm: Rbm, steps: int) -> np.ndarray:
    """The distributions (M, S) over the states v after k steps v → h → v from p (S,), by enumeration."""
    w, b, c = rbm
    h = all_states(c.shape[2])  # (2^H, H)
    up, down = v @ w + c, h @ w.swapaxes(1, 2) + b
    to_h = np.exp(up @ h.T - np.logaddexp(0, up).sum(2, keepdims=True))  # p(h | v), (M, S, 2^H)
    to_v = np.exp(down @ v.T - np.logaddexp(0, down).sum(2, keepdims=True))  # p(v | h), (M, 2^H, S)
    rows = np.broadcast_to(p, (len(w), 1, len(v)))
    for _ in range(steps):
        rows = rows @ to_h @ to_v
    return rows[:, 0]


def sampled_cd(v: np.ndarray, rbm: Rbm, rng: np.random.Generator, mistake: str = "none") -> Rbm:
    """One CD-1 update from the rows v (N, V): statistics of the data minus those one Gibbs step later."""
    w, b, c = rbm
    h = sigmoid(v @ w + c)  # (M, N, H)
    p_v = sigmoid((rng.random(h.shape) < h) @ w.swapaxes(1, 2) + b)
    v1 = (rng.random(p_v.shape) < p_v).astype(float)  # (M, N, V)
    h1 = h if mistake == "old-hidden" else sigmoid(v1 @ w + c)
    negative = 0.0 if mistake == "data-only" else 1.0
    return (
        (v.T @ h - negative * v1.swapaxes(1, 2) @ h1) / len(v),
        (v - negative * v1).mean(1, keepdims=True),
        (h - negative * h1).mean(1, keepdims=True),
    )


def climb(rbm: Rbm, step: Rbm, rate: float) -> Rbm:
    return tuple(part + rate * change for part, change in zip(rbm, step, strict=True))


def start(rng: np.random.Generator, visible: int, hidden: int, scale: float = 0.1) -> Rbm:
    w = rng.normal(0, scale, (COPIES, visible, hidden))
    return w, np.zeros((COPIES, 1, visible)), np.zeros((COPIES, 1, hidden))


def train_exactly(v: np.ndarray, data: np.ndarray, rbm: Rbm, steps: int) -> Rbm:
    """Gradient ascent on the exact log-likelihood of the distribution `data` (S,) over all visible states v."""
    for _ in range(steps):
        rbm = climb(rbm, contrast(v, data, np.exp(log_p(v, rbm)), rbm), 1.0)
    return rbm


def size(parts: Rbm) -> np.ndarray:
    """Euclidean length (M,) of an update of all parameters."""
    return np.array([np.linalg.norm(np.concatenate(machine, axis=None)) for machine in zip(*parts, strict=True)])


def run(
    *,
    bias: Annotated[float, Range(-10.0, 10.0), "a unit's bias"] = -1.0,
    link: Annotated[float, Range(-10.0, 10.0), "weight to each of its active neighbors"] = 1.0,
    weight: Annotated[float, Range(0.0, 8.0), "weight between all pairs of the two-mode machine"] = 5.0,
    lateral: Annotated[float, Range(-4.0, 4.0), "weight between two hidden units"] = 0.0,
    rule: Annotated[Literal["parity", "copy"], "third unit: parity of the others or copy of the first"] = "parity",
    other: Annotated[Literal["copy", "parity"], "the same for a second task"] = "copy",
    parity_hidden: Annotated[int, Range(1, 8), "hidden units that learn that rule"] = 4,
    cd_steps: Annotated[int, Range(1, 300), "Gibbs steps k of the average CD-k update"] = 1,
    mistake: Literal["none", "double-count", "all-at-once", "mean-hidden", "data-only", "old-hidden"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # A unit and its two active neighbors: by the formula, then from the eight states of the three.
    chances = sigmoid(bias + 2 * link), sigmoid(-bias - 2 * link), sigmoid(2 * link)
    for name, chance in zip(("chance-on", "chance-flipped", "chance-no-bias"), chances, strict=True):
        yield Measure(name, chance)
    star, alone = link * np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]), np.array([bias, 0, 0])
    machines = (star, alone), (-star, -alone), (star, 0 * alone)
    listed = [boltzmann(all_states(3), w, b, mistake)[6:] for w, b in machines]  # the last two: neighbors on
    apart = max(abs(p[1] / p.sum() - chance) for p, chance in zip(listed, chances, strict=True))
    yield Claim("chance-from-list", measured=apart, at_most=1e-9)
    rng = np.random.default_rng(seed)

    # Two modes, all off and all on: the bias of minus half the incoming weight makes them equally likely.
    tied = weight * (1 - np.eye(6))
    chains = gibbs(np.zeros((2000, 6)), tied, -tied.sum(0) / 2, 50, rng, False)
    crossed = 100 * np.mean(chains.sum(1) > 3)
    yield Measure("crossed", crossed)
    yield Claim("strong-weights-trap", measured=crossed, at_most=10.0)

    # One machine of 6 units: list its 64 states, then sample it.
    s = all_states(6)
    w = np.triu(rng.uniform(-3, -1, (6, 6)), 1)  # the units inhibit each other
    w, b = w + w.T, rng.uniform(1, 3, 6)
    p = boltzmann(s, w, b, mistake)  # (64,)
    worst = 0.0
    for i in range(6):
        on = p[s[:, i] == 1] / (p[s[:, i] == 1] + p[s[:, i] == 0])  # rows pair up: the other units count alike
        worst = max(worst, np.abs(on - sigmoid(s[s[:, i] == 1] @ w[:, i] + b[i])).max())
    yield Claim("sigmoid-conditional", measured=worst, at_most=1e-9)
    exact = boltzmann(s, w, b)
    off, distance, shares = np.zeros((20_000, 6)), {}, {}
    for how in ("one at a time", "all at once"):
        drawn = gibbs(off, w, b, 40, rng, how == "all at once")
        shares[how], _ = np.histogram(drawn @ 2 ** np.arange(6), np.arange(65), density=True)  # of the 64 states
        distance[how] = 1 - np.minimum(shares[how], exact).sum()  # total variation: what the two do not share
    top = np.argsort(-exact)[:6]
    yield Table(
        "the six likeliest states of 64",
        ["state", "exact", *shares],
        [["".join(f"{unit:.0f}" for unit in s[i]), exact[i], *(share[i] for share in shares.values())] for i in top],
    )
    yield Measure("parallel-error", distance["all at once"])
    asked = "all at once" if mistake == "all-at-once" else "one at a time"
    yield Claim("gibbs-matches-exact", measured=distance[asked], at_most=0.05)

    # 5 visible and 3 hidden units: as an RBM, and (lateral) with a weight between the first two hidden ones.
    rbm = rng.normal(0, 1, (1, 5, 3)), rng.normal(0, 1, (1, 1, 5)), rng.normal(0, 1, (1, 1, 3))
    w, b, c = (part[0] for part in rbm)
    joint_w = np.zeros((8, 8))
    joint_w[:5, 5:], joint_w[5, 6] = w, lateral
    joint = boltzmann(all_states(8), joint_w, np.concatenate([b[0], c[0]])).reshape(8, 32).T  # (v, h)
    v, h, p_v = all_states(5), all_states(3), joint.sum(1)
    joint /= p_v[:, None]  # p(h | v)
    on = (joint @ h)[:, None]  # p(h_j = 1 | v), (32, 1, 3)
    product = np.where(h == 1, on, 1 - on).prod(2)  # what p(h | v) is if the units are independent, (32, 8)
    yield Claim("hidden-independent", measured=np.abs(joint - product).max(), at_most=1e-9)
    listed = -np.log(np.exp(v @ w @ h.T + v @ b.T + c @ h.T).sum(1))  # (32,)
    mean_h = sigmoid(v @ w + c)
    energy_of_mean = -((v @ w + c) * mean_h).sum(1) - v @ b[0]  # lacks the entropy of h
    closed = energy_of_mean if mistake == "mean-hidden" else free_energy(v, rbm)[0]
    beside_log_z = np.ptp(closed + np.log(p_v))  # F(v) is -log p(v) less one constant
    yield Claim("free-energy", measured=max(np.abs(closed - listed).max(), beside_log_z), at_most=1e-9)

    target = rng.dirichlet(np.ones(32))
    model = np.exp(log_p(v, rbm))
    by_hand = contrast(v, target, 0 * model if mistake == "data-only" else model, rbm)
    off_by = 0.0
    for part, slope in zip(rbm, by_hand, strict=True):
        for at in np.ndindex(part.shape):
            value, ends = part[at], []
            for part[at] in (value + 1e-5, value - 1e-5):
                ends.append(float(target @ log_p(v, rbm)[0]))
            part[at] = value
            off_by = max(off_by, abs((ends[0] - ends[1]) / 2e-5 - slope[at]))
    yield Claim("gradient-exact", measured=off_by, at_most=1e-7)

    # Even parity: any two of the three units look like independent coin flips, and weights between pairs see no more.
    s = all_states(3)
    rows = {"parity": s[:, 2] == (s[:, 0] + s[:, 1]) % 2, "copy": s[:, 2] == s[:, 0]}
    gains = []
    for task in (other, rule):  # the rule last: the RBM learns it next
        target = rows[task] / 4  # (8,)
        w, b = np.zeros((3, 3)), rng.normal(0, 0.1, 3)
        for _ in range(400):
            gap = target - boltzmann(s, w, b)
            w, b = w + s.T @ (gap[:, None] * s), b + gap @ s  # the diagonal of w is never read
        gains.append(target @ np.log(boltzmann(s, w, b)) + np.log(8))
    yield Claim("pairs-find-copies", measured=gains[0], at_least=0.6)
    yield Claim("pairs-miss-parity", measured=gains[1], at_most=0.01)
    learned = train_exactly(s, target, start(rng, 3, parity_hidden, 1.0), 800)
    yield Claim("hidden-find-parity", measured=np.median(log_p(s, learned) @ target) + np.log(8), at_least=0.5)

    # Bars and stripes: each column, or each row, all on or all off; ten different pictures of 64 possible ones.
    bars, stripes = np.tile(all_states(3), 2), np.repeat(all_states(2), 3, axis=1)  # (8, 6), (4, 6)
    pictures = np.unique(np.concatenate([bars, stripes]), axis=0)  # (10, 6)
    v, data = all_states(6), np.zeros(64)
    data[(pictures @ 2 ** np.arange(6)).astype(int)] = 1 / len(pictures)
    yield Image("bars-and-stripes", {f"{i}": pictures[i].reshape(2, 3) for i in (1, 3, 5, 6)})
    rbm = small = start(rng, 6, 4)
    for _ in range(600):
        rbm = climb(rbm, sampled_cd(pictures, rbm, rng, mistake), 0.5)
    gain = (log_p(v, rbm) - log_p(v, small)) @ data  # (M,)
    yield Claim("cd-raises-likelihood", measured=np.median(gain), at_least=0.4)

    wild = tuple(rng.normal(0, 2, part.shape) for part in small)
    sampled = sampled_cd(np.tile(pictures, (1000, 1)), wild, rng, mistake)
    listed = contrast(v, data, after_gibbs(v, data, wild, 1), wild)
    apart = max(np.abs(mine - mean).max() for mine, mean in zip(sampled, listed, strict=True))
    yield Claim("cd-sample-mean", measured=apart, at_most=0.04)

    best = train_exactly(v, data, small, 600)
    gradient = contrast(v, data, np.exp(log_p(v, best)), best)
    average = contrast(v, data, after_gibbs(v, data, best, cd_steps), best)
    share = np.median(size(climb(average, gradient, -1.0)) / size(gradient))
    yield Measure("bias-share", share)
    yield Claim("cd-is-biased", measured=share, at_least=0.25)

    rbm, likelihood, miss, at = small, [], [], range(0, 1201, 25)
    for step in range(at[-1] + 1):
        if step in at:
            mean_v = sigmoid(sigmoid(pictures @ rbm[0] + rbm[2]) @ rbm[0].swapaxes(1, 2) + rbm[1])  # (M, N, V)
            likelihood.append(log_p(v, rbm) @ data)
            miss.append(((pictures - mean_v) ** 2).sum(2).mean(1))
        rbm = climb(rbm, contrast(v, data, after_gibbs(v, data, rbm, cd_steps), rbm), 4.0)
    likelihood, miss = np.array(likelihood), np.array(miss)  # (checks, M)
    yield Plot(
        "likelihood",
        {
            f"average CD-{cd_steps}": (at, likelihood.mean(1)),
            "after exact training": (at, [(log_p(v, best) @ data).mean()] * len(at)),
        },
        x_label="update",
        y_label="nats a picture",
    )
    yield Plot("reconstruction", {"error": (at, miss.mean(1))}, x_label="update", y_label="squared error", log_y=True)
    fall = likelihood.max(0) - likelihood[-1]
    yield Measure("fall", np.median(fall))
    yield Claim("ends-below-best", measured=(fall > 0.01).sum(), at_least=7)
    falls, looks_better = likelihood[-1] < likelihood[-17], miss[-1] < miss[-17]  # over the last 400 updates
    yield Claim("likelihood-can-fall", measured=falls.sum(), at_least=7)
    yield Claim("reconstruction-misses-it", measured=(falls & looks_better).sum(), at_least=6)


if __name__ == "__main__":
    main(run)
