"""The element-wise (Hadamard) product scales, entry by entry; the matrix product mixes, row by column.

    (A ⊙ B)ᵢⱼ = Aᵢⱼ Bᵢⱼ                (A B)ᵢⱼ = Σₖ Aᵢₖ Bₖⱼ
    ∂L/∂A = G ⊙ B, if G = ∂L/∂(A ⊙ B)   a ⊙ x = diag(a) x

So a ⊙ x is a gate: each unit has a factor of its own, forward and backward, and units do not mix. An LSTM's cell and
a dropout mask are such gates. Gradients by hand are held against central differences. At the end, two things a
product of two linear maps can do that neither map can: fit an interaction, and raise the rank.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 2.2 and 10.10; Shazeer (2020), GLU Variants.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, Text, main

claims = {
    "commutes": {"says": "the element-wise product does not mind the order", "false_when": {"mistake": "matmul"}},
    "identity-keeps-the-diagonal": {
        "says": "multiplied element by element, the identity matrix leaves nothing of a matrix but its diagonal",
        "false_when": {"mistake": "matmul"},
    },
    "matrix-order-matters": {
        "says": "AB and BA of dense random matrices, 12×12 to 20×20, differ by over half the norm of AB",
        "false_when": {"family": "diagonal"},
    },
    "needs-inner-sizes": {
        "says": "of two matrices of one shape that is not square (every shape to 5×5) there is no matrix product",
        "false_when": {"columns": 3},
    },
    "diag-scales-rows": {
        "says": "diag(a) M multiplies row i by aᵢ: it is a as a column times M, element by element",
        "false_when": {"mistake": "wrong-axis"},
    },
    "gate-folds-into-columns": {
        "says": "a gate in front of a matrix, W(a ⊙ x), equals scaling the columns of W by a",
        "false_when": {"mistake": "wrong-axis"},
    },
    "gradient-is-gated": {
        "says": "the gradient of either factor is the incoming one times the other factor (central differences)",
        "false_when": {"mistake": "ungated"},
    },
    "broadcast-gradient-sums": {
        "says": "a factor used for several rows gets the sum of their gradients (central differences)",
        "false_when": {"mistake": "mean-gradient"},
    },
    "closed-gate-blocks-both": {
        "says": "at logit -10 a sigmoid gate passes under a thousandth of a gradient to its input and to its logit",
        "false_when": {"logit": 0.0},
    },
    "cell-jacobian-is-diagonal": {
        "says": "over 20 steps of c = f ⊙ c + i ⊙ g each cell's slope is its product of f, and cells do not mix",
        "false_when": {"mistake": "matmul"},
    },
    "matrix-products-dominate": {
        "says": "an LSTM step of 100 inputs and 200 units: 400 multiplications in matrix products to each other one",
        "false_when": {"inputs": 1, "units": 1},
    },
    "table-forgets-weights": {
        "says": "losses (N,) times weights (N, 1) is a table whose mean is the plain mean loss times the mean weight",
        "false_when": {"weights": "row"},
    },
    "linear-misses-interaction": {
        "says": "a linear fit explains under 5% of the variance of y = x₁x₂",
        "false_when": {"target": "sum"},
    },
    "gated-fits-interaction": {
        "says": "a linear readout of four units (Vx) ⊙ (Wx) explains over 99.9% of y = x₁x₂",
        "false_when": {"combine": "sum"},
    },
    "rank-multiplies": {
        "says": "two random 40×40 matrices of rank r have an element-wise product of rank r²",
        "false_when": {"mistake": "matmul"},
    },
}
measures = {
    "lstm-ratio": "multiplications in matrix products over those in element-wise ones, in one LSTM step",
    "lstm-ratio-one-gate": "the same, counting one matrix pair rather than four",
    "lstm-ratio-no-recurrence": "the same without the matrices that read the state before",
    "rank-elementwise": "matrix rank of the element-wise product of two 40×40 matrices of rank `rank`",
    "rank-sum": "twice `rank`, which is what adding the two matrices gives",
    "rank-matrix-product": "`rank`, which is what the matrix product gives",
}
predict = {
    "ask": "Two random 40×40 matrices of rank 3 are multiplied element by element. The rank of the result?",
    "measure": "rank-elementwise",
    "choices": {"3": [3, 3], "6": [6, 6], "9": [9, 9], "40": [40, 40]},
}
SIZE = 40


def product(a: np.ndarray, b: np.ndarray, mistake: str) -> np.ndarray:
    """Element by element, unless somebody writes @ for *."""
    return a @ b if mistake == "matmul" else a * b


def slopes(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of f at x by central differences, one entry at a time."""
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[place] = step
        gradient[place] = (f(x + move) - f(x - move)) / (2 * step)
    return gradient


