"""A self-organizing map: one layer of units on a grid, each with a point in data space; neighbors learn together.

    winner b = argmin_i |x - w_i|        w_i += rate · h(i, b) · (x - w_i) for EVERY unit i
    h(i, b) = exp(-d(i, b)² / (2 radius²)),   d = distance on the grid

The radius shrinks from half the grid to half a step. What comes out is a codebook like that of k-means in which
neighbors on the grid are neighbors in the data. Without a neighborhood (radius 0) it is a codebook in no order. There
is one layer, no hidden unit and no backpropagation: a map is not deep.

Quantization error: mean |x - w_b|. Topographic error: share of points whose two nearest units do not
touch on the grid.

Sources: Kohonen (1982), Biological Cybernetics 43; Kohonen (2001), Self-Organizing Maps, chapter 3.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "update-is-gradient": {
        "says": "for a given winner the update is a gradient step on ½ Σ_i h(i, b) |x - w_i|²",
        "false_when": {"mistake": "winner-only"},
    },
    "one-linear-layer": {
        "says": "the winner is the argmax of one linear layer with biases, w_i·x - |w_i|²/2",
        "false_when": {"mistake": "no-bias"},
    },
    "radius-0-is-k-means": {
        "says": "one batch update, each unit to its h-weighted mean of the points, is at radius 0 a step of k-means",
        "false_when": {"batch_radius": 0.7},
    },
    "lattice-quantization": {
        "says": "units on a square lattice over the unit square have a quantization error of 0.383 / side",
        "false_when": {"references": "swapped"},
    },
    "lattice-in-order": {
        "says": "units that sit on the grid as they sit on that lattice have no topographic error",
        "false_when": {"references": "swapped"},
    },
    "chance-of-touching": {
        "says": "of units placed at random, the two nearest touch as often as chance has it: about 10% of the time",
        "false_when": {"references": "swapped"},
    },
    "winner-alone-is-chance": {
        "says": "trained at radius 0, maps are in no order: a point's two nearest units touch as if by chance",
        "false_when": {"start": "in order"},
    },
    "becomes-ordered": {
        "says": "training lowers the topographic error of each of 8 maps by over 45 percentage points",
        "false_when": {"radius": 0.0},
    },
    "quantizes": {
        "says": "training lowers the quantization error to a fifth of what it was, 0.185 to 0.22",
        "false_when": {"shrink": False},
    },
    "narrow-start-folds": {
        "says": "maps whose radius is 0.5 from the start keep folds: topographic error over 15 points higher",
        "false_when": {"radius": 0.5},
    },
    "u-matrix-shows-gaps": {
        "says": "on three clusters, steps between units of different clusters are 1.8 to 4.5 times those within one",
        "false_when": {"spread": 3.0},
    },
    "clusters-unlabeled": {
        "says": "though no label is used, under 5% of fresh points fall on a unit that another cluster mostly wins",
        "false_when": {"spread": 3.0},
    },
}
measures = {
    "moved": "a unit's weight after one update, from 0 toward an input of 10",
    "moved-fully": "the same without the neighborhood's factor",
    "moved-squared": "the same with exp(-d / (2 radius²)): the distance was not squared",
    "topographic": "topographic error after training, percent",
    "topographic-0": "the same without a neighborhood",
    "quantization": "quantization error after training, over that of the start",
}
predict = {
    "ask": "64 units, each point moves its winner alone. How often do a point's two nearest units touch on the grid?",
    "measure": "topographic-0",
    "choices": {"nearly always": [0.0, 20.0], "about half the time": [20.0, 65.0], "rarely": [65.0, 100.0]},
}
COPIES = 8


def distances(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Squared distances (..., N, units) of points x (..., N, D) and units w (..., units, D)."""
    return ((x[..., :, None, :] - w[..., None, :, :]) ** 2).sum(-1)