def explained(features: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y (N,) that the best linear readout of features (N, F) and a constant explains."""
    design = np.column_stack([features, np.ones(len(y))])
    rest = y - design @ np.linalg.lstsq(design, y)[0]
    return float(1 - rest.var() / y.var())


def run(
    *,
    columns: Annotated[int, Range(1, 20), "columns of two matrices with 3 rows, beside the other shapes"] = 4,
    inputs: Annotated[int, Range(1, 2000), "inputs D of an LSTM"] = 100,
    units: Annotated[int, Range(1, 2000), "units H of an LSTM"] = 200,
    logit: Annotated[float, Range(-20.0, 20.0), "logit of a gate that should be closed"] = -10.0,
    rank: Annotated[int, Range(1, 6), "rank of the factors in the rank measures"] = 3,
    family: Annotated[Literal["dense", "diagonal"], "matrices whose order is swapped"] = "dense",
    weights: Annotated[Literal["column", "row"], "weights of shape (N, 1), a mistake, or (N,)"] = "column",
    target: Annotated[Literal["product", "sum"], "what is to be fitted by a linear model"] = "product",
    combine: Annotated[Literal["product", "sum"], "how the hidden layer joins its two linear maps"] = "product",
    mistake: Literal["none", "matmul", "wrong-axis", "ungated", "mean-gradient"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    elementwise = 3 * units  # f ⊙ c, i ⊙ g, o ⊙ tanh(c)
    ratio = 4 * units * (inputs + units) / elementwise
    yield Measure("lstm-ratio", ratio)
    yield Measure("lstm-ratio-one-gate", units * (inputs + units) / elementwise)
    yield Measure("lstm-ratio-no-recurrence", 4 * units * inputs / elementwise)
    yield Claim("matrix-products-dominate", measured=ratio, near=(400, 1e-9))

    # 1. Shapes and order.
    shapes = [((3, 4), (3, 4)), ((3, 4), (4, 2)), ((3, 4), (4,)), ((4,), (4,)), ((4,), (4, 1)), ((3, 1), (1, 4))]
    rows = []
    for one, other in shapes:
        cells = [f"{one} and {other}"]
        for operation in (np.multiply, np.matmul):
            try:
                cells.append(str(operation(np.ones(one), np.ones(other)).shape))
            except ValueError:
                cells.append("error")
        rows.append(cells)
    yield Table("shape of the result", ["shapes", "A * B", "A @ B"], rows)
    refused = []
    for shape in [(3, columns), *permutations(range(1, 6), 2)]:  # 20 unequal sides, and one as asked
        try:
            refused.append(float(np.ones(shape) @ np.ones(shape) is None))
        except ValueError:
            refused.append(1.0)
    yield Claim("needs-inner-sizes", measured=min(refused), at_least=1)

    rng = np.random.default_rng(seed)
    swapped, off_diagonal, differs = [], [], []
    for n in (12, 16, 20):
        a, b = rng.normal(size=(2, n, n))
        swapped.append(np.abs(product(a, b, mistake) - product(b, a, mistake)).max())
        off_diagonal.append(np.abs(product(a, np.eye(n), mistake) - np.diag(np.diag(a))).max())
        if family == "diagonal":
            a, b = np.diag(np.diag(a)), np.diag(np.diag(b))
        differs.append(np.linalg.norm(a @ b - b @ a) / np.linalg.norm(a @ b))
    yield Claim("commutes", measured=max(swapped), at_most=1e-9)
    yield Claim("identity-keeps-the-diagonal", measured=max(off_diagonal), at_most=1e-9)
    yield Claim("matrix-order-matters", measured=min(differs), at_least=0.5)

    row, column = np.mgrid[0:12, 0:12]
    disc, mask = ((row - 5.5) ** 2 + (column - 5.5) ** 2 < 25) * 1.0, (column > 5) * 1.0
    yield Image("a mask", {"A": disc, "B": mask, "A * B": disc * mask, "A @ B (/ 10)": disc @ mask / 10})

    # 2. A vector as a diagonal matrix. Where M is square, the wrong axis goes unnoticed.
    by_rows, by_columns = [], []
    for n, d in ((8, 8), (5, 5), (3, 7), (20, 4)):
        m, above, gate, x = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d), rng.normal(size=d)
        as_column, as_row = above[:, None], gate[None, :]  # (n, 1) scales rows, (1, d) scales columns
        if mistake == "wrong-axis" and n == d:
            as_column, as_row = above[None, :], gate[:, None]
        by_rows.append(np.abs(np.diag(above) @ m - as_column * m).max())
        by_columns.append(np.abs(m @ (gate * x) - (m * as_row) @ x).max())
    yield Claim("diag-scales-rows", measured=max(by_rows), at_most=1e-9)
    yield Claim("gate-folds-into-columns", measured=max(by_columns), at_most=1e-9)

    # 3. Backward. L = Σ G ⊙ A ⊙ B sends the gradient G into the product A ⊙ B.
    a, b, g = rng.normal(size=(3, 5, 7))
    by_hand = np.stack([g, g]) if mistake == "ungated" else np.stack([g * b, g * a])
    wanted = np.stack([slopes(lambda v: (g * v * b).sum(), a), slopes(lambda v: (g * a * v).sum(), b)])
    yield Claim("gradient-is-gated", measured=np.abs(by_hand - wanted).max(), at_most=1e-6)
    shared = rng.normal(size=(1, 7))  # one factor for all five rows
    summed = (g * a).mean(0, keepdims=True) if mistake == "mean-gradient" else (g * a).sum(0, keepdims=True)
    wrong = np.abs(summed - slopes(lambda v: (g * a * v).sum(), shared)).max()
    yield Claim("broadcast-gradient-sums", measured=wrong, at_most=1e-6)
    gated = slopes(lambda v: v[0] / (1 + np.exp(-v[1])), np.array([2.0, logit]))  # by input x = 2, by logit
    yield Claim("closed-gate-blocks-both", measured=np.abs(gated).max(), at_most=1e-3)

    # 4. A cell of four units with gates of their own, at twenty steps.
    forget = rng.uniform(0.7, 1, (20, 4)) * [1, 0.97, 0.9, 0.5]
    write = rng.uniform(0, 1, (20, 4)) * rng.normal(size=(20, 4))  # i ⊙ g

    def cells(c: np.ndarray) -> np.ndarray:
        path = [c]
        for f, new in zip(forget, write, strict=True):
            path.append(product(f, path[-1], mistake) + new)  # f @ c would be one number for all units
        return np.array(path)  # (21, 4)

    start = np.ones(4)
    jacobian = np.array([slopes(lambda c, unit=unit: cells(c)[-1, unit], start) for unit in range(4)])  # (4, 4)
    yield Claim("cell-jacobian-is-diagonal", measured=np.abs(jacobian - np.diag(forget.prod(0))).max(), at_most=1e-6)
    steps = np.arange(21)
    kept = np.vstack([np.ones(4), forget.cumprod(0)])
    yield Plot(
        "what each cell keeps of its start",
        {f"unit {unit + 1}": (steps, kept[:, unit]) for unit in range(4)},
        x_label="steps",
        y_label="product of forget gates",
    )

    # 5. Weighted losses. The table pairs each weight with each loss; which two belonged together is lost in its mean.
    forgets = []
    for n in (16, 50, 64):
        loss = rng.exponential(size=n)
        weight = 0.1 + 3 * loss  # hard examples count more
        table = loss * (weight[:, None] if weights == "column" else weight)  # (N, N), or (N,) as was meant
        forgets.append(abs(table.mean() / (loss.mean() * weight.mean()) - 1))
    yield Text(
        f"Mean weighted loss {(loss * weight).mean():.3f}; mean of the {table.shape} product {table.mean():.3f}."
    )
    yield Claim("table-forgets-weights", measured=max(forgets), at_most=1e-9)

    # 6. What products add: an interaction of two inputs, and rank.
    x = rng.normal(size=(2000, 2))
    y = x[:, 0] * x[:, 1] if target == "product" else x.sum(1)
    yield Claim("linear-misses-interaction", measured=explained(x, y), at_most=0.05)
    v, w = rng.normal(size=(2, 2, 4))
    hidden = (x @ v) * (x @ w) if combine == "product" else x @ v + x @ w  # (N, 4)
    yield Claim("gated-fits-interaction", measured=explained(hidden, x[:, 0] * x[:, 1]), at_least=0.999)
    one, other = (rng.normal(size=(SIZE, rank)) @ rng.normal(size=(rank, SIZE)) for _ in range(2))
    found = np.linalg.matrix_rank(product(one, other, mistake))
    yield Measure("rank-elementwise", np.linalg.matrix_rank(one * other))
    yield Measure("rank-sum", np.linalg.matrix_rank(one + other))
    yield Measure("rank-matrix-product", np.linalg.matrix_rank(one @ other))
    yield Claim("rank-multiplies", measured=found, near=(rank**2, 1e-9))


if __name__ == "__main__":
    main(run)