def neighborhood(grid2: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """h for squared grid distances; at radius 0 the winner alone has 1."""
    return np.exp(-grid2 / (2 * np.maximum(radius, 1e-3) ** 2))


def update(w: np.ndarray, x: np.ndarray | float, rate: float, h: np.ndarray) -> np.ndarray:
    """Units w after one step toward x, each as far as its h says."""
    return w + rate * h * (x - w)


def train(w: np.ndarray, x: np.ndarray, grid2: np.ndarray, radius: np.ndarray, shrink: bool = True) -> np.ndarray:
    """Trains M maps w (M, units, D) at once, each with its radius (M,), on one point a step of x (steps, M, D)."""
    wide = np.maximum(radius, 1e-3)  # no geometric sequence starts at 0
    radii = np.geomspace(wide, np.minimum(wide, 0.5) if shrink else wide, len(x))  # (steps, M)
    for point, rate, now in zip(x, np.geomspace(0.5, 0.02, len(x)), radii, strict=True):
        winner = ((point[:, None] - w) ** 2).sum(2).argmin(1)  # (M,)
        h = neighborhood(grid2[winner], now[:, None])  # (M, units)
        w = update(w, point[:, None], rate, h[:, :, None])
    return w


def quality(w: np.ndarray, x: np.ndarray, grid2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantization error and topographic error (percent) of each map w (M, units, D) on points x (N, D)."""
    far = distances(x, w)  # (M, N, units)
    first, second = far.argsort(2)[:, :, :2].transpose(2, 0, 1)
    return np.sqrt(far.min(2)).mean(1), 100 * (grid2[first, second] > 2).mean(1)  # diagonal neighbors touch


def batch_update(w: np.ndarray, x: np.ndarray, grid2: np.ndarray, radius: float) -> np.ndarray:
    """Every unit (units, D) to the mean of all points, weighted by h; a unit without any weight stays."""
    h = neighborhood(grid2[distances(x, w).argmin(1)], radius)  # (N, units)
    total = h.sum(0)[:, None]
    return np.where(total > 1e-12, h.T @ x / np.maximum(total, 1e-12), w)


def k_means_step(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Lloyd's step, unit by unit: each nonempty cluster's mean."""
    owner = distances(x, w).argmin(1)
    return np.array([x[owner == i].mean(0) if (owner == i).any() else w[i] for i in range(len(w))])


def run(
    *,
    rate: Annotated[float, Range(0.0, 1.0), "learning rate of the one counted update"] = 0.5,
    away: Annotated[int, Range(0, 10), "grid distance of its unit from the winner"] = 2,
    reach: Annotated[float, Range(0.1, 10.0), "radius of that update"] = 1.0,
    side: Annotated[int, Range(4, 12), "the grid has side by side units"] = 8,
    radius: Annotated[float, Range(0.0, 6.0), "radius at the start of training"] = 4.0,
    shrink: Annotated[bool, "the radius shrinks to 0.5 while training"] = True,
    batch_radius: Annotated[float, Range(0.0, 6.0), "radius of the batch update"] = 0.0,
    spread: Annotated[float, Range(0.05, 5.0), "standard deviation of the three clusters"] = 0.3,
    references: Annotated[Literal["as named", "swapped"], "the lattice and the random codebooks"] = "as named",
    start: Annotated[Literal["at random", "in order"], "the maps before training"] = "at random",
    mistake: Literal["none", "winner-only", "no-bias"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # Units whose weight is 0, at three squared grid distances from the winner.
    h = neighborhood(np.array([away**2, 0, away]), reach)
    moved, fully, squared = update(np.zeros(3), 10.0, rate, h)
    yield Measure("moved", moved)
    yield Measure("moved-fully", fully)
    yield Measure("moved-squared", squared)
    rng = np.random.default_rng(seed)
    at = np.stack(np.divmod(np.arange(side**2), side), axis=1)  # row and column of each unit
    grid2 = ((at[:, None] - at) ** 2).sum(2)  # (units, units)

    # One update against finite differences; 3 features, learning rate 1 would be a full step.
    w, x = rng.normal(size=(side**2, 3)), rng.normal(size=3)
    winner = int(((x - w) ** 2).sum(1).argmin())
    h = np.exp(-grid2[winner] / (2 * 1.5**2))
    moved = train(w[None], x[None, None], grid2, np.array([1e-3 if mistake == "winner-only" else 1.5]))[0] - w
    off_by = 0.0
    for unit in (winner, *rng.integers(0, side**2, 20)):
        for k in range(3):
            costs = []
            for nudge in (1e-5, -1e-5):
                there = w[unit] + nudge * (np.arange(3) == k)
                costs.append(h[unit] * ((x - there) ** 2).sum() / 2)
            off_by = max(off_by, abs(0.5 * (costs[0] - costs[1]) / 2e-5 + moved[unit, k]))
    yield Claim("update-is-gradient", measured=off_by, at_most=1e-8)

    points = rng.normal(size=(500, 3))
    scores = points @ w.T - (0.0 if mistake == "no-bias" else (w**2).sum(1) / 2)  # (N, units)
    differ = scores.argmax(1) != distances(points, w).argmin(1)
    yield Claim("one-linear-layer", measured=differ.mean(), at_most=0)
    step = np.abs(batch_update(w, points, grid2, batch_radius) - k_means_step(w, points)).max()
    yield Claim("radius-0-is-k-means", measured=step, at_most=1e-9)

    # Both errors on codebooks where they are known: a lattice (mean distance to the center of a square of side 1 is
    # (√2 + ln(1 + √2))/6 = 0.3826), and random places, where of all other units the 3 to 8 adjacent ones touch.
    points, lattice = rng.random((400, 2)), (at[None] + 0.5) / side  # (N, 2), (1, units, 2)
    scattered = rng.random((60, side**2, 2))
    if references == "swapped":
        lattice, scattered = scattered, lattice
    (q_lattice, t_lattice), (_, t_scattered) = quality(lattice, points, grid2), quality(scattered, points, grid2)
    chance = 400 * (side - 1) * (2 * side - 1) / (side**2 * (side**2 - 1))  # touching pairs over all pairs, percent
    yield Claim("lattice-quantization", measured=q_lattice.mean() * side, near=(0.3826, 0.04))
    yield Claim("lattice-in-order", measured=t_lattice.mean(), at_most=1.0)
    yield Claim("chance-of-touching", measured=100 - t_scattered.mean(), near=(chance, 3.0))

    # The unit square: maps without a neighborhood, with a narrow one throughout, and with the radius asked for.
    radii = np.repeat([0.0, 0.5, radius], COPIES)  # (M,)
    first = rng.uniform(0.4, 0.6, (COPIES, side**2, 2))
    if start == "in order":
        first[:] = (at + 0.5) / side
    sequence = np.tile(rng.random((2500, COPIES, 2)), (1, 3, 1))  # three maps each with the same start and points
    maps = np.concatenate([first, train(np.tile(first, (3, 1, 1)), sequence, grid2, radii, shrink)])
    q_each, t_each = (part.reshape(4, COPIES) for part in quality(maps, points, grid2))
    q, t = q_each.mean(1), t_each.mean(1)
    names = ["(untrained)", "winner alone", "0.5", f"{radius:g}"]
    yield Table(
        f"after 2,500 points, mean of {COPIES} maps",
        ["radius at the start", "quantization", "topographic (%)"],
        [*zip(names, q, t, strict=True)],
    )
    planes = {"untrained": maps[0], "winner alone": maps[COPIES], "map": maps[-1]}
    yield Image(
        "first coordinate of each unit, on the grid",
        {name: w[:, 0].reshape(side, side) for name, w in planes.items()},
    )
    snake = np.arange(side**2).reshape(side, side)
    snake[1::2] = snake[1::2, ::-1].copy()  # a walk over the grid, row by row, there and back
    yield Plot(
        "walk-over-the-map",
        {"units in data space": (maps[-1][snake.ravel(), 0], maps[-1][snake.ravel(), 1])},
        x_label="first feature",
        y_label="second feature",
    )
    _, alone, narrow, wide = t
    yield Measure("topographic", wide)
    yield Measure("topographic-0", alone)
    yield Claim("winner-alone-is-chance", measured=100 - alone, near=(chance, 8.0))
    yield Claim("becomes-ordered", measured=(t_each[0] - t_each[3]).min(), at_least=45.0)
    yield Claim("narrow-start-folds", measured=narrow - wide, at_least=15.0)
    share_left = q[3] / q[0]
    yield Measure("quantization", share_left)
    yield Claim("quantizes", measured=share_left, between=(0.185, 0.22))

    # Three clusters in five dimensions, whose names the map never sees.
    centers = 2 * np.eye(3, 5)
    which = rng.integers(0, 3, 2500)
    x = rng.normal(centers[which], spread)  # (N, 5)
    trained = train(rng.normal(0, 0.1, (1, side**2, 5)), x[:2000, None], grid2, np.array([4.0]))[0]
    owner, fresh = distances(x[2000:], trained).argmin(1), which[2000:]
    counts = np.zeros((side**2, 3))
    np.add.at(counts, (owner, fresh), 1)
    strangers = fresh != counts.argmax(1)[owner]  # not of the cluster that most points of their unit are from
    yield Claim("clusters-unlabeled", measured=strangers.mean(), at_most=0.05)
    gaps = np.sqrt(distances(trained, trained))
    touching = grid2 == 1
    heights = np.nanmean(np.where(touching, gaps, np.nan), axis=1)  # (units,)
    yield Image("mean distance to grid neighbors", {"u-matrix": heights.reshape(side, side)})
    kind = distances(trained, centers).argmin(1)
    same = kind[:, None] == kind
    ridge = gaps[touching & ~same].mean() / gaps[touching & same].mean()
    yield Claim("u-matrix-shows-gaps", measured=ridge, between=(1.8, 4.5))


if __name__ == "__main__":
    main(run)
